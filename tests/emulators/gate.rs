//! `gate`: what a deploy pipeline is told.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Answer, Kind, TestEnv, run};
use crate::world::{World, merge};

on_both!(
    opens_after_a_migration_that_succeeded,
    findings_shut_it,
    migrations_that_did_not_run,
    waits_for_a_running_migration,
    a_failed_migration_is_told_with_the_end_of_its_log,
    a_log_that_cannot_be_read_changes_nothing,
    what_cannot_be_read_is_unknown,
    cannot_run,
);

const RULES: &[&str] = &["rds-public-access", "rds-short-backup-retention", "migration-failed"];

/// The stack `shop` with a migration, whose containers log to CloudWatch.
fn world(but: Value) -> World {
    let mut world = World::new();
    world.stack("shop", but);
    let log = json!({"logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/shop-migrate", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}});
    let revision = json!({
        "tags": {"holdfast:workload": "shop", "holdfast:role": "migration"},
        "containers": {"migrate": {"command": ["migrate"], "with": {"logConfiguration": log}}},
    });
    world.patch(json!({"task_definitions": {"shop-migrate": [revision]}}));
    world
}

/// The same, with a run of it.
fn ran(but: Value) -> World {
    let mut world = world(but);
    let mut task = json!({"cluster": "main", "task_definition": "shop-migrate:1"});
    merge(
        &mut task,
        json!({"subnets": ["private-a"], "security_groups": ["shop-app"]}),
    );
    world.patch(json!({"tasks": {"run": task}}));
    world
}

fn env(kind: Kind, world: &World) -> TestEnv {
    let mut env = TestEnv::new(kind, world);
    env.about(RULES);
    env
}

/// What a task looks like that ended by itself, for a gateway to say so: see `Quirk::ExitCodeZero`.
fn ended(code: i32) -> Vec<String> {
    [
        ("lastStatus", json!("STOPPED")),
        ("stopCode", json!("EssentialContainerExited")),
        ("stoppedReason", json!("Essential container in task exited")),
        (
            "containers",
            json!([{"name": "migrate", "image": "example.com/migrate:1.0", "exitCode": code}]),
        ),
    ]
    .iter()
    .map(|(field, value)| format!("ecs:DescribeTasks:tasks.*.{field}={value}"))
    .collect()
}

/// Asks through a gateway that rewrites and denies.
fn asks(env: &TestEnv, rewrites: &[String], more: &[&str], arguments: &[&str]) -> Answer {
    let mut options: Vec<&str> = rewrites.iter().flat_map(|r| ["--rewrite", r]).collect();
    options.extend(more);
    let gateway = env.gateway(&options);
    run(env.command(&gateway.endpoint, &[&["gate", "shop"], arguments].concat()))
}

#[track_caller]
fn says(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
    for word in words {
        assert!(
            answer.stdout.contains(word),
            "{word}: {}{}",
            answer.stdout,
            answer.stderr
        );
    }
}

fn opens_after_a_migration_that_succeeded(kind: Kind) {
    assert!(Quirk::ExitCodeZero.on(kind));
    let env = env(kind, &ran(json!({})));
    let answer = asks(&env, &ended(0), &[], &[]);
    let words = [
        "The gate is open for shop",
        "the migration shop-migrate:1 (task ",
        "succeeded",
    ];
    says(&answer, 0, &words);
    says(&asks(&env, &ended(0), &[], &["--family", "shop-migrate"]), 0, &words);
    let other = asks(&env, &ended(0), &[], &["--family", "shop-other"]);
    says(&other, 1, &["no task definition of the family shop-other is tagged"]);
}

fn findings_shut_it(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shop", json!({"db": {"public": true, "retention": 1}}))
        .stack("calm", json!({}));
    let env = env(kind, &world);
    let answer = env.holdfast(&["gate", "shop"]);
    says(
        &answer,
        1,
        &[
            "The gate is shut for shop:",
            "CRITICAL rds-public-access: shop-db is publicly accessible",
            "HIGH rds-short-backup-retention: shop-db keeps backups for 1 day",
        ],
    );
    let critical = env.holdfast(&["gate", "shop", "--fail-on", "critical"]);
    says(&critical, 1, &["rds-public-access"]);
    assert!(!critical.stdout.contains("rds-short-backup-retention"));
    says(&env.holdfast(&["gate", "calm"]), 0, &["The gate is open for calm"]);
}

/// ECS knows of no run: unknown, unless one is required.
fn migrations_that_did_not_run(kind: Kind) {
    let mut env = env(kind, &world(json!({})));
    let answer = env.holdfast(&["gate", "shop"]);
    says(
        &answer,
        3,
        &[
            "whether the migration shop-migrate succeeded is unknown: ecs:DescribeTasks on shop-migrate: no run of it is known",
        ],
    );
    env.configure("workloads: {shop: {migrations: required}}\n");
    let answer = env.holdfast(&["gate", "shop"]);
    says(
        &answer,
        1,
        &["the migration shop-migrate must have run, and no run of it is known"],
    );
    let mut world = World::new();
    world.stack("shop", json!({}));
    let mut bare = TestEnv::new(kind, &world);
    bare.about(RULES);
    says(&bare.holdfast(&["gate", "shop"]), 0, &[]);
    bare.configure("workloads: {shop: {migrations: required}}\n");
    says(&bare.holdfast(&["gate", "shop"]), 1, &["shop must run migrations"]);
}

