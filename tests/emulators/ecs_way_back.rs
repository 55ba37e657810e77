//! The way back of a rollout, and what stands in for it: revisions that were deregistered, and fields that the SDK does not
//! know. That a deployment fails, and what AWS refuses, is put on the wire.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ecs_strategies::given;
use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Gateway, Kind, TestEnv, run, text};
use crate::world::World;

on_both!(
    from_a_revision_that_is_not_active,
    a_failed_revision_does_not_stay_the_latest,
    the_base_is_deregistered_meanwhile,
    fields_of_tomorrow,
);

fn staged(kind: Kind, but: Value) -> TestEnv {
    let mut world = World::new();
    world.stack("shop", but);
    let mut env = TestEnv::new(kind, &world);
    env.about(CORE);
    env.configure("workloads: {shop: {secret_env: [DATABASE_URL]}}\n");
    env
}

fn bare() -> Value {
    json!({"web": {"secrets": null}})
}

/// Deployments of the second revision fail.
fn failing(env: &TestEnv) -> Gateway {
    let at = |field: &str, value: Value| {
        format!("ecs:DescribeServices:services.*.deployments.taskDefinition$:2.{field}={value}")
    };
    let rewrites = [
        at("rolloutState", json!("FAILED")),
        at("rolloutStateReason", json!("tasks failed to start.")),
        at("runningCount", json!(0)),
    ];
    let mut options = vec!["--requests", "ecs:*"];
    options.extend(rewrites.iter().flat_map(|r| ["--rewrite", r.as_str()]));
    env.gateway(&options)
}

fn described(env: &mut TestEnv, revision: &str) -> Value {
    let asked = json!({"taskDefinition": revision});
    env.call("ecs", "describe_task_definition", asked)["taskDefinition"].clone()
}

fn status(env: &mut TestEnv, revision: &str) -> String {
    text(&described(env, revision)["status"])
}

fn running(env: &mut TestEnv) -> String {
    let service = env.state()["us-east-1"]["services"]["main/shop"].clone();
    text(&service["taskDefinition"])
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// AWS refuses to give a service a revision that was deregistered: there would be no way back, and nothing is begun.
fn from_a_revision_that_is_not_active(kind: Kind) {
    let mut env = staged(kind, bare());
    env.call("ecs", "deregister_task_definition", json!({"taskDefinition": "shop:1"}));
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes", "--wait", "2s"]));
    assert!(
        answer.stdout.contains("main/shop runs shop:1, which is not ACTIVE"),
        "{}",
        answer.stdout
    );
    assert!(!answer.stdout.contains("aws ecs update-service"), "{}", answer.stdout);
    assert_eq!(gateway.mutations(), Vec::<String>::new());
    let rewrite = "ecs:DescribeTaskDefinition:taskDefinition.status=\"DELETE_IN_PROGRESS\"";
    let deleting = staged(kind, bare());
    let gateway = deleting.gateway(&["--rewrite", rewrite]);
    let answer = run(deleting.command(&gateway.endpoint, &["plan"]));
    assert!(answer.stdout.contains("which is not ACTIVE"), "{}", answer.stdout);
}

/// A bare family name means the latest ACTIVE revision: one that failed is deregistered once the service is back.
fn a_failed_revision_does_not_stay_the_latest(kind: Kind) {
    if Quirk::EcsNeverSteady.on(kind) {
        return; // The way back is never proved there: `apply::takes_back_what_never_settles`.
    }
    let mut env = staged(kind, bare());
    let gateway = failing(&env);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes", "--wait", "20s"]));
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("reverted  shop"), "{}", answer.stdout);
    let told = "the deployment failed: tasks failed to start.; main/shop runs shop:1 again; shop:2 was deregistered";
    assert!(answer.stdout.contains(told), "{}", answer.stdout);
    assert_eq!(given(&gateway), ["shop:2", "shop:1"]);
    assert_eq!(running(&mut env), "shop:1");
    assert_eq!(
        [status(&mut env, "shop:1"), status(&mut env, "shop:2")],
        ["ACTIVE", "INACTIVE"]
    );
}

/// Somebody deregisters the base while the rollout is under way: the service goes back to a twin of it.
fn the_base_is_deregistered_meanwhile(kind: Kind) {
    if Quirk::EcsNeverSteady.on(kind) {
        return;
    }
    let mut env = staged(kind, bare());
    let gateway = failing(&env);
    gateway.set(json!({"hold": ["ecs:UpdateService"]}));
    let command = env.command(&gateway.endpoint, &["apply", "--yes", "--wait", "20s"]);
    let applying = std::thread::spawn(move || run(command));
    let until = Instant::now() + Duration::from_mins(1);
    while gateway.held() == 0 {
        assert!(Instant::now() < until, "no UpdateService: {:?}", gateway.calls());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    env.call("ecs", "deregister_task_definition", json!({"taskDefinition": "shop:1"}));
    gateway.set(json!({"hold": []}));
    let answer = applying.join().expect("ended");
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stdout.contains("reverted  shop"), "{}", answer.stdout);
    let told = "main/shop runs shop:3 again; shop:2 was deregistered";
    assert!(answer.stdout.contains(told), "{}", answer.stdout);
    assert_eq!(given(&gateway), ["shop:2", "shop:3"], "never what AWS refuses");
    assert_eq!(running(&mut env), "shop:3");
    let [base, twin] = ["shop:1", "shop:3"].map(|name| described(&mut env, name)["containerDefinitions"].clone());
    assert_eq!(base, twin);
    assert_eq!(status(&mut env, "shop:2"), "INACTIVE");
}

/// A revision with fields that the SDK does not know is read as ever, and never registered without them.
fn fields_of_tomorrow(kind: Kind) {
    let env = staged(
        kind,
        json!({"web": {"secrets": null}, "revision": {"volumes": {"data": {}}}}),
    );
    let at = |field: &str, value: Value| format!("ecs:DescribeTaskDefinition:taskDefinition.{field}={value}");
    let rewrites = [
        at("networkIsolation", json!({"mode": "STRICT"})),
        at(
            "containerDefinitions.0.seccompProfile",
            json!({"type": "RuntimeDefault"}),
        ),
        at(
            "volumes.0.filestoreVolumeConfiguration",
            json!({"fileSystemId": "fst-1"}),
        ),
        // What AWS writes for what is not set.
        at("tomorrow", json!([])),
    ];
    let options: Vec<&str> = rewrites.iter().flat_map(|r| ["--rewrite", r.as_str()]).collect();
    let gateway = env.gateway(&options);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes", "--wait", "2s"]));
    let named = "(containerDefinitions[].seccompProfile, networkIsolation, volumes[].filestoreVolumeConfiguration)";
    assert!(answer.stdout.contains(named), "{}", answer.stdout);
    for value in ["STRICT", "RuntimeDefault", "fst-1"] {
        assert!(!answer.stdout.contains(value), "{value}: {}", answer.stdout);
    }
    assert_eq!(gateway.mutations(), Vec::<String>::new());
    let (report, _) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(report["errors"], json!([]), "it is read as ever");
}
