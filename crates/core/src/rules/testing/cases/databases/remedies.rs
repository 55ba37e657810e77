//! What is said and done about it: refusals, causes, and each thing once.

use super::super::super::{
    HOST, REVISION, ago, clean, cluster, connection, db, guard, holds, ingress, judged_by, running, service, shop,
    tags, web,
};
use super::super::Change;
use super::changes::{
    ELSEWHERE, apart, in_days, leads_to, lets_in_only, migrating, net, own_group, second, status, subnet, unread_value,
};
use super::{ABANDONED, CEILING, CERTIFICATE, DELETION, DOWN, MINOR, STALE, TLS, UNREACHABLE, wreck};
use crate::judge::Judged;
use crate::model::connection::SecretShape;
use crate::model::finding::{Finding, Verdict};
use crate::model::snapshot::{Guarded, Snapshot};

fn found(judged: &Judged, rule: &str) -> Finding {
    let mut of = judged
        .findings
        .iter()
        .filter(|f| f.rule == rule && f.workload == "shop");
    let one = of
        .next()
        .unwrap_or_else(|| panic!("{rule}: {:#?}", judged.findings))
        .clone();
    assert!(of.next().is_none(), "{rule} once: {:#?}", judged.findings);
    one
}

fn after(change: Change, rule: &str) -> Finding {
    let mut s = clean();
    change(&mut s);
    found(&judged_by(&s, &crate::rules::ids()), rule)
}

fn refusal(change: Change, rule: &str) -> String {
    let remediation = after(change, rule).remediation.expect("a remedy");
    assert!(!remediation.actions.is_empty(), "{rule} acts");
    remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default()
}

/// What would do harm, or is not ours, is not done, and the reason is told.
#[test]
fn refused() {
    let untagged = "does not carry holdfast:workload=shop";
    let off = |s: &mut Snapshot| own_group(s, false, Some("0"));
    assert_eq!(refusal(off, TLS), "");
    let tls = |change: Change| refusal(change, TLS);
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            for group in s.parameter_groups.values_mut() {
                group.as_mut().expect("read").tags = tags(&[]);
            }
        })
        .contains(untagged)
    );
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            second(s);
            s.instances
                .as_mut()
                .expect("read")
                .get_mut("shop-two")
                .expect("there")
                .tags = tags(&[("workload", "bank")]);
        })
        .contains("also the parameter group of shop-two")
    );
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            let mut c = connection(HOST, "app", vec![]);
            c.sslmode = Some("disable".into());
            holds(s, SecretShape::Plain(c));
        })
        .contains("main/shop connects with sslmode=disable")
    );
    let allow = |change: Change| refusal(change, UNREACHABLE);
    assert_eq!(allow(|s| guard(s).ingress.clear()), "");
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            guard(s).tags = tags(&[]);
        })
        .contains(untagged)
    );
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            let others = vec!["eni-1 (lambda)".to_owned()];
            s.guarded.insert("sg-db".into(), Ok(Guarded { others }));
        })
        .contains("sg-db also guards eni-1")
    );
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            let mut bank = service(s).clone();
            (bank.arn, bank.name, bank.tags) = ("arn:bank".into(), "bank".into(), tags(&[("workload", "bank")]));
            s.services.as_mut().expect("read").insert("arn:bank".into(), bank);
        })
        .contains("sg-app is the group of main/bank too")
    );
    for rule in [DELETION, CEILING, MINOR] {
        let broken: Change = |s| {
            wreck(db(s));
            db(s).master_user = None;
        };
        assert_eq!(refusal(broken, rule), "");
        let modifying: Change = |s| {
            wreck(db(s));
            status(s, "modifying");
        };
        assert!(refusal(modifying, rule).contains("shop-db is modifying"));
        let member: Change = |s| {
            cluster(s).deletion_protection = false;
            cluster(s).tags = tags(&[]);
            db(s).auto_minor_upgrade = false;
        };
        if rule == DELETION {
            assert!(refusal(member, rule).contains("fleet does not carry"));
        }
    }
}

