//! Whether a deployment may go on: what `holdfast gate` decides. Pure.

mod redact;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::{WorkloadParams, format_duration};
use crate::judge::Judged;
use crate::model::finding::{Finding, Verdict};
use crate::model::policy::Severity;
use crate::model::remediation::revision_name;
use crate::model::resources::{MigrationFamily, TaskRun};
use crate::model::snapshot::Snapshot;
pub use redact::redact;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The workload to be deployed.
    pub workload: &'a str,
    /// The least severity of an open finding that shuts the gate.
    pub fail_on: Severity,
    /// The only family of migrations that counts.
    pub family: Option<&'a str>,
    /// `tag_prefix` of the configuration.
    pub prefix: &'a str,
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq)]
pub enum GateVerdict {
    /// Go on. What was found to be well.
    Open(Vec<String>),
    /// Do not.
    Shut(Vec<Reason>),
    /// A migration is still running.
    Wait(Vec<TaskRun>),
    /// It can't be told: why.
    Unknown(Vec<String>),
}

/// Why the gate is shut.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// One line.
    pub text: String,
    /// The run of a migration whose log tells more, and the containers in it that failed.
    pub log: Option<(TaskRun, Vec<String>)>,
}

/// Rules that shut the gate however low their severity is set: what they find makes the very deployment dangerous.
const ALWAYS: &[&str] = &["ecs-unsafe-rollback", "migration-failed"];

/// Stop codes of a task that was ended from outside, whatever its exit code says.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
const KILLED: &[&str] = &[
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "SpotInterruption",
    "TerminationNotice",
];

