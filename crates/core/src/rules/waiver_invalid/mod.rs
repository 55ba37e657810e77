#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::tags::{Tags, WaiverFault};

/// `waiver-invalid`
pub struct WaiverInvalid {
    /// The ids of all rules: a rule imports no registry.
    pub ids: fn() -> Vec<&'static str>,
}

static META: Meta = Meta {
    id: "waiver-invalid",
    severity: Severity::Medium,
    summary: "a waiver is malformed, expired, for a rule that does not exist, or without a reason",
    docs: include_str!("doc.md"),
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ecs:DescribeServices",
        "secretsmanager:ListSecrets",
    ],
    ..Meta::DEFAULT
};

impl Rule for WaiverInvalid {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let mut out = vec![];
        let mut look = |subject: ResultSubject<'a>, tags: &'a Tags| out.extend(result(w, self.ids, subject, tags));
        for &i in w.instances().unwrap_or_default() {
            look(ResultSubject::Instance(i), &i.tags);
        }
        for &c in w.clusters().unwrap_or_default() {
            look(ResultSubject::Cluster(c), &c.tags);
        }
        for &s in w.services().unwrap_or_default() {
            look(ResultSubject::Service(s), &s.tags);
        }
        for &s in w.secrets().unwrap_or_default() {
            look(ResultSubject::Secret(s), &s.tags);
        }
        for &g in w.groups().unwrap_or_default() {
            look(ResultSubject::Group(g), &g.tags);
        }
        // A resource that can't be read can't be waived either: what it hides is told by the rules about it. Only where
        // nothing but the error is known is there something to say here.
        let errors = [
            w.instances().err(),
            w.clusters().err(),
            w.services_error(),
            w.secrets().err(),
            w.groups().err(),
        ];
        if let Some(error) = errors.into_iter().flatten().next() {
            out.extend(w.unknown(&error));
        }
        out
    }
}

/// Nothing for a resource that has no waiver at all.
fn result<'a>(
    w: &Workload<'a>,
    ids: fn() -> Vec<&'static str>,
    subject: ResultSubject<'a>,
    tags: &'a Tags,
) -> Option<RuleResult<'a>> {
    let given = tags.get(w.prefix, "waive")?;
    let ids = ids();
    let faults = tags.waiver_faults(w.prefix, &ids, w.now);
    if faults.is_empty() {
        return Some(RuleResult::pass(subject));
    }
    let told: Vec<String> = faults.iter().map(|f| tell(w, &ids, f)).collect();
    let failure = Failure {
        severity: None,
        message: format!("a waiver on {} does not count: {}", subject.id(), told.join("; ")),
        evidence: vec![Evidence::new(
            format!("{}waive", w.prefix),
            given,
            "rule-id@instant to come, with a reason",
        )],
        remedy: Remedy::manual(format!(
            "correct what it was for and remove {0}waive from {1}, or write it anew with an instant to come and \
             {0}waive-reason",
            w.prefix,
            subject.id()
        )),
    };
    Some(RuleResult::fail(subject, tags, failure))
}

fn tell(w: &Workload<'_>, ids: &[&str], fault: &WaiverFault) -> String {
    match fault {
        WaiverFault::NoReason => format!("{}waive-reason is missing", w.prefix),
        WaiverFault::Malformed { entry } if entry.is_empty() => "the tag is empty".to_owned(),
        WaiverFault::Malformed { entry } => format!("{entry:?} is not rule-id@RFC3339-instant"),
        WaiverFault::UnknownRule { rule } => {
            let near = nearest(ids, rule)
                .map(|n| format!(" (did you mean {n}?)"))
                .unwrap_or_default();
            format!("there is no rule {rule:?}{near}")
        }
        WaiverFault::Expired { rule, at } => format!("{rule} was waived until {at}, which is over"),
    }
}

fn nearest<'i>(ids: &[&'i str], rule: &str) -> Option<&'i str> {
    ids.iter()
        .map(|id| (strsim::damerau_levenshtein(id, rule), *id))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, id)| id)
}
