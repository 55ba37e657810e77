//! What `secret-unrotated` says, and of what it says nothing.

use crate::model::resources::Rotation;
use crate::rules::testing::secrets::secret;
use crate::rules::testing::workload::{SECRET, ago};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("not rotated", |s| secret(s, SECRET).rotation = Rotation::default()),
        Case::new("rotated by hand, once", |s| secret(s, SECRET).rotation.enabled = false),
        Case::new("rotated long ago", |s| secret(s, SECRET).rotation.last = Some(ago(91 * 24))),
        Case::new("rotated never", |s| secret(s, SECRET).rotation.last = None),
    ],
    passing: &[
        Case::new("rotated by hand of late, and by itself", |s| secret(s, SECRET).rotation = Rotation { enabled: true, last: Some(ago(89 * 24)) }),
        Case::new("rotated by a clock ahead of ours", |s| secret(s, SECRET).rotation.last = Some(ago(-1))),
        Case::new("a replica", |s| { let found = secret(s, SECRET); found.rotation = Rotation::default(); found.primary_region = Some("eu-west-1".into()); }),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};
