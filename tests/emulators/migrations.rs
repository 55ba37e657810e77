//! Schema migrations: failed, drifted, missing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both;
use crate::operator::{Operator, configure, send};
use crate::quirks::Quirk;
use crate::test_env::{CORE, Kind, TestEnv, list, text};
use crate::world::{World, merge};

on_both!(
    a_run_that_ended,
    a_run_that_does_not_end,
    exit_codes,
    drift,
    networks,
    newest_revisions,
    missing,
    families_that_cannot_be_listed,
    runs_that_cannot_be_read,
    an_event_leads_to_its_family,
);

/// What these cases are about, beside the core.
fn staged(kind: Kind, world: &World) -> TestEnv {
    let mut env = TestEnv::new(kind, world);
    let rules = ["migration-failed", "migration-drift", "migration-missing"];
    env.about(&[CORE, &rules].concat());
    env
}

const FAILED: &str = "migration-failed";
const DRIFT: &str = "migration-drift";

/// One revision of a migration of `stack`, like its service but for `but`.
fn migration(stack: &str, but: Value) -> Value {
    let mut revision = json!({
        "tags": {"holdfast:workload": stack, "holdfast:role": "migration"},
        "containers": {"migrate": {"image": "example.com/web:1.0", "command": ["migrate"],
            "secrets": {"DATABASE_URL": format!("{{{{secret:{stack}-url}}}}")}}},
    });
    merge(&mut revision, but);
    revision
}

/// A stack with a migration.
fn stack(world: &mut World, name: &str, but: Value) {
    world.stack(name, json!({}));
    world.patch(json!({"task_definitions": {format!("{name}-migrate"): [migration(name, but)]}}));
}

/// Runs the migration of a stack in the service's network.
fn runs(world: &mut World, name: &str, but: Value) {
    let mut task = json!({
        "cluster": "main", "task_definition": format!("{name}-migrate:1"),
        "subnets": ["private-a"], "security_groups": [format!("{name}-app")],
    });
    merge(&mut task, but);
    world.patch(json!({"tasks": {format!("{name}-run"): task}}));
}

fn fails(rule: &str, names: &[&str]) -> Vec<String> {
    let severity = if rule == FAILED { "critical" } else { "high" };
    names
        .iter()
        .map(|w| format!("fail {severity} {w} {rule} {w}-migrate:1"))
        .collect()
}

const IDLE: &str = "unknown critical idle migration-failed idle-migrate:1";

/// Stopped by hand on the one emulator, ended by itself on the other; and one of which no run is known.
fn a_run_that_ended(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "shop", json!({}));
    stack(&mut world, "idle", json!({}));
    runs(&mut world, "shop", json!({}));
    let mut env = staged(kind, &world);
    if kind == Kind::Moto {
        // There a task goes one state further each time it is described, and ends well.
        assert!(Quirk::ExitCodeZero.on(kind));
        for _ in 0..6 {
            env.expect(&[IDLE]);
        }
        return;
    }
    env.expect(&[IDLE]);
    let task = env.id("tasks", "shop-run");
    env.call(
        "ecs",
        "stop_task",
        json!({"cluster": "main", "task": task, "reason": "by alice"}),
    );
    let report = env.expect(&["fail critical shop migration-failed shop-migrate:1", IDLE]);
    let failed = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "shop")
        .unwrap();
    let message = text(&failed["message"]);
    let rerun = env.audit(&[]).0;
    assert_eq!(
        env.told(&rerun),
        env.told(&report),
        "what is remembered is the same run"
    );
    assert_eq!(
        message,
        "the migration shop-migrate:1 failed: it was stopped before it ended (by alice)"
    );
    assert_eq!(failed["resource"]["kind"], "ecs-task-definition");
}

fn a_run_that_does_not_end(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "shop", json!({}));
    runs(&mut world, "shop", json!({}));
    let mut env = staged(kind, &world);
    env.configure("migrations: {timeout: 1s}\n");
    std::thread::park_timeout(Duration::from_millis(2_500));
    let (report, _) = env.audit(&[]);
    // Without a time it counts from when it was seen first, which is now.
    if !Quirk::TasksWithoutTime.on(kind) {
        assert_eq!(env.told_by(&report, FAILED), fails(FAILED, &["shop"]));
    }
}

