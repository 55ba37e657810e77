//! What `rds-abandoned` says, and of what it says nothing.

use std::sync::Arc;

use crate::finding::Verdict;
use crate::model::connection::SecretShape;
use crate::model::cow_map::CowMap;
use crate::model::resources::{DatabaseId, EndpointTarget, ManagedSecret, Service, Source};
use crate::model::snapshot::{Guarded, Snapshot};
use crate::rules::testing::databases::{
    ELSEWHERE, TWO, endpoint, former, leads_to, lets_in, migrating, orphan, parameter, plain_url, replica, secret,
    status, unread_value,
};
use crate::rules::testing::migrations::{MIGRATION, definition, run};
use crate::rules::testing::workload::{
    ALIAS, HOST, REVISION, SECRET, ago, clean, cluster, connection, db, evaluated_by, guard, holds, running, service,
    tags, web,
};
use crate::rules::testing::{Case, Cases, Change, Unread, assert_caused, finding_after};

const PROXY: &str = "shop.proxy-abc.us-east-1.rds.amazonaws.com";

/// A service of the workload `bank`, in the group `group`, like the workload's own.
fn bank(s: &mut Snapshot, group: &str) {
    let mut bank = service(s).clone();
    let mut revision = running(s).clone();
    revision.arn = format!("{REVISION}0");
    (bank.arn, bank.name, bank.tags) = ("arn:bank".into(), "bank".into(), tags(&[("workload", "bank")]));
    (bank.task_definition, bank.security_groups) = (revision.arn.clone(), vec![group.to_owned()]);
    s.task_definitions.insert(revision.arn.clone(), Ok(Arc::new(revision)));
    s.services.as_mut().expect("read").insert(bank.arn.clone(), bank);
}

fn of_bank(s: &mut Snapshot) -> &mut Service {
    s.services.as_mut().expect("read").get_mut("arn:bank").expect("there")
}

fn proxied(s: &mut Snapshot, id: &str) {
    leads_to(s, PROXY, 72);
    endpoint(s, PROXY, vec![EndpointTarget::Here(DatabaseId::Instance(id.into()))]);
}

