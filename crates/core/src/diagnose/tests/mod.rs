//! The paths in which the three teams failed, and more: each names the right first broken hop, and its fix.

mod cases;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Diagnosis, Status, diagnose, diagnose_every_hop};
use crate::model::connection::{Fault, SecretShape, UrlPart};
use crate::model::resources::{
    Access, AccessTarget, Container, Deployment, Egress, LogEvidence, LogMatch, SecretVariable, Source, Subnet,
    TaskDefinition, VersionDates,
};
use crate::model::snapshot::{SecretValue, Snapshot};
use crate::model::value_from::Selector;
use crate::rules::testing::{
    HOST, REVISION, ROLE, SECRET, SERVICE, ago, clean, connection, db, denied, guard, holds, ingress, now, refer,
    running, service, shop, tags, web,
};
use cases::{BROKEN, UNKNOWN};

fn walk(s: &Snapshot) -> Diagnosis {
    diagnose(
        s,
        &crate::rules::testing::workload::shop_config(),
        now(),
        "shop",
        &|_| true,
    )
}

type Change = fn(&mut Snapshot);

fn json_of(key: &str) -> SecretShape {
    SecretShape::Json {
        keys: BTreeMap::from([(key.to_owned(), Some(connection(HOST, "app", vec![])))]),
        parts: None,
    }
}

fn fault(s: &mut Snapshot, fault: Fault) {
    holds(s, SecretShape::Plain(connection(HOST, "app", vec![fault])));
}

/// An older revision, in which everything is as in the running one.
fn roll(s: &mut Snapshot, state: &str, running_count: i32) {
    let at = |n: i32| REVISION.replace(":2", &format!(":{n}"));
    let d = &mut service(s).deployments;
    d[0].rollout_state = Some(state.into());
    d[0].rollout_reason = Some("ECS deployment circuit breaker: tasks failed to start.".into());
    d[0].running_count = running_count;
    d[0].failed_tasks = 3;
    let older = Deployment {
        id: "ecs-svc/0".into(),
        status: "ACTIVE".into(),
        task_definition: at(1),
        rollout_state: Some("COMPLETED".into()),
        running_count: 1,
        ..d[0].clone()
    };
    d.push(older);
}

fn taken_back(s: &mut Snapshot) {
    let failed = Deployment {
        id: "ecs-svc/9".into(),
        status: "ACTIVE".into(),
        task_definition: REVISION.replace(":2", ":3"),
        rollout_state: Some("FAILED".into()),
        rollout_reason: Some("ECS deployment circuit breaker: tasks failed to start.".into()),
        running_count: 0,
        ..service(s).deployments[0].clone()
    };
    service(s).deployments.push(failed);
}

fn far_away(s: &mut Snapshot) {
    let there = Subnet {
        id: "subnet-9".into(),
        vpc: "vpc-9".into(),
        cidrs: vec!["172.16.1.0/24".parse().expect("a net")],
        internet_gateway: None,
        private_routes: vec![],
        ..Subnet::default()
    };
    s.subnets.as_mut().expect("read").insert("subnet-9".into(), there);
    service(s).subnets = vec!["subnet-9".into()];
    let groups = s.security_groups.as_mut().expect("read");
    groups.get_mut("sg-app").expect("there").vpc = Some("vpc-9".into());
    guard(s).ingress.push(ingress("sgr-far", "172.16.0.0/16"));
}

#[test]
fn the_first_broken_hop_is_the_right_one() {
    for (name, change, hop, said, fix) in BROKEN {
        let mut s = clean();
        change(&mut s);
        let found = walk(&s);
        assert_eq!(found.status, Status::Broken, "{name}: {found:#?}");
        let [path] = found.paths.as_slice() else {
            panic!("{name}: {found:#?}");
        };
        let broken = path.broken().unwrap_or_else(|| panic!("{name}: {path:#?}"));
        assert_eq!(broken.name, *hop, "{name}: {path:#?}");
        assert!(broken.summary.contains(said), "{name}: {broken:#?}");
        let found = broken.fix.as_ref().unwrap_or_else(|| panic!("{name}: {broken:#?}"));
        assert!(found.summary.contains(fix), "{name}: {found:#?}");
        let at = path.hops.iter().position(|h| h.name == *hop).expect("there");
        let (before, after) = (&path.hops[..at], &path.hops[at + 1..]);
        assert!(before.iter().all(|h| h.status == Status::Proved), "{name}: {path:#?}");
        assert!(
            after.iter().all(|h| h.status == Status::NotReached && h.fix.is_none()),
            "{name}: {path:#?}"
        );
        assert!(
            path.source.is_none(),
            "{name}: nothing is connected to past a broken hop"
        );
    }
}

/// Nothing that `audit` fails on the path may pass here, and what passes there may not be broken by its rules here.
#[test]
fn it_says_what_audit_says() {
    for (name, change, hop, ..) in BROKEN {
        let mut s = clean();
        change(&mut s);
        let evaluation = crate::evaluate::evaluate(
            &s,
            &super::thorough(&crate::rules::testing::workload::shop_config()),
            now(),
            None,
        );
        let found = walk(&s);
        let broken = found.paths[0].broken().unwrap_or_else(|| panic!("{name}: {found:#?}"));
        let rule = broken.fix.as_ref().and_then(|f| f.rule.clone());
        if let Some(rule) = rule {
            let finding = evaluation
                .findings
                .iter()
                .find(|f| f.rule == rule)
                .unwrap_or_else(|| panic!("{name}: {rule}"));
            assert_eq!(finding.message, broken.summary, "{name} at {hop}");
        }
    }
}