/// On the wire, since both answer 0 whatever happened.
fn exit_codes(kind: Kind) {
    let mut world = World::new();
    stack(
        &mut world,
        "shop",
        json!({"containers": {"shipper": {"essential": false}}}),
    );
    runs(&mut world, "shop", json!({}));
    let env = staged(kind, &world);
    assert!(Quirk::ExitCodeZero.on(kind));
    let at = |path: &str, value: Value| format!("ecs:DescribeTasks:tasks.*.{path}={value}");
    let containers = |migrate: Value, shipper: Value| {
        at(
            "containers",
            json!([
                {"name": "migrate", "image": "example.com/web:1.0", "exitCode": migrate},
                {"name": "shipper", "image": "example.com/shipper:1.0", "exitCode": shipper, "reason": "OutOfMemoryError: killed"},
            ]),
        )
    };
    let ended = |code: &str, reason: &str| {
        [
            at("lastStatus", json!("STOPPED")),
            at("stopCode", json!(code)),
            at("stoppedReason", json!(reason)),
        ]
        .to_vec()
    };
    let message = |more: Vec<String>| {
        let options: Vec<&str> = more.iter().flat_map(|r| ["--rewrite", r]).collect();
        // One task that ends in many ways.
        env.forget();
        let gateway = env.gateway(&options);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        let found = list(&report, "findings").iter().find(|f| f["rule"] == FAILED);
        found.map(|f| text(&f["message"])).unwrap_or_default()
    };
    let exited = |migrate: Value, shipper: Value| {
        let mut rewrites = ended("EssentialContainerExited", "Essential container in task exited");
        rewrites.push(containers(migrate, shipper));
        message(rewrites)
    };
    assert_eq!(exited(json!(0), json!(137)), "", "a sidecar that is not essential");
    assert_eq!(
        exited(json!(3), json!(0)),
        "the migration shop-migrate:1 failed: its container migrate exited with 3"
    );
    assert!(exited(json!(137), json!(0)).contains("was killed (exit code 137)"));
    assert!(exited(Value::Null, json!(0)).contains("has no exit code"));
    let pull = message(ended("TaskFailedToStart", "CannotPullContainerError: not found"));
    assert!(
        pull.contains("it never started (CannotPullContainerError: not found)"),
        "{pull}"
    );
    assert!(message(ended("SpotInterruption", "")).contains("it was killed: SpotInterruption"));
}