/// The workload's secret is the one in which RDS keeps the password of its database.
fn managed(s: &mut Snapshot) {
    db(s).managed_secret = Some(ManagedSecret {
        arn: SECRET.into(),
        status: "active".into(),
        kms_key: None,
    });
    secret(s).changed_at = Some(ago(72));
    holds(
        s,
        SecretShape::Json {
            keys: [("username", None), ("password", None)]
                .map(|(k, v)| (k.to_owned(), v))
                .into(),
            parts: None,
        },
    );
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("nobody refers to it", |s| web(s).secrets.clear()).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("everybody refers to another", |s| leads_to(s, ELSEWHERE, 72)).and_fail(&["secret-wrong-database"]),
        Case::new("a plain URL to another", |s| plain_url(s, ELSEWHERE)).and_fail(&["ecs-plaintext-database-url"]),
        Case::new("a parameter that leads to another", |s| parameter(s, ELSEWHERE)).and_fail(&["secret-wrong-database"]).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("no service, and nobody let in", |s| { s.services = Ok(CowMap::new()); guard(s).ingress.clear(); }),
        Case::new("a proxy of another", |s| { former(s); proxied(s, "shop-db-old1"); }).and_fail(&["secret-wrong-database"]),
        Case::new("a migration that ran against it once", |s| { run(s).started_at = Some(ago(72)); run(s).stopped_at = Some(ago(72)); leads_to(s, ELSEWHERE, 72); definition(s).containers[0].secrets.clear(); }).and_fail(&["migration-drift", "secret-wrong-database"]),
        Case::new("a cluster that nobody refers to", |s| { cluster(s); web(s).secrets.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("stopped, and nobody refers to it", |s| { status(s, "stopped"); web(s).secrets.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-unavailable"]),
    ],
    passing: &[
        Case::new("young", |s| { web(s).secrets.clear(); db(s).created_at = Some(ago(47)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("deployed lately", |s| { web(s).secrets.clear(); service(s).deployments[0].created_at = Some(ago(47)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a secret that was changed lately", |s| leads_to(s, ELSEWHERE, 47)).and_fail(&["secret-wrong-database"]),
        Case::new("nobody refers to it yet", |s| { web(s).secrets.clear(); migrating(s, "2026-11-22T00:00:00Z"); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a plain URL to it", |s| plain_url(s, HOST)).and_fail(&["ecs-plaintext-database-url"]),
        Case::new("a parameter that leads to it", |s| parameter(s, HOST)).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("one that reads from its replica", |s| { replica(s); leads_to(s, TWO, 72); }),
        Case::new("a replica that nobody refers to", |s| { replica(s).created_at = Some(ago(900)); }),
        Case::new("by the cluster's reader", |s| { cluster(s).hosts.push("fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com".into()); leads_to(s, "fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com", 72); }),
        Case::new("another database name", |s| { secret(s).changed_at = Some(ago(72)); holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))); }).and_fail(&["secret-wrong-database"]),
        Case::new("RDS Proxy that leads to it", |s| proxied(s, "shop-db")),
        Case::new("an alias of it that is declared", |s| leads_to(s, ALIAS, 72)),
        Case::new("the password that RDS keeps for it", managed).and_fail(&["ecs-secret-reference-mismatch", ]),
        Case::new("a migration of late", |s| { run(s); web(s).secrets.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("the green side before the switchover", |s| { let mut green = db(s).clone(); green.id = "shop-db-green-x7k2ab".into(); green.arn = "arn:green".into(); green.endpoint.as_mut().expect("there").host = "shop-db-green-x7k2ab.abc.us-east-1.rds.amazonaws.com".into(); s.instances.as_mut().expect("read").insert(green.id.clone(), green); }),
        Case::new("an orphaned member, which services use by its cluster's endpoints", |s| { orphan(s); }),
    ],
    unknown: &[
        Case::new("the value", |s| { unread_value(s); secret(s).changed_at = Some(ago(72)); }).besides(Unread::Value),
        Case::new("an alias", |s| leads_to(s, "db.shop.internal", 72)).and_unknown(&["secret-wrong-database"]),
        Case::new("a private address", |s| leads_to(s, "10.0.1.17", 72)).and_unknown(&["secret-wrong-database"]),
        Case::new("RDS Proxy that was not looked up", |s| leads_to(s, PROXY, 72)).and_unknown(&["secret-wrong-database"]),
        Case::new("no service, and a group that holds something else", |s| s.services = Ok(CowMap::new())),
        Case::new("another group that is let in", |s| { leads_to(s, ELSEWHERE, 72); lets_in(s, "sg-lambda"); }).and_fail(&["rds-open-ingress", "secret-wrong-database"]),
        Case::new("addresses that are let in", |s| { leads_to(s, ELSEWHERE, 72); lets_in(s, "10.0.0.0/16"); }).and_fail(&["rds-open-ingress", "secret-wrong-database"]),
        Case::new("the migrations", |s| { leads_to(s, ELSEWHERE, 72); s.migrations = Err(crate::rules::testing::workload::denied("GetResources")); }).and_fail(&["secret-wrong-database"]).and_unknown(&["migration-drift", "migration-failed"]),
        Case::new("a host in plain text", |s| { web(s).secrets.clear(); web(s).variables.push(crate::rules::testing::workload::plain("PGHOST", "db.shop.internal")); }).and_unknown(&["ecs-missing-database-secret"]),
        Case::new("a parameter that was not read", |s| { parameter(s, HOST); s.parameters.clear(); }).and_unknown(&["ecs-secret-reference-mismatch", "ecs-secret-unreadable", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
        Case::new("a service that another program deploys", |s| { web(s).secrets.clear(); service(s).deployments.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
    ],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services, Unread::OneService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

/// Nobody uses it because the services lost their secret, or because it leads elsewhere.
#[test]
fn caused() {
    assert_caused(
        |s| web(s).secrets.clear(),
        "rds-abandoned",
        "ecs-missing-database-secret",
    );
    assert_caused(|s| leads_to(s, ELSEWHERE, 72), "rds-abandoned", "secret-wrong-database");
}

/// What a switchover left is said to be that.
#[test]
fn what_a_switchover_left() {
    let finding = finding_after(
        |s| {
            former(s);
            secret(s).changed_at = Some(ago(72));
            s.instances
                .as_mut()
                .expect("read")
                .get_mut("shop-db-old1")
                .expect("there")
                .created_at = Some(ago(90));
        },
        "rds-abandoned",
    );
    assert!(
        finding
            .message
            .ends_with("it is what a blue/green switchover left of shop-db"),
        "{}",
        finding.message
    );
}

/// What the rule says of the workload's database after a change, by itself.
fn verdict(change: Change) -> Option<Verdict> {
    let mut s = clean();
    change(&mut s);
    let findings = evaluated_by(&s, &["rds-abandoned"]).findings;
    findings.iter().find(|f| f.workload == "shop").map(|f| f.verdict)
}

/// Services of others count: one that leads to it uses it, and one of which nobody knows where it leads may, unless the
/// database does not let it in.
#[test]
#[rustfmt::skip]
fn services_of_other_workloads() {
    let cases: &[(Change, Option<Verdict>)] = &[
        (|s| { bank(s, "sg-bank"); web(s).secrets.clear(); }, None),
        (|s| { bank(s, "sg-bank"); web(s).secrets.clear(); proxied(s, "shop-db"); }, None),
        (|s| { bank(s, "sg-bank"); web(s).secrets.clear(); leads_to(s, ALIAS, 72); }, None),
        (|s| { bank(s, "sg-bank"); web(s).secrets[0].name = "OTHER_URL".into(); leads_to(s, HOST, 72); }, None),
        (|s| { bank(s, "sg-bank"); web(s).secrets.clear(); of_bank(s).status = "DRAINING".into(); of_bank(s).running_count = 0; }, Some(Verdict::Fail)),
        (|s| { bank(s, "sg-app"); leads_to(s, ELSEWHERE, 72); }, Some(Verdict::Fail)),
        (|s| { bank(s, "sg-app"); leads_to(s, ELSEWHERE, 72); of_bank(s).task_definition = "arn:unread".into(); }, Some(Verdict::Unknown)),
        (|s| { bank(s, "sg-bank"); leads_to(s, ELSEWHERE, 72); of_bank(s).task_definition = "arn:unread".into(); }, Some(Verdict::Fail)),
    ];
    for (number, (change, wanted)) in cases.iter().enumerate() {
        assert_eq!(verdict(*change), *wanted, "{number}");
    }
}

/// An unknown result names the read that would settle it.
#[test]
fn the_read_that_would_tell() {
    let cases: &[(Change, &str)] = &[
        (
            |s| drop(s.security_groups.as_mut().expect("read").remove("sg-db")),
            "ec2:DescribeSecurityGroups",
        ),
        (|s| lets_in(s, "sg-lambda"), "ec2:DescribeNetworkInterfaces"),
        (
            |s| {
                run(s);
                s.task_definitions.remove(MIGRATION);
            },
            "ecs:DescribeTaskDefinition",
        ),
    ];
    for (change, read) in cases {
        let mut s = clean();
        leads_to(&mut s, ELSEWHERE, 72);
        change(&mut s);
        let findings = evaluated_by(&s, &["rds-abandoned"]).findings;
        let named = findings.first().map(|f| f.evidence[0].field.as_str());
        assert_eq!(named, Some(*read));
    }
}

/// Whatever else its groups let in may use it, unless that is known to be nothing.
#[test]
#[rustfmt::skip]
fn who_is_let_in() {
    let cases: &[(Change, Verdict)] = &[
        (|s| lets_in(s, "sg-empty"), Verdict::Unknown),
        (|s| { lets_in(s, "sg-empty"); s.guarded.insert("sg-empty".into(), Ok(Guarded::default())); }, Verdict::Fail),
        (|s| { lets_in(s, "sg-full"); s.guarded.insert("sg-full".into(), Ok(Guarded { others: vec!["eni-1 (lambda)".into()] })); }, Verdict::Unknown),
        (|s| { lets_in(s, "sg-app"); guard(s).ingress[1].source = Source::Group { id: "sg-app".into(), account: Some("999999999999".into()) }; }, Verdict::Unknown),
        (|s| { lets_in(s, "sg-x"); guard(s).ingress[1].from_port = Some(22); guard(s).ingress[1].to_port = Some(22); }, Verdict::Fail),
        (|s| { s.security_groups.as_mut().expect("read").remove("sg-db"); }, Verdict::Unknown),
    ];
    for (number, (change, wanted)) in cases.iter().enumerate() {
        let mut s = clean();
        leads_to(&mut s, ELSEWHERE, 72);
        change(&mut s);
        let findings = evaluated_by(&s, &["rds-abandoned"]).findings;
        assert_eq!(findings.first().map(|f| f.verdict), Some(*wanted), "{number}");
    }
}
