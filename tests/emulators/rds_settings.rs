//! What one field of a database decides: `rds-deletion-unprotected`, `rds-storage-ceiling`, `rds-no-minor-upgrades`,
//! `rds-unencrypted-storage`, and those that are off by default: `rds-single-az`, `rds-no-iam-authentication`,
//! `rds-default-master-name`.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{DATABASES, Kind, TestEnv, acting, list, reason};
use crate::world::{World, tags};

on_both!(settings, minor_versions, encryption, off_by_default);

const DELETION: &str = "rds-deletion-unprotected";
const CEILING: &str = "rds-storage-ceiling";
const MINOR: &str = "rds-no-minor-upgrades";

/// What one harmless call corrects: deletion protection and the ceiling of storage, on instances, replicas and clusters.
fn settings(kind: Kind) {
    let mut world = World::new();
    world
        .stack("bare", json!({"db": {"deletion_protection": false}}))
        .stack("full", json!({"db": {"max_storage": null, "storage": 50}}))
        .stack("low", json!({"db": {"storage": 60, "max_storage": 119}}))
        .stack("tight", json!({"db": {"storage": 60, "max_storage": 70}}))
        .stack(
            "off",
            json!({"db": {"deletion_protection": false, "status": "stopped"}}),
        )
        // What must stay unmentioned.
        .stack("exact", json!({"db": {"storage": 60, "max_storage": 120}}))
        .stack("origin", json!({}));
    // RFC 7396 removes what is null: this is how to leave the field out.
    world.patch(json!({
        "db_instances": {
            "full-db": {"with": {}}, "stray": {"deletion_protection": false, "subnet_group": "private"},
            "fleet-1": {"cluster": "fleet", "tags": tags("fleet")}, "guarded-1": {"cluster": "guarded", "tags": tags("guarded")},
            "origin-copy": {"replica_of": "origin-db", "subnet_group": "private", "deletion_protection": false,
                            "max_storage": 100, "tags": tags("origin")},
        },
        "db_clusters": {
            "fleet": {"deletion_protection": false, "subnet_group": "private", "tags": tags("fleet")},
            "guarded": {"subnet_group": "private", "tags": tags("guarded")},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    env.call(
        "rds",
        "modify_db_instance",
        json!({"DBInstanceIdentifier": "full-db", "MaxAllocatedStorage": 50, "ApplyImmediately": true}),
    );
    // ministack drops the flag where a replica is created with it.
    env.call(
        "rds",
        "modify_db_instance",
        json!({"DBInstanceIdentifier": "origin-copy", "DeletionProtection": false, "ApplyImmediately": true}),
    );
    env.about(&[DELETION, CEILING]);
    env.configure("safety: {max_failing_percent: 100}\nworkloads: {tight: {storage_headroom: 1}}\n");
    let mut expected = vec![
        "fail low full rds-storage-ceiling full-db",
        "fail low low rds-storage-ceiling low-db",
        "fail medium bare rds-deletion-unprotected bare-db",
        "fail medium fleet rds-deletion-unprotected fleet",
        "fail medium off rds-deletion-unprotected off-db",
        "fail medium origin rds-deletion-unprotected origin-copy",
    ];
    env.expect(&expected);
    let plan = env.plan();
    let low = list(&plan, "actions")
        .iter()
        .find(|a| a["workload"] == "low")
        .expect("low");
    assert_eq!(low["calls"][0]["parameters"]["MaxAllocatedStorage"], 120, "{low:#}");
    assert!(
        reason(&plan, "off").contains("off-db is stopped"),
        "{}",
        reason(&plan, "off")
    );
    let before = env.state();
    env.apply();
    expected.retain(|e| e.contains(" off "));
    env.expect(&expected);
    let after = env.state();
    let stray = |state: &Value| state["us-east-1"]["db_instances"]["stray"].clone();
    assert_eq!(stray(&before), stray(&after), "untagged means untouched");
}

fn minor_versions(kind: Kind) {
    let mut world = World::new();
    world
        .stack("old", json!({"db": {"minor_upgrades": false}}))
        .stack("origin", json!({}))
        .stack("twin", json!({}));
    world.patch(json!({
        "db_instances": {
            "fleet-1": {"cluster": "fleet", "minor_upgrades": false, "tags": tags("fleet")},
            "fleet-2": {"cluster": "fleet", "tags": tags("fleet")},
            "origin-copy": {"replica_of": "origin-db", "subnet_group": "private", "minor_upgrades": false, "tags": tags("origin")},
        },
        "db_clusters": {"fleet": {"subnet_group": "private", "tags": tags("fleet")}},
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[MINOR]);
    let mut expected = vec![
        "fail low fleet rds-no-minor-upgrades fleet-1",
        "fail low old rds-no-minor-upgrades old-db",
    ];
    let mut workloads = vec!["fleet", "old"];
    if !Quirk::FlagsOfReplicasLost.on(kind) {
        expected.push("fail low origin rds-no-minor-upgrades origin-copy");
        workloads.push("origin");
    }
    env.expect(&expected);
    assert_eq!(acting(&env.plan()), workloads);
    if Quirk::MinorVersionUpgradesStay.on(kind) {
        return;
    }
    env.apply();
    env.expect(&[]);
}

/// No call corrects it.
fn encryption(kind: Kind) {
    let mut world = World::new();
    world
        .stack("plain", json!({"db": {"encrypted": false}}))
        .stack("twin", json!({}));
    world.patch(json!({
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tags("fleet")}, "calm-1": {"cluster": "calm", "tags": tags("calm")}},
        "db_clusters": {
            "fleet": {"encrypted": false, "subnet_group": "private", "tags": tags("fleet")},
            "calm": {"subnet_group": "private", "tags": tags("calm")},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(DATABASES);
    // Nobody refers to these clusters, which are too young to be abandoned.
    env.expect(&[
        "fail high fleet rds-unencrypted-storage fleet",
        "fail high plain rds-unencrypted-storage plain-db",
    ]);
    assert!(reason(&env.plan(), "plain").contains("no call can do it"));
}

fn off_by_default(kind: Kind) {
    let names = ["rds-single-az", "rds-no-iam-authentication", "rds-default-master-name"];
    let sound = json!({"multi_az": true, "iam_auth": true, "username": "shop_admin"});
    let mut world = World::new();
    let mut but = |name: &str, field: &str, value: Value| {
        let mut db = sound.clone();
        db[field] = value;
        world.stack(name, json!({"db": db}));
    };
    but("zone", "multi_az", json!(false));
    but("iam", "iam_auth", json!(false));
    but("master", "username", json!("postgres"));
    but("twin", "port", json!(5432));
    let mut env = TestEnv::new(kind, &world);
    let on: Vec<&str> = holdfast_core::rules::ids()
        .into_iter()
        .filter(|id| names.contains(id))
        .collect();
    assert_eq!(on.len(), 3);
    assert!(
        holdfast_core::rules::REGISTRY
            .iter()
            .map(|r| r.meta())
            .filter(|m| names.contains(&m.id))
            .all(|m| !m.enabled)
    );
    env.about(&names);
    env.expect(&[
        "fail low iam rds-no-iam-authentication iam-db",
        "fail low master rds-default-master-name master-db",
        "fail low zone rds-single-az zone-db",
    ]);
}
