//! What `rds-stale-restore-point` says, and of what it says nothing.

use crate::rules::testing::databases::{minutes_ago, orphan, replica, status};
use crate::rules::testing::workload::{ago, cluster, db};
use crate::rules::testing::{Case, Cases, Unread, assert_caused};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a restore point of 31 minutes ago", |s| db(s).restorable_until = Some(minutes_ago(31))),
        Case::new("no restore point in a month", |s| db(s).restorable_until = None),
        Case::new("a cluster's old restore point", |s| cluster(s).restorable_until = Some(ago(5))),
        Case::new("an old restore point while full", |s| { status(s, "storage-full"); db(s).restorable_until = Some(ago(5)); }).and_fail(&["rds-unavailable"]),
    ],
    passing: &[
        Case::new("a restore point of 29 minutes ago", |s| db(s).restorable_until = Some(minutes_ago(29))),
        Case::new("no restore point in 23 hours", |s| { db(s).restorable_until = None; db(s).created_at = Some(ago(23)); }),
        Case::new("a first backup under way", |s| { db(s).restorable_until = None; status(s, "backing-up"); }),
        Case::new("no backups wanted", |s| { db(s).backup_retention_days = 0; db(s).restorable_until = None; }).and_fail(&["rds-short-backup-retention"]),
        Case::new("a replica's restore point", |s| { replica(s).backup_retention_days = 7; }),
        Case::new("a member's restore point", |s| { cluster(s); db(s).restorable_until = None; }),
        Case::new("upgrading for an hour", |s| { status(s, "upgrading"); db(s).restorable_until = Some(ago(1)); }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).restorable_until = None),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};

#[test]
fn a_full_disk_is_the_cause() {
    assert_caused(
        |s| {
            status(s, "storage-full");
            db(s).restorable_until = Some(ago(5));
        },
        "rds-stale-restore-point",
        "rds-unavailable",
    );
}
