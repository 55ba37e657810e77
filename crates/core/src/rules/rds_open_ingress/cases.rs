//! What `rds-open-ingress` says, and of what it says nothing.

use crate::model::resources::{IngressRule, Source};
use crate::model::snapshot::Guarded;
use crate::rules::testing::databases::{lets_in, migrating};
use crate::rules::testing::workload::{clean, db, denied, evaluation, guard, ingress, service, tags};
use crate::rules::testing::{Case, Cases, Change, Unread, assert_caused};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("the world", |s| lets_in(s, "0.0.0.0/0")),
        Case::new("the world in IPv6", |s| lets_in(s, "::/0")),
        Case::new("a /8", |s| lets_in(s, "10.0.0.0/8")),
        Case::new("a single address", |s| lets_in(s, "203.0.113.7/32")),
        Case::new("a prefix list", |s| lets_in(s, "pl-1")),
        Case::new("a strange group", |s| lets_in(s, "sg-other")),
        Case::new("a foreign account's group of our name", |s| {
            let source = Source::Group { id: "sg-app".into(), account: Some("999999999999".into()) };
            guard(s).ingress.push(IngressRule { source, ..ingress("sgr-extra", "sg-x") });
        }),
        Case::new("a range of ports", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].from_port = Some(1024); guard(s).ingress[1].to_port = Some(65535); }),
        Case::new("all protocols", |s| { lets_in(s, "::/0"); let r = &mut guard(s).ingress[1]; (r.protocol, r.from_port, r.to_port) = ("-1".into(), None, None); }),
        Case::new("the world while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); lets_in(s, "0.0.0.0/0"); }),
    ],
    passing: &[
        Case::new("another port", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].to_port = Some(22); guard(s).ingress[1].from_port = Some(22); }),
        Case::new("another protocol", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].protocol = "udp".into(); }),
        Case::new("the group itself", |s| lets_in(s, "sg-db")),
        Case::new("our own account's group by number", |s| {
            let source = Source::Group { id: "sg-app".into(), account: Some("123456789012".into()) };
            guard(s).ingress.push(IngressRule { source, ..ingress("sgr-extra", "sg-x") });
        }),
        Case::new("a stopped service's groups", |s| service(s).desired_count = 0),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Groups],
};

/// A shared group is reported, and its correction refused by name.
#[test]
fn refused() {
    let refusal = |change: Change| {
        let mut s = clean();
        lets_in(&mut s, "0.0.0.0/0");
        change(&mut s);
        let evaluation = evaluation(&s);
        let found = evaluation
            .findings
            .iter()
            .find(|f| f.rule == "rds-open-ingress")
            .expect("open");
        found
            .remediation
            .as_ref()
            .and_then(|r| r.blocked_by.as_ref().map(ToString::to_string))
            .unwrap_or_default()
    };
    assert_eq!(refusal(|_| {}), "");
    assert!(refusal(|s| guard(s).tags = tags(&[])).contains("does not carry holdfast:workload=shop"));
    assert!(
        refusal(|s| {
            s.guarded.insert(
                "sg-db".into(),
                Ok(Guarded {
                    others: vec!["eni-1 (lambda)".into()],
                }),
            );
        })
        .contains("eni-1")
    );
    assert!(
        refusal(|s| {
            s.guarded
                .insert("sg-db".into(), Err(denied("DescribeNetworkInterfaces")));
        })
        .contains("unknown")
    );
    assert!(refusal(|s| guard(s).ingress.retain(|r| r.id != "sgr-app")).contains("cut off main/shop"));
    assert!(
        refusal(|s| {
            let mut stray = db(s).clone();
            (stray.id, stray.tags) = ("stray".into(), tags(&[]));
            s.instances.as_mut().expect("read").insert("stray".into(), stray);
        })
        .contains("RDS instance stray")
    );
}

/// A window that nobody closed is why single addresses are still let in.
#[test]
fn an_overdue_window_is_the_cause() {
    assert_caused(
        |s| {
            migrating(s, "2026-11-21T11:00:00Z");
            db(s).publicly_accessible = true;
            guard(s).ingress.push(ingress("sgr-extra", "203.0.113.7/32"));
        },
        "rds-open-ingress",
        "rds-migration-overdue",
    );
}
