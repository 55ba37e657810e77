//! What ECS says of a service's deployments beside the service itself: how far one has come, how the newest ended, and why
//! its tasks stopped.

use std::sync::Arc;

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::types::{
    DeploymentLifecycleHookStatus, DeploymentLifecycleHookTargetType, DesiredStatus, ServiceDeployment,
    ServiceDeploymentBrief, Task,
};
use holdfast_core::model::resources::{DeploymentHistory, DeploymentProgress, PastDeployment, Service, StoppedTask};
use holdfast_core::model::snapshot::Read;

use super::collector::Collector;
use super::convert::instant;
use super::tasks::{DESCRIBE_TASKS, LIST_TASKS};
use crate::client::{Api, Family};

const fn api(operation: &'static str) -> Api {
    Api {
        service: "ecs",
        operation,
        family: Family::EcsDeployments,
    }
}
const LIST: Api = api("ListServiceDeployments");
const DESCRIBE: Api = api("DescribeServiceDeployments");
pub(super) const REVISIONS: Api = api("DescribeServiceRevisions");

/// How many deployments are asked for: far more than are looked at, since most deploy one revision again.
const DEPLOYMENTS: i32 = 100;
/// `ListServiceDeployments` is younger than some endpoints that stand in for AWS: it is not worth four attempts.
const ATTEMPTS: u32 = 2;
/// Longest reason that is kept of a stopped task, in characters.
const LONGEST_REASON: usize = 300;

/// Adds how far a deployment has come, where the service itself does not tell: one that shifts traffic, or that may be
/// paused.
pub(super) async fn add_progress(c: &Collector<'_>, service: &mut Service) {
    let settings = &service.deployment_settings;
    let is_told = !settings.strategy.shifts_traffic() && !settings.hooks.iter().any(|h| h.pauses);
    let primary = service.deployments.first();
    let open = primary.is_some_and(|d| d.rollout_state.as_deref() == Some("IN_PROGRESS"));
    let (false, true, Some(arn)) = (is_told, open, service.service_deployment.clone()) else {
        return;
    };
    let request = c.aws.ecs.describe_service_deployments().service_deployment_arns(&arn);
    match c.aws.call(DESCRIBE, &service.arn, request.send()).await {
        Ok(answer) => service.progress = answer.service_deployments().first().map(progress),
        Err(e) => service.unread_progress = Some(e),
    }
}

fn progress(d: &ServiceDeployment) -> DeploymentProgress {
    let pause = d.lifecycle_hook_details().iter().find(|hook| {
        hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause)
            && hook.status() == Some(&DeploymentLifecycleHookStatus::AwaitingAction)
    });
    let target = d.target_service_revision();
    DeploymentProgress {
        arn: d.service_deployment_arn().unwrap_or_default().to_owned(),
        status: d.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        stage: d.lifecycle_stage().map(|s| s.as_str().to_owned()),
        shifted_percent: target.and_then(|t| t.requested_production_traffic_weight),
        paused: pause.is_some(),
        paused_until: pause.and_then(|hook| instant(hook.expires_at()?)),
    }
}

/// Deployments of whatever end, the newest first. ECS remembers them for 90 days.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>
pub(super) async fn list(c: &Collector<'_>, service: &Service) -> Read<Vec<ServiceDeploymentBrief>> {
    c.progress.more(1);
    let retries = aws_sdk_ecs::config::Builder::new().retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    let request = c
        .aws
        .ecs
        .list_service_deployments()
        .cluster(&service.cluster)
        .service(&service.arn)
        .max_results(DEPLOYMENTS)
        .customize()
        .config_override(retries);
    let answer = c.aws.call(LIST, &service.arn, request.send()).await;
    c.progress.done(1);
    let mut deployments = answer?.service_deployments.unwrap_or_default();
    deployments.sort_by_key(|d| std::cmp::Reverse(d.created_at.as_ref().and_then(instant)));
    Ok(deployments)
}

