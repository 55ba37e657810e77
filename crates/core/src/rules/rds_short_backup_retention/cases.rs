//! What `rds-short-backup-retention` says, and of what it says nothing.

use crate::rules::testing::databases::orphan;
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a day of backups", |s| db(s).backup_retention_days = 1),
        Case::new("no backups", |s| db(s).backup_retention_days = 0),
        Case::new("a cluster's backups", |s| cluster(s).backup_retention_days = 3),
    ],
    passing: &[
        Case::new("a replica without backups", |s| { db(s).replica_of = Some("x".into()); db(s).backup_retention_days = 0; }),
        Case::new("a member without backups of its own", |s| { cluster(s); db(s).backup_retention_days = 1; }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).backup_retention_days = 0),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};