/// Image and secret, as the newest revision has them.
fn drift(kind: Kind) {
    let secret = |reference: &str| json!({"containers": {"migrate": {"secrets": {"DATABASE_URL": reference}}}});
    let mut world = World::new();
    stack(
        &mut world,
        "same",
        json!({"containers": {"shipper": {"essential": false}}}),
    );
    stack(
        &mut world,
        "image",
        json!({"containers": {"migrate": {"image": "example.com/web:0.9"}}}),
    );
    stack(
        &mut world,
        "digest",
        json!({"containers": {"migrate": {"image": "example.com/web@sha256:0123"}}}),
    );
    stack(&mut world, "secret", secret("{{secret:same-url}}"));
    stack(
        &mut world,
        "none",
        json!({"containers": {"migrate": {"secrets": null}}}),
    );
    stack(&mut world, "keyed", secret("{{secret:keyed-url}}:admin::"));
    stack(&mut world, "previous", secret("{{secret:previous-url}}::AWSPREVIOUS:"));
    // Neither is tagged as a migration of anything.
    world.patch(json!({"task_definitions": {
        "stray": [migration("stray", json!({"tags": {"holdfast:workload": null}, "containers": {"migrate": {"secrets": null}}}))],
        "job": [migration("same", json!({"tags": {"holdfast:role": "job"}, "containers": {"migrate": {"image": "x:1", "secrets": null}}}))],
    }}));
    let mut env = staged(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let mut faulty = fails(DRIFT, &["image", "none", "previous", "secret"]);
    // Of the service's image only the tag is known.
    faulty.push("unknown high digest migration-drift digest-migrate:1".into());
    let all = ["digest", "image", "keyed", "none", "previous", "same", "secret"];
    faulty.extend(
        all.iter()
            .map(|w| format!("unknown critical {w} {FAILED} {w}-migrate:1")),
    );
    let report = env.expect(&faulty.iter().map(String::as_str).collect::<Vec<_>>());
    let of = |w: &str| {
        let mut drifted = list(&report, "findings").iter().filter(|f| f["rule"] == DRIFT);
        drifted.find(|f| f["workload"] == w).unwrap()
    };
    assert!(text(&of("image")["message"]).contains("has another image than main/image"));
    assert!(text(&of("secret")["message"]).contains("has another database secret than main/secret"));
    assert_eq!(of("image")["evidence"][0]["observed"], json!(["example.com/web:0.9"]));
}

/// The network of the last run.
fn networks(kind: Kind) {
    let mut world = World::new();
    for name in ["same", "apart", "foreign"] {
        stack(&mut world, name, json!({}));
    }
    world.patch(
        json!({"vpcs": {"main": {"subnets": {"other": {"cidr": "10.0.9.0/24", "az": "a"}}}},
                       "security_groups": {"other": {}}}),
    );
    runs(&mut world, "same", json!({}));
    runs(&mut world, "apart", json!({"subnets": ["other"]}));
    runs(&mut world, "foreign", json!({"security_groups": ["other"]}));
    let mut env = staged(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    if Quirk::TasksWithoutInterfaces.on(kind) {
        env.expect(&[]);
        return;
    }
    let faulty = fails(DRIFT, &["apart", "foreign"]);
    let report = env.expect(&faulty.iter().map(String::as_str).collect::<Vec<_>>());
    let said = |w: &str| text(&list(&report, "findings").iter().find(|f| f["workload"] == w).unwrap()["message"]);
    assert!(said("apart").contains("has another subnets than"), "{}", said("apart"));
    assert!(
        said("foreign").contains("has another security groups than"),
        "{}",
        said("foreign")
    );
    // Whose interfaces can't be read, their groups can't be compared.
    // What was read before would be remembered.
    env.forget();
    let gateway = env.gateway(&["--deny", "ec2:DescribeNetworkInterfaces"]);
    let (report, _) = env.audit_at(&gateway.endpoint, &[]);
    let mut expected = fails(DRIFT, &["apart"]);
    expected.extend(["foreign", "same"].map(|w| format!("unknown high {w} {DRIFT} {w}-migrate:1")));
    assert_eq!(env.told_by(&report, DRIFT), expected);
}

/// The newest revision that is not deregistered counts.
fn newest_revisions(kind: Kind) {
    let image = |image: &str| json!({"containers": {"migrate": {"image": image}}});
    let mut world = World::new();
    world.stack("shop", json!({}));
    let old = migration("shop", image("example.com/web:0.9"));
    let revisions = vec![migration("shop", json!({})); 9]
        .into_iter()
        .chain([old])
        .collect::<Vec<_>>();
    world.patch(json!({"task_definitions": {"shop-migrate": revisions}}));
    let mut env = staged(kind, &world);
    let never_ran = |n: u8| format!("unknown critical shop migration-failed shop-migrate:{n}");
    env.expect(&["fail high shop migration-drift shop-migrate:10", &never_ran(10)]);
    env.call(
        "ecs",
        "deregister_task_definition",
        json!({"taskDefinition": "shop-migrate:10"}),
    );
    env.expect(&[&never_ran(9)]);
}

fn missing(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "has", json!({}));
    stack(&mut world, "retired", json!({}));
    world.stack("lacks", json!({})).stack("free", json!({}));
    let mut env = staged(kind, &world);
    env.call(
        "ecs",
        "deregister_task_definition",
        json!({"taskDefinition": "retired-migrate:1"}),
    );
    let never_ran = "unknown critical has migration-failed has-migrate:1";
    env.expect(&[never_ran]);
    env.configure(
        "defaults: {migrations: required}\nworkloads: {free: {migrations: none}}\nsafety: {max_failing_percent: 100}\n",
    );
    env.expect(&[
        never_ran,
        "fail medium lacks migration-missing lacks",
        "fail medium retired migration-missing retired",
    ]);
}

/// Without the tagging API nobody knows which families are migrations: unknown, for every workload.
fn families_that_cannot_be_listed(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "shop", json!({}));
    world.stack("plain", json!({}));
    let mut env = staged(kind, &world);
    let gateway = env.gateway(&["--deny", "tagging:GetResources"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    let unknown = |workloads: &[&str], rules: &[(&str, &str)]| -> Vec<String> {
        let mut lines: Vec<String> = workloads
            .iter()
            .flat_map(|w| {
                rules
                    .iter()
                    .map(move |(severity, rule)| format!("unknown {severity} {w} {rule} {w}"))
            })
            .collect();
        lines.sort();
        lines
    };
    let both = [("critical", FAILED), ("high", DRIFT)];
    assert_eq!((env.told(&report), code), (unknown(&["plain", "shop"], &both), 3));
    assert!(text(&report["findings"][0]["message"]).contains("IAM action tag:GetResources"));
    env.configure("workloads: {shop: {migrations: required}}\nrules: {migration-failed: {enabled: false}, migration-drift: {enabled: false}}\n");
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        (env.told(&report), code),
        (unknown(&["shop"], &[("medium", "migration-missing")]), 3)
    );
}

fn runs_that_cannot_be_read(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "shop", json!({}));
    runs(&mut world, "shop", json!({}));
    let env = staged(kind, &world);
    for call in ["ecs:ListTasks", "ecs:DescribeTasks"] {
        let gateway = env.gateway(&["--deny", call]);
        let (report, code) = env.audit_at(&gateway.endpoint, &[]);
        let expected = [
            "unknown critical shop migration-failed shop-migrate:1",
            "unknown high shop migration-drift shop-migrate:1",
        ];
        assert_eq!(
            (env.told(&report), code),
            (expected.map(str::to_owned).to_vec(), 3),
            "{call}"
        );
        assert!(text(&report["findings"][0]["message"]).contains(call), "{call}");
    }
}

