//! What `ecs-failed-deployment` says, and of what it says nothing.

use jiff::SignedDuration;

use crate::model::resources::{DeploymentHistory, DeploymentProgress, PastDeployment, StoppedTask, Strategy};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::services::{BEFORE, second, state};
use crate::rules::testing::workload::{SERVICE, denied, now, service};
use crate::rules::testing::{Case, Cases, Change, Unread, finding_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a failed deployment", |s| state(s, "FAILED", 5)),
        Case::new("a deployment without end", |s| state(s, "IN_PROGRESS", 31)),
        Case::new("old tasks by deployments", |s| second(s, 1)),
        Case::new("old tasks by tasks", |s| { service(s).other_tasks.insert(BEFORE.into(), 1); }),
        Case::new("rolled back by the breaker, and steady since", |s| newest(s, "ROLLBACK_SUCCESSFUL")),
        Case::new("stopped", |s| newest(s, "STOPPED")),
        Case::new("a rollback that failed", |s| newest(s, "ROLLBACK_FAILED")),
        Case::new("a bake that ended long ago", |s| blue_green(s, 91)),
        Case::new("old tasks long after an early success", |s| { early(s, 24 * 60); second(s, 1); }),
        Case::new("behind a Classic Load Balancer, old tasks stay", |s| { second(s, 1); classic(s, 31); }),
    ],
    passing: &[
        Case::new("a deployment under way", |s| state(s, "IN_PROGRESS", 29)),
        Case::new("a deployment under way, and tasks that can't be read", |s| { state(s, "IN_PROGRESS", 29); second(s, 1); service(s).unread_tasks = Some(denied("ListTasks")); }),
        Case::new("another deployment without tasks", |s| second(s, 0)),
        Case::new("no deployment known", |s| service(s).deployments.clear()),
        Case::new("another controller's deployment", |s| service(s).deployments[0].rollout_state = None),
        Case::new("the newest was successful", |s| newest(s, "SUCCESSFUL")),
        Case::new("ECS remembers none", |s| { s.deployments.insert(SERVICE.into(), Ok(DeploymentHistory::default())); }),
        Case::new("blue/green bakes for an hour", |s| blue_green(s, 40)),
        Case::new("a pause", |s| { blue_green(s, 9_000); service(s).progress = Some(paused()); }),
        Case::new("old tasks right after an early success", |s| { early(s, 10); second(s, 1); }),
        Case::new("behind a Classic Load Balancer", |s| classic(s, 5_000)),
        Case::new("no task is wanted", |s| { service(s).desired_count = 0; service(s).deployments[0].desired_count = 0; service(s).deployments[0].running_count = 0; }),
    ],
    unknown: &[
        Case::new("whether old tasks still run", |s| { second(s, 0); service(s).unread_tasks = Some(denied("ListTasks")); }),
        Case::new("how the newest deployment ended", |s| { s.deployments.insert(SERVICE.into(), Err(denied("ListServiceDeployments"))); }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService],
};

fn newest(s: &mut Snapshot, status: &str) {
    let newest = PastDeployment {
        status: status.into(),
        reason: Some("Service deployment rolled back because the circuit breaker threshold was exceeded.".into()),
        task_definition: Some("arn:aws:ecs:us-east-1:123456789012:task-definition/shop:3".into()),
        ..PastDeployment::default()
    };
    let history = DeploymentHistory {
        newest: Some(newest),
        ..DeploymentHistory::default()
    };
    s.deployments.insert(SERVICE.into(), Ok(history));
}

/// A green revision under way for that long, beside the blue one, with a bake of an hour.
fn blue_green(s: &mut Snapshot, minutes: i64) {
    second(s, 1);
    state(s, "IN_PROGRESS", minutes);
    let settings = &mut service(s).deployment_settings;
    (settings.strategy, settings.bake_minutes, settings.shifts) = (Strategy::BlueGreen, 60, 1);
}

fn paused() -> DeploymentProgress {
    DeploymentProgress {
        status: "IN_PROGRESS".into(),
        paused: true,
        paused_until: Some(now() + SignedDuration::from_hours(1)),
        ..DeploymentProgress::default()
    }
}

fn early(s: &mut Snapshot, minutes: i64) {
    state(s, "COMPLETED", minutes);
    service(s).deployment_settings.early_success = true;
}

fn classic(s: &mut Snapshot, minutes: i64) {
    state(s, "IN_PROGRESS", minutes);
    service(s).classic_balancer = true;
    for deployment in &mut service(s).deployments {
        deployment.rollout_state = None;
    }
}

/// A rollback leaves the service steady: the finding says what was rolled back, what runs, and what ended the tasks.
#[test]
fn a_rollback_is_told_with_the_reason_of_its_tasks() {
    let change: Change = |s| {
        newest(s, "ROLLBACK_SUCCESSFUL");
        let stopped = |revision: &str, reason: &str| StoppedTask {
            task_definition: format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{revision}"),
            reason: reason.into(),
        };
        let history = s.deployments.get_mut(SERVICE).expect("there").as_mut().expect("read");
        history.stopped = vec![
            stopped("shop:3", "Essential container in task exited (web: exit code 1)"),
            stopped("shop:3", "Essential container in task exited (web: exit code 1)"),
            stopped("shop:2", "Scaling activity initiated by deployment"),
        ];
    };
    let finding = finding_by(change, "ecs-failed-deployment");
    assert_eq!(
        finding.message,
        "the deployment of shop:3 to main/shop failed and was rolled back (ECS says: Service deployment rolled back \
         because the circuit breaker threshold was exceeded); shop:2 runs"
    );
    let told: Vec<(&str, &str)> = finding
        .evidence
        .iter()
        .map(|e| (e.field.as_str(), e.observed.as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            ("serviceDeployments[0].status", "ROLLBACK_SUCCESSFUL"),
            ("stoppedReason", "Essential container in task exited (web: exit code 1)"),
        ]
    );
}

/// A late deployment says which revision serves meanwhile.
#[test]
fn a_late_deployment_tells_who_serves() {
    let change: Change = |s| {
        blue_green(s, 500);
        service(s).progress = Some(DeploymentProgress {
            status: "IN_PROGRESS".into(),
            stage: Some("POST_TEST_TRAFFIC_SHIFT".into()),
            ..DeploymentProgress::default()
        });
    };
    let finding = finding_by(change, "ecs-failed-deployment");
    assert!(
        finding.message.ends_with("; shop:1 carries the traffic"),
        "{}",
        finding.message
    );
}