#[test]
fn a_whole_way_is_proved() {
    let found = walk(&clean());
    assert_eq!(found.status, Status::Proved, "{found:#?}");
    let names: Vec<&str> = found.paths[0].hops.iter().map(|h| h.name).collect();
    assert_eq!(
        names,
        [
            "service",
            "revision",
            "variable",
            "secret",
            "url",
            "database",
            "security-group",
            "route",
            "execution-role",
            "deployment",
            "logs"
        ]
    );
    assert!(found.paths[0].hops.iter().all(|h| !h.evidence.is_empty()), "{found:#?}");
    assert!(found.paths[0].source.is_some());
    assert!(
        found
            .debug_access
            .iter()
            .any(|a| a.name == "exec" && a.available == Some(true)),
        "{:#?}",
        found.debug_access
    );
}

#[test]
fn what_is_not_known_is_neither_proved_nor_broken() {
    for (name, change, hops) in UNKNOWN {
        let mut s = clean();
        change(&mut s);
        let found = walk(&s);
        assert_eq!(found.status, Status::Unknown, "{name}: {found:#?}");
        let open: Vec<&str> = found.paths[0]
            .hops
            .iter()
            .filter(|h| h.status != Status::Proved)
            .map(|h| h.name)
            .collect();
        assert_eq!(open, *hops, "{name}: {found:#?}");
        assert!(
            found.paths[0].hops.iter().all(|h| h.status != Status::Broken),
            "{name}: {found:#?}"
        );
    }
}

/// Each variable of each service is a path of its own: one that is broken does not hide one that is whole.
#[test]
fn ways_are_told_apart() {
    let mut s = clean();
    let second = SecretVariable {
        name: "CODER_POSTGRES_URL".into(),
        value_from: format!("{SECRET}:url::"),
    };
    web(&mut s).secrets.push(second);
    let third = "arn:aws:ecs:us-east-1:123456789012:service/main/worker";
    let mut worker = service(&mut s).clone();
    worker.arn = third.into();
    worker.name = "worker".into();
    worker.tags = shop(&[("datastore", "postgres")]);
    worker.task_definition = REVISION.replace("shop:2", "worker:1");
    let definition = TaskDefinition {
        arn: worker.task_definition.clone(),
        family: "worker".into(),
        revision: 1,
        containers: vec![Container::default()],
        active: true,
        ..TaskDefinition::default()
    };
    s.task_definitions
        .insert(definition.arn.clone(), Ok(Arc::new(definition)));
    s.services.as_mut().expect("read").insert(third.into(), worker);
    let found = walk(&s);
    let found: Vec<(String, Option<&str>)> = found
        .paths
        .iter()
        .map(|w| {
            (
                format!("{} {}", w.service, w.variable.as_deref().unwrap_or("-")),
                w.broken().map(|h| h.name),
            )
        })
        .collect();
    let expected = [
        ("main/shop CODER_POSTGRES_URL", Some("secret")),
        ("main/shop DATABASE_URL", None),
        ("main/worker -", Some("variable")),
    ];
    assert_eq!(found, expected.map(|(w, h)| (w.to_owned(), h)), "{found:#?}");
    let one = diagnose(
        &s,
        &crate::rules::testing::workload::shop_config(),
        now(),
        "shop",
        &|id| id == "main/worker",
    );
    assert_eq!(one.paths.len(), 1);
}

/// A parameter's value is followed as a secret's is.
#[test]
fn parameters_are_followed() {
    let mut s = clean();
    web(&mut s).secrets[0].value_from = "/shop/url".into();
    let shape = SecretShape::Plain(connection(HOST, "app", vec![]));
    s.parameters
        .insert("/shop/url".into(), Ok(Some(SecretValue::Shape(shape))));
    let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url";
    s.access.insert((ROLE.into(), arn.into()), Ok(Access::Allowed));
    let found = walk(&s);
    assert_ne!(found.status, Status::Broken, "{found:#?}");
    for hop in [
        "variable",
        "secret",
        "url",
        "database",
        "security-group",
        "route",
        "execution-role",
    ] {
        assert_eq!(
            found.paths[0].hop(hop).expect("there").status,
            Status::Proved,
            "{hop}: {found:#?}"
        );
    }
}

#[test]
fn through_looks_past_a_broken_hop() {
    let mut s = clean();
    holds(
        &mut s,
        SecretShape::Plain(connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![])),
    );
    let found = diagnose_every_hop(&s, &crate::rules::testing::workload::shop_config(), now(), "shop");
    let status = |name: &str| found.paths[0].hop(name).expect("there").status;
    assert_eq!(status("database"), Status::Broken);
    assert_eq!(status("execution-role"), Status::Proved);
    assert_eq!(status("security-group"), Status::NotReached);
}

#[test]
fn debug_access() {
    let mut s = clean();
    web(&mut s).variables = ["PORT", "CODER_VERBOSE"]
        .map(|name| crate::rules::testing::workload::plain(name, "1"))
        .into();
    s.access.insert(
        (ROLE.into(), AccessTarget::EcsExec),
        Err(denied("SimulatePrincipalPolicy")),
    );
    let found = walk(&s);
    let available: Vec<(&str, Option<bool>)> = found.debug_access.iter().map(|a| (a.name, a.available)).collect();
    assert_eq!(
        available,
        [("exec", None), ("log", Some(true)), ("verbosity", Some(true))]
    );
    assert!(found.debug_access[2].summary.contains("CODER_VERBOSE") && !found.debug_access[2].summary.contains("PORT"));
    service(&mut s).exec_enabled = false;
    web(&mut s).log = None;
    let found: Vec<Option<bool>> = walk(&s).debug_access.iter().map(|a| a.available).collect();
    assert_eq!(found, [Some(false), Some(false), Some(true)]);
}
