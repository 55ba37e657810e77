//! What real accounts hold and examples do not.

use serde_json::json;

use crate::on_both;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::{PASSWORD, World, url};

on_both!(
    odd_tags_and_addresses,
    deleted_things,
    a_fleet_that_fails_together,
    json_parts
);

fn odd_tags_and_addresses(kind: Kind) {
    let mut world = World::new();
    world
        // A workload's name with a space, and one with a slash.
        .stack("spaced", json!({"tags": {"holdfast:workload": "blue shop"}, "db": {"retention": 1}}))
        .stack("slashed", json!({"tags": {"holdfast:workload": "team/shop"}, "db": {"retention": 1}}))
        // An empty tag is no tag.
        .stack("blank", json!({"tags": {"holdfast:workload": ""}, "db": {"public": true}}))
        // Someone else's prefix.
        .stack("alien", json!({"tags": {"holdfast-workload": "alien"}, "db": {"public": true}}))
        .stack("blessed", json!({"ingress": [{"group": "vpn"}]}))
        .stack(
            "six",
            json!({"db": {"public": true, "tags": {"holdfast:phase": "migrating", "holdfast:migration-until": "{{now+1h}}"}},
                   "ingress": [{"cidr6": "2001:db8::7/128"}]}),
        )
        // No database at all: nothing to compare a secret with.
        .stack("dbless", json!({"secret": "postgres://app:pw12345678@db.example.com:5432/app"}))
        // Two services, one database.
        .stack("double", json!({}));
    world.patch(json!({
        "security_groups": {"vpn": {}},
        "db_instances": {"dbless-db": null},
        "services": {"main/double-worker": {
            "task_definition": "double:1", "subnets": ["private-a"], "security_groups": ["double-app"],
            "tags": {"holdfast:workload": "double"},
        }},
    }));
    let mut env = TestEnv::new(kind, &world);
    let vpn = env.id("security_groups", "vpn");
    env.configure(&format!(
        "workloads: {{blessed: {{allowed_ingress: {{security_groups: [{vpn}]}}}}}}\n"
    ));
    env.expect(&[
        "fail high blue shop rds-short-backup-retention spaced-db",
        "fail high team/shop rds-short-backup-retention slashed-db",
    ]);
    assert_eq!(env.audit(&["--workload", "blue shop"]).1, 1);
    assert_eq!(env.holdfast(&["audit", "--workload", "blank"]).code, 2);
}

fn deleted_things(kind: Kind) {
    let mut world = World::new();
    world
        .stack("gone", json!({"web": {"secrets": null}}))
        .stack("dropped", json!({"db": {"public": true}}))
        .stack(
            "binned",
            json!({"secret": {"string": url("binned"), "deletion_in_days": 7}}),
        );
    world.patch(json!({"db_instances": {"dropped-db": {"deletion_protection": false}}}));
    let mut env = TestEnv::new(kind, &world);
    env.call(
        "ecs",
        "delete_service",
        json!({"cluster": "main", "service": "gone", "force": true}),
    );
    env.call(
        "rds",
        "delete_db_instance",
        json!({"DBInstanceIdentifier": "dropped-db", "SkipFinalSnapshot": true}),
    );
    let (report, code) = env.audit(&[]);
    let told = env.told(&report);
    // A value that waits for its deletion can't be read: unknown, never pass or fail.
    assert!(
        told.iter().all(|t| t.starts_with("unknown") && t.contains(" binned ")),
        "{told:#?}"
    );
    assert_eq!(code, 3, "{told:#?}");
}

/// More of the fleet than `max_failing_percent` fails one rule: hands off that rule, and only that.
fn a_fleet_that_fails_together(kind: Kind) {
    let mut world = World::new();
    for i in 0..10 {
        let retention = if i < 4 { 1 } else { 7 };
        world.stack(
            &format!("fleet{i}"),
            json!({"db": {"retention": retention, "public": i == 9}}),
        );
    }
    let env = TestEnv::new(kind, &world);
    let plan = env.plan();
    let acting: Vec<String> = list(&plan, "actions").iter().map(|a| text(&a["workload"])).collect();
    assert_eq!(acting, ["fleet9"], "{plan:#}");
    assert_eq!(list(&plan, "held").len(), 4);
    assert!(
        text(&plan["held"][0]["reason"]).contains("4 of 10 workloads fail rds-short-backup-retention"),
        "{plan:#}"
    );
}

/// The JSON that RDS writes: its parts are no URL, and neither is one of them.
fn json_parts(kind: Kind) {
    let parts = |w: &str| {
        json!({"json": {"username": "app", "password": PASSWORD, "engine": "postgres", "host": format!("{{{{endpoint:{w}-db}}}}"),
               "port": 5432, "dbname": "app"}})
    };
    let mut world = World::new();
    world
        .stack("whole", json!({"secret": parts("whole")}))
        .stack("password", json!({"secret": parts("password"), "web": {"secrets": {"DATABASE_URL": "{{secret:password-url}}:password::"}}}))
        .stack("unused", json!({"web": {"secrets": {"DATABASE_URL": "{{secret:unused-good}}"}}, "secret": parts("unused")}));
    world.patch(json!({"secrets": {"unused-good": {"string": url("unused")}}}));
    let env = TestEnv::new(kind, &world);
    env.expect(&[
        "fail critical password ecs-secret-reference-mismatch main/password",
        "fail critical whole ecs-secret-reference-mismatch main/whole",
    ]);
}
