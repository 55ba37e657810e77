//! The ways in which the three teams failed, and more: each names the right first broken hop, and its fix.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Diagnosis, Status, diagnose, through};
use crate::config::Config;
use crate::model::connection::{Fault, SecretShape, UrlPart};
use crate::model::resources::{
    Access, Container, Deployment, LogEvidence, LogMatch, SecretVariable, Source, Subnet, TaskDefinition,
};
use crate::model::snapshot::{Snapshot, Value};
use crate::model::value_from::Selector;
use crate::rules::testing::{
    EXEC, HOST, REVISION, ROLE, SECRET, SERVICE, ago, clean, connection, db, denied, guard, holds, ingress, now, refer,
    running, service, shop, tags, web,
};

fn walk(s: &Snapshot) -> Diagnosis {
    diagnose(s, &Config::default(), now(), "shop", &|_| true)
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
    };
    s.subnets.as_mut().expect("read").insert("subnet-9".into(), there);
    service(s).subnets = vec!["subnet-9".into()];
    guard(s).ingress.push(ingress("sgr-far", "172.16.0.0/16"));
}

/// A name, what is done to a workload that nobody would complain about, the first broken hop, and words of what is said
/// and of the fix.
const BROKEN: &[(&str, Change, &str, &str, &str)] = &[
    // ---- the seven ways of the three teams ----
    (
        "1: no variable",
        |s| web(s).secrets.clear(),
        "variable",
        "no container gets a database secret",
        "add the database secret",
    ),
    (
        "2: the port twice",
        |s| fault(s, Fault::PortTwice),
        "url",
        "port stands twice",
        "write the value of shop-url anew",
    ),
    (
        "3: a partial ARN",
        |s| {
            refer(
                s,
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-url",
                Some(SECRET),
            );
        },
        "secret",
        "six-character suffix",
        "correct the reference",
    ),
    (
        "4: a key of a plain string",
        |s| refer(s, &format!("{SECRET}:url::"), Some(SECRET)),
        "secret",
        "is a plain string",
        "correct the reference",
    ),
    (
        "4: no key of JSON",
        |s| holds(s, json_of("url")),
        "secret",
        "is JSON",
        "correct the reference",
    ),
    (
        "5: another host",
        |s| holds(s, SecretShape::Plain(connection("old.example.com", "app", vec![]))),
        "database",
        "its host is old.example.com",
        "right endpoint",
    ),
    (
        "5: another database",
        |s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))),
        "database",
        "its database is archive, not app",
        "right endpoint and database name",
    ),
    (
        "6: the group does not let it in",
        |s| guard(s).ingress.clear(),
        "security-group",
        "sg-app",
        "sg-app",
    ),
    (
        "6: closed, with an office left in the group",
        |s| {
            guard(s).ingress = vec![ingress("sgr-office", "203.0.113.7/32")];
        },
        "security-group",
        "sg-app",
        "sg-app",
    ),
    (
        "7: the role may not read it",
        |s| {
            let missing = vec![format!("secretsmanager:GetSecretValue on {SECRET}")];
            s.access
                .insert((ROLE.into(), SECRET.into()), Ok(Access::Denied { missing }));
        },
        "execution-role",
        "GetSecretValue",
        "",
    ),
    (
        "7: the deployment failed, an older revision runs",
        |s| roll(s, "FAILED", 0),
        "deployment",
        "shop:1",
        "",
    ),
    ("7: it was taken back", taken_back, "revision", "shop:3", "deploy again"),
    (
        "and a password that is not encoded",
        |s| {
            fault(
                s,
                Fault::UnencodedReserved {
                    part: UrlPart::Password,
                },
            )
        },
        "url",
        "percent-encoded",
        "percent-encoded",
    ),
    // ---- more of the kind ----
    (
        "no service",
        |s| service(s).tags = tags(&[]),
        "service",
        "holdfast:workload=shop",
        "tag the service",
    ),
    (
        "no task wanted",
        |s| service(s).desired_count = 0,
        "service",
        "no task",
        "at least one",
    ),
    (
        "a secret that is gone",
        |s| {
            refer(
                s,
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbC123",
                None,
            )
        },
        "secret",
        "does not exist",
        "correct the reference",
    ),
    (
        "a secret to be deleted",
        |s| {
            s.secrets
                .as_mut()
                .expect("read")
                .get_mut(SECRET)
                .expect("there")
                .deleted_at = Some(ago(1));
            s.values
                .insert((SECRET.into(), Selector::default()), Err(denied("GetSecretValue")));
        },
        "secret",
        "deletion",
        "restore",
    ),
    (
        "a key that it lacks",
        |s| {
            refer(s, &format!("{SECRET}:nope::"), Some(SECRET));
            holds(s, json_of("url"));
        },
        "secret",
        "does not have",
        "correct the reference",
    ),
    (
        "a parameter that is not there",
        |s| {
            web(s).secrets[0].value_from = "/shop/url".into();
            s.parameters.insert("/shop/url".into(), Ok(None));
        },
        "secret",
        "/shop/url",
        "",
    ),
    (
        "no database name",
        |s| fault(s, Fault::NoDatabase),
        "url",
        "names no database",
        "anew",
    ),
    (
        "another port",
        |s| {
            let mut c = connection(HOST, "app", vec![]);
            c.hosts[0].port = 6432;
            holds(s, SecretShape::Plain(c));
        },
        "database",
        "its port is 6432, not 5432",
        "",
    ),
    (
        "no database with the tag",
        |s| db(s).tags = tags(&[]),
        "database",
        "holdfast:workload=shop",
        "",
    ),
    (
        "a stopped database",
        |s| db(s).status = "stopped".into(),
        "database",
        "stopped",
        "start",
    ),
    (
        "another port in the group",
        |s| {
            guard(s).ingress[0].from_port = Some(3306);
            guard(s).ingress[0].to_port = Some(3306);
        },
        "security-group",
        "5432",
        "",
    ),
    ("a VPC without a route", far_away, "route", "vpc-", ""),
    (
        "no execution role",
        |s| running(s).execution_role = None,
        "execution-role",
        "execution role",
        "",
    ),
    (
        "a role that is gone",
        |s| {
            s.access.insert((ROLE.into(), SECRET.into()), Ok(Access::NoRole));
        },
        "execution-role",
        "exist",
        "",
    ),
    (
        "tasks that fail to start",
        |s| roll(s, "IN_PROGRESS", 0),
        "deployment",
        "shop:2",
        "",
    ),
    (
        "a database in the container",
        |s| {
            let line = LogMatch {
                pattern: "Using built-in PostgreSQL".into(),
                at: ago(1),
                stream: "/ecs/shop ecs/web/0123".into(),
            };
            let log = LogEvidence {
                groups: vec!["/ecs/shop".into()],
                since: Some(ago(2)),
                builtin: Some(line),
                connected: None,
            };
            s.logs.insert(SERVICE.into(), Ok(log));
        },
        "logs",
        "built-in PostgreSQL",
        "",
    ),
];