/// As ECS tells of a task that no service started.
fn stopped(family: &str) -> String {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "ECS Task State Change",
        "source": "aws.ecs", "account": "123456789012", "time": "2026-11-21T10:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:ecs:us-east-1:123456789012:task/main/0123456789abcdef0123456789abcdef"],
        "detail": {
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/main", "group": format!("family:{family}"),
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 5,
            "taskDefinitionArn": format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:1"),
        },
    })
    .to_string()
}

/// Between two sweeps, the event of a migration's end is enough: of a family that is known, and of a new one.
fn an_event_leads_to_its_family(kind: Kind) {
    let mut world = World::new();
    stack(&mut world, "shop", json!({}));
    runs(&mut world, "shop", json!({}));
    world.patch(json!({"queues": {"signals": {}}}));
    world.patch(json!({"vpcs": {"main": {"subnets": {"other": {"cidr": "10.0.9.0/24", "az": "a"}}}}}));
    let mut env = staged(kind, &world);
    configure(&mut env, "");
    let operator = Operator::start(&env, &[]);
    let open = |rule: &str| operator.metric("holdfast_findings", &[&format!("rule=\"{rule}\""), "verdict=\"fail\""]);
    assert!(open(FAILED) < 1.0 && open(DRIFT) < 1.0);
    // The one shows no failure, the other no network: see `Quirk::ExitCodeZero` and `Quirk::TasksWithoutInterfaces`.
    if kind == Kind::Ministack {
        let task = env.id("tasks", "shop-run");
        env.call(
            "ecs",
            "stop_task",
            json!({"cluster": "main", "task": task, "reason": "by alice"}),
        );
        send(&mut env, &stopped("shop-migrate"));
        operator.until("the failed migration", || open(FAILED) >= 1.0);
    } else {
        let network = json!({"awsvpcConfiguration": {"subnets": [env.id("subnets", "other")], "securityGroups": []}});
        let run = json!({"cluster": "main", "taskDefinition": "shop-migrate:1", "launchType": "FARGATE", "networkConfiguration": network});
        env.call("ecs", "run_task", run);
        send(&mut env, &stopped("shop-migrate"));
        operator.until("the drift", || open(DRIFT) >= 1.0);
    }
    // A family that was not there at the sweep.
    let tags = json!([{"key": "holdfast:workload", "value": "shop"}, {"key": "holdfast:role", "value": "migration"}]);
    let container = json!({"name": "migrate", "image": "example.com/web:0.1", "memory": 128, "secrets": []});
    let family = json!({"family": "shop-late", "containerDefinitions": [container], "tags": tags});
    let before = open(DRIFT);
    env.call("ecs", "register_task_definition", family);
    send(&mut env, &stopped("shop-late"));
    operator.until("the other family's drift", || open(DRIFT) > before);
    // One that is nobody's changes nothing.
    let handled = || operator.metric("holdfast_reconcile_total", &["result=\"ok\""]);
    let (before, findings) = (handled(), open(DRIFT));
    send(&mut env, &stopped("nightly"));
    operator.until("that too", || handled() > before);
    assert!((open(DRIFT) - findings).abs() < f64::EPSILON);
    assert_eq!(operator.stop(), 0);
}
