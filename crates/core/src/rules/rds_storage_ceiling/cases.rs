//! What `rds-storage-ceiling` says, and of what it says nothing.

use crate::rules::testing::databases::{orphan, replica, status, wreck};
use crate::rules::testing::workload::db;
use crate::rules::testing::{Case, Cases, Change, Unread, refusal};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no ceiling", |s| db(s).max_allocated_storage = None),
        Case::new("a low ceiling", |s| db(s).max_allocated_storage = Some(39)),
        Case::new("a ceiling that has been reached", |s| { db(s).allocated_storage = 100; db(s).max_allocated_storage = Some(100); }),
        Case::new("a replica without a ceiling", |s| replica(s).max_allocated_storage = None),
    ],
    passing: &[
        Case::new("just enough", |s| db(s).max_allocated_storage = Some(40)),
        Case::new("as large as it gets", |s| { db(s).allocated_storage = 40_000; db(s).max_allocated_storage = Some(65_536); }),
        Case::new("no room to grow", |s| { db(s).allocated_storage = 65_000; db(s).max_allocated_storage = None; }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).max_allocated_storage = None),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};

/// AWS changes only what is available.
#[test]
fn refused() {
    let broken: Change = |s| {
        wreck(db(s));
        db(s).master_user = None;
    };
    assert_eq!(refusal(broken, "rds-storage-ceiling"), "");
    let modifying: Change = |s| {
        wreck(db(s));
        status(s, "modifying");
    };
    assert!(refusal(modifying, "rds-storage-ceiling").contains("shop-db is modifying"));
}