/// Between VPCs no call of ours can help.
#[test]
fn a_path_between_networks_needs_a_person() {
    for change in [(|s| apart(s, false, false)) as Change, |s| {
        apart(s, true, true);
        guard(s).ingress.clear();
    }] {
        let remediation = after(change, UNREACHABLE).remediation.expect("a remedy");
        assert_eq!((remediation.actions, remediation.blocked_by), (vec![], None));
    }
}

/// Whichever database the secret leads to: a service that reaches none does not reach it.
#[test]
fn no_path_to_any_is_none_to_the_right_one() {
    let mut s = clean();
    unread_value(&mut s);
    guard(&mut s).ingress.clear();
    let judged = judged_by(&s, &[UNREACHABLE]);
    assert_eq!(found(&judged, UNREACHABLE).verdict, Verdict::Fail);
}

/// What follows from something else is told with it.
#[test]
fn consequences() {
    let caused = |change: Change, rule: &str, cause: &str| {
        let mut s = clean();
        change(&mut s);
        let judged = judged_by(&s, &crate::rules::ids());
        assert_eq!(found(&judged, rule).caused_by, Some(found(&judged, cause).id), "{rule}");
    };
    caused(
        |s| {
            status(s, "storage-full");
            db(s).restorable_until = Some(ago(5));
        },
        STALE,
        DOWN,
    );
    let overdue: Change = |s| {
        migrating(s, "2026-11-21T11:00:00Z");
        db(s).publicly_accessible = true;
        guard(s).ingress.push(ingress("sgr-extra", "203.0.113.7/32"));
    };
    caused(overdue, "rds-public-access", "rds-migration-overdue");
    caused(overdue, "rds-open-ingress", "rds-migration-overdue");
    caused(|s| web(s).secrets.clear(), ABANDONED, "ecs-missing-database-secret");
    caused(|s| leads_to(s, ELSEWHERE, 72), ABANDONED, "secret-wrong-database");
    let member: Change = |s| {
        cluster(s).tags = shop(&[("phase", "migrating")]);
        db(s).publicly_accessible = true;
    };
    caused(member, "rds-public-access", "rds-migration-overdue");
}

/// A cluster is told of once, and its members not beside it.
#[test]
fn each_thing_is_told_once() {
    let mut s = clean();
    cluster(&mut s).status = "stopped".into();
    status(&mut s, "stopped");
    let judged = judged_by(&s, &[DOWN]);
    assert_eq!(found(&judged, DOWN).resource.id, "fleet");
    let mut s = clean();
    cluster(&mut s).auto_minor_upgrade = Some(false);
    db(&mut s).auto_minor_upgrade = false;
    let judged = judged_by(&s, &[MINOR]);
    assert_eq!(found(&judged, MINOR).resource.id, "shop-db");
    let expected = after(|s| db(s).certificate_until = Some(in_days(-1)), CERTIFICATE);
    assert_eq!(expected.severity, crate::model::policy::Severity::High);
}

/// What another workload's service uses is not for deleting.
#[test]
fn a_stranger_that_uses_it_is_named() {
    let f = after(
        |s| {
            let mut bank = service(s).clone();
            let arn = "arn:aws:ecs:us-east-1:123456789012:service/main/bank".to_owned();
            let mut definition = running(s).clone();
            definition.arn = format!("{REVISION}0");
            bank.task_definition.clone_from(&definition.arn);
            (bank.arn, bank.name, bank.tags) = (arn.clone(), "bank".into(), tags(&[("workload", "bank")]));
            s.task_definitions
                .insert(definition.arn.clone(), Ok(std::sync::Arc::new(definition)));
            s.services.as_mut().expect("read").insert(arn, bank);
            web(s).secrets.clear();
        },
        ABANDONED,
    );
    assert!(f.message.contains("main/bank of bank uses it"), "{}", f.message);
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
        let judged = crate::judge::judge(&s, &config, super::super::super::now(), None);
        let remediation = found(&judged, "rds-public-access").remediation.expect("a remedy");
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
