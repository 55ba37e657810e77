//! Each item proved, disproved and unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Checklist, Extras, ItemVerdict, checklist};
use crate::model::connection::{Fault, SecretShape};
use crate::model::resources::{Access, AccessTarget, Alarm, Backup, DatabaseId, LogMatch, TaskDefinition};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::migrations::{exits, migrates, never_ran, run as ran, still};
use crate::rules::testing::{
    HOST, REVISION, ROLE, SECRET, SERVICE, ago, clean, cluster, connection, db, denied, guard, holds, ingress, now,
    running, service, shop, tags,
};

const PATTERN: &str = "connected to the database";

/// A workload that has been moved, and what was read beside it.
fn moved() -> (Snapshot, Extras) {
    let mut s = clean();
    migrates(&mut s);
    let line = LogMatch {
        pattern: PATTERN.into(),
        at: ago(2),
        stream: "/ecs/shop ecs/web/0123".into(),
    };
    s.logs
        .get_mut(SERVICE)
        .expect("there")
        .as_mut()
        .expect("read")
        .connected = Some(line);
    let earlier = REVISION.replace(":2", ":1");
    let definition = TaskDefinition {
        arn: earlier.clone(),
        revision: 1,
        ..running(&mut s).clone()
    };
    s.task_definitions.insert(earlier.clone(), Ok(Arc::new(definition)));
    s.rollback_targets.insert(SERVICE.into(), Ok(vec![earlier]));
    let backup = Backup {
        id: "shop-db-migrated".into(),
        database: DatabaseId::Instance("shop-db".into()),
        manual: true,
        status: "available".into(),
        created_at: Some(ago(1)),
    };
    let alarm = Alarm {
        name: "shop-db-storage".into(),
        databases: BTreeSet::from(["shop-db".to_owned()]),
        metric: Some("FreeStorageSpace".into()),
        state: "OK".into(),
        state_since: Some(ago(5)),
        tells: true,
    };
    let extras = Extras {
        backups: Ok(vec![backup]),
        alarms: Ok(vec![alarm]),
    };
    (s, extras)
}

fn made(s: &Snapshot, extras: &Extras) -> Checklist {
    let mut config = crate::rules::testing::workload::shop_config();
    config.defaults.database_log_pattern = Some(PATTERN.into());
    checklist(s, extras, &config, now(), "shop")
}

/// The ids of the items with this verdict.
fn with(list: &Checklist, verdict: ItemVerdict) -> BTreeSet<&str> {
    list.items
        .iter()
        .filter(|i| i.verdict == verdict)
        .map(|i| i.id)
        .collect()
}

