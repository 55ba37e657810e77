//! Decides whether a deployment may go ahead, for `holdfast gate`.

mod redact;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::Config;
use crate::evaluate::Evaluation;
use crate::facts::{Workload, one_workload, why_failed};
use crate::finding::{Finding, Verdict};
use crate::model::policy::Severity;
use crate::model::resources::{MigrationFamily, TaskRun, revision_name};
use crate::model::snapshot::Snapshot;
pub use redact::redact;

/// The question that the gate answers.
#[derive(Debug, Clone)]
pub struct GateRequest<'a> {
    /// The workload to be deployed.
    pub workload: &'a str,
    /// The least severity of an open finding that shuts the gate.
    pub fail_on: Severity,
    /// The only family of migrations that counts.
    pub family: Option<&'a str>,
}

/// The answer of the gate.
#[derive(Debug, Clone, PartialEq)]
pub enum GateVerdict {
    /// The deployment may go ahead: what was found in order.
    Open(Vec<String>),
    /// The deployment may not go ahead.
    Shut(Vec<Reason>),
    /// A migration is still running.
    Wait(Vec<TaskRun>),
    /// Evidence is missing, for these reasons.
    Unknown(Vec<String>),
}

/// Why the gate is shut.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// One line.
    pub text: String,
    /// The run of a migration whose log says more, and the containers in it that failed.
    pub log: Option<(TaskRun, Vec<String>)>,
}

/// Rules that shut the gate however low their severity is set: what they find makes the very deployment dangerous.
const ALWAYS: &[&str] = &["ecs-unsafe-rollback", FAILED];
/// The rule about the last run.
const FAILED: &str = "migration-failed";

/// Decides about one account and region.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    evaluation: &Evaluation,
    asked: &GateRequest<'_>,
    config: &Config,
    now: Timestamp,
) -> GateVerdict {
    let mut view = View {
        workload: one_workload(asked.workload, snapshot, config, now),
        evaluation,
        asked,
        present: evaluation.workloads.contains_key(asked.workload),
        shut: vec![],
        wait: vec![],
        unknown: vec![],
        well: vec![],
    };
    view.migrations();
    let runs_reported = view.shut.iter().any(|r| r.log.is_some());
    let families_reported = !view.shut.is_empty();
    let mut shut = vec![];
    for finding in evaluation.findings.iter().filter(|f| f.workload == asked.workload) {
        match finding.verdict {
            Verdict::Waived => {}
            Verdict::Unknown => view.unknown.push(finding.message.clone()),
            // The run itself was reported already, with its log.
            Verdict::Fail if finding.rule == FAILED && runs_reported => {}
            Verdict::Fail if finding.rule == "migration-missing" && families_reported => {}
            Verdict::Fail if finding.severity >= asked.fail_on || ALWAYS.contains(&finding.rule.as_str()) => {
                shut.push(reason(finding));
            }
            Verdict::Fail => {}
        }
    }
    view.shut.extend(shut);
    view.verdict()
}

fn reason(finding: &Finding) -> Reason {
    Reason {
        text: format!(
            "{} {}: {}",
            finding.severity.as_str().to_uppercase(),
            finding.rule,
            finding.message
        ),
        log: None,
    }
}

struct View<'a> {
    workload: Workload<'a>,
    evaluation: &'a Evaluation,
    asked: &'a GateRequest<'a>,
    /// Whether the workload has anything here.
    present: bool,
    shut: Vec<Reason>,
    wait: Vec<TaskRun>,
    unknown: Vec<String>,
    well: Vec<String>,
}

