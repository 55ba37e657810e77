//! What `rds-deletion-unprotected` says, and of what it says nothing.

use crate::rules::testing::databases::{orphan, replica, status, wreck};
use crate::rules::testing::workload::{cluster, db, tags};
use crate::rules::testing::{Case, Cases, Change, Unread, refusal};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("unprotected", |s| db(s).deletion_protection = false),
        Case::new("an unprotected cluster", |s| cluster(s).deletion_protection = false),
        Case::new("an unprotected replica", |s| replica(s).deletion_protection = false),
    ],
    passing: &[
        Case::new("a member without protection of its own", |s| { cluster(s); db(s).deletion_protection = false; }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).deletion_protection = false),
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
    assert_eq!(refusal(broken, "rds-deletion-unprotected"), "");
    let modifying: Change = |s| {
        wreck(db(s));
        status(s, "modifying");
    };
    assert!(refusal(modifying, "rds-deletion-unprotected").contains("shop-db is modifying"));
    let untagged: Change = |s| {
        cluster(s).deletion_protection = false;
        cluster(s).tags = tags(&[]);
        db(s).auto_minor_upgrade = false;
    };
    assert!(refusal(untagged, "rds-deletion-unprotected").contains("fleet does not carry"));
}
