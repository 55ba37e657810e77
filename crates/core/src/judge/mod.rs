//! Snapshot, policy and waivers in; findings out. Pure.

mod causes;
mod evaluation;
mod horizon;
mod rule_stats;
mod workload_verdicts;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::facts::{Workload, Workloads};
use crate::finding::{Finding, Passed, Remediation, Verdict, finding_id};
use crate::judgement::{Judgement, Outcome, Remedy};
use crate::model::hold::HoldReason;
use crate::model::policy::{Mode, Risk, Severity};
use crate::model::rule_meta::Meta;
use crate::model::snapshot::Snapshot;
use crate::model::tags::{Tags, Waiver};
use crate::rules::REGISTRY;
use crate::rules::rule::Rule;
use crate::rules::settings::{is_enabled, may_correct};
pub use evaluation::Judged;
pub use horizon::next_changes;
pub use rule_stats::Fleet;
pub use workload_verdicts::{RuleSet, Tally};

/// Stands for the workloads of a scope that can't be known because nothing that would name them could be read.
pub const UNKNOWN_WORKLOADS: &str = "*";

/// Judges `snapshot` at `now`: all of its workloads, or those of `only`. Passes are counted.
#[must_use]
pub fn judge(snapshot: &Snapshot, config: &Config, now: Timestamp, only: Option<&BTreeSet<String>>) -> Judged {
    judge_as(snapshot, config, now, only, false)
}

/// The same, with every pass named: there are dozens for each workload, and only a report that lists them needs them.
#[must_use]
pub fn judge_naming_passes(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    only: Option<&BTreeSet<String>>,
) -> Judged {
    judge_as(snapshot, config, now, only, true)
}

fn judge_as(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    only: Option<&BTreeSet<String>>,
    name_passes: bool,
) -> Judged {
    let workloads = Workloads::new(snapshot, config, now, only);
    let blind = snapshot.instances.is_err()
        || snapshot.clusters.is_err()
        || snapshot.services.is_err()
        || snapshot.secrets.is_err();
    let mut bench = Bench {
        active: active(config),
        fleet: Fleet::default(),
        name_passes,
        judged: Judged {
            resources: workloads.index().counts.clone(),
            ..Judged::default()
        },
    };
    let judged_workloads = match only {
        // What is asked for and can't be seen is unknown, not absent, while something that might name it is unread.
        Some(only) if blind => only.iter().map(|name| bench.judge(&workloads.get(name))).collect(),
        None if blind && workloads.index().names.is_empty() => vec![bench.judge(&workloads.get(UNKNOWN_WORKLOADS))],
        _ => workloads.all().map(|workload| bench.judge(&workload)).collect(),
    };
    let mut judged = bench.judged;
    judged.workloads = judged_workloads.into_iter().collect();
    judged.failing = bench.fleet.failing();
    sort(&mut judged.findings);
    judged
}

/// Sorts findings: severity, workload, rule, resource.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.severity, &a.workload, &a.rule, &a.resource).cmp(&(a.severity, &b.workload, &b.rule, &b.resource))
    });
}

/// A rule that is judged, and what the configuration says of it.
struct Active {
    /// Its place in the registry.
    rank: usize,
    rule: &'static dyn Rule,
    meta: &'static Meta,
    severity: Option<Severity>,
    corrects: bool,
}

fn active(config: &Config) -> Vec<Active> {
    let all = REGISTRY.iter().enumerate();
    all.map(|(rank, rule)| (rank, *rule, rule.meta()))
        .filter(|(_, _, meta)| is_enabled(meta, config))
        .map(|(rank, rule, meta)| Active {
            rank,
            rule,
            meta,
            severity: config.rule(meta.id).severity,
            corrects: may_correct(meta, config),
        })
        .collect()
}

/// Where one workload after the other is judged.
struct Bench {
    active: Vec<Active>,
    fleet: Fleet,
    name_passes: bool,
    judged: Judged,
}

impl Bench {
    fn judge(&mut self, workload: &Workload<'_>) -> (String, Tally) {
        let judged = &mut self.judged;
        let first = judged.findings.len();
        let name: Option<Arc<str>> = self.name_passes.then(|| workload.name.into());
        let mut related = vec![];
        let mut tally = Tally::default();
        for active in &self.active {
            let judgements = active.rule.judge(workload);
            if judgements.is_empty() {
                continue;
            }
            tally.judged.insert(active.rank);
            for mut judgement in judgements {
                match judgement.outcome {
                    Outcome::Pass => {
                        judged.passes += 1;
                        judged.passed.extend(name.as_ref().map(|name| Passed {
                            rule: active.meta.id,
                            workload: Arc::clone(name),
                            resource: judgement.subject.named(&workload.snapshot.scope),
                        }));
                        continue;
                    }
                    Outcome::Fail(_) => tally.failed.insert(active.rank),
                    Outcome::Unknown(_) => {}
                }
                related.push(std::mem::take(&mut judgement.related));
                judged
                    .findings
                    .push(active.tell(workload, judgement, &mut judged.restrained));
            }
        }
        self.fleet.add(&tally);
        causes::link(&mut judged.findings[first..], &related);
        (workload.name.to_owned(), tally)
    }
}