type Change = fn(&mut Snapshot, &mut Extras);
type Case = (&'static str, Change, &'static [&'static str]);

const DISPROVED: &[Case] = &[
    (
        "a migration that failed yesterday, as only the ledger knows",
        |s, _| {
            exits(s, "migrate", Some(1));
            ran(s).remembered = true;
        },
        &["migration-succeeded"],
    ),
    (
        "a migration of another image",
        |s, _| {
            ran(s).images.insert("migrate".into(), "example.com/shop:2".into());
        },
        &["migration-alike"],
    ),
    (
        "no backup at all",
        |s, e| {
            db(s).restorable_until = None;
            db(s).backup_retention_days = 0;
            e.backups = Ok(vec![]);
        },
        &["backup-exists", "database-retention", "final-backup"],
    ),
    (
        "stopped",
        |s, _| db(s).status = "stopped".into(),
        &["database-available", "secret-leads-home"],
    ),
    (
        "another engine",
        |s, _| db(s).engine = "mysql".into(),
        &["database-engine"],
    ),
    (
        "unencrypted",
        |s, _| db(s).storage_encrypted = false,
        &["database-encrypted"],
    ),
    (
        "short retention",
        |s, _| db(s).backup_retention_days = 1,
        &["database-retention"],
    ),
    (
        "unprotected",
        |s, _| db(s).deletion_protection = false,
        &["database-protected"],
    ),
    (
        "public",
        |s, _| db(s).publicly_accessible = true,
        &["database-private", "window-address"],
    ),
    (
        "public subnet",
        |s, _| {
            let subnet = s.subnets.as_mut().expect("read").get_mut("subnet-1").expect("there");
            subnet.internet_gateway = Some("igw-1".into());
        },
        &["database-private", "window-subnets"],
    ),
    (
        "an open window",
        |s, _| {
            db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-22T00:00:00Z")]);
            db(s).publicly_accessible = true;
            guard(s).ingress.push(ingress("sgr-office", "203.0.113.7/32"));
        },
        &["database-private", "window-closed", "window-address", "window-ingress"],
    ),
    (
        "a window that ended",
        |s, _| {
            db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-20T00:00:00Z")]);
            db(s).publicly_accessible = true;
        },
        &["database-private", "window-closed", "window-address"],
    ),
    (
        "open to the world",
        |s, _| guard(s).ingress.push(ingress("sgr-world", "0.0.0.0/0")),
        &["window-ingress"],
    ),
    (
        "a role that may not read",
        |s, _| {
            let missing = vec![format!("secretsmanager:GetSecretValue on {SECRET}")];
            s.access
                .insert((ROLE.into(), SECRET.into()), Ok(Access::Denied { missing }));
        },
        &["execution-role"],
    ),
    (
        "a task role that is gone",
        |s, _| {
            s.access
                .insert((ROLE.into(), AccessTarget::EcsExec), Ok(Access::NoRole));
        },
        &["task-role"],
    ),
    (
        "no secret",
        |s, _| crate::rules::testing::workload::lose_secret(s),
        &["secret-referenced", "data-persists"],
    ),
    (
        "a malformed secret",
        |s, _| {
            holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::PortTwice])));
        },
        &["secret-well-formed"],
    ),
    (
        "a secret of another database",
        |s, _| {
            holds(
                s,
                SecretShape::Plain(connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![])),
            );
        },
        &["secret-leads-home"],
    ),
    (
        "a database in the container",
        |s, _| {
            let log = s.logs.get_mut(SERVICE).expect("there").as_mut().expect("read");
            log.builtin = log.connected.take();
        },
        &["connection-logged"],
    ),
    ("no alarm", |_, e| e.alarms = Ok(vec![]), &["alarm-exists"]),
    (
        "an alarm of another",
        |_, e| {
            e.alarms.as_mut().expect("read")[0].databases = BTreeSet::from(["other".to_owned()]);
        },
        &["alarm-exists"],
    ),
    (
        "an alarm that tells nobody",
        |_, e| e.alarms.as_mut().expect("read")[0].tells = false,
        &["alarm-exists"],
    ),
    (
        "an old snapshot",
        |_, e| {
            e.backups.as_mut().expect("read")[0].created_at = Some(ago(30 * 24));
        },
        &["final-backup"],
    ),
    (
        "a snapshot of RDS's own",
        |_, e| e.backups.as_mut().expect("read")[0].manual = false,
        &["final-backup"],
    ),
    (
        "a second database that nobody uses",
        |s, _| {
            let mut old = db(s).clone();
            old.id = "old-db".into();
            old.arn = old.arn.replace("shop-db", "old-db");
            old.endpoint.as_mut().expect("an endpoint").host = "old-db.example.com".into();
            s.instances.as_mut().expect("read").insert("old-db".into(), old);
        },
        &["database-in-use", "alarm-exists", "final-backup"],
    ),
    (
        "an untagged one beside it",
        |s, _| {
            let mut old = db(s).clone();
            old.id = "old-shop-rehearsal".into();
            old.tags = tags(&[]);
            s.instances.as_mut().expect("read").insert(old.id.clone(), old);
        },
        &["no-leftovers"],
    ),
    (
        "a rollback that loses data",
        |s, _| {
            let earlier = s
                .task_definitions
                .get_mut(&REVISION.replace(":2", ":1"))
                .expect("there");
            Arc::make_mut(earlier.as_mut().expect("read")).containers[0]
                .secrets
                .clear();
        },
        &["rollback-safe"],
    ),
    ("no service", |s, _| service(s).tags = tags(&[]), &["service-known"]),
    (
        "no database",
        |s, _| db(s).tags = tags(&[]),
        &["database-known", "no-leftovers", "secret-leads-home"],
    ),
];

const UNKNOWN: &[Case] = &[
    (
        "a migration of which no run is known",
        |s, _| never_ran(s),
        &["migration-succeeded"],
    ),
    (
        "a migration under way",
        |s, _| still(s, "RUNNING", 1),
        &["migration-succeeded"],
    ),
    (
        "migrations",
        |s, _| s.migrations = Err(denied("GetResources")),
        &["migration-succeeded"],
    ),
    (
        "databases",
        |s, _| s.instances = Err(denied("DescribeDBInstances")),
        &["database-known"],
    ),
    (
        "snapshots",
        |_, e| e.backups = Err(denied("DescribeDBSnapshots")),
        &["final-backup"],
    ),
    (
        "alarms",
        |_, e| e.alarms = Err(denied("DescribeAlarms")),
        &["alarm-exists"],
    ),
    (
        "subnets",
        |s, _| s.subnets = Err(denied("DescribeSubnets")),
        &["database-private", "window-subnets"],
    ),
    ("access", |s, _| s.access.clear(), &["execution-role", "task-role"]),
    ("logs", |s, _| s.logs.clear(), &["connection-logged"]),
    (
        "earlier deployments",
        |s, _| s.rollback_targets.clear(),
        &["data-persists", "rollback-safe"],
    ),
    (
        "only one deployment",
        |s, _| {
            s.rollback_targets.insert(SERVICE.into(), Ok(vec![]));
        },
        &["data-persists"],
    ),
    (
        "a deployment under way",
        |s, _| {
            service(s).deployments[0].rollout_state = Some("IN_PROGRESS".into());
        },
        &["data-persists"],
    ),
    (
        "services",
        |s, _| s.services = Err(denied("DescribeServices")),
        &["service-known"],
    ),
    (
        "creating",
        |s, _| db(s).status = "creating".into(),
        &["database-available"],
    ),
    (
        "waived",
        |s, _| {
            db(s).publicly_accessible = true;
            db(s).tags = shop(&[
                ("waive", "rds-public-access@2026-12-01T00:00:00Z"),
                ("waive-reason", "a partner imports"),
            ]);
        },
        &["window-address"],
    ),
];