fn waits_for_a_running_migration(kind: Kind) {
    let mut env = env(kind, &ran(json!({})));
    let running = ["ecs:DescribeTasks:tasks.*.lastStatus=\"RUNNING\"".to_owned()];
    let told = "waiting for the migration shop-migrate:1 (task ";
    let late = asks(&env, &running, &[], &["--timeout", "1s"]);
    says(
        &late,
        1,
        &["the migration shop-migrate:1 (task ", "is still running, after 1s"],
    );
    assert!(late.stderr.contains(told), "{}", late.stderr);
    let at_once = asks(&env, &running, &[], &["--no-wait"]);
    says(&at_once, 1, &["is still running, and --no-wait was given"]);
    assert!(!at_once.stderr.contains(told), "{}", at_once.stderr);
    // On the one emulator a task goes on with each look until it ends well; on the other someone stops it.
    let mut command = env.command(&env.endpoint, &["gate", "shop", "--timeout", "2m"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gate");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let waits = lines.by_ref().map_while(Result::ok).any(|line| line.contains(told));
    if kind == Kind::Ministack {
        assert!(waits);
        let task = env.id("tasks", "run");
        env.call(
            "ecs",
            "stop_task",
            json!({"cluster": "main", "task": task, "reason": "by alice"}),
        );
    }
    let ended = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&ended.stdout);
    if kind == Kind::Ministack {
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("it was stopped before it ended (by alice)"), "{said}");
    } else {
        assert_eq!(ended.status.code(), Some(0), "{said}");
        assert!(said.contains("succeeded"), "{said}");
    }
}

fn put_log(env: &mut TestEnv, messages: &[String]) {
    let task = env.id("tasks", "run");
    let id = task.rsplit('/').next().expect("an id");
    let name = json!({"logGroupName": "/ecs/shop-migrate"});
    let mut stream = name.clone();
    stream["logStreamName"] = json!(format!("run/migrate/{id}"));
    env.call("logs", "create_log_group", name);
    env.call("logs", "create_log_stream", stream.clone());
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("later");
    let now = u64::try_from(now.as_millis()).expect("an instant");
    let events: Vec<Value> = (0..)
        .zip(messages)
        .map(|(n, m)| json!({"timestamp": now - 60_000 + n, "message": m}))
        .collect();
    stream["logEvents"] = json!(events);
    env.call("logs", "put_log_events", stream);
}

fn a_failed_migration_is_told_with_the_end_of_its_log(kind: Kind) {
    let mut env = env(kind, &ran(json!({})));
    let mut lines: Vec<String> = (1..=30).map(|n| format!("migration {n} applied")).collect();
    lines.push("connecting to postgres://app:hunter2hunter2@db.example.com:5432/app".into());
    lines.push("env: PGPASSWORD=hunter2hunter2 PGUSER=app".into());
    lines.push("\u{1b}[31mERROR\u{1b}[0m: column \"name\" already exists".into());
    put_log(&mut env, &lines);
    let answer = asks(&env, &ended(3), &[], &[]);
    says(
        &answer,
        1,
        &[
            "the migration shop-migrate:1 (task ",
            "failed: its container migrate exited with 3",
            "the end of its log (/ecs/shop-migrate, stream run/migrate/",
            "    | migration 30 applied\n",
            "    | connecting to postgres://app:***@db.example.com:5432/app\n",
            "    | env: PGPASSWORD=*** PGUSER=app\n",
            "    | ERROR: column \"name\" already exists\n",
        ],
    );
    let shown = answer.stdout.lines().filter(|l| l.starts_with("    | ")).count();
    assert_eq!(shown, 20, "{}", answer.stdout);
    assert!(!answer.stdout.contains("hunter2") && !answer.stdout.contains('\u{1b}'));
    assert_eq!(
        answer.stdout.matches("exited with 3").count(),
        1,
        "told once: {}",
        answer.stdout
    );
}

fn a_log_that_cannot_be_read_changes_nothing(kind: Kind) {
    let env = env(kind, &ran(json!({})));
    // There is no such log group.
    says(
        &asks(&env, &ended(1), &[], &[]),
        1,
        &["exited with 1", "its log can't be read: logs:GetLogEvents"],
    );
    let denied = asks(&env, &ended(1), &["--deny", "logs:GetLogEvents"], &[]);
    says(&denied, 1, &["exited with 1", "grant the IAM action logs:GetLogEvents"]);
}

fn what_cannot_be_read_is_unknown(kind: Kind) {
    let env = env(kind, &ran(json!({})));
    let answer = asks(&env, &ended(0), &["--deny", "ecs:DescribeTasks"], &[]);
    says(
        &answer,
        3,
        &["Whether shop may be deployed is unknown:", "ecs:DescribeTasks"],
    );
    let answer = asks(&env, &ended(0), &["--deny", "rds:DescribeDBInstances"], &[]);
    says(&answer, 3, &["rds:DescribeDBInstances"]);
    // What is known to be wrong is told all the same.
    let answer = asks(&env, &ended(1), &["--deny", "rds:DescribeDBInstances"], &[]);
    says(&answer, 1, &["exited with 1"]);
}

fn cannot_run(kind: Kind) {
    let env = env(kind, &world(json!({})));
    let none = env.holdfast(&["gate", "nobody"]);
    assert_eq!(none.code, 2, "{}", none.stdout);
    assert!(
        none.stderr.contains("no resource carries holdfast:workload=nobody"),
        "{}",
        none.stderr
    );
    assert_eq!(env.holdfast(&["gate"]).code, 2);
    assert_eq!(env.holdfast(&["gate", "shop", "--fail-on", "worst"]).code, 2);
    assert_eq!(env.holdfast(&["gate", "shop", "--timeout", "soon"]).code, 2);
}
