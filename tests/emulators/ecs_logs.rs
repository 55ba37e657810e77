//! `ecs-builtin-database`: what the log of a service says.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Kind, TestEnv, ago, list, text};
use crate::world::World;

on_both!(logs, a_connection_that_never_came, logs_that_cannot_be_read);

/// What these cases are about, beside the core.
fn staged(kind: Kind, world: &World) -> TestEnv {
    let mut env = TestEnv::new(kind, world);
    let rules = [
        "ecs-builtin-database",
        "ecs-unsafe-rollback",
        "ecs-failed-deployment",
        "ecs-public-task",
    ];
    env.about(&[CORE, &rules].concat());
    env
}

/// A container that logs to `/ecs/NAME`.
fn logging(name: &str) -> Value {
    json!({"web": {"with": {"logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": format!("/ecs/{name}"), "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}}})
}

fn log(env: &mut TestEnv, group: &str, stream: &str, at: Duration, message: &str) {
    let group = format!("/ecs/{group}");
    env.call("logs", "create_log_group", json!({"logGroupName": group}));
    env.call(
        "logs",
        "create_log_stream",
        json!({"logGroupName": group, "logStreamName": stream}),
    );
    let event = json!({"timestamp": u64::try_from(at.as_millis()).expect("small"), "message": message});
    env.call(
        "logs",
        "put_log_events",
        json!({"logGroupName": group, "logStreamName": stream, "logEvents": [event]}),
    );
}

/// A built-in database shows in the log; what another container, another time or another case says does not count.
fn logs(kind: Kind) {
    let mut world = World::new();
    for name in ["inside", "sqlite", "sound", "neighbour", "case", "old", "nogroup"] {
        world.stack(name, logging(name));
    }
    world.stack("elsewhere", json!({}));
    let mut env = staged(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let line = "2026-11-21 info: Using built-in PostgreSQL (/home/kanarie)";
    let stream = "ecs/web/0123456789abcdef";
    log(&mut env, "inside", stream, ago(0), line);
    log(&mut env, "sqlite", stream, ago(0), "opening sqlite:///kanarie.db");
    log(&mut env, "sound", stream, ago(0), "connected to PostgreSQL");
    log(&mut env, "neighbour", "ecs/other/0123456789abcdef", ago(0), line);
    log(&mut env, "case", stream, ago(0), "using BUILT-IN postgresql");
    log(&mut env, "old", stream, ago(3600), line);
    let report = env.expect(&[
        "fail critical inside ecs-builtin-database main/inside",
        "fail critical sqlite ecs-builtin-database main/sqlite",
    ]);
    let of = |w: &str| list(&report, "findings").iter().find(|f| f["workload"] == w).unwrap();
    assert!(text(&of("inside")["message"]).contains("Using built-in PostgreSQL"));
    let observed = text(&of("inside")["evidence"][0]["observed"]);
    assert!(observed.contains("/ecs/inside ecs/web/0123456789abcdef"), "{observed}");
    // The line itself is not shown: it might hold anything.
    assert!(!report.to_string().contains("kanarie"), "{report:#}");
    let answer = env.holdfast(&["audit", "-vv"]);
    assert!(!format!("{answer:?}").contains("kanarie"));
}

/// `database_log_pattern`: a service that has run for ten minutes must have said that it is connected.
fn a_connection_that_never_came(kind: Kind) {
    let mut world = World::new();
    for name in ["silent", "connected", "late", "groupless"] {
        world.stack(name, logging(name));
    }
    world.stack("elsewhere", json!({}));
    let mut env = staged(kind, &world);
    env.configure(
        "defaults: {database_log_pattern: \"connected to PostgreSQL\"}\nsafety: {max_failing_percent: 100}\n",
    );
    log(
        &mut env,
        "silent",
        "ecs/web/0",
        ago(0),
        "Connected to postgresql, or so",
    );
    log(&mut env, "connected", "ecs/web/0", ago(0), "connected to PostgreSQL");
    // Both began just now: there is time yet.
    let (report, code) = env.audit(&[]);
    let rule = "ecs-builtin-database";
    let unknown = ["unknown critical elsewhere ecs-builtin-database main/elsewhere"];
    assert_eq!(
        (env.told_by(&report, rule), code),
        (unknown.map(str::to_owned).to_vec(), 3)
    );
    let began = format!(
        "ecs:DescribeServices:services.*.deployments.*.createdAt={}",
        ago(700).as_secs()
    );
    let completed = "ecs:DescribeServices:services.*.deployments.*.rolloutState=\"COMPLETED\"";
    let gateway = env.gateway(&["--rewrite", &began, "--rewrite", completed]);
    let (report, _) = env.audit_at(&gateway.endpoint, &[]);
    let mut expected: Vec<String> = unknown.map(str::to_owned).to_vec();
    // Where no task ever runs, none can connect.
    if !Quirk::EcsNeverSteady.on(kind) {
        for name in ["groupless", "late", "silent"] {
            expected.push(format!("fail critical {name} ecs-builtin-database main/{name}"));
        }
    }
    expected.sort();
    assert_eq!(env.told_by(&report, rule), expected);
    let groupless = list(&report, "findings").iter().find(|f| f["workload"] == "groupless");
    if let Some(found) = groupless {
        let message = text(&found["message"]);
        assert!(message.contains("log group /ecs/groupless does not exist"), "{message}");
    }
}

fn logs_that_cannot_be_read(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", logging("shop")).stack("elsewhere", json!({}));
    let env = staged(kind, &world);
    let gateway = env.gateway(&["--deny", "logs:FilterLogEvents"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        env.told(&report),
        ["unknown critical shop ecs-builtin-database main/shop"]
    );
    assert_eq!(code, 3);
    assert!(text(&report["findings"][0]["message"]).contains("IAM action logs:FilterLogEvents"));
    // A rule that is off reads nothing.
    let mut env = env;
    env.configure("rules: {ecs-builtin-database: {enabled: false}}\n");
    let gateway = env.gateway(&[]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!((env.told(&report), code), (vec![], 0));
    assert!(!gateway.calls().iter().any(|c| c.starts_with("logs:")));
}
