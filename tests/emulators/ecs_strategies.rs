//! Rollouts, and what is said of deployments, for each way in which ECS deploys: `ecs-failed-deployment`,
//! `ecs-no-rollout-protection`, and what a correction may call verified. No emulator has any of them but rolling updates:
//! they are put on the wire.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Answer, CORE, Gateway, Kind, TestEnv, ago, list, run, text};
use crate::world::World;

on_both!(
    traffic_that_is_shifted_is_left_alone,
    a_rollout_bakes,
    a_canary_waits,
    a_rollout_that_fails_is_stopped,
    behind_a_classic_load_balancer,
    no_task_is_wanted,
    of_another_kind,
);

const PROTECTION: &str = "ecs-no-rollout-protection";
const FAILED: &str = "ecs-failed-deployment";

fn staged(kind: Kind, but: Value) -> TestEnv {
    let mut world = World::new();
    world.stack("shop", but);
    let mut env = TestEnv::new(kind, &world);
    env.about(CORE);
    env.configure(&format!(
        "workloads: {{shop: {{secret_env: [DATABASE_URL]}}}}\nrules: {{{PROTECTION}: {{enabled: true}}, {FAILED}: {{enabled: true}}}}\n"
    ));
    env
}

/// A service that lacks its secret: Holdfast rolls it out.
fn bare() -> Value {
    json!({"web": {"secrets": null}})
}

/// `DescribeServices` answers so, of each service.
fn service(field: &str, value: &Value) -> String {
    format!("ecs:DescribeServices:services.*.{field}={value}")
}

fn deployment(field: &str, value: &Value) -> String {
    service(&format!("deployments.*.{field}"), value)
}

fn gateway(env: &TestEnv, rewrites: &[String], answers: &[String]) -> Gateway {
    let none = "ecs:ListServiceDeployments={\"serviceDeployments\": []}".to_owned();
    let mut options = vec!["--requests", "ecs:*"];
    options.extend(rewrites.iter().flat_map(|r| ["--rewrite", r.as_str()]));
    options.extend(
        [&none]
            .into_iter()
            .chain(answers)
            .flat_map(|a| ["--answer", a.as_str()]),
    );
    env.gateway(&options)
}

fn apply(env: &TestEnv, gateway: &Gateway, wait: &str) -> Answer {
    run(env.command(&gateway.endpoint, &["apply", "--yes", "--wait", wait]))
}

/// Revisions that services were given, in order.
pub fn given(gateway: &Gateway) -> Vec<String> {
    let entries = gateway.entries();
    let updates = entries.iter().filter(|e| e["operation"] == "UpdateService");
    let revision = |e: &Value| -> String {
        let request: Value = serde_json::from_str(&text(&e["request"])).expect("JSON");
        text(&request["taskDefinition"])
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    updates.map(revision).collect()
}

/// `deploymentConfiguration` as AWS writes it.
fn strategies() -> Vec<Value> {
    let hook = json!([{"hookTargetArn": "arn:aws:lambda:us-east-1:123456789012:function:hook",
        "roleArn": "arn:aws:iam::123456789012:role/hook", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}]);
    let kinds = [
        json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60, "lifecycleHooks": hook}),
        json!({"strategy": "LINEAR", "bakeTimeInMinutes": 5,
            "linearConfiguration": {"stepPercent": 20.0, "stepBakeTimeInMinutes": 15}}),
        json!({"strategy": "CANARY", "bakeTimeInMinutes": 5,
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 55}}),
    ];
    let with = |mut kind: Value| {
        kind["maximumPercent"] = json!(200);
        kind["minimumHealthyPercent"] = json!(100);
        kind["deploymentCircuitBreaker"] = json!({"enable": false, "rollback": false});
        kind["alarms"] = json!({"alarmNames": [], "enable": false, "rollback": false});
        kind
    };
    kinds.into_iter().map(with).collect()
}

