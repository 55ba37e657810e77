//! Public access, open ingress, retention, windows; malformed, wrong, missing and mismatched secrets; lost data.

use std::collections::BTreeMap;

use super::super::{
    HOST, REVISION, SECRET, clean, cluster, connection, db, denied, guard, holds, ingress, judged, refer, running,
    service, shop, tags, web,
};
use super::{Area, Change};
use crate::model::connection::{Fault, SecretShape, UrlPart};
use crate::model::resources::{Mount, PlainDatabase, Source, Volume, VolumeKind};
use crate::model::snapshot::{Guarded, Snapshot, Value};
use crate::model::value_from::Selector;

const PUBLIC: &str = "rds-public-access";
const INGRESS: &str = "rds-open-ingress";
const RETENTION: &str = "rds-short-backup-retention";
const OVERDUE: &str = "rds-migration-overdue";
const MALFORMED: &str = "secret-malformed-url";
const WRONG: &str = "secret-wrong-database";
const MISSING: &str = "ecs-missing-database-secret";
const EPHEMERAL: &str = "ecs-ephemeral-storage";
const MISMATCH: &str = "ecs-secret-reference-mismatch";

fn migrating(s: &mut Snapshot, until: Option<&str>) {
    let window = until.map(|u| ("migration-until", u));
    db(s).tags = shop(&[&[("phase", "migrating")][..], window.as_slice()].concat());
}

fn lets_in(s: &mut Snapshot, source: &str) {
    guard(s).ingress.push(ingress("sgr-extra", source));
}

fn mounts(s: &mut Snapshot, path: &str, kind: VolumeKind, read_only: bool) {
    web(s).secrets.clear();
    web(s).mounts.push(Mount {
        volume: "data".into(),
        path: path.into(),
        read_only,
    });
    running(s).volumes.push(Volume {
        name: "data".into(),
        kind,
    });
}

fn json_secret(s: &mut Snapshot) {
    let keys = BTreeMap::from([
        ("url".to_owned(), Some(connection(HOST, "app", vec![]))),
        (
            "theme".to_owned(),
            Some(connection("", "", vec![Fault::NotAConnectionString])),
        ),
    ]);
    holds(s, SecretShape::Json { keys, parts: None });
}

