//! Logs, rollbacks, deployments, public tasks, ECS Exec.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{CORE, Gateway, Kind, Stage, list, run, text};
use crate::world::World;

on_both!(
    logs,
    a_connection_that_never_came,
    logs_that_cannot_be_read,
    rollbacks,
    a_rollback_by_history,
    rollout_protection,
    failed_deployments,
    public_tasks,
    exec,
);

/// What these cases are about, beside the core.
fn staged(kind: Kind, world: &World) -> Stage {
    let mut stage = Stage::new(kind, world);
    let rules = [
        "ecs-builtin-database",
        "ecs-unsafe-rollback",
        "ecs-failed-deployment",
        "ecs-public-task",
    ];
    stage.about(&[CORE, &rules].concat());
    stage
}

/// Seconds before now, as Unix time.
fn ago(seconds: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.saturating_sub(Duration::from_secs(seconds))
}

/// A container that logs to `/ecs/NAME`.
fn logging(name: &str) -> Value {
    json!({"web": {"with": {"logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": format!("/ecs/{name}"), "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}}})
}

fn log(stage: &mut Stage, group: &str, stream: &str, at: Duration, message: &str) {
    let group = format!("/ecs/{group}");
    stage.call("logs", "create_log_group", json!({"logGroupName": group}));
    stage.call(
        "logs",
        "create_log_stream",
        json!({"logGroupName": group, "logStreamName": stream}),
    );
    let event = json!({"timestamp": u64::try_from(at.as_millis()).expect("small"), "message": message});
    stage.call(
        "logs",
        "put_log_events",
        json!({"logGroupName": group, "logStreamName": stream, "logEvents": [event]}),
    );
}

fn told_by(stage: &Stage, report: &Value, rule: &str) -> Vec<String> {
    let told = stage.told(report).into_iter();
    told.filter(|line| line.split(' ').nth(3) == Some(rule)).collect()
}

/// A built-in database shows in the log; what another container, another time or another case says does not count.
fn logs(kind: Kind) {
    let mut world = World::new();
    for name in ["inside", "sqlite", "sound", "neighbour", "case", "old", "nogroup"] {
        world.stack(name, logging(name));
    }
    world.stack("elsewhere", json!({}));
    let mut stage = staged(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let line = "2026-11-21 info: Using built-in PostgreSQL (/home/kanarie)";
    let stream = "ecs/web/0123456789abcdef";
    log(&mut stage, "inside", stream, ago(0), line);
    log(&mut stage, "sqlite", stream, ago(0), "opening sqlite:///kanarie.db");
    log(&mut stage, "sound", stream, ago(0), "connected to PostgreSQL");
    log(&mut stage, "neighbour", "ecs/other/0123456789abcdef", ago(0), line);
    log(&mut stage, "case", stream, ago(0), "using BUILT-IN postgresql");
    log(&mut stage, "old", stream, ago(3600), line);
    let report = stage.expect(&[
        "fail critical inside ecs-builtin-database main/inside",
        "fail critical sqlite ecs-builtin-database main/sqlite",
    ]);
    let of = |w: &str| list(&report, "findings").iter().find(|f| f["workload"] == w).unwrap();
    assert!(text(&of("inside")["message"]).contains("Using built-in PostgreSQL"));
    let observed = text(&of("inside")["evidence"][0]["observed"]);
    assert!(observed.contains("/ecs/inside ecs/web/0123456789abcdef"), "{observed}");
    // The line itself is not shown: it might hold anything.
    assert!(!report.to_string().contains("kanarie"), "{report:#}");
    let answer = stage.holdfast(&["audit", "-vv"]);
    assert!(!format!("{answer:?}").contains("kanarie"));
}

/// `database_log_pattern`: a service that has run for ten minutes must have said that it is connected.
fn a_connection_that_never_came(kind: Kind) {
    let mut world = World::new();
    for name in ["silent", "connected", "late", "groupless"] {
        world.stack(name, logging(name));
    }
    world.stack("elsewhere", json!({}));
    let mut stage = staged(kind, &world);
    stage.configure(
        "defaults: {database_log_pattern: \"connected to PostgreSQL\"}\nsafety: {max_failing_percent: 100}\n",
    );
    log(
        &mut stage,
        "silent",
        "ecs/web/0",
        ago(0),
        "Connected to postgresql, or so",
    );
    log(&mut stage, "connected", "ecs/web/0", ago(0), "connected to PostgreSQL");
    // Both began just now: there is time yet.
    let (report, code) = stage.audit(&[]);
    let rule = "ecs-builtin-database";
    let unknown = ["unknown critical elsewhere ecs-builtin-database main/elsewhere"];
    assert_eq!(
        (told_by(&stage, &report, rule), code),
        (unknown.map(str::to_owned).to_vec(), 3)
    );
    let began = format!(
        "ecs:DescribeServices:services.*.deployments.*.createdAt={}",
        ago(700).as_secs()
    );
    let completed = "ecs:DescribeServices:services.*.deployments.*.rolloutState=\"COMPLETED\"";
    let gateway = stage.gateway(&["--rewrite", &began, "--rewrite", completed]);
    let (report, _) = stage.audit_at(&gateway.endpoint, &[]);
    let mut expected: Vec<String> = unknown.map(str::to_owned).to_vec();
    // Where no task ever runs, none can connect.
    if !Lie::EcsNeverSteady.on(kind) {
        for name in ["groupless", "late", "silent"] {
            expected.push(format!("fail critical {name} ecs-builtin-database main/{name}"));
        }
    }
    expected.sort();
    assert_eq!(told_by(&stage, &report, rule), expected);
    let groupless = list(&report, "findings").iter().find(|f| f["workload"] == "groupless");
    if let Some(found) = groupless {
        let message = text(&found["message"]);
        assert!(message.contains("log group /ecs/groupless does not exist"), "{message}");
    }
}

fn logs_that_cannot_be_read(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", logging("shop")).stack("elsewhere", json!({}));
    let stage = staged(kind, &world);
    let gateway = stage.gateway(&["--deny", "logs:FilterLogEvents"]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        stage.told(&report),
        ["unknown critical shop ecs-builtin-database main/shop"]
    );
    assert_eq!(code, 3);
    assert!(text(&report["findings"][0]["message"]).contains("IAM action logs:FilterLogEvents"));
    // A rule that is off reads nothing.
    let mut stage = stage;
    stage.configure("rules: {ecs-builtin-database: {enabled: false}}\n");
    let gateway = stage.gateway(&[]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!((stage.told(&report), code), (vec![], 0));
    assert!(!gateway.calls().iter().any(|c| c.starts_with("logs:")));
}

fn tags(workload: &str) -> Value {
    json!({"holdfast:workload": workload})
}

fn good(w: &str) -> Value {
    json!({"tags": tags(w), "containers": {"web": {"port": 80, "secrets": {"DATABASE_URL": format!("{{{{secret:{w}-url}}}}")}}}})
}

fn bad(w: &str) -> Value {
    json!({"tags": tags(w), "containers": {"web": {"port": 80}}})
}

fn stack_of(world: &mut World, w: &str, revisions: &[Value]) {
    let runs = format!("{w}:{}", revisions.len());
    world.stack(w, json!({"revisions": revisions, "service": {"task_definition": runs}}));
}

const ROLLBACK: &str = "ecs-unsafe-rollback";

/// Where ECS tells of no history, the revisions before count; where it does not answer, nothing is known.
fn rollbacks(kind: Kind) {
    let mut world = World::new();
    let mut untagged = bad("untagged");
    untagged["tags"] = json!({});
    stack_of(&mut world, "repaired", &[bad("repaired"), good("repaired")]);
    stack_of(&mut world, "untagged", &[untagged, good("untagged")]);
    stack_of(&mut world, "sound", &[bad("sound"), good("sound"), good("sound")]);
    stack_of(
        &mut world,
        "retired",
        &[good("retired"), bad("retired"), good("retired")],
    );
    stack_of(&mut world, "first", &[good("first")]);
    stack_of(&mut world, "broken", &[good("broken"), bad("broken")]);
    let mut stage = staged(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    stage.call(
        "ecs",
        "deregister_task_definition",
        json!({"taskDefinition": "retired:2"}),
    );
    let (report, _) = stage.audit(&[]);
    if kind == Kind::Moto {
        assert!(Lie::NoServiceDeployments.on(kind));
        let unknown = ["repaired", "retired", "sound", "untagged"];
        let unknown = unknown.map(|w| format!("unknown high {w} {ROLLBACK} main/{w}"));
        assert_eq!(told_by(&stage, &report, ROLLBACK), unknown);
        return;
    }
    let fails = ["repaired", "untagged"].map(|w| format!("fail high {w} {ROLLBACK} main/{w}"));
    assert_eq!(told_by(&stage, &report, ROLLBACK), fails);
    // Only where the configuration says so, and only what is tagged.
    let reason = |plan: &Value, w: &str| {
        let held = list(plan, "held")
            .iter()
            .find(|h| h["rule"] == ROLLBACK && h["workload"] == w);
        held.map(|h| text(&h["reason"])).unwrap_or_default()
    };
    assert!(reason(&stage.plan(), "repaired").contains("rules.ecs-unsafe-rollback.correct is true"));
    stage.configure("rules: {ecs-unsafe-rollback: {correct: true}}\nsafety: {max_failing_percent: 100}\n");
    let plan = stage.plan();
    let own: Vec<&Value> = list(&plan, "actions")
        .iter()
        .filter(|a| a["rules"] == json!([ROLLBACK]))
        .collect();
    assert_eq!(own.len(), 1, "{plan:#}");
    assert_eq!(own[0]["calls"][0]["operation"], "DeregisterTaskDefinition");
    assert!(
        reason(&plan, "untagged").contains("untagged:1 does not carry"),
        "{plan:#}"
    );
    let answer = stage.holdfast(&["apply", "--yes", "--workload", "repaired", "--workload", "untagged"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let state = stage.state();
    let status = |name: &str| text(&state["us-east-1"]["task_definitions"][name]["status"]);
    assert_eq!([status("untagged:1"), status("repaired:2")], ["ACTIVE", "ACTIVE"]);
    assert_ne!(
        status("repaired:1"),
        "ACTIVE",
        "{:#}",
        state["us-east-1"]["task_definitions"]
    );
    let (report, _) = stage.audit(&[]);
    assert_eq!(told_by(&stage, &report, ROLLBACK), fails[1..]);
}

/// What ECS tells of earlier deployments, on the wire: neither emulator has them.
fn a_rollback_by_history(kind: Kind) {
    let mut world = World::new();
    stack_of(
        &mut world,
        "shop",
        &[bad("shop"), good("shop"), bad("shop"), good("shop")],
    );
    let stage = staged(kind, &world);
    assert!(Lie::NoServiceDeployments.on(kind));
    let arn = |n: u32| stage.id("task_definitions", &format!("shop:{n}"));
    let answers = |order: &[u32]| -> Gateway {
        let at = |i: usize| ago(100 * u64::try_from(i).expect("small")).as_secs();
        let service = "arn:aws:ecs:us-east-1:123456789012:service-revision/main/shop";
        let deployments: Vec<Value> = order
            .iter()
            .enumerate()
            .map(|(i, n)| json!({"targetServiceRevisionArn": format!("{service}/{n}"), "status": "SUCCESSFUL", "createdAt": at(i)}))
            .rev()
            .collect();
        let revisions: Vec<Value> = (1..=4)
            .map(|n| json!({"serviceRevisionArn": format!("{service}/{n}"), "taskDefinition": arn(n)}))
            .collect();
        let deployments = format!(
            "ecs:ListServiceDeployments={}",
            json!({"serviceDeployments": deployments})
        );
        let revisions = format!(
            "ecs:DescribeServiceRevisions={}",
            json!({"serviceRevisions": revisions})
        );
        stage.gateway(&["--answer", &deployments, "--answer", &revisions])
    };
    let told = |gateway: &Gateway| {
        let (report, _) = stage.audit_at(&gateway.endpoint, &[]);
        (told_by(&stage, &report, ROLLBACK), report)
    };
    // Deployed before: shop:2, which is sound, whatever shop:3 would be.
    assert_eq!(told(&answers(&[4, 4, 2, 1])).0, Vec::<String>::new());
    let (lines, report) = told(&answers(&[4, 1, 2]));
    assert_eq!(lines, ["fail high shop ecs-unsafe-rollback main/shop"]);
    let message = text(&report["findings"][0]["message"]);
    assert!(
        message.contains("shop:1, which keeps its data in the container"),
        "{message}"
    );
    // Nothing but what runs was ever deployed.
    assert_eq!(told(&answers(&[4])).0, Vec::<String>::new());
}

const PROTECTION: &str = "ecs-no-rollout-protection";

fn rollout_protection(kind: Kind) {
    let mut world = World::new();
    let half = json!({"deploymentConfiguration": {
        "deploymentCircuitBreaker": {"enable": true, "rollback": false}, "maximumPercent": 150, "minimumHealthyPercent": 50}});
    world
        .stack("bare", json!({"service": {"circuit_breaker": false}}))
        .stack("half", json!({"service": {"circuit_breaker": false, "with": half}}))
        .stack("twin", json!({}));
    let mut stage = staged(kind, &world);
    stage.configure("rules: {ecs-no-rollout-protection: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let (report, _) = stage.audit(&[]);
    let fails = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|w| format!("fail medium {w} {PROTECTION} main/{w}"))
            .collect()
    };
    if Lie::CircuitBreakerDropped.on(kind) {
        assert_eq!(told_by(&stage, &report, PROTECTION), fails(&["bare", "half", "twin"]));
        return;
    }
    assert_eq!(stage.told(&report), fails(&["bare", "half"]));
    let before = stage.state();
    let gateway = stage.gateway(&[]);
    let answer = run(stage.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["ecs:UpdateService", "ecs:UpdateService"]);
    stage.expect(&[]);
    // Nothing was deployed, and what stood beside it is as it was.
    let after = stage.state();
    for (name, percent) in [("bare", Value::Null), ("half", json!(150))] {
        let of = |state: &Value| state["us-east-1"]["services"][format!("main/{name}")].clone();
        let (before, after) = (of(&before), of(&after));
        assert_eq!(after["deployments"], before["deployments"], "{name}");
        let configuration = &after["deploymentConfiguration"];
        assert_eq!(
            configuration["deploymentCircuitBreaker"],
            json!({"enable": true, "rollback": true})
        );
        if !percent.is_null() {
            assert_eq!(configuration["maximumPercent"], percent, "{configuration}");
        }
    }
}

/// Neither emulator lets a rollout fail: on the wire.
fn failed_deployments(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    let mut stage = staged(kind, &world);
    let rule = "ecs-failed-deployment";
    let at = |field: &str, value: Value| format!("ecs:DescribeServices:services.*.deployments.*.{field}={value}");
    let told = |stage: &Stage, rewrites: &[String]| {
        let options: Vec<&str> = rewrites.iter().flat_map(|r| ["--rewrite", r]).collect();
        let gateway = stage.gateway(&options);
        let (report, _) = stage.audit_at(&gateway.endpoint, &[]);
        (told_by(stage, &report, rule), text(&report["findings"][0]["message"]))
    };
    let fails = vec!["fail high shop ecs-failed-deployment main/shop".to_owned()];
    assert_eq!(told(&stage, &[]).0, Vec::<String>::new());
    let reason = at("rolloutStateReason", json!("tasks failed to start."));
    let (lines, message) = told(&stage, &[at("rolloutState", json!("FAILED")), reason]);
    assert_eq!(lines, fails);
    assert!(
        message.contains("the deployment of shop:1 to main/shop failed (ECS says: tasks failed to start)"),
        "{message}"
    );
    let since = |seconds| {
        [
            at("rolloutState", json!("IN_PROGRESS")),
            at("createdAt", json!(ago(seconds).as_secs())),
        ]
    };
    assert_eq!(told(&stage, &since(29 * 60)).0, Vec::<String>::new());
    assert_eq!(told(&stage, &since(31 * 60)).0, fails);
    // On one of them every deployment is for ever under way.
    if Lie::EcsNeverSteady.on(kind) {
        stage.configure("defaults: {deployment_timeout: 1s}\n");
        std::thread::park_timeout(Duration::from_millis(2_500));
        assert_eq!(told(&stage, &[]).0, fails);
    }
}

fn public_tasks(kind: Kind) {
    let window = |end: &str| json!({"tags": {"holdfast:phase": "migrating", "holdfast:migration-until": end}});
    let public = json!({"public_ip": true});
    let mut world = World::new();
    world
        .stack("open", json!({"service": public}))
        .stack("moving", json!({"service": public, "db": window("{{now+1d}}")}))
        .stack("moved", json!({"service": public, "db": window("{{now-1d}}")}))
        .stack("twin", json!({}));
    let mut stage = staged(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let open = [
        "fail medium moved ecs-public-task main/moved",
        "fail medium open ecs-public-task main/open",
    ];
    stage.expect(&open);
    assert_eq!(
        stage.plan()["actions"],
        json!([]),
        "a task without NAT could not pull its image any more"
    );
    stage.configure("rules: {ecs-no-load-balancer: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let changing = ["moved", "moving", "open"].map(|w| format!("fail low {w} ecs-no-load-balancer main/{w}"));
    let all: Vec<&str> = open.into_iter().chain(changing.iter().map(String::as_str)).collect();
    stage.expect(&all);
}

fn exec(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shut", json!({}))
        .stack("open", json!({"service": {"with": {"enableExecuteCommand": true}}}));
    let mut stage = staged(kind, &world);
    let rule = "ecs-exec-disabled";
    assert_eq!(
        told_by(&stage, &stage.audit(&[]).0, rule),
        Vec::<String>::new(),
        "off unless enabled"
    );
    // The role that the world's containers have, and what ECS Exec needs of it.
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Resource": "*", "Action": ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]}]});
    let role = json!({"RoleName": "ecs-task", "AssumeRolePolicyDocument": trust.to_string()});
    stage.call("iam", "create_role", role);
    let grant = json!({"RoleName": "ecs-task", "PolicyName": "exec", "PolicyDocument": policy.to_string()});
    stage.call("iam", "put_role_policy", grant);
    stage.configure("rules: {ecs-exec-disabled: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let (report, _) = stage.audit(&[]);
    if Lie::CircuitBreakerDropped.on(kind) {
        // The same row: moto drops enableExecuteCommand too.
        let all = ["open", "shut"].map(|w| format!("fail low {w} {rule} main/{w}"));
        assert_eq!(told_by(&stage, &report, rule), all);
        return;
    }
    assert_eq!(stage.told(&report), ["fail low shut ecs-exec-disabled main/shut"]);
    let answer = stage.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    stage.expect(&[]);
}
