//! What `rds-no-minor-upgrades` says, and of what it says nothing.

use crate::rules::testing::databases::{multi_az_cluster, replica, status, wreck};
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Change, Unread, finding_by, refusal};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no minor versions", |s| db(s).auto_minor_upgrade = false),
        Case::new("no minor versions on a member", |s| { cluster(s); db(s).auto_minor_upgrade = false; }),
        Case::new("no minor versions on a replica", |s| replica(s).auto_minor_upgrade = false),
        Case::new("members say yes and their cluster no", |s| cluster(s).auto_minor_upgrade = Some(false)),
        Case::new("no minor versions on a Multi-AZ DB cluster", |s| { multi_az_cluster(s); cluster(s).auto_minor_upgrade = Some(false); }),
    ],
    passing: &[
        Case::new("a Multi-AZ DB cluster's members", |s| { multi_az_cluster(s); db(s).auto_minor_upgrade = false; db(s).max_allocated_storage = None; }),
        Case::new("a cluster that says yes", |s| cluster(s).auto_minor_upgrade = Some(true)),
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
    assert_eq!(refusal(broken, "rds-no-minor-upgrades"), "");
    let modifying: Change = |s| {
        wreck(db(s));
        status(s, "modifying");
    };
    assert!(refusal(modifying, "rds-no-minor-upgrades").contains("shop-db is modifying"));
}

/// An Aurora cluster repeats what its members say: they are told of, and it is not.
#[test]
fn a_member_is_told_of_once() {
    let finding = finding_by(
        |s| {
            cluster(s).auto_minor_upgrade = Some(false);
            db(s).auto_minor_upgrade = false;
        },
        "rds-no-minor-upgrades",
    );
    assert_eq!(finding.resource.id, "shop-db");
}
