//! Databases that were left behind: `rds-migration-overdue` and `rds-abandoned`.

use std::time::Duration;

use serde_json::json;

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::{PASSWORD, World, tags};

on_both!(migration_windows, abandoned);

const ABANDONED: &str = "rds-abandoned";

fn migration_windows(kind: Kind) {
    let with = |name: &str, until: Option<&str>, ingress: &str| {
        let mut tags = json!({"holdfast:workload": name, "holdfast:phase": "migrating"});
        if let Some(until) = until {
            tags["holdfast:migration-until"] = json!(until);
        }
        json!({"db": {"public": true, "tags": tags}, "ingress": [{"cidr": ingress}]})
    };
    let single = "203.0.113.7/32";
    let mut world = World::new();
    world
        .stack("inside", with("inside", Some("{{now+2d}}"), single))
        .stack("worldly", with("worldly", Some("{{now+1d}}"), "0.0.0.0/0"))
        .stack("wide", with("wide", Some("{{now+1d}}"), "203.0.113.0/24"))
        .stack("ended", with("ended", Some("{{now-1h}}"), single))
        .stack("endless", with("endless", None, single))
        .stack("garbled", with("garbled", Some("next tuesday"), single))
        .stack("distant", with("distant", Some("{{now+30d}}"), single))
        .stack(
            "tidied",
            json!({"db": {"tags": {"holdfast:workload": "tidied", "holdfast:phase": "migrating", "holdfast:migration-until": "{{now-9d}}"}}}),
        )
        .stack("shouting", json!({"db": {"public": true, "tags": {"holdfast:workload": "shouting", "holdfast:phase": "Migrating", "holdfast:migration-until": "{{now+1d}}"}}}));
    let env = TestEnv::new(kind, &world);
    let mut expected = vec![
        "fail critical worldly rds-open-ingress worldly-db".to_owned(),
        "fail high wide rds-open-ingress wide-db".to_owned(),
        "fail critical shouting rds-public-access shouting-db".to_owned(),
    ];
    for name in ["ended", "endless", "garbled", "distant"] {
        expected.push(format!("fail critical {name} rds-public-access {name}-db"));
        expected.push(format!("fail high {name} rds-open-ingress {name}-db"));
        expected.push(format!("fail high {name} rds-migration-overdue {name}-db"));
    }
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    for f in list(&report, "findings") {
        let inside = ["worldly", "wide"].contains(&f["workload"].as_str().unwrap());
        assert_eq!(f["phase"], if inside { "migrating" } else { "migrated" }, "{f:#}");
    }
}

/// Unused for longer than `abandoned_after`; in use, young, moving, and what can't be told beside it.
fn abandoned(kind: Kind) {
    let elsewhere = |host: &str| json!({"secret": format!("postgres://app:{PASSWORD}@{host}:5432/app")});
    let mut world = World::new();
    world
        .stack("unused", json!({"web": {"secrets": null}}))
        .stack("moved", elsewhere("old-db.abc123.us-east-1.rds.amazonaws.com"))
        .stack("lone", json!({}))
        // What must stay unmentioned.
        .stack("young", json!({"web": {"secrets": null}}))
        .stack("moving", json!({"web": {"secrets": null}, "db": {"tags": {"holdfast:phase": "migrating", "holdfast:migration-until": "{{now+1d}}"}}}))
        .stack("plain", json!({"web": {"secrets": null, "environment": {"DB_URL": "postgres://app:pw12345678@{{endpoint:plain-db}}:5432/app"}}}))
        .stack("reader", json!({}))
        .stack("twin", json!({}))
        // What can't be told.
        .stack("alias", elsewhere("db.shop.internal"))
        .stack("lambda", json!({}));
    world.patch(json!({
        "services": {"main/lone": null, "main/lambda": null},
        // A group that lets somebody in may hold what is no service.
        "security_groups": {"lone-db": {"ingress": []}},
        "db_instances": {"reader-copy": {"replica_of": "reader-db", "subnet_group": "private", "max_storage": 100, "tags": tags("reader")}},
        "secrets": {"reader-url": {"string": format!("postgres://app:{PASSWORD}@{{{{endpoint:reader-copy}}}}:{{{{port:reader-copy}}}}/app")}},
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[ABANDONED, "ecs-missing-database-secret", "secret-wrong-database"]);
    env.configure("defaults: {abandoned_after: 1s}\nworkloads: {young: {abandoned_after: 48h}}\n");
    std::thread::sleep(Duration::from_millis(2500));
    let (report, _) = env.audit(&[]);
    let told: Vec<String> = env
        .told(&report)
        .into_iter()
        .filter(|t| t.contains(ABANDONED))
        .collect();
    if Quirk::OneEndpointForAll.on(kind) {
        // Whoever leads to one database there leads to all.
        assert_eq!(told, Vec::<String>::new(), "{:#}", report["findings"]);
        return;
    }
    assert_eq!(
        told,
        [
            "fail low lone rds-abandoned lone-db",
            "fail low moved rds-abandoned moved-db",
            "fail low unused rds-abandoned unused-db",
            "unknown low alias rds-abandoned alias-db",
            "unknown low lambda rds-abandoned lambda-db",
        ],
        "{:#}",
        report["findings"]
    );
    let of = |workload: &str, rule: &str| {
        let mut all = list(&report, "findings").iter();
        all.find(|f| f["workload"] == workload && f["rule"] == rule)
            .expect(workload)
            .clone()
    };
    assert_eq!(
        of("unused", ABANDONED)["caused_by"],
        of("unused", "ecs-missing-database-secret")["id"]
    );
    assert_eq!(
        of("moved", ABANDONED)["caused_by"],
        of("moved", "secret-wrong-database")["id"]
    );
    assert!(text(&of("lone", ABANDONED)["message"]).contains("has no service"));
    // By default all of this is far too young.
    env.about(&[ABANDONED]);
    env.expect(&[]);
}
