//! Runs the rules over a snapshot, and applies the configuration, tags and waivers to their results.

mod causes;
mod deadlines;
mod evaluation;
mod rule_stats;
mod workload_verdicts;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::facts::{Workload, Workloads};
use crate::finding::{Finding, Passed, Remediation, Verdict, finding_id};
use crate::model::hold::HoldReason;
use crate::model::policy::{Mode, Risk, Severity};
use crate::model::read_error::is_untold;
use crate::model::rule_meta::Meta;
use crate::model::snapshot::Snapshot;
use crate::model::tags::{Tags, Waiver};
use crate::rule_result::{Outcome, Remedy, RuleResult};
use crate::rules::REGISTRY;
use crate::rules::rule::Rule;
use crate::rules::settings::{is_enabled, may_correct};
pub use deadlines::next_deadlines;
pub use evaluation::Evaluation;
pub use rule_stats::RuleStats;
pub use workload_verdicts::{RuleSet, WorkloadVerdicts};

/// The name for the workloads of a scope when nothing that names them could be read.
pub const UNKNOWN_WORKLOADS: &str = "*";

/// Evaluates `snapshot` at `now`: all of its workloads, or those of `only`. Passes are counted.
#[must_use]
pub fn evaluate(snapshot: &Snapshot, config: &Config, now: Timestamp, only: Option<&BTreeSet<String>>) -> Evaluation {
    run_rules(snapshot, config, now, only, false)
}

/// Evaluates and names every pass. A workload has dozens of them, and only reports that list them need them.
#[must_use]
pub fn evaluate_naming_passes(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    only: Option<&BTreeSet<String>>,
) -> Evaluation {
    run_rules(snapshot, config, now, only, true)
}

fn run_rules(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    only: Option<&BTreeSet<String>>,
    name_passes: bool,
) -> Evaluation {
    let workloads = Workloads::new(snapshot, config, now, only);
    let may_be_hidden = snapshot.instances.is_err()
        || snapshot.clusters.is_err()
        || snapshot.services.is_err()
        || snapshot.secrets.is_err();
    let mut evaluator = Evaluator {
        rules: enabled_rules(config),
        stats: RuleStats::default(),
        name_passes,
        evaluation: Evaluation {
            resources: workloads.index().counts.clone(),
            ..Evaluation::default()
        },
    };
    let workloads_evaluated = match only {
        // A requested workload that was not found is unknown, not absent, while a part that might name it is unread.
        Some(only) if may_be_hidden => only
            .iter()
            .map(|name| evaluator.evaluate(&workloads.get(name)))
            .collect(),
        None if may_be_hidden && workloads.index().names.is_empty() => {
            vec![evaluator.evaluate(&workloads.get(UNKNOWN_WORKLOADS))]
        }
        _ => workloads.all().map(|workload| evaluator.evaluate(&workload)).collect(),
    };
    let mut evaluation = evaluator.evaluation;
    evaluation.workloads = workloads_evaluated.into_iter().collect();
    evaluation.failing = evaluator.stats.failing();
    sort(&mut evaluation.findings);
    evaluation
}

/// Sorts findings: severity, workload, rule, resource.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.severity, &a.workload, &a.rule, &a.resource).cmp(&(a.severity, &b.workload, &b.rule, &b.resource))
    });
}

/// An enabled rule with its settings.
struct EnabledRule {
    /// Its place in the registry.
    index: usize,
    rule: &'static dyn Rule,
    meta: &'static Meta,
    severity: Option<Severity>,
    corrects: bool,
}

fn enabled_rules(config: &Config) -> Vec<EnabledRule> {
    let all = REGISTRY.iter().enumerate();
    all.map(|(index, rule)| (index, *rule, rule.meta()))
        .filter(|(_, _, meta)| is_enabled(meta, config))
        .map(|(index, rule, meta)| EnabledRule {
            index,
            rule,
            meta,
            severity: config.rule(meta.id).severity,
            corrects: may_correct(meta, config),
        })
        .collect()
}

