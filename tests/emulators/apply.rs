//! `apply`: exactly what the plan said, once, and nothing that is not tagged.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both;
use crate::policy::everything_wrong;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Kind, TestEnv, list, run, text};
use crate::world::World;

on_both!(
    corrects_what_was_planned_and_nothing_else,
    a_plan_of_yesterday_is_refused,
    asks_first,
    rolls_out,
    takes_back_what_never_settles,
    keeps_services_connected,
);

/// Paths at which two JSON values differ.
fn differences(before: &Value, after: &Value, path: &str, out: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(b), Value::Object(a)) => {
            for key in b.keys().chain(a.keys()).collect::<BTreeSet<_>>() {
                let none = Value::Null;
                differences(
                    b.get(key).unwrap_or(&none),
                    a.get(key).unwrap_or(&none),
                    &format!("{path}/{key}"),
                    out,
                );
            }
        }
        (Value::Array(b), Value::Array(a)) if a.len() == b.len() => {
            for (i, (b, a)) in b.iter().zip(a).enumerate() {
                differences(b, a, &format!("{path}/{i}"), out);
            }
        }
        (b, a) if b != a => {
            out.insert(path.to_owned());
        }
        _ => {}
    }
}

fn changed(before: &Value, after: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    differences(before, after, "", &mut out);
    out
}

