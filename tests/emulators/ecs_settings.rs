//! What one field of a service decides: `ecs-public-task`, `ecs-no-load-balancer`, `ecs-exec-disabled`.

use serde_json::json;

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Kind, TestEnv};
use crate::world::World;

on_both!(public_tasks, exec);

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

fn public_tasks(kind: Kind) {
    let window = |end: &str| json!({"tags": {"holdfast:phase": "migrating", "holdfast:migration-until": end}});
    let public = json!({"public_ip": true});
    let mut world = World::new();
    world
        .stack("open", json!({"service": public}))
        .stack("moving", json!({"service": public, "db": window("{{now+1d}}")}))
        .stack("moved", json!({"service": public, "db": window("{{now-1d}}")}))
        .stack("twin", json!({}));
    let mut env = staged(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let open = [
        "fail medium moved ecs-public-task main/moved",
        "fail medium open ecs-public-task main/open",
    ];
    env.expect(&open);
    assert_eq!(
        env.plan()["actions"],
        json!([]),
        "a task without NAT could not pull its image any more"
    );
    env.configure("rules: {ecs-no-load-balancer: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let changing = ["moved", "moving", "open"].map(|w| format!("fail low {w} ecs-no-load-balancer main/{w}"));
    let all: Vec<&str> = open.into_iter().chain(changing.iter().map(String::as_str)).collect();
    env.expect(&all);
}

fn exec(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shut", json!({}))
        .stack("open", json!({"service": {"with": {"enableExecuteCommand": true}}}));
    let mut env = staged(kind, &world);
    let rule = "ecs-exec-disabled";
    assert_eq!(
        env.told_by(&env.audit(&[]).0, rule),
        Vec::<String>::new(),
        "off unless enabled"
    );
    // What ECS Exec needs of the role that the world's containers have.
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Resource": "*", "Action": ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]}]});
    let grant = json!({"RoleName": "ecs-task", "PolicyName": "exec", "PolicyDocument": policy.to_string()});
    env.call("iam", "put_role_policy", grant);
    env.configure("rules: {ecs-exec-disabled: {enabled: true}}\nsafety: {max_failing_percent: 100}\n");
    let (report, _) = env.audit(&[]);
    if Quirk::CircuitBreakerDropped.on(kind) {
        // The same row: moto drops enableExecuteCommand too.
        let all = ["open", "shut"].map(|w| format!("fail low {w} {rule} main/{w}"));
        assert_eq!(env.told_by(&report, rule), all);
        return;
    }
    assert_eq!(env.told(&report), ["fail low shut ecs-exec-disabled main/shut"]);
    let answer = env.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    env.expect(&[]);
}