/// What fails, and the rules that say so.
#[rustfmt::skip]
const FAILING: &[(&str, Change, &[&str])] = &[
    ("public", |s| db(s).publicly_accessible = true, &[PUBLIC]),
    ("a public member", |s| { cluster(s); db(s).publicly_accessible = true; }, &[PUBLIC]),
    ("a public replica", |s| { db(s).publicly_accessible = true; db(s).replica_of = Some("x".into()); }, &[PUBLIC]),
    ("the world", |s| lets_in(s, "0.0.0.0/0"), &[INGRESS]),
    ("the world in IPv6", |s| lets_in(s, "::/0"), &[INGRESS]),
    ("a /8", |s| lets_in(s, "10.0.0.0/8"), &[INGRESS]),
    ("a single address", |s| lets_in(s, "203.0.113.7/32"), &[INGRESS]),
    ("a prefix list", |s| lets_in(s, "pl-1"), &[INGRESS]),
    ("a strange group", |s| lets_in(s, "sg-other"), &[INGRESS]),
    ("a foreign account's group of our name", |s| {
        let source = Source::Group { id: "sg-app".into(), account: Some("999999999999".into()) };
        guard(s).ingress.push(crate::model::resources::IngressRule { source, ..ingress("sgr-extra", "sg-x") });
    }, &[INGRESS]),
    ("a range of ports", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].from_port = Some(1024); guard(s).ingress[1].to_port = Some(65535); }, &[INGRESS]),
    ("all protocols", |s| { lets_in(s, "::/0"); let r = &mut guard(s).ingress[1]; (r.protocol, r.from_port, r.to_port) = ("-1".into(), None, None); }, &[INGRESS]),
    ("the world while migrating", |s| { migrating(s, Some("2026-11-22T00:00:00Z")); lets_in(s, "0.0.0.0/0"); }, &[INGRESS]),
    ("a day of backups", |s| db(s).backup_retention_days = 1, &[RETENTION]),
    ("no backups", |s| db(s).backup_retention_days = 0, &[RETENTION]),
    ("a cluster's backups", |s| cluster(s).backup_retention_days = 3, &[RETENTION]),
    ("a window that ended", |s| { migrating(s, Some("2026-11-21T11:59:59Z")); db(s).publicly_accessible = true; lets_in(s, "203.0.113.7/32"); }, &[PUBLIC, INGRESS, OVERDUE]),
    ("a window without end", |s| { migrating(s, None); db(s).publicly_accessible = true; }, &[PUBLIC, OVERDUE]),
    ("a window with a malformed end", |s| { migrating(s, Some("soon")); lets_in(s, "203.0.113.7/32"); }, &[INGRESS, OVERDUE]),
    ("a window too far ahead", |s| { migrating(s, Some("2026-12-21T12:00:00Z")); db(s).publicly_accessible = true; }, &[PUBLIC, OVERDUE]),
    ("a port twice", |s| holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::PortTwice]))), &[MALFORMED]),
    ("a raw password", |s| holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::UnencodedReserved { part: UrlPart::Password }]))), &[MALFORMED]),
    ("prose", |s| { let mut c = connection("", "", vec![Fault::NotAConnectionString]); c.hosts.clear(); holds(s, SecretShape::Plain(c)); }, &[MALFORMED]),
    ("another host", |s| holds(s, SecretShape::Plain(connection("old.example.com", "app", vec![]))), &[WRONG]),
    ("another database", |s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))), &[WRONG]),
    ("another port", |s| db(s).endpoint.as_mut().expect("an endpoint").port = 5433, &[WRONG]),
    ("no variable", |s| web(s).secrets.clear(), &[MISSING, EPHEMERAL]),
    ("another variable", |s| web(s).secrets[0].name = "API_KEY".into(), &[MISSING, EPHEMERAL]),
    ("a plain URL", |s| { web(s).secrets.clear(); web(s).plain_databases.push(PlainDatabase { variable: "DATABASE_URL".into(), external: true, connection: None }); }, &[MISSING]),
    ("a plain URL to itself", |s| { web(s).secrets.clear(); web(s).plain_databases.push(PlainDatabase { variable: "DATABASE_URL".into(), external: false, connection: None }); }, &[MISSING, EPHEMERAL]),
    ("EFS at the data path", |s| mounts(s, "/home/coder/.config/coderv2", VolumeKind::Shared, false), &[MISSING]),
    ("EFS below it", |s| mounts(s, "/home/coder/.config/coderv2/x", VolumeKind::Shared, false), &[MISSING, EPHEMERAL]),
    ("EFS, read-only", |s| mounts(s, "/home/coder", VolumeKind::Shared, true), &[MISSING, EPHEMERAL]),
    ("a host directory", |s| mounts(s, "/home/coder", VolumeKind::Host, false), &[MISSING, EPHEMERAL]),
    ("a Docker volume on Fargate", |s| mounts(s, "/home/coder", VolumeKind::DockerDriver, false), &[MISSING, EPHEMERAL]),
    ("a partial ARN", |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), Some(SECRET)), &[MISMATCH]),
    ("a key on a plain string", |s| refer(s, &format!("{SECRET}:url::"), Some(SECRET)), &[MISMATCH]),
    ("JSON as a whole", json_secret, &[MISMATCH]),
    ("a key that is not there", |s| { json_secret(s); refer(s, &format!("{SECRET}:uri::"), Some(SECRET)); }, &[MISMATCH]),
    ("no such secret", |s| refer(s, "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbC123", None), &[MISMATCH]),
    ("a secret of another region", |s| refer(s, &SECRET.replace("us-east-1", "eu-west-1"), None), &[MISMATCH]),
    ("a bare name", |s| refer(s, "shop-url", None), &[MISMATCH]),
    ("a stage that is not there", |s| refer(s, &format!("{SECRET}::BLUE:"), Some(SECRET)), &[MISMATCH]),
    ("a version that is not there", |s| refer(s, &format!("{SECRET}:::v9"), Some(SECRET)), &[MISMATCH]),
];

