//! What `rds-single-az` says, and of what it says nothing.

use crate::rules::testing::databases::{orphan, replica};
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("one zone", |s| db(s).multi_az = false),
        Case::new("a cluster in one zone", |s| cluster(s).multi_az = false),
    ],
    passing: &[
        Case::new("a replica in one zone", |s| replica(s).multi_az = false),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).multi_az = false),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};
