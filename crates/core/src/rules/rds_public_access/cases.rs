//! What `rds-public-access` says, and of what it says nothing.

use crate::rules::testing::databases::{lets_in, lets_in_only, migrating, net, subnet};
use crate::rules::testing::workload::{clean, cluster, db, guard, ingress, now, shop, tags};
use crate::rules::testing::{Case, Cases, Change, Unread, assert_caused, the_finding};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("public", |s| db(s).publicly_accessible = true),
        Case::new("a public member", |s| { cluster(s); db(s).publicly_accessible = true; }),
        Case::new("a public replica", |s| { db(s).publicly_accessible = true; db(s).replica_of = Some("x".into()); }),
    ],
    passing: &[
        Case::new("public while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); db(s).publicly_accessible = true; lets_in(s, "203.0.113.7/32"); }),
        Case::new("a deleting database", |s| { db(s).publicly_accessible = true; db(s).status = "deleting".into(); }).and_fail(&["workload-without-database"]),
        Case::new("untagged and all wrong", |s| {
            db(s).tags = tags(&[]); db(s).publicly_accessible = true; db(s).backup_retention_days = 0;
            lets_in(s, "0.0.0.0/0"); guard(s).tags = tags(&[]);
        }).and_fail(&["workload-untagged-part", "workload-without-database"]),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};

/// A window that nobody closed is why the database is still public.
#[test]
fn an_overdue_window_is_the_cause() {
    let overdue: Change = |s| {
        migrating(s, "2026-11-21T11:00:00Z");
        db(s).publicly_accessible = true;
        guard(s).ingress.push(ingress("sgr-extra", "203.0.113.7/32"));
    };
    let member: Change = |s| {
        cluster(s).tags = shop(&[("phase", "migrating")]);
        db(s).publicly_accessible = true;
    };
    for change in [overdue, member] {
        assert_caused(change, "rds-public-access", "rds-migration-overdue");
    }
}

/// What may not be relied on is no path that a service keeps when others are closed.
#[test]
fn a_path_that_is_kept() {
    let refusal = |change: Change| {
        let mut s = clean();
        db(&mut s).publicly_accessible = true;
        subnet(&mut s).cidrs.push(net("2001:db8:1::/64"));
        change(&mut s);
        let mut config = crate::config::Config::default();
        config.defaults.allowed_ingress.cidrs = vec![net("10.0.0.0/8"), net("2001:db8::/32")];
        let evaluation = crate::evaluate::evaluate(&s, &config, now(), None);
        let remediation = the_finding(&evaluation, "rds-public-access")
            .remediation
            .expect("a remedy");
        remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal(|_| {}), "");
    assert_eq!(refusal(|s| lets_in_only(s, "10.0.1.0/24")), "");
    // A database may have no IPv6 address.
    assert!(refusal(|s| lets_in_only(s, "2001:db8:1::/64")).contains("cut off main/shop"));
    let foreign: Change = |s| {
        let (id, account) = ("sg-app".into(), Some("999999999999".into()));
        guard(s).ingress[0].source = crate::model::resources::Source::Group { id, account };
    };
    assert!(refusal(foreign).contains("cut off main/shop"));
}