#[test]
fn the_first_broken_hop_is_the_right_one() {
    for (name, change, hop, said, fix) in BROKEN {
        let mut s = clean();
        change(&mut s);
        let found = walk(&s);
        assert_eq!(found.status, Status::Broken, "{name}: {found:#?}");
        let [way] = found.ways.as_slice() else {
            panic!("{name}: {found:#?}");
        };
        let broken = way.broken().unwrap_or_else(|| panic!("{name}: {way:#?}"));
        assert_eq!(broken.name, *hop, "{name}: {way:#?}");
        assert!(broken.summary.contains(said), "{name}: {broken:#?}");
        let told = broken.fix.as_ref().unwrap_or_else(|| panic!("{name}: {broken:#?}"));
        assert!(told.summary.contains(fix), "{name}: {told:#?}");
        let at = way.hops.iter().position(|h| h.name == *hop).expect("there");
        let (before, after) = (&way.hops[..at], &way.hops[at + 1..]);
        assert!(before.iter().all(|h| h.status == Status::Proved), "{name}: {way:#?}");
        assert!(
            after.iter().all(|h| h.status == Status::NotReached && h.fix.is_none()),
            "{name}: {way:#?}"
        );
        assert!(
            way.source.is_none(),
            "{name}: nothing is connected to past a broken hop"
        );
    }
}

