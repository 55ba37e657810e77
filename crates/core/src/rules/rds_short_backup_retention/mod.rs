#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeMap;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::action::{Action, RaiseRetention};
use crate::facts::{Database, RdsResource, each_storage_owner, not_available, untagged};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};

/// `rds-short-backup-retention`
pub struct RdsShortBackupRetention;

static META: Meta = Meta {
    id: "rds-short-backup-retention",
    severity: Severity::High,
    enabled: true,
    summary: "automated backups are kept for fewer days than `backup_retention_days`",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:RDS.11", "Config:db-instance-backup-enabled"],
    parameters: &["backup_retention_days"],
    reads: &["rds:DescribeDBInstances", "rds:DescribeDBClusters"],
    writes: &["rds:ModifyDBInstance", "rds:ModifyDBCluster"],
    risk: Risk::Outage,
    ..Meta::DEFAULT
};

impl Rule for RdsShortBackupRetention {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| {
            let own = database.resource.replica_of().is_none();
            own.then(|| evaluate_one(w, database))
        })
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> RuleResult<'a> {
    let wanted = i32::try_from(w.params.backup_retention_days).unwrap_or(i32::MAX);
    let (kept, pending) = match database.resource {
        RdsResource::Instance(i) => (i.backup_retention_days, &i.pending),
        RdsResource::Cluster(c) => (c.backup_retention_days, &c.pending),
    };
    if kept >= wanted {
        return database.pass();
    }
    let id = database.id;
    let message = if kept == 0 {
        format!("{id} has no automated backups; {wanted} days are wanted")
    } else {
        format!("{id} keeps backups for {}; {wanted} days are wanted", days(kept))
    };
    let remedy = Remedy {
        summary: format!("set BackupRetentionPeriod={wanted} on {id}"),
        actions: vec![Action::RaiseRetention(RaiseRetention {
            database: database.resource.identity(),
            from: kept,
            to: wanted,
        })],
        refused: untagged(w, id, database.tags)
            .or_else(|| not_available(id, database.resource.status()))
            .or_else(|| would_apply(id, pending)),
    };
    database.fail(Failure {
        severity: None,
        message,
        evidence: vec![Evidence::new("BackupRetentionPeriod", kept, format!(">= {wanted}"))],
        remedy,
    })
}

/// Why the correction waits for changes that it would carry out as well, if there are any.
fn would_apply(id: &str, pending: &BTreeMap<String, String>) -> Option<HoldReason> {
    (!pending.is_empty()).then(|| HoldReason::ChangesPending {
        database: id.to_owned(),
        fields: pending.keys().cloned().collect(),
    })
}

fn days(n: i32) -> String {
    if n == 1 { "1 day".into() } else { format!("{n} days") }
}