/// Decides about one account and region.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    judged: &Judged,
    asked: &Asked<'_>,
    params: &WorkloadParams,
    now: Timestamp,
) -> GateVerdict {
    let mut view = View {
        snapshot,
        asked,
        params,
        now,
        present: judged.workloads.contains(asked.workload),
        shut: vec![],
        wait: vec![],
        unknown: vec![],
        well: vec![],
    };
    view.migrations();
    let told_of_runs = view.shut.iter().any(|r| r.log.is_some());
    let told_of_families = !view.shut.is_empty();
    let mut shut = vec![];
    for finding in judged.findings.iter().filter(|f| f.workload == asked.workload) {
        match finding.verdict {
            Verdict::Waived => {}
            Verdict::Unknown => view.unknown.push(finding.message.clone()),
            // The run itself was told already, with its log.
            Verdict::Fail if finding.rule == "migration-failed" && told_of_runs => {}
            Verdict::Fail if finding.rule == "migration-missing" && told_of_families => {}
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
    snapshot: &'a Snapshot,
    asked: &'a Asked<'a>,
    params: &'a WorkloadParams,
    now: Timestamp,
    /// Whether the workload has anything here.
    present: bool,
    shut: Vec<Reason>,
    wait: Vec<TaskRun>,
    unknown: Vec<String>,
    well: Vec<String>,
}

/// What came of a task that stopped.
enum Outcome {
    Succeeded,
    /// Told, and by which containers.
    Failed(String, Vec<String>),
    Unclear(String),
}

impl View<'_> {
    /// A shut gate is told at once: no migration that still runs opens it again. An open one needs all to be known.
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
        let families = match &self.snapshot.migrations {
            Err(e) if self.present => {
                self.unknown.push(format!("the migrations are unknown: {e}"));
                return;
            }
            Err(_) => return,
            Ok(families) => families,
        };
        let (asked, prefix) = (self.asked, self.asked.prefix);
        let ours: Vec<&MigrationFamily> = families
            .values()
            .filter(|f| f.tags.workload(prefix) == Some(asked.workload))
            .filter(|f| asked.family.is_none_or(|name| f.family == name))
            .collect();
        if ours.is_empty() && self.present {
            let tags = format!("{prefix}role=migration and {prefix}workload={}", asked.workload);
            if let Some(name) = asked.family {
                self.fail(format!("no task definition of the family {name} is tagged {tags}"));
            } else if self.params.migrations_required {
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
        let Some(run) = &family.last_run else {
            let forgotten = "ECS knows of no run: there was none, or it was more than about an hour ago";
            if self.params.migrations_required {
                self.fail(format!("the migration {name} must have run, and {forgotten}; run it"));
            } else {
                self.unknown.push(format!(
                    "whether the migration {name} succeeded is unknown: {forgotten}"
                ));
            }
            return;
        };
        let told = told(run);
        if run.last_status != "STOPPED" {
            self.running(run, &told);
            return;
        }
        match self.outcome(run) {
            Outcome::Failed(why, containers) => self.shut.push(Reason {
                text: format!("the migration {told} failed: {why}"),
                log: Some((run.clone(), containers)),
            }),
            Outcome::Unclear(why) => self
                .unknown
                .push(format!("whether the migration {told} succeeded is unknown: {why}")),
            Outcome::Succeeded if self.params.migrations_required && run.task_definition != family.revision => {
                self.fail(format!(
                    "the migration {} must have run, and what ran last is {told}; run it",
                    revision_name(&family.revision)
                ));
            }
            Outcome::Succeeded => {
                let when = run.stopped_at.map(|at| format!(" at {at}")).unwrap_or_default();
                self.well.push(format!("the migration {told} succeeded{when}"));
            }
        }
    }

    fn running(&mut self, run: &TaskRun, told: &str) {
        let limit = self.params.migration_timeout;
        let took = run.started_at.map(|at| self.now.duration_since(at));
        match took.filter(|took| took.is_positive() && took.unsigned_abs() > limit) {
            Some(took) => self.shut.push(Reason {
                text: format!(
                    "the migration {told} has been running for {} min, longer than `migrations.timeout` ({})",
                    took.as_mins(),
                    format_duration(limit)
                ),
                log: Some((run.clone(), run.exit_codes.keys().cloned().collect())),
            }),
            None => self.wait.push(run.clone()),
        }
    }

    fn outcome(&self, run: &TaskRun) -> Outcome {
        let reason = run
            .stopped_reason
            .as_deref()
            .map(|r| format!(" ({r})"))
            .unwrap_or_default();
        let all: Vec<String> = run.exit_codes.keys().cloned().collect();
        let code = run.stop_code.as_deref().unwrap_or_default();
        if code == "TaskFailedToStart" {
            return Outcome::Failed(format!("it never started{reason}"), all);
        }
        // A sidecar that is not essential is killed when the task ends: its code says nothing.
        let definition = self.snapshot.task_definitions.get(&run.task_definition);
        let sidecar = |name: &str| matches!(definition, Some(Ok(d)) if d.containers.iter().any(|c| c.name == name && !c.essential));
        let counted: Vec<_> = run.exit_codes.iter().filter(|(name, _)| !sidecar(name)).collect();
        let failed: Vec<_> = counted.iter().filter(|(_, code)| **code != Some(0)).collect();
        if !failed.is_empty() {
            let list: Vec<String> = failed
                .iter()
                .map(|(name, code)| match code {
                    Some(code) => format!("the container {name} exited with {code}"),
                    None => format!("the container {name} has no exit code"),
                })
                .collect();
            let names = failed.iter().map(|(name, _)| (*name).clone()).collect();
            return Outcome::Failed(format!("{}{reason}", list.join(", ")), names);
        }
        if KILLED.contains(&code) {
            return Outcome::Failed(format!("it was stopped before its end: {code}{reason}"), all);
        }
        if counted.is_empty() {
            return Outcome::Unclear(format!("ECS gives no exit code{reason}"));
        }
        Outcome::Succeeded
    }
}

/// A run by its revision and the id of its task: `coder-migrate:7 (task 0123abcd)`.
#[must_use]
pub fn told(run: &TaskRun) -> String {
    let id = run.arn.rsplit('/').next().unwrap_or(&run.arn);
    format!("{} (task {id})", revision_name(&run.task_definition))
}

#[cfg(test)]
mod tests;
