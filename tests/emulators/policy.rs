//! What decides besides the rules: waivers, tags that restrain, regions, accounts.

use serde_json::json;

use crate::on_both;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::World;

on_both!(
    waivers,
    a_tag_restrains,
    all_faults_at_once,
    regions_and_accounts,
    untagged_is_never_reported
);

fn waivers(kind: Kind) {
    let waived = |name: &str, waive: &str, reason: Option<&str>| {
        let mut tags = json!({"holdfast:workload": name, "holdfast:waive": waive});
        if let Some(reason) = reason {
            tags["holdfast:waive-reason"] = json!(reason);
        }
        json!({"db": {"public": true, "tags": tags}})
    };
    let rule = "rds-public-access";
    let mut world = World::new();
    world
        .stack(
            "valid",
            waived(
                "valid",
                &format!("{rule}@{{{{now+7d}}}}"),
                Some("partner import until friday"),
            ),
        )
        .stack(
            "among",
            waived(
                "among",
                &format!("rds-open-ingress@{{{{now+1d}}}} {rule}@{{{{now+7d}}}}"),
                Some("two"),
            ),
        )
        .stack(
            "expired",
            waived("expired", &format!("{rule}@{{{{now-1h}}}}"), Some("was good once")),
        )
        .stack("noreason", waived("noreason", &format!("{rule}@{{{{now+7d}}}}"), None))
        .stack("noend", waived("noend", rule, Some("for ever")))
        .stack("wrongid", waived("wrongid", "rds-public@{{now+7d}}", Some("typo")))
        .stack("garbled", waived("garbled", &format!("{rule}@friday"), Some("soon")));
    // An open group may be waived at the group or at the database that it guards.
    let open = json!([{"cidr": "0.0.0.0/0"}]);
    let waive = json!({"holdfast:waive": "rds-open-ingress@{{now+7d}}", "holdfast:waive-reason": "load test"});
    world
        .stack("viadb", json!({"ingress": open, "db": {"tags": waive}}))
        .stack("viagroup", json!({"ingress": open}));
    world.patch(json!({"security_groups": {"viagroup-db": {"tags": waive}}}));
    let env = TestEnv::new(kind, &world);
    let mut expected = vec![
        "waived critical viadb rds-open-ingress viadb-db".to_owned(),
        "waived critical viagroup rds-open-ingress viagroup-db".to_owned(),
        "waived critical valid rds-public-access valid-db".to_owned(),
        "waived critical among rds-public-access among-db".to_owned(),
    ];
    for name in ["expired", "noreason", "noend", "wrongid", "garbled"] {
        expected.push(format!("fail critical {name} rds-public-access {name}-db"));
        expected.push(format!("fail medium {name} waiver-invalid {name}-db"));
    }
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        (&report["summary"]["waived"], &report["summary"]["fail"]),
        (&json!(4), &json!(10))
    );
    let valid = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "valid")
        .unwrap();
    assert_eq!(valid["waiver"]["reason"], "partner import until friday");
    let plan = env.plan();
    assert!(
        list(&plan, "actions")
            .iter()
            .all(|a| a["workload"] != "valid" && a["workload"] != "among")
    );
    let (_, code) = env.audit(&["--workload", "valid"]);
    assert_eq!(code, 0, "what is waived does not fail");
}

/// `holdfast:mode=audit`, or anything but `enforce`, keeps the hands off; so does the rule's own mode.
fn a_tag_restrains(kind: Kind) {
    let moded = |name: &str, mode: &str| json!({"db": {"retention": 1, "tags": {"holdfast:workload": name, "holdfast:mode": mode}}});
    let mut world = World::new();
    world
        .stack("looking", moded("looking", "audit"))
        .stack("typo", moded("typo", "adit"))
        .stack("acting", moded("acting", "enforce"))
        .stack("shut", json!({"db": {"public": true}}))
        // The mode is on the database; the finding is about its group.
        .stack(
            "gate",
            json!({"db": {"tags": {"holdfast:workload": "gate", "holdfast:mode": "audit"}}, "ingress": [{"cidr": "0.0.0.0/0"}]}),
        );
    let mut env = TestEnv::new(kind, &world);
    // Off for the sake of `Quirk::NoSimulator`, whose errors `plan` tells by its exit code.
    env.configure("rules: {rds-public-access: {mode: audit}, ecs-secret-unreadable: {enabled: false}}\n");
    let plan = env.plan();
    let acting: Vec<String> = list(&plan, "actions").iter().map(|a| text(&a["workload"])).collect();
    assert_eq!(acting, ["acting"], "{plan:#}");
    let reason = |w: &str| text(&list(&plan, "held").iter().find(|h| h["workload"] == w).unwrap()["reason"]);
    assert_eq!(reason("looking"), "the tag holdfast:mode asks for audit");
    assert_eq!(reason("typo"), "the tag holdfast:mode asks for audit");
    assert_eq!(reason("gate"), "the tag holdfast:mode asks for audit");
    assert_eq!(reason("shut"), "rules.rds-public-access.mode is audit");
}

