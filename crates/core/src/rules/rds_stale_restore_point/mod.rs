#[cfg(test)]
pub(super) mod cases;

use jiff::SignedDuration;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::config::format_duration;
use crate::facts::{DATABASE_READS, Database, RdsResource, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-stale-restore-point`
pub struct RdsStaleRestorePoint;

static META: Meta = Meta {
    id: "rds-stale-restore-point",
    severity: Severity::High,
    summary: "backups are on, but the latest restorable time is older than `restore_point_age`",
    docs: include_str!("doc.md"),
    parameters: &["restore_point_age"],
    reads: DATABASE_READS,
    caused_by: &["rds-unavailable"],
    ..Meta::DEFAULT
};

/// How long a database may have no restorable time at all.
const FIRST_BACKUP: SignedDuration = SignedDuration::from_hours(24);

impl Rule for RdsStaleRestorePoint {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| evaluate_one(w, database))
    }
}

/// Whether the server is down in this state and will be back.
fn is_resting(status: &str) -> bool {
    matches!(
        status,
        "creating"
            | "starting"
            | "stopping"
            | "stopped"
            | "rebooting"
            | "renaming"
            | "upgrading"
            | "maintenance"
            | "migrating"
            | "promoting"
            | "failing-over"
            | "moving-to-vpc"
            | "converting-to-vpc"
            | "insufficient-capacity"
    )
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> Option<RuleResult<'a>> {
    let (days, until) = match database.resource {
        RdsResource::Instance(i) => (i.backup_retention_days, i.restorable_until),
        RdsResource::Cluster(c) => (c.backup_retention_days, c.restorable_until),
    };
    if days == 0 || database.resource.replica_of().is_some() || is_resting(database.resource.status()) {
        return None;
    }
    let id = database.id;
    // What was read then is measured by then: a later look at the same facts must not make them stale.
    let now = w.snapshot.started_at;
    let message = match until {
        Some(until) if until + w.params.restore_point_age >= now => return Some(database.pass()),
        Some(until) => format!("{id} can be restored to {until} and no further: since then nothing is backed up"),
        None if database
            .resource
            .created_at()
            .is_none_or(|at| now.duration_since(at) < FIRST_BACKUP)
            || database.resource.status() == "backing-up" =>
        {
            return Some(database.pass());
        }
        None => format!("{id} can't be restored to any instant, though backups are on: there is no backup yet"),
    };
    Some(database.fail(Failure {
        severity: None,
        message,
        evidence: vec![Evidence::new(
            "LatestRestorableTime",
            until.map(|t| t.to_string()),
            format!("less than {} before {now}", format_duration(w.params.restore_point_age)),
        )],
        remedy: Remedy::manual(format!(
            "take a snapshot of {id} now, then see its events for why automated backups stand still"
        )),
    }))
}
