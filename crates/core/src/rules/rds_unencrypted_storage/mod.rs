#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::facts::{DATABASE_READS, Whole, each_whole};
use crate::model::finding::Evidence;
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

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        each_whole(w, |whole| Some(judge_one(w, whole)))
    }
}

fn judge_one<'a>(w: &Workload<'a>, whole: &Whole<'a>) -> Judgement<'a> {
    let encrypted = match whole {
        Whole::Instance(i) => i.storage_encrypted,
        Whole::Cluster(c) => c.storage_encrypted,
    };
    if encrypted {
        return whole.pass();
    }
    let id = whole.id();
    let remedy = match whole.replica_of() {
        Some(source) => format!("replace {id} by a replica of {source} once that is encrypted"),
        None => format!("snapshot {id}, copy the snapshot with a key, and restore the copy under the old name"),
    };
    whole.fail(
        w,
        Failure {
            severity: None,
            message: format!("the storage of {id} is not encrypted"),
            evidence: vec![Evidence::new("StorageEncrypted", false, true)],
            remedy: Remedy::manual(remedy),
        },
    )
}
