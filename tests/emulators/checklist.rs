//! `checklist`: items proved, disproved and unknown, as table, JSON and task list.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, run, text};
use crate::world::World;

on_both!(a_migration_that_is_done, a_migration_that_is_not, denied);

/// The verdicts by item, and the exit code. An item about several resources has the worst of its verdicts.
fn checklist(env: &TestEnv, workload: &str) -> (BTreeMap<String, String>, Value, i32) {
    let answer = env.holdfast(&["checklist", workload, "--format", "json"]);
    let report: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
    let mut verdicts: BTreeMap<String, String> = BTreeMap::new();
    for item in list(&list(&report, "checklists")[0], "items") {
        let verdict = verdicts.entry(text(&item["id"])).or_default();
        // disproved < proved < unknown, as words; what is proved gives way.
        if verdict.is_empty() || *verdict == "proved" {
            *verdict = text(&item["verdict"]);
        }
    }
    (verdicts, report, answer.code)
}

fn back_up(env: &mut TestEnv, database: &str) {
    let name = format!("{database}-migrated");
    env.call(
        "rds",
        "create_db_snapshot",
        json!({"DBInstanceIdentifier": database, "DBSnapshotIdentifier": name}),
    );
}

fn watch(env: &mut TestEnv, database: &str) {
    env.call(
        "cloudwatch",
        "put_metric_alarm",
        json!({
            "AlarmName": format!("{database}-storage"), "MetricName": "FreeStorageSpace", "Namespace": "AWS/RDS",
            "Statistic": "Minimum", "Period": 300, "EvaluationPeriods": 1, "Threshold": 1e9,
            "ComparisonOperator": "LessThanThreshold", "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:on-call"],
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": database}],
        }),
    );
}

/// What the alarm item comes to: moto does not speak the protocol of CloudWatch's SDK.
fn alarmed(kind: Kind, told: &str) -> &str {
    if Quirk::NoCborForCloudWatch.on(kind) {
        "unknown"
    } else {
        told
    }
}

fn a_migration_that_is_done(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    let mut env = TestEnv::new(kind, &world);
    back_up(&mut env, "shop-db");
    watch(&mut env, "shop-db");
    let (verdicts, report, code) = checklist(&env, "shop");
    assert!(code == 0 || code == 3, "{report:#}");
    for id in [
        "backup-exists",
        "database-available",
        "database-engine",
        "database-encrypted",
        "database-private",
        "database-retention",
        "database-protected",
        "secret-referenced",
        "secret-well-formed",
        "secret-leads-home",
        "window-closed",
        "window-address",
        "window-subnets",
        "window-ingress",
        "final-backup",
        "database-in-use",
        "no-leftovers",
    ] {
        assert_eq!(verdicts[id], "proved", "{id}: {report:#}");
    }
    assert_eq!(verdicts["alarm-exists"], alarmed(kind, "proved"), "{report:#}");
    let markdown = env.holdfast(&["checklist", "shop", "--format", "markdown"]);
    for line in [
        "## Migration checklist of shop (123456789012 us-east-1)",
        "### Backup",
        "- [x] A backup of shop-db exists: it can be restored to any instant up to ",
        "- [x] A final snapshot of shop-db was taken: shop-db-migrated is newer than the last deployment",
    ] {
        assert!(markdown.stdout.contains(line), "no {line:?} in {}", markdown.stdout);
    }
}

fn a_migration_that_is_not(kind: Kind) {
    let mut world = World::new();
    world
        .stack(
            "open",
            json!({
                "db": {"public": true, "retention": 1, "encrypted": false, "deletion_protection": false, "tags": {
                    "holdfast:workload": "open", "holdfast:phase": "migrating", "holdfast:migration-until": "{{now+1h}}"}},
                "ingress": [{"cidr": "203.0.113.7/32"}],
            }),
        )
        .stack("lost", json!({"web": {"secrets": null}}));
    world.patch(json!({"db_instances": {"lost-rehearsal": {
        "database": "app", "subnet_group": "private", "security_groups": ["lost-db"], "public": true,
    }}}));
    let env = TestEnv::new(kind, &world);
    let (verdicts, report, code) = checklist(&env, "open");
    assert_eq!(code, 1);
    for id in [
        "database-private",
        "database-retention",
        "database-encrypted",
        "database-protected",
        "window-closed",
        "window-address",
        "window-ingress",
        "final-backup",
    ] {
        assert_eq!(verdicts[id], "disproved", "{id}: {report:#}");
    }
    assert_eq!(verdicts["alarm-exists"], alarmed(kind, "disproved"), "{report:#}");
    let (verdicts, report, code) = checklist(&env, "lost");
    assert_eq!(code, 1);
    for id in ["secret-referenced", "data-persists", "no-leftovers"] {
        assert_eq!(verdicts[id], "disproved", "{id}: {report:#}");
    }
    let markdown = env.holdfast(&["checklist", "lost", "--format", "markdown"]);
    assert_eq!(markdown.code, 1);
    assert!(
        markdown
            .stdout
            .contains("**disproved:** lost-rehearsal (with a public address): untagged"),
        "{}",
        markdown.stdout
    );
    let table = env.holdfast(&["checklist", "lost"]);
    assert!(
        table.stdout.contains("DISPROVED No untagged database of lost is left"),
        "{}",
        table.stdout
    );
}

/// What may not be read is unknown, and names what to grant.
fn denied(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    let mut env = TestEnv::new(kind, &world);
    watch(&mut env, "shop-db");
    let gateway = env.gateway(&["--deny", "rds:DescribeDBSnapshots"]);
    let answer = run(env.command(&gateway.endpoint, &["checklist", "shop", "--format", "json"]));
    assert_eq!(answer.code, 3, "{answer:?}");
    let report: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let items = list(&list(&report, "checklists")[0], "items");
    let item = items.iter().find(|i| i["id"] == "final-backup").expect("the item");
    assert_eq!(item["verdict"], "unknown");
    assert!(
        text(&item["todo"]).contains("grant the IAM action rds:DescribeDBSnapshots"),
        "{item:#}"
    );
    assert_eq!(env.holdfast(&["checklist", "nosuch"]).code, 2);
}