/// Databases and groups only: rollouts have their own cases, because moto never finishes one.
fn corrects_what_was_planned_and_nothing_else(kind: Kind) {
    let mut world = World::new();
    everything_wrong(&mut world);
    world.patch(json!({"services": {"main/wreck": null, "main/wreck-two": null}}));
    world.patch(json!({"db_clusters": {"fleet": {"retention": 2, "subnet_group": "private", "tags": {"holdfast:workload": "fleet"}}}}));
    let mut env = TestEnv::new(kind, &world);
    let plan = env.plan();
    let before = env.state();
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    let planned: Vec<String> = list(&plan, "actions")
        .iter()
        .flat_map(|a| list(a, "calls"))
        .map(|c| format!("{}:{}", text(&c["service"]), text(&c["operation"])))
        .collect();
    assert_eq!(planned.len(), 6, "{plan:#}");
    let mut made = gateway.mutations();
    made.sort();
    let mut expected = planned;
    expected.sort();
    assert_eq!(made, expected, "the calls made are those of the plan");
    let after = env.state();
    let group = env.id("security_groups", "wreck-db");
    for path in changed(&before, &after) {
        let expected = [
            "/us-east-1/db_instances/wreck-db/PubliclyAccessible".to_owned(),
            "/us-east-1/db_instances/wreck-db/BackupRetentionPeriod".to_owned(),
            "/us-east-1/db_instances/wreck-db/PendingModifiedValues/BackupRetentionPeriod".to_owned(),
            "/us-east-1/db_clusters/fleet/BackupRetentionPeriod".to_owned(),
            format!("/us-east-1/security_groups/{group}/Rules"),
            format!("/us-east-1/security_groups/{group}/IpPermissions"),
        ];
        assert!(expected.contains(&path), "{path} has changed");
    }
    let of = |state: &Value, id: &str| state["us-east-1"]["db_instances"][id].clone();
    assert_eq!(of(&after, "wreck-db")["PubliclyAccessible"], false);
    assert_eq!(of(&after, "wreck-db")["BackupRetentionPeriod"], 7);
    assert_eq!(after["us-east-1"]["db_clusters"]["fleet"]["BackupRetentionPeriod"], 7);
    let ingress = after["us-east-1"]["security_groups"][&group]["Rules"]
        .as_array()
        .unwrap()
        .clone();
    let ingress: Vec<&Value> = ingress.iter().filter(|r| r["IsEgress"] == false).collect();
    assert_eq!(ingress.len(), 1, "only the service's own rule is left: {ingress:?}");
    // And again: nothing.
    let again = env.gateway(&[]);
    let answer = run(env.command(&again.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.contains("Nothing to correct"), "{}", answer.stdout);
    assert_eq!(again.mutations(), Vec::<String>::new());
    assert_eq!(env.state(), after);
}

fn a_plan_of_yesterday_is_refused(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shut", json!({"db": {"public": true}}))
        .stack("short", json!({"db": {"retention": 1}}));
    let mut env = TestEnv::new(kind, &world);
    let path = env.dir.path().join("plan.json");
    std::fs::write(&path, env.plan().to_string()).unwrap();
    let file = path.to_str().unwrap().to_owned();
    // Someone closes the one by hand, and raises the other by half.
    for change in [
        json!({"DBInstanceIdentifier": "shut-db", "PubliclyAccessible": false, "ApplyImmediately": true}),
        json!({"DBInstanceIdentifier": "short-db", "BackupRetentionPeriod": 3, "ApplyImmediately": true}),
    ] {
        env.call("rds", "modify_db_instance", change);
    }
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes", "--plan", &file]));
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(gateway.mutations(), Vec::<String>::new());
    assert!(answer.stdout.contains("no longer needed"), "{}", answer.stdout);
    assert!(answer.stdout.contains("changed since"), "{}", answer.stdout);
    // No plan at all.
    for (name, content) in [
        ("empty", ""),
        ("other", "{\"schema_version\": 1}"),
        (
            "newer",
            "{\"schema_version\": 9, \"made_at\": \"2026-01-01T00:00:00Z\", \"actions\": [], \"held\": []}",
        ),
    ] {
        let bad = env.dir.path().join(name);
        std::fs::write(&bad, content).unwrap();
        let answer = env.holdfast(&["apply", "--yes", "--plan", bad.to_str().unwrap()]);
        assert_eq!(answer.code, 2, "{name}: {answer:?}");
        assert!(answer.stderr.contains(name), "{}", answer.stderr);
    }
}

fn asks_first(kind: Kind) {
    let mut world = World::new();
    world.stack("shut", json!({"db": {"public": true}}));
    let mut env = TestEnv::new(kind, &world);
    let before = env.state();
    let answer = env.holdfast(&["apply"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("--yes"), "{}", answer.stderr);
    assert_eq!(env.state(), before);
}

/// A service without its secret gets a revision that differs in nothing else, and runs it.
fn rolls_out(kind: Kind) {
    if Quirk::EcsNeverSteady.on(kind) {
        return; // `takes_back_what_never_settles` is that emulator's case.
    }
    let mut world = World::new();
    let tags = json!({"holdfast:workload": "shop", "team": "checkout"});
    world.stack(
        "shop",
        json!({
            "web": {"secrets": {"DATABASE_URL": null, "API_KEY": "{{secret:shop-api}}"}, "environment": {"A": "1"},
                    "command": ["serve"], "with": {"ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]}},
            "revision": {"tags": tags, "volumes": {"scratch": {}}, "containers": {"sidecar": {"essential": false, "mounts": {"scratch": "/scratch"}}},
                         "with": {"ephemeralStorage": {"sizeInGiB": 30}, "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}},
        }),
    );
    world.stack(
        "slipped",
        json!({"web": {"secrets": {"DATABASE_URL": "{{secret:slipped-url}}:url::"}}}),
    );
    world.patch(json!({"secrets": {"shop-api": {"string": "sk-0123456789"}}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[CORE, &["ecs-unsafe-rollback"]].concat());
    env.configure("workloads: {shop: {secret_env: [DATABASE_URL]}}\n");
    let before = env.state();
    let answer = env.holdfast(&["apply", "--yes", "--wait", "30s"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let after = env.state();
    let definition = |state: &Value, name: &str| state["us-east-1"]["task_definitions"][name].clone();
    assert_eq!(definition(&after, "shop:1"), definition(&before, "shop:1"));
    let moved = ["revision", "taskDefinitionArn", "registeredAt"];
    for (family, variable) in [("shop", "DATABASE_URL"), ("slipped", "DATABASE_URL")] {
        let (mut old, mut new) = (
            definition(&before, &format!("{family}:1")),
            definition(&after, &format!("{family}:2")),
        );
        for value in [&mut old, &mut new] {
            for field in moved {
                value.as_object_mut().unwrap().remove(field);
            }
            let mut tags = list(value, "tags").to_vec();
            // By which a process that goes on finds what another one registered.
            tags.retain(|t| t["key"] != "holdfast:attempt");
            tags.sort_by_key(|t| text(&t["key"]));
            value["tags"] = json!(tags);
        }
        let right = env.id("secrets", &format!("{family}-url"));
        let web = old["containerDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .position(|c| c["name"] == "web")
            .unwrap();
        let secrets = old["containerDefinitions"][web]["secrets"].as_array_mut().unwrap();
        secrets.retain(|s| s["name"] != variable);
        secrets.push(json!({"name": variable, "valueFrom": right}));
        assert_eq!(changed(&old, &new), BTreeSet::new(), "{family}: {old:#}\n{new:#}");
        let service = &after["us-east-1"]["services"][format!("main/{family}")];
        assert!(
            text(&service["taskDefinition"]).ends_with(&format!("{family}:2")),
            "{service:#}"
        );
    }
    // What it went away from would lose data if it came back.
    env.expect(&["fail high shop ecs-unsafe-rollback main/shop"]);
    let again = env.gateway(&[]);
    assert_eq!(run(env.command(&again.endpoint, &["apply", "--yes"])).code, 0);
    assert_eq!(again.mutations(), Vec::<String>::new());
}

/// A rollout that never settles ends in time, is taken back, and is told.
fn takes_back_what_never_settles(kind: Kind) {
    if !Quirk::EcsNeverSteady.on(kind) {
        return;
    }
    let mut world = World::new();
    world.stack("shop", json!({"web": {"secrets": null}}));
    let mut env = TestEnv::new(kind, &world);
    let answer = env.holdfast(&["apply", "--yes", "--wait", "3s"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("reverted"), "{}", answer.stdout);
    assert!(answer.stdout.contains("not steady within 3 s"), "{}", answer.stdout);
    let after = env.state();
    let running = text(&after["us-east-1"]["services"]["main/shop"]["taskDefinition"]);
    assert!(running.ends_with("shop:1"), "{running}");
}

/// A correction that would take a service's only path is refused, by name.
fn keeps_services_connected(kind: Kind) {
    let mut world = World::new();
    // The service reaches its database by an address range alone.
    world.stack("ranged", json!({"db": {"public": true}}));
    world.patch(json!({"security_groups": {"ranged-db": {"ingress": [{"cidr": "10.0.0.0/16"}]}}}));
    let mut env = TestEnv::new(kind, &world);
    env.expect(&[
        "fail critical ranged rds-public-access ranged-db",
        "fail high ranged rds-open-ingress ranged-db",
    ]);
    let before = env.state();
    let plan = env.plan();
    assert_eq!(plan["actions"], json!([]), "{plan:#}");
    assert!(
        list(&plan, "held")
            .iter()
            .all(|h| text(&h["reason"]).contains("cut off main/ranged")),
        "{plan:#}"
    );
    assert_eq!(env.holdfast(&["apply", "--yes"]).code, 0);
    assert_eq!(env.state(), before);
}
