use super::support::{DATABASE_READS, Whole, each_whole};
use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-unencrypted-storage`
pub struct RdsUnencryptedStorage;

static META: Meta = Meta {
    id: "rds-unencrypted-storage",
    severity: Severity::High,
    summary: "the storage of a database is not encrypted",
    docs: "\
## What it checks
`StorageEncrypted` of every DB instance and cluster. Members are judged on their cluster, which owns the storage. A read \
replica has storage of its own. Storage that AWS encrypts with its own key (`StorageEncryptionType=sse-rds`) counts as \
encrypted.

## Why it matters
Snapshots, automated backups, replicas and logs of an unencrypted database are unencrypted too, wherever they are copied.

## What Holdfast does
It reports. Encryption can't be switched on in place: AWS does it only while a snapshot is copied.

## By hand
Stop the writers, then:
1. `aws rds create-db-snapshot --db-instance-identifier ID --db-snapshot-identifier ID-plain`
2. `aws rds wait db-snapshot-available --db-snapshot-identifier ID-plain`
3. `aws rds copy-db-snapshot --source-db-snapshot-identifier ID-plain --target-db-snapshot-identifier ID-encrypted \
--kms-key-id alias/aws/rds`
4. `aws rds restore-db-instance-from-db-snapshot --db-instance-identifier ID-new --db-snapshot-identifier ID-encrypted \
--db-subnet-group-name GROUP --vpc-security-group-ids SG --no-publicly-accessible`
5. Swap the names, so that the endpoint stays: `aws rds modify-db-instance --db-instance-identifier ID \
--new-db-instance-identifier ID-old --apply-immediately`, the same from `ID-new` to `ID`, and copy the tags.

Of a cluster: `create-db-cluster-snapshot`, then `restore-db-cluster-from-snapshot --kms-key-id alias/aws/rds`, which \
encrypts by itself, and new members. Of a replica: make a new one from the encrypted source, and delete the old one.
",
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
