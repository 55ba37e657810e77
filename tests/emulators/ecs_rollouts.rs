//! Deployments that fail or can't be undone: `ecs-unsafe-rollback`, `ecs-no-rollout-protection`,
//! `ecs-failed-deployment`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Gateway, Kind, TestEnv, ago, list, run, text};
use crate::world::{World, tags};

on_both!(rollbacks, a_rollback_by_history, rollout_protection, failed_deployments);

const ROLLBACK: &str = "ecs-unsafe-rollback";
const PROTECTION: &str = "ecs-no-rollout-protection";

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
    let mut env = staged(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    env.call(
        "ecs",
        "deregister_task_definition",
        json!({"taskDefinition": "retired:2"}),
    );
    let (report, _) = env.audit(&[]);
    if kind == Kind::Moto {
        assert!(Quirk::NoServiceDeployments.on(kind));
        let unknown = ["repaired", "retired", "sound", "untagged"];
        let unknown = unknown.map(|w| format!("unknown high {w} {ROLLBACK} main/{w}"));
        assert_eq!(env.told_by(&report, ROLLBACK), unknown);
        return;
    }
    let fails = ["repaired", "untagged"].map(|w| format!("fail high {w} {ROLLBACK} main/{w}"));
    assert_eq!(env.told_by(&report, ROLLBACK), fails);
    // Only where the configuration says so, and only what is tagged.
    let reason = |plan: &Value, w: &str| {
        let held = list(plan, "held")
            .iter()
            .find(|h| h["rule"] == ROLLBACK && h["workload"] == w);
        held.map(|h| text(&h["reason"])).unwrap_or_default()
    };
    assert!(reason(&env.plan(), "repaired").contains("rules.ecs-unsafe-rollback.correct is true"));
    env.configure("rules: {ecs-unsafe-rollback: {correct: true}}\nsafety: {max_failing_percent: 100}\n");
    let plan = env.plan();
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
    let answer = env.holdfast(&["apply", "--yes", "--workload", "repaired", "--workload", "untagged"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let state = env.state();
    let status = |name: &str| text(&state["us-east-1"]["task_definitions"][name]["status"]);
    assert_eq!([status("untagged:1"), status("repaired:2")], ["ACTIVE", "ACTIVE"]);
    assert_ne!(
        status("repaired:1"),
        "ACTIVE",
        "{:#}",
        state["us-east-1"]["task_definitions"]
    );
    let (report, _) = env.audit(&[]);
    assert_eq!(env.told_by(&report, ROLLBACK), fails[1..]);
}

/// What ECS tells of earlier deployments, on the wire: neither emulator has them.
fn a_rollback_by_history(kind: Kind) {
    let mut world = World::new();
    stack_of(
        &mut world,
        "shop",
        &[bad("shop"), good("shop"), bad("shop"), good("shop")],
    );
    let env = staged(kind, &world);
    assert!(Quirk::NoServiceDeployments.on(kind));
    let arn = |n: u32| env.id("task_definitions", &format!("shop:{n}"));
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
        env.gateway(&["--answer", &deployments, "--answer", &revisions])
    };
    let told = |gateway: &Gateway| {
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        (env.told_by(&report, ROLLBACK), report)
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

fn rollout_protection(kind: Kind) {
    let mut world = World::new();
    let half = json!({"deploymentConfiguration": {
        "deploymentCircuitBreaker": {"enable": true, "rollback": false}, "maximumPercent": 150, "minimumHealthyPercent": 50}});
    world
        .stack("bare", json!({"service": {"circuit_breaker": false}}))
        .stack("half", json!({"service": {"circuit_breaker": false, "with": half}}))
        .stack("twin", json!({}));
    let mut env = staged(kind, &world);
    env.configure("rules: {ecs-no-rollout-protection: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let (report, _) = env.audit(&[]);
    let fails = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|w| format!("fail medium {w} {PROTECTION} main/{w}"))
            .collect()
    };
    if Quirk::CircuitBreakerDropped.on(kind) {
        assert_eq!(env.told_by(&report, PROTECTION), fails(&["bare", "half", "twin"]));
        return;
    }
    assert_eq!(env.told(&report), fails(&["bare", "half"]));
    let before = env.state();
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["ecs:UpdateService", "ecs:UpdateService"]);
    env.expect(&[]);
    // Nothing was deployed, and what stood beside it is as it was.
    let after = env.state();
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
    let mut env = staged(kind, &world);
    let rule = "ecs-failed-deployment";
    env.configure("rules: {ecs-failed-deployment: {enabled: true}}\n");
    let history = |deployments: Value| {
        format!(
            "ecs:ListServiceDeployments={}",
            json!({"serviceDeployments": deployments})
        )
    };
    let at = |field: &str, value: Value| format!("ecs:DescribeServices:services.*.deployments.*.{field}={value}");
    let told = |env: &TestEnv, rewrites: &[String]| {
        let none = history(json!([]));
        let mut options: Vec<&str> = rewrites.iter().flat_map(|r| ["--rewrite", r]).collect();
        options.extend(["--answer", &none]);
        let gateway = env.gateway(&options);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        (env.told_by(&report, rule), text(&report["findings"][0]["message"]))
    };
    let fails = vec!["fail high shop ecs-failed-deployment main/shop".to_owned()];
    assert_eq!(told(&env, &[]).0, Vec::<String>::new());
    let reason = at("rolloutStateReason", json!("tasks failed to start."));
    let (lines, message) = told(&env, &[at("rolloutState", json!("FAILED")), reason]);
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
    assert_eq!(told(&env, &since(29 * 60)).0, Vec::<String>::new());
    assert_eq!(told(&env, &since(31 * 60)).0, fails);
    // On one of them every deployment is for ever under way.
    if Quirk::EcsNeverSteady.on(kind) {
        env.configure("defaults: {deployment_timeout: 1s}\nrules: {ecs-failed-deployment: {enabled: true}}\n");
        std::thread::park_timeout(Duration::from_millis(2_500));
        assert_eq!(told(&env, &[]).0, fails);
    }
    // The breaker went back: the service is steady, and only its history tells. Of which revision, and why its tasks ended,
    // is asked only then.
    let arn = |kind: &str, id: &str| format!("arn:aws:ecs:us-east-1:123456789012:{kind}/main/shop/{id}");
    let rolled_back = history(json!([
        {"serviceDeploymentArn": arn("service-deployment", "b"), "status": "ROLLBACK_SUCCESSFUL", "createdAt": ago(300).as_secs(),
         "statusReason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
         "targetServiceRevisionArn": arn("service-revision", "2")},
        {"serviceDeploymentArn": arn("service-deployment", "a"), "status": "SUCCESSFUL", "createdAt": ago(9000).as_secs(),
         "targetServiceRevisionArn": arn("service-revision", "1")},
    ]));
    let revision = env.id("task_definitions", "shop:1").replace("shop:1", "shop:2");
    let of_revision =
        json!({"serviceRevisions": [{"serviceRevisionArn": arn("service-revision", "2"), "taskDefinition": revision}]});
    let of_revision = format!("ecs:DescribeServiceRevisions={of_revision}");
    let task = json!({"taskArn": "arn:aws:ecs:us-east-1:123456789012:task/main/1", "taskDefinitionArn": revision,
        "lastStatus": "STOPPED", "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "web", "exitCode": 1}]});
    let tasks = format!("ecs:ListTasks={}", json!({"taskArns": [task["taskArn"]]}));
    let described = format!("ecs:DescribeTasks={}", json!({"tasks": [task]}));
    let steady = at("rolloutState", json!("COMPLETED"));
    let answers = [&rolled_back, &of_revision, &tasks, &described];
    let mut options: Vec<&str> = answers.iter().flat_map(|a| ["--answer", a.as_str()]).collect();
    options.extend(["--rewrite", &steady]);
    let gateway = env.gateway(&options);
    let (report, _) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(env.told_by(&report, rule), fails);
    let finding = &report["findings"][0];
    let message = text(&finding["message"]);
    assert!(
        message.starts_with("the deployment of shop:2 to main/shop, begun at "),
        "{message}"
    );
    assert!(
        message.contains("failed and was rolled back (ECS says: Service deployment rolled back"),
        "{message}"
    );
    let reasons: Vec<&Value> = list(finding, "evidence")
        .iter()
        .filter(|e| e["field"] == "stoppedReason")
        .collect();
    assert_eq!(reasons.len(), 1, "{finding:#}");
    assert_eq!(
        reasons[0]["observed"],
        "Essential container in task exited (web: exit code 1)"
    );
}
