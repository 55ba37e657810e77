//! `rds-short-backup-retention` and `rds-stale-restore-point`.

use std::time::Duration;

use serde_json::json;

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::World;

on_both!(
    short_retention,
    aurora_and_replicas,
    retention_after_an_outage_only_if_allowed,
    restore_points_that_stand_still
);

const STALE: &str = "rds-stale-restore-point";

fn short_retention(kind: Kind) {
    let mut world = World::new();
    world
        .stack("one", json!({"db": {"retention": 1}}))
        .stack("six", json!({"db": {"retention": 6}}))
        .stack("seven", json!({"db": {"retention": 7}}))
        .stack("more", json!({"db": {"retention": 30}}))
        .stack("strict", json!({"db": {"retention": 13}}))
        .stack("lax", json!({"db": {"retention": 1}}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("workloads: {strict: {backup_retention_days: 14}, lax: {backup_retention_days: 1}}\n");
    env.expect(&[
        "fail high one rds-short-backup-retention one-db",
        "fail high six rds-short-backup-retention six-db",
        "fail high strict rds-short-backup-retention strict-db",
    ]);
    let plan = env.plan();
    let to = |w: &str| {
        list(&plan, "actions").iter().find(|a| a["workload"] == w).unwrap()["calls"][0]["parameters"]["BackupRetentionPeriod"]
            .as_i64()
    };
    assert_eq!((to("one"), to("six"), to("strict")), (Some(7), Some(7), Some(14)));
}

/// A cluster owns the backups of its members, and each member its own public flag. A replica has no backups.
fn aurora_and_replicas(kind: Kind) {
    let tags = |w: &str| json!({"holdfast:workload": w});
    let mut world = World::new();
    world.patch(json!({
        "security_groups": {"fleet-db": {"tags": tags("fleet"), "ingress": [{"cidr": "0.0.0.0/0"}]}, "calm-db": {"tags": tags("calm")}},
        "db_clusters": {
            "fleet": {"retention": 1, "subnet_group": "private", "security_groups": ["fleet-db"], "tags": tags("fleet")},
            "calm": {"subnet_group": "private", "security_groups": ["calm-db"], "tags": tags("calm")},
        },
        "db_instances": {
            "fleet-1": {"cluster": "fleet", "public": true, "tags": tags("fleet")},
            "fleet-2": {"cluster": "fleet", "tags": tags("fleet")},
            "calm-1": {"cluster": "calm", "tags": tags("calm")},
            "calm-2": {"cluster": "calm", "public": true},
        },
    }));
    world.stack("origin", json!({}));
    world.patch(json!({"db_instances": {
        "origin-replica": {"replica_of": "origin-db", "subnet_group": "private", "tags": tags("origin")},
        "origin-mirror": {"replica_of": "origin-db", "subnet_group": "private", "tags": tags("origin")},
    }}));
    let mut env = TestEnv::new(kind, &world);
    // ministack drops the flag where a replica is created with it.
    let public = json!({"DBInstanceIdentifier": "origin-mirror", "PubliclyAccessible": true, "ApplyImmediately": true});
    env.call("rds", "modify_db_instance", public);
    env.expect(&[
        "fail critical calm rds-public-access calm-2",
        "fail critical fleet rds-open-ingress fleet-db",
        "fail critical fleet rds-public-access fleet-1",
        "fail critical origin rds-public-access origin-mirror",
        "fail high fleet rds-short-backup-retention fleet",
    ]);
    let plan = env.plan();
    let operations: Vec<String> = list(&plan, "actions")
        .iter()
        .map(|a| text(&a["calls"][0]["operation"]))
        .collect();
    assert!(operations.contains(&"ModifyDBCluster".to_owned()), "{plan:#}");
    let held = list(&plan, "held")
        .iter()
        .find(|h| h["resource"]["id"] == "calm-2")
        .expect("the untagged member");
    assert!(
        text(&held["reason"]).contains("does not carry holdfast:workload=calm"),
        "{held:#}"
    );
}

/// Switching backups on restarts the instance: only if the configuration names that risk.
fn retention_after_an_outage_only_if_allowed(kind: Kind) {
    let mut world = World::new();
    world.stack("bare", json!({"db": {"retention": 0}}));
    let mut env = TestEnv::new(kind, &world);
    env.expect(&["fail high bare rds-short-backup-retention bare-db"]);
    let plan = env.plan();
    assert_eq!(plan["actions"], json!([]));
    assert!(text(&plan["held"][0]["reason"]).contains("outage"), "{plan:#}");
    let answer = env.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    env.configure("safety: {allow_risk: [none, brief, outage]}\n");
    assert_eq!(env.plan()["actions"][0]["risk"], "outage");
    let answer = env.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    env.expect(&[]);
}

/// A restore point that an emulator itself lets grow old.
fn restore_points_that_stand_still(kind: Kind) {
    let mut world = World::new();
    world
        .stack("strict", json!({}))
        .stack("unbacked", json!({"db": {"retention": 0}}))
        .stack("twin", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[STALE]);
    env.configure("workloads: {strict: {restore_point_age: 1s}, unbacked: {restore_point_age: 1s}}\n");
    std::thread::sleep(Duration::from_millis(2500));
    if Quirk::RestorePointIsNow.on(kind) {
        env.expect(&[]);
    } else {
        env.expect(&["fail high strict rds-stale-restore-point strict-db"]);
    }
}