/// Nothing that `audit` fails on the way may pass here, and what passes there may not be broken by its rules here.
#[test]
fn it_says_what_audit_says() {
    for (name, change, hop, ..) in BROKEN {
        let mut s = clean();
        change(&mut s);
        let judged = crate::judge::judge(&s, &super::thorough(&Config::default()), now(), None);
        let found = walk(&s);
        let broken = found.ways[0].broken().expect("broken");
        let rule = broken.fix.as_ref().and_then(|f| f.rule.clone());
        if let Some(rule) = rule {
            let finding = judged
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
    let names: Vec<&str> = found.ways[0].hops.iter().map(|h| h.name).collect();
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
    assert!(found.ways[0].hops.iter().all(|h| !h.evidence.is_empty()), "{found:#?}");
    assert!(found.ways[0].source.is_some());
    assert!(
        found.aids.iter().any(|a| a.name == "exec" && a.available == Some(true)),
        "{:#?}",
        found.aids
    );
}

/// A name, what can't be read, and the hops that are then not proved.
const UNKNOWN: &[(&str, Change, &[&str])] = &[
    (
        "services",
        |s| s.services = Err(denied("DescribeServices")),
        &["service"],
    ),
    (
        "the revision",
        |s| {
            s.task_definitions
                .insert(REVISION.into(), Err(denied("DescribeTaskDefinition")));
        },
        &["revision", "variable", "secret", "url", "database", "execution-role"],
    ),
    (
        "the secret",
        |s| {
            s.lookups.insert(SECRET.into(), Err(denied("DescribeSecret")));
        },
        &["secret", "url", "database", "execution-role"],
    ),
    (
        "the value",
        |s| {
            s.values
                .insert((SECRET.into(), Selector::default()), Err(denied("GetSecretValue")));
        },
        &["secret", "url", "database"],
    ),
    (
        "a value that may not be read",
        |s| {
            s.values
                .insert((SECRET.into(), Selector::default()), Ok(Value::NotInspected));
        },
        &["secret", "url", "database"],
    ),
    (
        "databases",
        |s| s.instances = Err(denied("DescribeDBInstances")),
        &["database", "security-group", "route"],
    ),
    (
        "groups",
        |s| s.security_groups = Err(denied("DescribeSecurityGroups")),
        &["security-group"],
    ),
    ("subnets", |s| s.subnets = Err(denied("DescribeSubnets")), &["route"]),
    (
        "a prefix list",
        |s| guard(s).ingress[0].source = Source::PrefixList("pl-1".into()),
        &["security-group"],
    ),
    (
        "no awsvpc network",
        |s| {
            service(s).security_groups.clear();
            service(s).subnets.clear();
        },
        &["security-group", "route"],
    ),
    ("access", |s| s.access.clear(), &["execution-role"]),
    (
        "access, denied",
        |s| {
            s.access
                .insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy")));
        },
        &["execution-role"],
    ),
    ("logs", |s| s.logs.clear(), &["logs"]),
    (
        "no log",
        |s| {
            s.logs.insert(SERVICE.into(), Ok(LogEvidence::default()));
            web(s).log = None;
        },
        &["logs"],
    ),
    (
        "a deployment under way",
        |s| {
            service(s).deployments[0].rollout_state = Some("IN_PROGRESS".into());
            service(s).deployments[0].created_at = Some(now());
        },
        &["deployment"],
    ),
    (
        "a waived finding",
        |s| {
            holds(s, SecretShape::Plain(connection("alias.example.com", "app", vec![])));
            let secret = s.secrets.as_mut().expect("read").get_mut(SECRET).expect("there");
            secret.tags = shop(&[
                ("waive", "secret-wrong-database@2026-12-01T00:00:00Z"),
                ("waive-reason", "an alias of ours"),
            ]);
        },
        &["database", "security-group", "route"],
    ),
];

#[test]
fn what_is_not_known_is_neither_proved_nor_broken() {
    for (name, change, hops) in UNKNOWN {
        let mut s = clean();
        change(&mut s);
        let found = walk(&s);
        assert_eq!(found.status, Status::Unknown, "{name}: {found:#?}");
        let open: Vec<&str> = found.ways[0]
            .hops
            .iter()
            .filter(|h| h.status != Status::Proved)
            .map(|h| h.name)
            .collect();
        assert_eq!(open, *hops, "{name}: {found:#?}");
        assert!(
            found.ways[0].hops.iter().all(|h| h.status != Status::Broken),
            "{name}: {found:#?}"
        );
    }
}

/// Each variable of each service is a way of its own: one that is broken does not hide one that is whole.
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
    let told: Vec<(String, Option<&str>)> = found
        .ways
        .iter()
        .map(|w| {
            (
                format!("{} {}", w.service, w.variable.as_deref().unwrap_or("-")),
                w.broken().map(|h| h.name),
            )
        })
        .collect();
    let expected = [
        ("main/shop DATABASE_URL", None),
        ("main/shop CODER_POSTGRES_URL", Some("secret")),
        ("main/worker -", Some("variable")),
    ];
    assert_eq!(told, expected.map(|(w, h)| (w.to_owned(), h)), "{found:#?}");
    let one = diagnose(&s, &Config::default(), now(), "shop", &|id| id == "main/worker");
    assert_eq!(one.ways.len(), 1);
}

/// A parameter's value is followed as a secret's is.
#[test]
fn parameters_are_followed() {
    let mut s = clean();
    web(&mut s).secrets[0].value_from = "/shop/url".into();
    let shape = SecretShape::Plain(connection(HOST, "app", vec![]));
    s.parameters.insert("/shop/url".into(), Ok(Some(Value::Shape(shape))));
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
            found.ways[0].hop(hop).expect("there").status,
            Status::Proved,
            "{hop}: {found:#?}"
        );
    }
}

