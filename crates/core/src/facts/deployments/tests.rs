//! Tables: how far a rollout is, what is late, and which revision carries the traffic, for each way to deploy.

use jiff::SignedDuration;

use super::*;
use crate::model::resources::{DeploymentProgress, DeploymentSettings, LifecycleHook, Strategy};
use crate::rules::testing::now;

const NEW: &str = "task-definition/shop:2";
const OLD: &str = "task-definition/shop:1";
const TASKS: Duration = Duration::from_mins(30);

fn deployment(revision: &str, status: &str, state: Option<&str>, running: i32, minutes: i64) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{revision}"),
        status: status.into(),
        task_definition: revision.into(),
        rollout_state: state.map(str::to_owned),
        rollout_reason: None,
        desired_count: 2,
        running_count: running,
        failed_tasks: 0,
        created_at: Some(now() - SignedDuration::from_mins(minutes)),
        updated_at: None,
    }
}

fn service(strategy: Strategy, deployments: Vec<Deployment>) -> Service {
    Service {
        task_definition: deployments[0].task_definition.clone(),
        deployments,
        deployment_controller: "ECS".into(),
        deployment_settings: DeploymentSettings {
            bake_minutes: if strategy.shifts_traffic() { 60 } else { 0 },
            shifts: match strategy {
                Strategy::Linear => 5,
                Strategy::Canary => 2,
                _ => 1,
            },
            shift_minutes: 10,
            strategy,
            ..DeploymentSettings::default()
        },
        ..Service::default()
    }
}

/// `NEW` is under way, beside two tasks of `OLD`.
fn under_way(strategy: Strategy, running: i32, minutes: i64) -> Service {
    let new = deployment(NEW, "PRIMARY", Some("IN_PROGRESS"), running, minutes);
    let old = deployment(OLD, "ACTIVE", Some("COMPLETED"), 2, 10_000);
    service(strategy, vec![new, old])
}

fn at(mut service: Service, progress: DeploymentProgress) -> Service {
    service.progress = Some(progress);
    service
}

fn stage(stage: &str, percent: Option<f64>) -> DeploymentProgress {
    DeploymentProgress {
        status: "IN_PROGRESS".into(),
        stage: Some(stage.into()),
        shifted_percent: percent,
        ..DeploymentProgress::default()
    }
}

fn hooked(mut service: Service, stage: &str, timeout_minutes: i32) -> Service {
    service.deployment_settings.hooks.push(LifecycleHook {
        pauses: false,
        stages: vec![stage.into()],
        timeout_minutes,
    });
    service
}

fn paused(mut service: Service, until: Option<i64>) -> Service {
    service.progress = Some(DeploymentProgress {
        status: "IN_PROGRESS".into(),
        stage: Some("POST_TEST_TRAFFIC_SHIFT".into()),
        paused: true,
        paused_until: until.map(|minutes| now() + SignedDuration::from_mins(minutes)),
        ..DeploymentProgress::default()
    });
    service
}

/// Behind a Classic Load Balancer: `NEW` alone, or beside `others` tasks of `OLD`.
fn classic(running: i32, others: i32, minutes: i64) -> Service {
    let new = deployment(NEW, "PRIMARY", None, running, minutes);
    let old = deployment(OLD, "ACTIVE", None, others, 10_000);
    let both = if others > 0 { vec![new, old] } else { vec![new] };
    let mut service = service(Strategy::Rolling, both);
    service.classic_balancer = true;
    service
}

