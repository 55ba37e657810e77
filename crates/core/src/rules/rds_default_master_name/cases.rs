//! What `rds-default-master-name` says, and of what it says nothing.

use crate::rules::testing::databases::orphan;
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("postgres", |s| db(s).master_user = Some("postgres".into())),
        Case::new("a cluster's postgres", |s| cluster(s).master_user = Some("postgres".into())),
    ],
    passing: &[
        Case::new("another master", |s| db(s).master_user = Some("root_of_shop".into())),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).master_user = Some("postgres".into())),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};
