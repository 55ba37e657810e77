//! Links findings to their root causes, so that one broken thing is one problem, however many rules it breaks.

use std::borrow::Cow;

use crate::finding::{Finding, Kind, Verdict};
use crate::rules::find;

/// Notes on each failure of one workload the failure that explains it. `related` holds, for each finding, the ARNs of
/// the other resources that it depends on. A waived finding explains nothing: the waiver accepts the cause, not what
/// follows.
pub(super) fn link(findings: &mut [Finding], related: &[Vec<Cow<'_, str>>]) {
    let causes: Vec<Option<String>> = findings
        .iter()
        .zip(related)
        .map(|(finding, related)| cause(finding, related, findings).map(|c| c.id.clone()))
        .collect();
    for (finding, cause) in findings.iter_mut().zip(causes) {
        finding.caused_by = cause;
    }
}

fn cause<'a>(effect: &Finding, related: &[Cow<'_, str>], all: &'a [Finding]) -> Option<&'a Finding> {
    if effect.verdict != Verdict::Fail {
        return None;
    }
    let rules = find(&effect.rule)?.meta().caused_by;
    let explains = |cause: &&Finding| {
        cause.verdict == Verdict::Fail
            && (cause.resource.arn == effect.resource.arn
                || cause.resource.kind == Kind::Workload
                || related.iter().any(|arn| *arn == cause.resource.arn))
    };
    rules
        .iter()
        .find_map(|rule| all.iter().filter(|f| f.rule == *rule).find(explains))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::rules::testing::{clean, evaluation};
    use crate::rules::{REGISTRY, find};

    /// A cause of a cause of a cause may not be the effect itself.
    #[test]
    fn nothing_causes_itself() {
        for rule in REGISTRY {
            let mut seen = BTreeSet::new();
            let mut next = vec![rule.meta().id];
            while let Some(id) = next.pop() {
                for cause in find(id).expect("a rule").meta().caused_by {
                    assert_ne!(*cause, rule.meta().id, "by way of {id}");
                    if seen.insert(*cause) {
                        next.push(cause);
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_secret_is_why_data_is_lost() {
        let mut s = clean();
        crate::rules::testing::workload::lose_secret(&mut s);
        let evaluation = evaluation(&s);
        let of = |rule: &str| evaluation.findings.iter().find(|f| f.rule == rule).expect("found");
        let root = of("ecs-missing-database-secret");
        assert_eq!(root.caused_by, None);
        assert_eq!(of("ecs-ephemeral-storage").caused_by.as_ref(), Some(&root.id));
    }

    #[test]
    fn what_is_waived_explains_nothing() {
        let mut s = clean();
        crate::rules::testing::workload::lose_secret(&mut s);
        crate::rules::testing::service(&mut s).tags = crate::rules::testing::shop(&[
            ("waive", "ecs-missing-database-secret@2027-01-01T00:00:00Z"),
            ("waive-reason", "being moved"),
        ]);
        let evaluation = evaluation(&s);
        let lost = evaluation
            .findings
            .iter()
            .find(|f| f.rule == "ecs-ephemeral-storage")
            .expect("found");
        assert_eq!(lost.caused_by, None);
    }

    /// A window lets in single addresses; the world is open for a reason of its own.
    #[test]
    fn a_window_explains_single_addresses_only() {
        for (source, explained) in [("203.0.113.7/32", true), ("0.0.0.0/0", false)] {
            let mut s = clean();
            crate::rules::testing::db(&mut s).tags =
                crate::rules::testing::shop(&[("phase", "migrating"), ("migration-until", "2026-11-21T11:00:00Z")]);
            let group = crate::rules::testing::guard(&mut s);
            group
                .ingress
                .push(crate::rules::testing::ingress("sgr-old", "203.0.113.7/32"));
            group.ingress.push(crate::rules::testing::ingress("sgr-new", source));
            let evaluation = evaluation(&s);
            let open = evaluation
                .findings
                .iter()
                .find(|f| f.rule == "rds-open-ingress")
                .expect("found");
            assert_eq!(open.caused_by.is_some(), explained, "{source}");
        }
    }
}