/// Every fault in one stack, a clean twin beside it, and an untagged stack with all the same faults.
pub fn everything_wrong(world: &mut World) {
    let faults = |tags: serde_json::Value| {
        json!({
            "tags": tags,
            "db": {"public": true, "retention": 1},
            "ingress": [{"cidr": "0.0.0.0/0"}, {"cidr6": "::/0", "protocol": "all"}, {"cidr": "203.0.113.7/32"}],
            "web": {"secrets": null},
        })
    };
    world.stack("wreck", faults(json!({"holdfast:workload": "wreck"})));
    world.stack("nobody", faults(json!({"team": "nobody"})));
    world.stack("twin", json!({}));
    world.patch(json!({
        "db_instances": {"wreck-db": {"tags": {"holdfast:phase": "migrating", "holdfast:migration-until": "{{now-2d}}"}}},
        "secrets": {
            "wreck-old": {"string": "postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com:5432/app", "tags": {"holdfast:workload": "wreck"}},
            "wreck-bad": {"string": "postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com:5432:5432/app", "tags": {"holdfast:workload": "wreck"}},
            "nobody-bad": {"string": "postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com:5432:5432/app"},
        },
        "task_definitions": {"wreck-two": [{"tags": {"holdfast:workload": "wreck"}, "containers": {"web": {
            "port": 80, "secrets": {"DATABASE_URL": "{{secret-partial:wreck-url}}:url::"},
        }}}]},
        "services": {"main/wreck": {"tags": {"holdfast:datastore": "postgres"}}, "main/wreck-two": {
            "task_definition": "wreck-two:1", "subnets": ["private-a"], "security_groups": ["wreck-app"],
            "tags": {"holdfast:workload": "wreck"},
        }},
    }));
}

fn all_faults_at_once(kind: Kind) {
    let mut world = World::new();
    everything_wrong(&mut world);
    let env = TestEnv::new(kind, &world);
    env.expect(&[
        "fail critical wreck ecs-ephemeral-storage main/wreck",
        "fail critical wreck ecs-missing-database-secret main/wreck",
        "fail critical wreck ecs-secret-reference-mismatch main/wreck-two",
        "fail critical wreck rds-open-ingress wreck-db",
        "fail critical wreck rds-public-access wreck-db",
        "fail critical wreck secret-malformed-url wreck-bad",
        "fail critical wreck secret-wrong-database wreck-old",
        "fail critical wreck secret-wrong-database wreck-bad",
        "fail high wreck rds-migration-overdue wreck-db",
        "fail high wreck rds-short-backup-retention wreck-db",
    ]);
}

/// The same names in two regions and two accounts are different things.
fn regions_and_accounts(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    world
        .scope("eu-west-1", None)
        .stack("shop", json!({"db": {"retention": 1}}));
    world
        .scope("us-east-1", Some("222222222222"))
        .stack("shop", json!({"db": {"public": true}}));
    let mut env = TestEnv::new(kind, &world);
    // By default: the caller's account, its region.
    env.expect(&[]);
    let (report, _) = env.audit(&["--region", "eu-west-1"]);
    assert_eq!(env.told(&report), ["fail high shop rds-short-backup-retention shop-db"]);
    env.configure(
        "targets:\n\
         - {account: \"123456789012\", regions: [us-east-1, eu-west-1]}\n\
         - {account: \"222222222222\", role_arn: \"arn:aws:iam::222222222222:role/holdfast\", regions: [us-east-1]}\n",
    );
    let report = env.expect(&[
        "fail critical shop rds-public-access shop-db",
        "fail high shop rds-short-backup-retention shop-db",
    ]);
    assert_eq!(report["scope"]["accounts"], json!(["123456789012", "222222222222"]));
    assert_eq!(report["scope"]["regions"], json!(["eu-west-1", "us-east-1"]));
    let place = |i: usize| {
        let r = &report["findings"][i]["resource"];
        (text(&r["account"]), text(&r["region"]))
    };
    assert_eq!(place(0), ("222222222222".into(), "us-east-1".into()));
    assert_eq!(place(1), ("123456789012".into(), "eu-west-1".into()));
    let answer = env.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    env.expect(&[]);
    // Credentials that lead to another account than the target says are not used, and the rest goes on.
    env.configure(
        "targets:\n\
         - {account: \"222222222222\", role_arn: \"arn:aws:iam::222222222222:role/holdfast\", regions: [us-east-1]}\n\
         - {account: \"333333333333\", regions: [us-east-1]}\n",
    );
    let (report, code) = env.audit(&[]);
    assert_eq!(code, 3);
    assert_eq!(report["scope"]["accounts"], json!(["222222222222"]));
    let message = text(&report["errors"][0]["message"]);
    assert!(
        message.contains("333333333333") && message.contains("123456789012"),
        "{message}"
    );
}

fn untagged_is_never_reported(kind: Kind) {
    let mut world = World::new();
    everything_wrong(&mut world);
    let env = TestEnv::new(kind, &world);
    let (report, _) = env.audit(&["-vv"]);
    assert!(!report["findings"].to_string().contains("nobody"));
    let (table, plan) = (env.holdfast(&["audit"]), env.holdfast(&["plan"]));
    assert!(!table.stdout.contains("nobody") && !plan.stdout.contains("nobody"));
}