/// What passes.
#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("as it should be", |_| {}),
    ("public while migrating", |s| { migrating(s, Some("2026-11-22T00:00:00Z")); db(s).publicly_accessible = true; lets_in(s, "203.0.113.7/32"); }),
    ("a window that ended, tidied up", |s| migrating(s, Some("2026-11-01T00:00:00Z"))),
    ("another port", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].to_port = Some(22); guard(s).ingress[1].from_port = Some(22); }),
    ("another protocol", |s| { lets_in(s, "0.0.0.0/0"); guard(s).ingress[1].protocol = "udp".into(); }),
    ("the group itself", |s| lets_in(s, "sg-db")),
    ("a replica without backups", |s| { db(s).replica_of = Some("x".into()); db(s).backup_retention_days = 0; }),
    ("a member without backups of its own", |s| { cluster(s); db(s).backup_retention_days = 1; }),
    ("a key of JSON", |s| { json_secret(s); refer(s, &format!("{SECRET}:url::"), Some(SECRET)); }),
    ("the current stage by name", |s| refer(s, &format!("{SECRET}::AWSCURRENT:"), Some(SECRET))),
    ("a database in another that is tagged too", |s| {
        let mut old = db(s).clone();
        old.id = "shop-old".into();
        old.endpoint.as_mut().expect("there").host = "shop-old.abc.us-east-1.rds.amazonaws.com".into();
        s.instances.as_mut().expect("read").insert("shop-old".into(), old);
    }),
    ("our own account's group by number", |s| {
        let source = Source::Group { id: "sg-app".into(), account: Some("123456789012".into()) };
        guard(s).ingress.push(crate::model::resources::IngressRule { source, ..ingress("sgr-extra", "sg-x") });
    }),
    ("a stopped service's groups", |s| service(s).desired_count = 0),
    ("a deleting database", |s| { db(s).publicly_accessible = true; db(s).status = "deleting".into(); }),
    ("a web hook", |s| { web(s).secrets.clear(); service(s).status = "INACTIVE".into(); holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::WrongScheme { found: Some("https".into()) }]))); }),
    ("untagged and all wrong", |s| {
        db(s).tags = tags(&[]); db(s).publicly_accessible = true; db(s).backup_retention_days = 0;
        lets_in(s, "0.0.0.0/0"); guard(s).tags = tags(&[]);
    }),
];

/// What can't be told, and the rules that say so.
#[rustfmt::skip]
const UNKNOWN: &[(&str, Change, &[&str])] = &[
    ("instances", |s| s.instances = Err(denied("DescribeDBInstances")), &[PUBLIC, INGRESS, RETENTION, OVERDUE, WRONG]),
    ("clusters", |s| s.clusters = Err(denied("DescribeDBClusters")), &[PUBLIC, INGRESS, RETENTION, OVERDUE, WRONG]),
    ("groups", |s| s.security_groups = Err(denied("DescribeSecurityGroupRules")), &[INGRESS]),
    ("groups after the window", |s| { migrating(s, None); s.security_groups = Err(denied("DescribeSecurityGroupRules")); }, &[INGRESS, OVERDUE]),
    ("services", |s| s.services = Err(denied("DescribeServices")), &[MALFORMED, WRONG, MISSING, EPHEMERAL, MISMATCH]),
    ("the revision", |s| { s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }, &[MALFORMED, WRONG, MISSING, EPHEMERAL, MISMATCH]),
    ("secrets", |s| { s.secrets = Err(denied("ListSecrets")); s.lookups.insert(SECRET.into(), Err(denied("DescribeSecret"))); }, &[MALFORMED, WRONG, MISMATCH]),
    ("RDS Proxy", |s| holds(s, SecretShape::Plain(connection("shop.proxy-abc.us-east-1.rds.amazonaws.com", "app", vec![]))), &[WRONG]),
    ("a reader of RDS Proxy", |s| holds(s, SecretShape::Plain(connection("shop.endpoint.proxy-abc.us-east-1.rds.amazonaws.com", "app", vec![]))), &[WRONG]),
    ("the value", |s| { s.values.insert((SECRET.into(), Selector::default()), Err(denied("GetSecretValue"))); }, &[MALFORMED, WRONG, MISMATCH]),
    ("a value that may not be read", |s| { s.values.insert((SECRET.into(), Selector::default()), Ok(Value::NotInspected)); }, &[MALFORMED, WRONG, MISMATCH]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: &[
        PUBLIC, INGRESS, RETENTION, OVERDUE, MALFORMED, WRONG, MISSING, EPHEMERAL, MISMATCH,
    ],
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};

/// A shared group is reported, and its correction refused by name.
#[test]
fn refused() {
    let refusal = |change: Change| {
        let mut s = clean();
        lets_in(&mut s, "0.0.0.0/0");
        change(&mut s);
        let judged = judged(&s);
        let found = judged.findings.iter().find(|f| f.rule == INGRESS).expect("open");
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