impl View<'_> {
    /// A closed gate is reported at once, since no running migration can open it. An open gate needs everything to be
    /// known.
    fn verdict(mut self) -> GateVerdict {
        let mut seen = BTreeSet::new();
        self.unknown.retain(|why| seen.insert(why.clone()));
        if !self.shut.is_empty() {
            GateVerdict::Shut(self.shut)
        } else if !self.wait.is_empty() {
            GateVerdict::Wait(self.wait)
        } else if !self.unknown.is_empty() {
            GateVerdict::Unknown(self.unknown)
        } else {
            GateVerdict::Open(self.well)
        }
    }

    fn fail(&mut self, text: String) {
        self.shut.push(Reason { text, log: None });
    }

    fn migrations(&mut self) {
        let (asked, prefix) = (self.asked, self.workload.prefix);
        let families = match self.workload.migrations() {
            Err(e) if self.present => {
                self.unknown.push(format!("the migrations are unknown: {e}"));
                return;
            }
            Err(_) => return,
            Ok(families) => families,
        };
        let asked_for = |f: &&&MigrationFamily| asked.family.is_none_or(|name| f.family == name);
        let ours: Vec<&MigrationFamily> = families.iter().filter(asked_for).copied().collect();
        if ours.is_empty() && self.present {
            let tags = format!("{prefix}role=migration and {prefix}workload={}", asked.workload);
            if let Some(name) = asked.family {
                self.fail(format!("no task definition of the family {name} is tagged {tags}"));
            } else if self.workload.params.requires_migrations() {
                self.fail(format!(
                    "{} must run migrations (`migrations: required`), and no task definition is tagged {tags}",
                    asked.workload
                ));
            }
        }
        for family in ours {
            self.family(family);
        }
    }

    fn family(&mut self, family: &MigrationFamily) {
        let name = &family.family;
        if let Some(error) = &family.unread {
            self.unknown
                .push(format!("the runs of the migration {name} are unknown: {error}"));
            return;
        }
        let Some(run) = &family.last_run else {
            let forgotten = "ECS knows of no run: there was none, or it was more than about an hour ago";
            if self.workload.params.requires_migrations() {
                self.fail(format!("the migration {name} must have run, and {forgotten}; run it"));
            } else {
                self.unknown.push(format!(
                    "whether the migration {name} succeeded is unknown: {forgotten}"
                ));
            }
            return;
        };
        let run_name = describe_run(run);
        if let Some(why) = why_failed(&self.workload, run) {
            if let Some(waiver) = self.waived(family) {
                self.well
                    .push(format!("the migration {run_name} failed, which is waived: {waiver}"));
            } else {
                let text = format!("the migration {run_name} failed: {why}");
                let log = Some((run.clone(), failed_containers(run)));
                self.shut.push(Reason { text, log });
            }
        } else if !run.has_stopped() {
            self.wait.push(run.clone());
        } else if self.workload.params.requires_migrations() && run.task_definition != family.revision {
            self.fail(format!(
                "the migration {} must have run, and what ran last is {run_name}; run it",
                revision_name(&family.revision)
            ));
        } else {
            let when = run.stopped_at.map(|at| format!(" at {at}")).unwrap_or_default();
            self.well.push(format!("the migration {run_name} succeeded{when}"));
        }
    }

    /// Why the failure of a family's last run was accepted, if it was.
    fn waived(&self, family: &MigrationFamily) -> Option<&str> {
        let of = |f: &&Finding| f.rule == FAILED && f.verdict == Verdict::Waived && f.resource.arn == family.revision;
        let finding = self.evaluation.findings.iter().find(of)?;
        finding.waiver.as_ref().map(|w| w.reason.as_str())
    }
}

/// The containers whose logs say why: those that did not exit with 0, else all.
fn failed_containers(run: &TaskRun) -> Vec<String> {
    let failed = |(_, code): &(&String, &Option<i32>)| run.has_stopped() && **code != Some(0);
    let found: Vec<String> = run
        .exit_codes
        .iter()
        .filter(failed)
        .map(|(name, _)| name.clone())
        .collect();
    if found.is_empty() {
        return run.exit_codes.keys().cloned().collect();
    }
    found
}

/// A run by its revision and the id of its task: `coder-migrate:7 (task 0123abcd)`.
#[must_use]
pub fn describe_run(run: &TaskRun) -> String {
    let id = run.arn.rsplit('/').next().unwrap_or(&run.arn);
    format!("{} (task {id})", revision_name(&run.task_definition))
}

#[cfg(test)]
mod tests;
