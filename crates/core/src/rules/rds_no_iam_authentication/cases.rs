//! What `rds-no-iam-authentication` says, and of what it says nothing.

use crate::rules::testing::databases::orphan;
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no IAM", |s| db(s).iam_authentication = false),
        Case::new("no IAM on a cluster", |s| cluster(s).iam_authentication = false),
    ],
    passing: &[
        Case::new("a member without IAM of its own", |s| { cluster(s); db(s).iam_authentication = false; }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).iam_authentication = false),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};
