#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Rule, RuleResult, Workload};
use crate::action::DatabaseSetting;
use crate::facts::{DATABASE_READS, Database, RdsResource, configure, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};

/// `rds-deletion-unprotected`
pub struct RdsDeletionUnprotected;

static META: Meta = Meta {
    id: "rds-deletion-unprotected",
    severity: Severity::Medium,
    summary: "one call can delete a database",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.7",
        "SecurityHub:RDS.8",
        "Config:rds-instance-deletion-protection-enabled",
        "Config:rds-cluster-deletion-protection-enabled",
    ],
    reads: DATABASE_READS,
    writes: &["rds:ModifyDBInstance", "rds:ModifyDBCluster"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

impl Rule for RdsDeletionUnprotected {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| Some(evaluate_one(w, database)))
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> RuleResult<'a> {
    let protected = match database.resource {
        RdsResource::Instance(i) => i.deletion_protection,
        RdsResource::Cluster(c) => c.deletion_protection,
    };
    if protected {
        return database.pass();
    }
    let id = database.id;
    let summary = format!("set DeletionProtection=true on {id}");
    database.fail(Failure {
        severity: None,
        message: format!("{id} can be deleted by one call: deletion protection is off"),
        evidence: vec![Evidence::new("DeletionProtection", false, true)],
        remedy: configure(w, &database.resource, DatabaseSetting::DeletionProtection, summary),
    })
}
