//! What `waiver-invalid` says, and of what it says nothing.

use crate::model::snapshot::Snapshot;
use crate::rules::testing::workload::{db, shop};
use crate::rules::testing::{Case, Cases, Unread};

fn waive(s: &mut Snapshot, text: &str, reason: Option<&str>) {
    let reason = reason.map(|r| ("waive-reason", r));
    db(s).tags = shop(&[&[("waive", text)][..], reason.as_slice()].concat());
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a waiver without a reason", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", None)),
        Case::new("an empty reason", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", Some("  "))),
        Case::new("an expired waiver", |s| waive(s, "rds-public-access@2026-11-21T12:00:00Z", Some("x"))),
        Case::new("a waiver of nothing", |s| waive(s, " ", Some("x"))),
        Case::new("a waiver without an end", |s| waive(s, "rds-public-access", Some("x"))),
        Case::new("a waiver until some day", |s| waive(s, "rds-public-access@soon", Some("x"))),
        Case::new("a date without a time", |s| waive(s, "rds-public-access@2027-01-01", Some("x"))),
        Case::new("a waiver of a longer id", |s| waive(s, "rds-public-access-x@2027-01-01T00:00:00Z", Some("x"))),
        Case::new("a waiver in capitals", |s| waive(s, "RDS-Public-Access@2027-01-01T00:00:00Z", Some("x"))),
        Case::new("commas instead of spaces", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z,rds-open-ingress@2027-01-01T00:00:00Z", Some("x"))),
        Case::new("one of two expired", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z rds-open-ingress@2026-01-01T00:00:00Z", Some("x"))),
    ],
    passing: &[
        Case::new("a waiver in force", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", Some("until the move is over"))),
        Case::new("two waivers and spare spaces", |s| waive(s, " rds-public-access@2027-01-01T00:00:00Z  rds-open-ingress@2027-01-01T00:00:00Z ", Some("x"))),
        Case::new("a waiver renewed beside the old one", |s| waive(s, "rds-public-access@2026-01-01T00:00:00Z rds-public-access@2027-01-01T00:00:00Z", Some("x"))),
        Case::new("a reason without a waiver", |s| db(s).tags = shop(&[("waive-reason", "x")])),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Groups, Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Secrets],
};
