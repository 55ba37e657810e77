//! What `rds-migration-overdue` says, and of what it says nothing.

use crate::rules::testing::databases::{lets_in, migrating, migrating_without_end};
use crate::rules::testing::workload::{db, denied};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a window that ended", |s| { migrating(s, "2026-11-21T11:59:59Z"); db(s).publicly_accessible = true; lets_in(s, "203.0.113.7/32"); }).and_fail(&["rds-open-ingress", "rds-public-access"]),
        Case::new("a window without end", |s| { migrating_without_end(s); db(s).publicly_accessible = true; }).and_fail(&["rds-public-access"]),
        Case::new("a window with a malformed end", |s| { migrating(s, "soon"); lets_in(s, "203.0.113.7/32"); }).and_fail(&["rds-open-ingress"]),
        Case::new("a window too far ahead", |s| { migrating(s, "2026-12-21T12:00:00Z"); db(s).publicly_accessible = true; }).and_fail(&["rds-public-access"]),
    ],
    passing: &[
        Case::new("a window that ended, tidied up", |s| migrating(s, "2026-11-01T00:00:00Z")),
    ],
    unknown: &[
        Case::new("groups after the window", |s| { migrating_without_end(s); s.security_groups = Err(denied("DescribeSecurityGroupRules")); }).besides(Unread::Groups),
    ],
    unread: &[Unread::Instances, Unread::Clusters],
};