/// How the newest of `deployments` ended; and where one went wrong, of which revision it was and why tasks stopped.
pub(super) async fn history(
    c: &Collector<'_>,
    service: &Service,
    deployments: &[ServiceDeploymentBrief],
) -> Read<DeploymentHistory> {
    let mut history = DeploymentHistory {
        newest: deployments.first().map(past),
        ..DeploymentHistory::default()
    };
    let wrong = history.newest.as_mut().filter(|d| d.went_wrong());
    let is_wrong = wrong.is_some();
    if let (Some(newest), Some(revision)) = (wrong, deployments.first().and_then(|d| d.target_service_revision_arn())) {
        let request = c.aws.ecs.describe_service_revisions().service_revision_arns(revision);
        let answer = c.aws.call(REVISIONS, &service.arn, request.send()).await?;
        newest.task_definition = answer
            .service_revisions()
            .first()
            .and_then(|r| r.task_definition.clone());
    }
    let failing = service
        .deployments
        .first()
        .is_some_and(|d| d.rollout_state.as_deref() == Some("FAILED") || d.failed_tasks > 0);
    if is_wrong || failing {
        match stopped(c, service).await {
            Ok(tasks) => history.stopped = tasks,
            Err(e) => history.unread_stopped = Some(Arc::clone(&e)),
        }
    }
    Ok(history)
}

fn past(d: &ServiceDeploymentBrief) -> PastDeployment {
    PastDeployment {
        arn: d.service_deployment_arn().unwrap_or_default().to_owned(),
        status: d.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: d.status_reason().filter(|r| !r.is_empty()).map(str::to_owned),
        task_definition: None,
        created_at: d.created_at().and_then(instant),
    }
}

/// The service's stopped tasks, the newest first. ECS forgets them after about an hour.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html>
async fn stopped(c: &Collector<'_>, service: &Service) -> Read<Vec<StoppedTask>> {
    let request = c
        .aws
        .ecs
        .list_tasks()
        .cluster(&service.cluster)
        .service_name(&service.name)
        .desired_status(DesiredStatus::Stopped)
        .max_results(100);
    let arns = c.aws.call(LIST_TASKS, &service.arn, request.send()).await?.task_arns;
    let Some(arns) = arns.filter(|arns| !arns.is_empty()) else {
        return Ok(vec![]);
    };
    let request = c
        .aws
        .ecs
        .describe_tasks()
        .cluster(&service.cluster)
        .set_tasks(Some(arns));
    let answer = c.aws.call(DESCRIBE_TASKS, &service.arn, request.send()).await?;
    let mut tasks = answer.tasks.unwrap_or_default();
    tasks.sort_by_key(|t| std::cmp::Reverse(t.stopped_at.as_ref().and_then(instant)));
    Ok(tasks.iter().filter_map(stopped_task).collect())
}

/// ECS's words about a task, and about the containers that did not end well.
fn stopped_task(task: &Task) -> Option<StoppedTask> {
    let of_containers = task.containers().iter().filter_map(|c| {
        let name = c.name()?;
        match (c.reason().filter(|r| !r.is_empty()), c.exit_code) {
            (Some(reason), _) => Some(format!("{name}: {reason}")),
            (None, Some(code)) if code != 0 => Some(format!("{name}: exit code {code}")),
            (None, _) => None,
        }
    });
    let containers: Vec<String> = of_containers.collect();
    let reason = task.stopped_reason().or_else(|| task.stop_code().map(|c| c.as_str()))?;
    let reason = if containers.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason} ({})", containers.join("; "))
    };
    Some(StoppedTask {
        task_definition: task.task_definition_arn()?.to_owned(),
        reason: reason.chars().take(LONGEST_REASON).collect(),
    })
}

/// Whether the end of a deployment may be relied on: what went wrong may be mended, and what is under way may yet.
pub(super) fn is_settled(history: &DeploymentHistory) -> bool {
    history.newest.as_ref().is_none_or(|d| d.status == "SUCCESSFUL")
}