/// Forty minutes into an hour of bake, steps or canary nothing is late, no breaker is missed, and nothing is sent.
fn traffic_that_is_shifted_is_left_alone(kind: Kind) {
    let env = staged(kind, json!({"service": {"circuit_breaker": false}}));
    let since = |minutes: u64| {
        [
            deployment("rolloutState", &json!("IN_PROGRESS")),
            deployment("createdAt", &json!(ago(60 * minutes).as_secs())),
            deployment("desiredCount", &json!(1)),
            deployment("runningCount", &json!(1)),
        ]
    };
    for strategy in strategies() {
        let configured = [service("deploymentConfiguration", &strategy)];
        let at = |minutes| gateway(&env, &[&configured[..], &since(minutes)].concat(), &[]);
        let baking = at(40);
        let (report, code) = env.audit_at(&baking.endpoint, &[]);
        assert_eq!((env.told(&report), code), (vec![], 0), "{strategy}");
        assert_eq!(apply(&env, &baking, "2s").code, 0, "{strategy}");
        assert_eq!(baking.mutations(), Vec::<String>::new(), "{strategy}");
        let hung = at(60 * 24 * 3);
        let (report, _) = env.audit_at(&hung.endpoint, &[]);
        assert_eq!(
            env.told_by(&report, FAILED),
            [format!("fail high shop {FAILED} main/shop")],
            "{strategy}"
        );
    }
}

fn in_progress(strategy: &Value, running: i32) -> Vec<String> {
    vec![
        service("deploymentConfiguration", strategy),
        deployment("rolloutState", &json!("IN_PROGRESS")),
        deployment("rolloutStateReason", &json!("ECS deployment in progress.")),
        deployment("desiredCount", &json!(1)),
        deployment("runningCount", &json!(running)),
    ]
}

/// A rollout of ours is well while it bakes: it is neither taken back nor called verified.
fn bakes(kind: Kind, strategy: &Value) {
    let env = staged(kind, bare());
    let gateway = gateway(&env, &in_progress(strategy, 1), &[]);
    let answer = apply(&env, &gateway, "2s");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("applied   shop"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("not proved yet, and left to ECS"),
        "{}",
        answer.stdout
    );
    assert_eq!(given(&gateway), ["shop:2"]);
    let sent = gateway.mutations();
    assert_eq!(sent, ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]);
}

fn a_rollout_bakes(kind: Kind) {
    bakes(kind, &strategies()[0]);
}

fn a_canary_waits(kind: Kind) {
    bakes(kind, &strategies()[2]);
}

/// One whose tasks don't start is rolled back by ECS itself, not by another deployment beside it.
fn a_rollout_that_fails_is_stopped(kind: Kind) {
    let env = staged(kind, bare());
    let arn = "arn:aws:ecs:us-east-1:123456789012:service-deployment/main/shop/a";
    let mut rewrites = in_progress(&strategies()[2], 0);
    rewrites.push(service("currentServiceDeployment", &json!(arn)));
    let progress = json!({"serviceDeployments": [
        {"serviceDeploymentArn": arn, "status": "IN_PROGRESS", "lifecycleStage": "SCALE_UP"}]});
    let answers = [
        format!("ecs:DescribeServiceDeployments={progress}"),
        format!("ecs:StopServiceDeployment={}", json!({"serviceDeploymentArn": arn})),
    ];
    let gateway = gateway(&env, &rewrites, &answers);
    let answer = apply(&env, &gateway, "1s");
    assert_eq!(answer.code, 1, "{answer:?}");
    let why = if Quirk::EcsNeverSteady.on(kind) {
        "not steady within 1 s: the primary deployment is still shop:1"
    } else {
        "not steady within 1 s: 0 of 1 tasks run"
    };
    assert!(answer.stdout.contains(why), "{}", answer.stdout);
    assert_eq!(given(&gateway), ["shop:2"]);
    let entries = gateway.entries();
    let stops: Vec<String> = entries
        .iter()
        .filter(|e| e["operation"] == "StopServiceDeployment")
        .map(|e| text(&e["request"]))
        .collect();
    assert_eq!(stops.len(), 1, "{stops:?}");
    let request: Value = serde_json::from_str(&stops[0]).expect("JSON");
    assert_eq!(request, json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}));
}

