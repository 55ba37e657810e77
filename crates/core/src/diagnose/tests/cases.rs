//! What is done to a workload that nobody would complain about, and the hop that should tell.

use super::*;

/// A name, what is done to a workload that nobody would complain about, the first broken hop, and words of what is said
/// and of the fix.
pub(super) const BROKEN: &[(&str, Change, &str, &str, &str)] = &[
    // ---- the seven paths of the three teams ----
    (
        "1: no variable",
        |s| crate::rules::testing::workload::lose_secret(s),
        "variable",
        "gets no database secret",
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
        |s| {
            let elsewhere = connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![]);
            holds(s, SecretShape::Plain(elsewhere));
        },
        "database",
        "its host is old-db.abc",
        "right endpoint",
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
        "7: its tasks have no path to the secret",
        |s| {
            s.subnets
                .iter_mut()
                .flat_map(|m| m.values_mut())
                .for_each(|n| n.egress = Egress::None);
            let service = service(s);
            service.running_count = 0;
            let primary = &mut service.deployments[0];
            (primary.running_count, primary.rollout_state) = (0, Some("IN_PROGRESS".into()));
            primary.created_at = Some(now());
        },
        "execution-role",
        "no path to",
        "NAT gateway",
    ),
    (
        "7: its tasks hold the password of before",
        |s| {
            let (current, previous) = (ago(1), None);
            s.versions.insert(SECRET.into(), Ok(VersionDates { current, previous }));
        },
        "deployment",
        "started before shop-url got its current version",
        "replace the tasks",
    ),
    (
        "7: the deployment failed, an older revision runs",
        |s| roll(s, "FAILED", 0),
        "deployment",
        "the deployment of shop:2 to main/shop failed",
        "keeps its tasks from running",
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
            );
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
            );
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
        "cancel the deletion",
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

/// A name, what can't be read, and the hops that are then not proved.
pub(super) const UNKNOWN: &[(&str, Change, &[&str])] = &[
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
        &[
            "revision",
            "variable",
            "secret",
            "url",
            "database",
            "execution-role",
            "logs",
        ],
    ),
    (
        "the secret",
        |s| {
            s.lookups.insert(SECRET.into(), Err(denied("DescribeSecret")));
        },
        &["secret", "url", "database"],
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
                .insert((SECRET.into(), Selector::default()), Ok(SecretValue::NotInspected));
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
        "another database of the right server",
        |s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))),
        &["database"],
    ),
    (
        "a host of which nothing tells where it leads",
        |s| holds(s, SecretShape::Plain(connection("db.shop.internal", "app", vec![]))),
        &["database"],
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
        &["database"],
    ),
];