#[test]
fn a_migration_that_is_done() {
    let (s, extras) = moved();
    let list = made(&s, &extras);
    assert_eq!(
        list.verdict,
        ItemVerdict::Proved,
        "{:#?}",
        with(&list, ItemVerdict::Unknown)
    );
    for item in &list.items {
        assert!(
            !item.title.is_empty() && !item.summary.is_empty() && item.todo.is_none(),
            "{item:#?}"
        );
    }
    let at = |id: &str| list.items.iter().find(|i| i.id == id).expect("there").at;
    assert_eq!(at("connection-logged"), ago(2), "the date of the evidence");
    assert_eq!(at("final-backup"), ago(1));
    assert_eq!(
        at("database-engine"),
        s.started_at,
        "else the instant at which it was read"
    );
}

#[test]
fn what_is_disproved() {
    let mut tried: BTreeSet<&str> = BTreeSet::new();
    for (name, change, ids) in DISPROVED {
        let (mut s, mut extras) = moved();
        change(&mut s, &mut extras);
        let list = made(&s, &extras);
        let expected: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(
            with(&list, ItemVerdict::Disproved),
            expected,
            "{name}: {:#?}",
            list.items
        );
        assert_eq!(list.verdict, ItemVerdict::Disproved, "{name}");
        for item in list.items.iter().filter(|i| i.verdict == ItemVerdict::Disproved) {
            assert!(item.todo.as_ref().is_some_and(|t| !t.is_empty()), "{name}: {item:#?}");
        }
        tried.extend(expected);
    }
    let (s, extras) = moved();
    let all = made(&s, &extras);
    let untried: Vec<&str> = all
        .items
        .iter()
        .map(|i| i.id)
        .filter(|id| !tried.contains(id))
        .collect();
    assert!(untried.is_empty(), "never seen disproved: {untried:?}");
}

#[test]
fn what_is_unknown() {
    for (name, change, ids) in UNKNOWN {
        let (mut s, mut extras) = moved();
        change(&mut s, &mut extras);
        let list = made(&s, &extras);
        let unknown = with(&list, ItemVerdict::Unknown);
        assert!(ids.iter().all(|id| unknown.contains(id)), "{name}: {unknown:?}");
        for item in list.items.iter().filter(|i| i.verdict == ItemVerdict::Unknown) {
            assert!(item.todo.is_some(), "{name}: {item:#?}");
        }
    }
}

/// What a cluster has for its members is read of the cluster.
#[test]
fn a_cluster() {
    let (mut s, mut extras) = moved();
    cluster(&mut s);
    let host = "fleet.cluster-abc.us-east-1.rds.amazonaws.com";
    holds(&mut s, SecretShape::Plain(connection(host, "app", vec![])));
    extras.backups.as_mut().expect("read")[0].database = DatabaseId::Cluster("fleet".into());
    let list = made(&s, &extras);
    assert_eq!(
        list.verdict,
        ItemVerdict::Proved,
        "{:#?}",
        list.items
            .iter()
            .filter(|i| i.verdict != ItemVerdict::Proved)
            .collect::<Vec<_>>()
    );
    assert!(
        list.items
            .iter()
            .filter(|i| i.section == "database")
            .all(|i| i.about == "fleet")
    );
    cluster(&mut s).deletion_protection = false;
    assert_eq!(
        with(&made(&s, &extras), ItemVerdict::Disproved),
        BTreeSet::from(["database-protected"])
    );
}

/// Without a pattern nothing says what a connection looks like in the log.
#[test]
fn no_pattern() {
    let (mut s, extras) = moved();
    s.logs
        .get_mut(SERVICE)
        .expect("there")
        .as_mut()
        .expect("read")
        .connected = None;
    let list = checklist(
        &s,
        &extras,
        &crate::rules::testing::workload::shop_config(),
        now(),
        "shop",
    );
    assert_eq!(with(&list, ItemVerdict::Unknown), BTreeSet::from(["connection-logged"]));
}