/// Behind a Classic Load Balancer there is no `rolloutState`. ECS's word that the service is steady proves a rollout;
/// without it nothing does, and nothing is taken back that runs.
fn behind_a_classic_load_balancer(kind: Kind) {
    let classic = |events: Value| -> Vec<String> {
        vec![
            service(
                "loadBalancers",
                &json!([{"loadBalancerName": "shop", "containerName": "web", "containerPort": 80}]),
            ),
            deployment("rolloutState", &Value::Null),
            deployment("rolloutStateReason", &Value::Null),
            deployment("desiredCount", &json!(1)),
            deployment("runningCount", &json!(1)),
            service("events", &events),
        ]
    };
    let env = staged(kind, json!({}));
    let quiet = gateway(&env, &classic(json!([])), &[]);
    let (report, _) = env.audit_at(&quiet.endpoint, &[]);
    assert_eq!(env.told_by(&report, FAILED), Vec::<String>::new());
    drop(env);
    if Quirk::EcsNeverSteady.on(kind) {
        return; // Its service keeps the revision before in `deployments`.
    }
    let steady = json!([{"id": "1", "createdAt": ago(0).as_secs() + 600, "message": "(service shop) has reached a steady state."}]);
    for (events, outcome, why) in [
        (steady, "verified  shop", "read again and judged"),
        (
            json!([]),
            "applied   shop",
            "ECS has not said that the service is steady",
        ),
    ] {
        let env = staged(kind, bare());
        let gateway = gateway(&env, &classic(events), &[]);
        let answer = apply(&env, &gateway, "2s");
        assert!(answer.stdout.contains(outcome), "{}", answer.stdout);
        assert!(answer.stdout.contains(why), "{}", answer.stdout);
        assert_eq!(given(&gateway), ["shop:2"]);
    }
}

/// A service that wants no task shows nothing: its rollout is applied, not proved.
fn no_task_is_wanted(kind: Kind) {
    if Quirk::EcsNeverSteady.on(kind) {
        return;
    }
    let env = staged(
        kind,
        json!({"web": {"secrets": null, "image": "example.com/does-not-exist:nope"}, "service": {"desired": 0}}),
    );
    let gateway = gateway(&env, &[], &[]);
    let answer = apply(&env, &gateway, "2s");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("applied   shop"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("applied, not proved: main/shop wants no task"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("0 of 1 corrected and verified"),
        "{}",
        answer.stdout
    );
    let history = env.holdfast(&["history", "--format", "json"]);
    let history: Value = serde_json::from_str(&history.stdout).expect("JSON");
    assert_eq!(list(&history, "attempts")[0]["outcome"], "applied", "{history:#}");
}

/// What ECS or its callers don't deploy by plain updates is told, and not written to.
fn of_another_kind(kind: Kind) {
    let env = staged(kind, bare());
    for (rewrite, why) in [
        (
            service("deploymentController", &json!({"type": "CODE_DEPLOY"})),
            "is deployed by CODE_DEPLOY",
        ),
        (
            service("deploymentController", &json!({"type": "EXTERNAL"})),
            "is deployed by EXTERNAL",
        ),
        (
            service("resourceManagementType", &json!("ECS")),
            "is an Express service",
        ),
        (
            service("deploymentConfiguration", &json!({"strategy": "RAINBOW"})),
            "by the strategy RAINBOW",
        ),
        (
            service("rainbow", &json!({"colours": 7})),
            "main/shop has fields that this version of Holdfast does not know and could not keep (rainbow)",
        ),
    ] {
        let gateway = gateway(&env, std::slice::from_ref(&rewrite), &[]);
        let answer = run(env.command(&gateway.endpoint, &["plan"]));
        assert!(answer.stdout.contains(why), "{rewrite}: {}", answer.stdout);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        assert_eq!(
            env.told_by(&report, "ecs-missing-database-secret").len(),
            1,
            "it is read all the same"
        );
        apply(&env, &gateway, "1s");
        assert_eq!(gateway.mutations(), Vec::<String>::new(), "{rewrite}");
    }
}
