//! What a plan does to what exists: its changes, and what the rules about plans say of them.

mod change_set;
mod terraform;
mod values;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::allow::AllowedChange;
use super::case::UNREADABLE;
use crate::config::Config;
use crate::evaluate::Evaluation;
use crate::finding::{Evidence, Finding, Kind, Passed, Remediation, ResourceRef, Verdict, finding_id, stable_id};
use crate::model::key::Scope;
use crate::model::planned_change::PlannedChange;
use crate::model::policy::{Risk, Severity};
use crate::model::read_error::ReadError;
use crate::model::rule_meta::Meta;
use crate::rules::PLAN_REGISTRY;
use crate::rules::plan_rule::{Failure, PlanResult};
use crate::rules::settings::is_enabled;
pub(super) use change_set::{change_set, recognise};
pub(super) use terraform::terraform;

/// The changes of a file, and why it may not have them all.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub all: Vec<PlannedChange>,
    pub incomplete: Vec<ReadError>,
    /// What the file leaves to other files: nested stacks.
    pub elsewhere: BTreeSet<String>,
}

impl Changes {
    pub(super) fn incomplete(&mut self, what: &str, message: impl Into<String>) {
        self.incomplete.push(ReadError {
            service: "file".into(),
            operation: "Read".into(),
            resource: what.to_owned(),
            code: UNREADABLE.into(),
            message: message.into(),
        });
    }
}

/// How the changes of one file are evaluated.
pub(super) struct Evaluator<'a> {
    pub path: &'a str,
    /// The workload of what carries no tag.
    pub workload: &'a str,
    pub scope: &'a Scope,
    pub config: &'a Config,
    pub allowed: &'a [AllowedChange],
    pub now: Timestamp,
}

impl Evaluator<'_> {
    /// Adds what the rules say of the changes. Returns what was allowed.
    pub(super) fn add(&self, changes: &[PlannedChange], evaluation: &mut Evaluation) -> BTreeSet<AllowedChange> {
        let mut used = BTreeSet::new();
        let enabled: Vec<_> = PLAN_REGISTRY
            .iter()
            .filter(|r| is_enabled(r.meta(), self.config))
            .collect();
        for change in changes {
            for rule in &enabled {
                let Some(result) = rule.evaluate(change) else {
                    continue;
                };
                let meta = rule.meta();
                match self.allowed_by(change, meta, &result) {
                    Some(allowed) => {
                        used.insert(allowed.clone());
                        self.pass(change, meta, evaluation);
                    }
                    None => match result {
                        PlanResult::Pass => self.pass(change, meta, evaluation),
                        PlanResult::Fail(failure) => {
                            evaluation.findings.push(self.finding(change, meta, Ok(*failure)));
                        }
                        PlanResult::Unknown(why) => {
                            evaluation.findings.push(self.finding(change, meta, Err(why)));
                        }
                    },
                }
            }
        }
        crate::evaluate::sort(&mut evaluation.findings);
        used
    }

    fn allowed_by(&self, change: &PlannedChange, meta: &Meta, result: &PlanResult) -> Option<&AllowedChange> {
        if matches!(result, PlanResult::Pass) {
            return None;
        }
        // The hash is made only where someone asks for this address.
        let mut asked = self.allowed.iter().filter(|a| a.address == change.address).peekable();
        asked.peek()?;
        let hash = hash(meta, change);
        asked.find(|a| a.hash == hash)
    }

    fn resource(&self, change: &PlannedChange) -> ResourceRef {
        let name = change.name();
        let arn = format!("file:{}#{name}", self.path);
        ResourceRef::new(kind(&change.kind), name, arn, self.scope)
    }

    /// Counts what a change set is about: it has no other resources.
    pub(super) fn count(&self, changes: &[PlannedChange], evaluation: &mut Evaluation) {
        for change in changes {
            *evaluation.resources.entry(kind(&change.kind)).or_default() += 1;
            evaluation.workloads.entry(self.workload(change)).or_default();
        }
    }

    fn workload(&self, change: &PlannedChange) -> String {
        let tagged = change.tags.workload(&self.config.tag_prefix);
        tagged.unwrap_or(self.workload).to_owned()
    }

    fn pass(&self, change: &PlannedChange, meta: &'static Meta, evaluation: &mut Evaluation) {
        evaluation.passes += 1;
        evaluation.passed.push(Passed {
            rule: meta.id,
            workload: self.workload(change).into(),
            resource: self.resource(change),
        });
    }

    /// A failure, or why it is not known whether there is one.
    fn finding(&self, change: &PlannedChange, meta: &Meta, result: Result<Failure, String>) -> Finding {
        let resource = self.resource(change);
        let allow = AllowedChange {
            address: change.address.clone(),
            hash: hash(meta, change),
        };
        let stale = if self.allowed.iter().any(|a| a.address == change.address) {
            " (the hash that was given is that of another change)"
        } else {
            ""
        };
        let meant = format!("if it is meant: --allow-destroy '{allow}'{stale}");
        let (verdict, severity, message, evidence, remediation) = match result {
            Ok(failure) => (
                Verdict::Fail,
                failure.severity,
                failure.message,
                failure.evidence,
                Some(by_hand(format!("{}; {meant}", failure.remedy.summary))),
            ),
            // What would tell is a part of the message: there is nothing to correct as yet.
            Err(why) => {
                let evidence = vec![Evidence::new("file", "not told", "told")];
                (Verdict::Unknown, None, format!("{why}; {meant}"), evidence, None)
            }
        };
        let configured: Option<Severity> = self.config.rule(meta.id).severity;
        Finding {
            id: finding_id(meta.id, &resource),
            rule: meta.id.to_owned(),
            severity: configured.or(severity).unwrap_or(meta.severity),
            verdict,
            workload: self.workload(change),
            phase: "migrated".to_owned(),
            resource,
            message,
            evidence,
            observed_at: self.now,
            first_seen: self.now,
            remediation,
            controls: meta.controls.iter().map(|c| (*c).to_owned()).collect(),
            waiver: None,
            caused_by: None,
            untold: false,
            place: None,
        }
    }
}

/// Advice that a person follows.
fn by_hand(summary: String) -> Remediation {
    Remediation {
        summary,
        risk: Risk::Manual,
        calls: vec![],
        blocked_by: None,
        actions: vec![],
    }
}

/// The hash of one change, for one rule.
fn hash(meta: &Meta, change: &PlannedChange) -> String {
    stable_id(&format!("{}\n{}", meta.id, change.canonical()))
}

/// The kind of a resource in findings.
fn kind(kind: &str) -> Kind {
    match kind {
        "aws_db_instance" | "AWS::RDS::DBInstance" => Kind::RdsDbInstance,
        "aws_rds_cluster" | "AWS::RDS::DBCluster" => Kind::RdsDbCluster,
        "aws_secretsmanager_secret" | "AWS::SecretsManager::Secret" => Kind::SecretsmanagerSecret,
        _ => Kind::PlannedResource,
    }
}