#[test]
fn what_is_late() {
    use Strategy::{BlueGreen, Canary, Linear, Rolling};
    for (name, service, late) in [
        ("rolling in time", under_way(Rolling, 1, 29), false),
        ("rolling", under_way(Rolling, 1, 31), true),
        ("rolling, all tasks, old ones stay", under_way(Rolling, 2, 31), true),
        ("blue/green bakes", under_way(BlueGreen, 2, 40), false),
        ("blue/green bakes at its end", under_way(BlueGreen, 2, 89), false),
        ("blue/green after its bake", under_way(BlueGreen, 2, 91), true),
        ("blue/green whose tasks don't start", under_way(BlueGreen, 1, 31), true),
        ("linear between steps", under_way(Linear, 2, 30 + 60 + 39), false),
        ("linear after its steps", under_way(Linear, 2, 30 + 60 + 41), true),
        ("canary waits", under_way(Canary, 2, 30 + 60 + 9), false),
        ("canary after its bake", under_way(Canary, 2, 30 + 60 + 11), true),
        (
            "a hook before tasks",
            hooked(under_way(BlueGreen, 0, 45), "PRE_SCALE_UP", 20),
            false,
        ),
        (
            "a hook after that",
            hooked(under_way(BlueGreen, 0, 45), "POST_SCALE_UP", 20),
            true,
        ),
        (
            "a late hook",
            hooked(under_way(BlueGreen, 2, 105), "POST_TEST_TRAFFIC_SHIFT", 20),
            false,
        ),
        ("a pause", paused(under_way(BlueGreen, 2, 5_000), Some(10)), false),
        ("a pause without end", paused(under_way(Rolling, 2, 5_000), None), false),
        (
            "a pause that ended",
            paused(under_way(BlueGreen, 2, 5_000), Some(-10)),
            true,
        ),
        ("a Classic Load Balancer", classic(2, 0, 5_000), false),
        ("one of its tasks is replaced", classic(1, 0, 5_000), false),
        ("its old tasks stay", classic(2, 2, 31), true),
        ("its old tasks go", classic(2, 2, 29), false),
        ("none of its tasks runs", classic(0, 0, 31), true),
    ] {
        assert_eq!(late_since(&service, TASKS, now()).is_some(), late, "{name}");
    }
    let mut external = classic(0, 2, 5_000);
    external.deployment_controller = "EXTERNAL".into();
    assert_eq!(late_since(&external, TASKS, now()), None);
    external.deployments.clear();
    assert_eq!(late_since(&external, TASKS, now()), None, "CodeDeploy lists none");
}

#[test]
fn which_revision_carries_the_traffic() {
    use Strategy::{BlueGreen, Canary, Linear, Rolling};
    let (both, old, new) = (Traffic::Both(OLD, NEW), Traffic::One(OLD), Traffic::One(NEW));
    let green = |s: &str| at(under_way(BlueGreen, 2, 5), stage(s, None));
    for (name, service, expected) in [
        ("rolling", under_way(Rolling, 1, 5), both),
        ("rolling, nothing new yet", under_way(Rolling, 0, 5), old),
        ("blue/green, not told", under_way(BlueGreen, 2, 5), Traffic::Unknown),
        ("green starts", green("SCALE_UP"), old),
        ("green is tested", green("POST_TEST_TRAFFIC_SHIFT"), old),
        (
            "before the shift",
            green("PRE_PRODUCTION_TRAFFIC_SHIFT"),
            Traffic::Unknown,
        ),
        ("the shift", green("PRODUCTION_TRAFFIC_SHIFT"), both),
        ("green bakes", green("BAKE_TIME"), new),
        ("blue goes", green("CLEAN_UP"), new),
        (
            "canary",
            at(under_way(Canary, 2, 5), stage("PRODUCTION_TRAFFIC_SHIFT", Some(5.0))),
            both,
        ),
        (
            "before the canary",
            at(under_way(Canary, 2, 5), stage("SCALE_UP", Some(0.0))),
            old,
        ),
        (
            "a step",
            at(
                under_way(Linear, 2, 5),
                stage("PRE_PRODUCTION_TRAFFIC_SHIFT", Some(40.0)),
            ),
            both,
        ),
        (
            "the last step",
            at(under_way(Linear, 2, 5), stage("BAKE_TIME", Some(100.0))),
            new,
        ),
        ("one alone", classic(2, 0, 5), new),
    ] {
        assert_eq!(traffic(&service), expected, "{name}");
    }
}

