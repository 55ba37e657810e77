//! What `rds-expiring-certificate` says, and of what it says nothing.

use crate::model::policy::Severity;
use crate::rules::testing::databases::{in_days, replica};
use crate::rules::testing::workload::{cluster, db};
use crate::rules::testing::{Case, Cases, Unread, finding_after};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a certificate of 60 days", |s| db(s).certificate_until = Some(in_days(60))),
        Case::new("a certificate of yesterday", |s| db(s).certificate_until = Some(in_days(-1))),
        Case::new("a member's certificate", |s| { cluster(s); db(s).certificate_until = Some(in_days(9)); }),
        Case::new("a replica's certificate", |s| replica(s).certificate_until = Some(in_days(9))),
    ],
    passing: &[
        Case::new("a certificate of 61 days", |s| db(s).certificate_until = Some(in_days(61))),
        Case::new("no certificate yet", |s| db(s).certificate_until = None),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};

#[test]
fn one_that_has_expired_is_worse() {
    let expired = finding_after(
        |s| db(s).certificate_until = Some(in_days(-1)),
        "rds-expiring-certificate",
    );
    assert_eq!(expired.severity, Severity::High);
}