/// Evaluates one workload after the other and collects the results.
struct Evaluator {
    rules: Vec<EnabledRule>,
    stats: RuleStats,
    name_passes: bool,
    evaluation: Evaluation,
}

impl Evaluator {
    fn evaluate(&mut self, workload: &Workload<'_>) -> (String, WorkloadVerdicts) {
        let evaluation = &mut self.evaluation;
        let first = evaluation.findings.len();
        let name: Option<Arc<str>> = self.name_passes.then(|| workload.name.into());
        let mut related = vec![];
        let mut verdicts = WorkloadVerdicts::default();
        for enabled in &self.rules {
            let results = enabled.rule.evaluate(workload);
            if results.is_empty() {
                continue;
            }
            verdicts.evaluated.insert(enabled.index);
            for mut result in results {
                match result.outcome {
                    Outcome::Pass => {
                        verdicts.passed.insert(enabled.index);
                        evaluation.passes += 1;
                        evaluation.passed.extend(name.as_ref().map(|name| Passed {
                            rule: enabled.meta.id,
                            workload: Arc::clone(name),
                            resource: result.subject.named(&workload.snapshot.scope),
                        }));
                        continue;
                    }
                    Outcome::Fail(_) => verdicts.failed.insert(enabled.index),
                    Outcome::Unknown(_) => {}
                }
                related.push(std::mem::take(&mut result.related));
                evaluation
                    .findings
                    .push(enabled.to_finding(workload, result, &mut evaluation.audit_only));
            }
        }
        self.stats.add(&verdicts);
        causes::link(&mut evaluation.findings[first..], &related);
        (workload.name.to_owned(), verdicts)
    }
}

impl EnabledRule {
    /// Turns a failed or unknown result into a finding.
    fn to_finding(&self, w: &Workload<'_>, j: RuleResult<'_>, audit_only: &mut BTreeSet<(String, String)>) -> Finding {
        let audit_by_tag = j.tags.iter().any(|t| t.mode(w.prefix) == Some(Mode::Audit));
        let mut finding = finding(w, self.meta, self.severity, j);
        if !self.corrects
            && let Some(r) = finding.remediation.as_mut().filter(|r| !r.actions.is_empty())
        {
            let only = || HoldReason::NotOptedIn(self.meta.id.to_owned());
            r.blocked_by.get_or_insert_with(only);
        }
        if audit_by_tag {
            audit_only.insert((finding.id.clone(), finding.workload.clone()));
        }
        finding
    }
}

fn finding(w: &Workload<'_>, meta: &Meta, severity: Option<Severity>, j: RuleResult<'_>) -> Finding {
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
        untold: false,
        place: None,
    };
    match j.outcome {
        Outcome::Pass => {}
        Outcome::Unknown(error) => {
            found.untold = is_untold(&error);
            found.message = if found.untold {
                format!("{}: {}", found.resource.id, error.message)
            } else {
                format!("{} can't be judged: {error}", found.resource.id)
            };
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

/// The waiver that covers a result: on the resource itself, or on everything else that the result concerns.
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
        let counted = evaluate(&s, &config, now(), None);
        let named = evaluate_naming_passes(&s, &config, now(), None);
        assert!(counted.passed.is_empty() && counted.passes > 20);
        assert_eq!(named.passed.len(), counted.passes);
        assert_eq!(named.findings, counted.findings);
        assert_eq!(named.workloads, counted.workloads);
        let failed = counted.failing["rds-public-access"];
        assert_eq!(failed, (1, 1));
    }

    #[test]
    fn a_workload_alone_is_evaluated_as_among_all() {
        let s = clean();
        let config = Config::default();
        let all = evaluate_naming_passes(&s, &config, now(), None);
        let only = all.workloads.keys().take(1).cloned().collect();
        let one = evaluate_naming_passes(&s, &config, now(), Some(&only));
        assert_eq!(one.workloads.len(), 1);
        let own = |j: &Evaluation| {
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