#[test]
fn how_far_a_rollout_is() {
    use Strategy::{BlueGreen, Rolling};
    let alone = |state: Option<&str>, running| service(Rolling, vec![deployment(NEW, "PRIMARY", state, running, 5)]);
    let mut failed = alone(Some("FAILED"), 0);
    failed.deployments[0].rollout_reason = Some("tasks failed to start.".into());
    let mut back = under_way(Rolling, 2, 5);
    back.deployments.swap(0, 1);
    back.deployments[0].status = "PRIMARY".into();
    back.deployments[1].status = "ACTIVE".into();
    back.task_definition = OLD.into();
    let mut other = back.clone();
    "task-definition/shop:3".clone_into(&mut other.task_definition);
    "task-definition/shop:3".clone_into(&mut other.deployments[0].task_definition);
    let mut none = alone(Some("COMPLETED"), 0);
    none.deployments[0].desired_count = 0;
    let mut classic_none = classic(0, 0, 5);
    classic_none.deployments[0].desired_count = 0;
    let steady = |minutes| {
        let mut service = classic(2, 0, 5);
        service.steady_at = Some(now() - SignedDuration::from_mins(minutes));
        service
    };
    let mut crashing = classic(2, 0, 5);
    crashing.deployments[0].failed_tasks = 3;
    let rolled_back = DeploymentProgress {
        status: "ROLLBACK_IN_PROGRESS".into(),
        ..DeploymentProgress::default()
    };
    for (name, service, expected) in [
        ("steady", alone(Some("COMPLETED"), 2), "steady"),
        ("not all tasks yet", alone(Some("COMPLETED"), 1), "moving"),
        ("under way", alone(Some("IN_PROGRESS"), 2), "moving"),
        ("old tasks remain", under_way(Rolling, 2, 5), "moving"),
        ("no task is wanted", none, "no tasks"),
        ("failed", failed, "failed"),
        ("ECS went back", back, "failed"),
        ("somebody deployed", other, "superseded"),
        (
            "green bakes",
            at(under_way(BlueGreen, 2, 5), stage("BAKE_TIME", None)),
            "moving",
        ),
        (
            "green is taken back",
            at(under_way(BlueGreen, 2, 5), rolled_back),
            "failed",
        ),
        ("Classic: ECS says steady", steady(1), "steady"),
        ("Classic: steady before it", steady(60), "unproved"),
        ("Classic: nothing said", classic(2, 0, 5), "unproved"),
        ("Classic: tasks failed", crashing, "moving"),
        ("Classic: old tasks", classic(2, 1, 5), "moving"),
        ("Classic: no task is wanted", classic_none, "no tasks"),
    ] {
        let state = match rollout_state(&service, NEW, OLD) {
            RolloutState::Steady => "steady",
            RolloutState::NoTasks => "no tasks",
            RolloutState::Unproved(_) => "unproved",
            RolloutState::Moving(_) => "moving",
            RolloutState::Failed(_) => "failed",
            RolloutState::Superseded => "superseded",
        };
        assert_eq!(state, expected, "{name}");
    }
}

#[test]
fn what_is_under_way() {
    use Strategy::{BlueGreen, Rolling};
    let failing = |mut service: Service| {
        service.deployments[0].failed_tasks = 3;
        service
    };
    for (name, service, expected) in [
        ("rolling", under_way(Rolling, 1, 5), true),
        ("rolling, whose tasks fail", failing(under_way(Rolling, 0, 5)), false),
        ("blue/green", under_way(BlueGreen, 2, 5), true),
        (
            "blue/green, whose tasks fail",
            failing(under_way(BlueGreen, 0, 5)),
            true,
        ),
        ("Classic", classic(2, 2, 5), true),
        ("Classic, done", classic(2, 0, 5), false),
    ] {
        assert_eq!(is_under_way(&service), expected, "{name}");
    }
}
