#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{DATABASE_READS, Database, RdsResource, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-default-master-name`
pub struct RdsDefaultMasterName;

static META: Meta = Meta {
    id: "rds-default-master-name",
    severity: Severity::Low,
    enabled: false,
    summary: "the master user of a database has the name that everybody guesses first",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.24",
        "SecurityHub:RDS.25",
        "Config:rds-instance-default-admin-check",
        "Config:rds-cluster-default-admin-check",
    ],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

const DEFAULTS: &[&str] = &["postgres", "admin"];

impl Rule for RdsDefaultMasterName {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| {
            let own = database.resource.replica_of().is_none();
            own.then(|| evaluate_one(database)).flatten()
        })
    }
}

fn evaluate_one<'a>(database: &Database<'a>) -> Option<RuleResult<'a>> {
    let name = match database.resource {
        RdsResource::Instance(i) => i.master_user.as_deref()?,
        RdsResource::Cluster(c) => c.master_user.as_deref()?,
    };
    if !DEFAULTS.contains(&name) {
        return Some(database.pass());
    }
    let id = database.id;
    Some(database.fail(Failure {
        severity: None,
        message: format!("the master user of {id} has the default name {name}"),
        evidence: vec![Evidence::new("MasterUsername", name, "a name of your own")],
        remedy: Remedy::manual(format!(
            "make a new database with a master user of another name, move the data of {id}, and point the secret to it"
        )),
    }))
}
