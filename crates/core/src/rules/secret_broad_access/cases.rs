//! What `secret-broad-access` says, and of what it says nothing.

use crate::rules::testing::secrets::{OTHER, other};
use crate::rules::testing::workload::{SECRET, ago, denied};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("everyone", |s| { s.policies.insert(SECRET.into(), Ok(vec!["*".into()])); }),
        Case::new("another account", |s| { other(s); s.policies.insert(OTHER.into(), Ok(vec!["arn:aws:iam::999999999999:root".into()])); }),
    ],
    passing: &[
        Case::new("the policy of a secret that is to be deleted", |s| { other(s).deleted_at = Some(ago(-24)); s.policies.remove(OTHER); }),
    ],
    unknown: &[
        Case::new("a policy", |s| { s.policies.insert(SECRET.into(), Err(denied("GetResourcePolicy"))); }),
        Case::new("a policy that was not asked for", |s| s.policies.clear()),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};
