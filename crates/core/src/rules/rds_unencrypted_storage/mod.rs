#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{DATABASE_READS, Database, RdsResource, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-unencrypted-storage`
pub struct RdsUnencryptedStorage;

static META: Meta = Meta {
    id: "rds-unencrypted-storage",
    severity: Severity::High,
    summary: "the storage of a database is not encrypted",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.3",
        "CIS-AWS-5.0:2.2.1",
        "CIS-AWS-6.0:3.2.1",
        "Config:rds-storage-encrypted",
    ],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsUnencryptedStorage {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| Some(evaluate_one(database)))
    }
}

fn evaluate_one<'a>(database: &Database<'a>) -> RuleResult<'a> {
    let encrypted = match database.resource {
        RdsResource::Instance(i) => i.storage_encrypted,
        RdsResource::Cluster(c) => c.storage_encrypted,
    };
    if encrypted {
        return database.pass();
    }
    let id = database.id;
    let remedy = match database.resource.replica_of() {
        Some(source) => format!("replace {id} by a replica of {source} once that is encrypted"),
        None => format!("snapshot {id}, copy the snapshot with a key, and restore the copy under the old name"),
    };
    database.fail(Failure {
        severity: None,
        message: format!("the storage of {id} is not encrypted"),
        evidence: vec![Evidence::new("StorageEncrypted", false, true)],
        remedy: Remedy::manual(remedy),
    })
}
