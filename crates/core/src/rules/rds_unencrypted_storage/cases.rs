//! What `rds-unencrypted-storage` says, and of what it says nothing.

use crate::rules::testing::databases::{migrating, orphan, replica};
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("unencrypted", |s| db(s).storage_encrypted = false),
        Case::new("an unencrypted cluster", |s| cluster(s).storage_encrypted = false),
        Case::new("an unencrypted replica", |s| replica(s).storage_encrypted = false),
        Case::new("unencrypted while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); db(s).storage_encrypted = false; }),
    ],
    passing: &[
        Case::new("a member of an encrypted cluster", |s| { cluster(s); db(s).storage_encrypted = false; }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).storage_encrypted = false),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};
