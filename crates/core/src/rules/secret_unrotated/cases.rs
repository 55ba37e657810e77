//! What `secret-unrotated` says, and of what it says nothing.

use crate::model::resources::{ManagedSecret, Rotation};
use crate::rules::testing::secrets::secret;
use crate::rules::testing::workload::{SECRET, ago, db};
use crate::rules::testing::{Case, Cases, Unread};

fn kept(status: &str) -> ManagedSecret {
    ManagedSecret {
        arn: SECRET.into(),
        status: status.into(),
        kms_key: None,
    }
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("not rotated", |s| secret(s, SECRET).rotation = Rotation::default()),
        Case::new("rotated by hand, once", |s| secret(s, SECRET).rotation.enabled = false),
        Case::new("rotated long ago", |s| secret(s, SECRET).rotation.last = Some(ago(91 * 24))),
        Case::new("rotated never", |s| secret(s, SECRET).rotation.last = None),
        Case::new("kept by RDS, which can't rotate it", |s| { secret(s, SECRET).name = "rds!db-1".into(); db(s).managed_secret = Some(kept("impaired")); }),
        Case::new("kept by RDS, and not rotated for long", |s| { let found = secret(s, SECRET); found.name = "rds!db-1".into(); found.rotation.last = Some(ago(91 * 24)); }),
    ],
    passing: &[
        Case::new("rotated by hand of late, and by itself", |s| secret(s, SECRET).rotation = Rotation { enabled: true, last: Some(ago(89 * 24)) }),
        Case::new("rotated by a clock ahead of ours", |s| secret(s, SECRET).rotation.last = Some(ago(-1))),
        Case::new("kept by RDS, and new", |s| { let found = secret(s, SECRET); found.name = "rds!db-1".into(); found.rotation = Rotation::default(); db(s).managed_secret = Some(kept("active")); }),
        Case::new("kept by RDS, as its tag says", |s| { let found = secret(s, SECRET); found.tags.0.insert("aws:secretsmanager:owningService".into(), "rds".into()); found.rotation.last = None; }),
        Case::new("a replica", |s| { let found = secret(s, SECRET); found.rotation = Rotation::default(); found.primary_region = Some("eu-west-1".into()); }),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};