impl Active {
    /// The finding that a judgement other than a pass makes.
    fn tell(&self, w: &Workload<'_>, j: Judgement<'_>, restrained: &mut BTreeSet<(String, String)>) -> Finding {
        let by_tag = j.tags.iter().any(|t| t.mode(w.prefix) == Some(Mode::Audit));
        let mut finding = finding(w, self.meta, self.severity, j);
        if !self.corrects
            && let Some(r) = finding.remediation.as_mut().filter(|r| !r.actions.is_empty())
        {
            let only = || HoldReason::NotOptedIn(self.meta.id.to_owned());
            r.blocked_by.get_or_insert_with(only);
        }
        if by_tag {
            restrained.insert((finding.id.clone(), finding.workload.clone()));
        }
        finding
    }
}

fn finding(w: &Workload<'_>, meta: &Meta, severity: Option<Severity>, j: Judgement<'_>) -> Finding {
    let resource = j.subject.named(&w.snapshot.scope);
    let id = finding_id(meta.id, &resource);
    let mut found = Finding {
        id,
        rule: meta.id.to_owned(),
        severity: severity.unwrap_or(meta.severity),
        verdict: Verdict::Unknown,
        workload: w.name.to_owned(),
        phase: j.phase.to_owned(),
        resource,
        message: String::new(),
        evidence: vec![],
        observed_at: w.snapshot.started_at,
        first_seen: w.snapshot.started_at,
        remediation: None,
        controls: meta.controls.iter().map(|c| (*c).to_owned()).collect(),
        waiver: None,
        caused_by: None,
    };
    match j.outcome {
        Outcome::Pass => {}
        Outcome::Unknown(error) => {
            found.message = format!("{} can't be judged: {error}", found.resource.id);
            found.evidence = vec![crate::finding::Evidence::new(
                format!("{}:{}", error.service, error.operation),
                error.code.clone(),
                "an answer",
            )];
        }
        Outcome::Fail(failure) => {
            found.severity = severity.or(failure.severity).unwrap_or(meta.severity);
            found.waiver = waiver(&j.tags, w, meta.id);
            found.verdict = if found.waiver.is_some() {
                Verdict::Waived
            } else {
                Verdict::Fail
            };
            found.message = failure.message;
            found.evidence = failure.evidence;
            found.remediation = Some(remediation(failure.remedy));
        }
    }
    found
}

/// The waiver that covers a judgement: on the resource itself, or on everything else that it concerns.
fn waiver(tags: &[&Tags], w: &Workload<'_>, rule: &str) -> Option<Waiver> {
    let of = |t: &Tags| t.waiver(w.prefix, rule, w.now);
    let (first, rest) = tags.split_first()?;
    if let Some(waiver) = of(first) {
        return Some(waiver);
    }
    let all: Option<Vec<Waiver>> = rest.iter().map(|t| of(t)).collect();
    all?.into_iter().min_by_key(|w| w.until)
}

fn remediation(remedy: Remedy) -> Remediation {
    let risk = remedy
        .actions
        .iter()
        .map(crate::action::Action::risk)
        .max()
        .unwrap_or(Risk::Manual);
    Remediation {
        summary: remedy.summary,
        risk,
        calls: remedy.actions.iter().flat_map(crate::action::Action::calls).collect(),
        blocked_by: remedy.refused,
        actions: remedy.actions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{clean, db, now};

    #[test]
    fn passes_are_counted_or_named_and_findings_are_the_same() {
        let mut s = clean();
        db(&mut s).publicly_accessible = true;
        let config = Config::default();
        let counted = judge(&s, &config, now(), None);
        let named = judge_naming_passes(&s, &config, now(), None);
        assert!(counted.passed.is_empty() && counted.passes > 20);
        assert_eq!(named.passed.len(), counted.passes);
        assert_eq!(named.findings, counted.findings);
        assert_eq!(named.workloads, counted.workloads);
        let failed = counted.failing["rds-public-access"];
        assert_eq!(failed, (1, 1));
    }

    #[test]
    fn who_is_asked_for_alone_is_judged_as_among_all() {
        let s = clean();
        let config = Config::default();
        let all = judge_naming_passes(&s, &config, now(), None);
        let only = all.workloads.keys().take(1).cloned().collect();
        let one = judge_naming_passes(&s, &config, now(), Some(&only));
        assert_eq!(one.workloads.len(), 1);
        let own = |j: &Judged| {
            j.passed
                .iter()
                .filter(|p| only.contains(&*p.workload))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(own(&one), own(&all));
        assert_eq!(one.passed.len(), own(&one).len());
    }
}