#[test]
fn through_looks_past_a_broken_hop() {
    let mut s = clean();
    holds(&mut s, SecretShape::Plain(connection("old.example.com", "app", vec![])));
    let found = through(&s, &Config::default(), now(), "shop");
    let status = |name: &str| found.ways[0].hop(name).expect("there").status;
    assert_eq!(status("database"), Status::Broken);
    assert_eq!(status("execution-role"), Status::Proved);
    assert_eq!(status("security-group"), Status::NotReached);
}

#[test]
fn aids() {
    let mut s = clean();
    web(&mut s).variables = vec!["PORT".into(), "CODER_VERBOSE".into()];
    s.access
        .insert((ROLE.into(), EXEC.into()), Err(denied("SimulatePrincipalPolicy")));
    let found = walk(&s);
    let told: Vec<(&str, Option<bool>)> = found.aids.iter().map(|a| (a.name, a.available)).collect();
    assert_eq!(told, [("exec", None), ("log", Some(true)), ("verbosity", Some(true))]);
    assert!(found.aids[2].summary.contains("CODER_VERBOSE") && !found.aids[2].summary.contains("PORT"));
    service(&mut s).exec_enabled = false;
    web(&mut s).log = None;
    let told: Vec<Option<bool>> = walk(&s).aids.iter().map(|a| a.available).collect();
    assert_eq!(told, [Some(false), Some(false), Some(true)]);
}
