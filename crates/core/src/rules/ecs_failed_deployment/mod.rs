#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{Traffic, each_service, late_since, patience, traffic};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{Deployment, DeploymentHistory, PastDeployment, Service, revision_name};

/// `ecs-failed-deployment`
pub struct EcsFailedDeployment;

static META: Meta = Meta {
    id: "ecs-failed-deployment",
    severity: Severity::High,
    summary: "a service's newest deployment failed, was rolled back, does not end, or left old tasks running",
    docs: include_str!("doc.md"),
    parameters: &["deployment_timeout"],
    reads: &[
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListServiceDeployments",
        "ecs:ListServices",
        "ecs:ListTasks",
        "tag:GetResources",
    ],
    caused_by: &["ecs-secret-reference-mismatch"],
    ..Meta::DEFAULT
};

/// How many reasons of stopped tasks are shown.
const REASONS: usize = 3;

impl Rule for EcsFailedDeployment {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_service(w, |service| {
            let primary = service.deployments.first()?;
            let subject = ResultSubject::Service(service);
            let history = w.snapshot.deployments.get(&service.arn);
            let known = history.and_then(|h| h.as_ref().ok());
            let unread = history.and_then(|h| h.as_ref().err());
            // Tasks of another revision matter once the deployment is done.
            let completed = primary.rollout_state.as_deref() == Some("COMPLETED");
            let unread = unread.or(service.unread_tasks.as_ref().filter(|_| completed));
            Some(match (failure(w, service, primary, known), unread) {
                (Some(failure), _) => RuleResult::fail(subject, &service.tags, failure),
                (None, Some(e)) => RuleResult::unknown(subject, &service.tags, e),
                (None, None) => RuleResult::pass(subject),
            })
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        let services = w.services().unwrap_or_default().iter();
        // Of the others ECS keeps no history.
        let deployed = services.filter(|s| s.deployment_controller == "ECS" && !s.deployments.is_empty());
        reads.deployments.extend(deployed.map(|s| s.arn.clone()));
    }
}

fn failure(
    w: &Workload<'_>,
    service: &Service,
    primary: &Deployment,
    history: Option<&DeploymentHistory>,
) -> Option<Failure> {
    let name = format!("{}/{}", service.cluster, service.name);
    let past = history.and_then(|h| h.newest.as_ref()).filter(|d| d.went_wrong());
    let (message, mut evidence) = match (primary.rollout_state.as_deref(), past) {
        (Some("FAILED"), _) | (_, None) => (of_primary(w, service, primary, &name)?, of_state(primary)),
        (_, Some(past)) => (of_past(service, past, &name), of_status(past)),
    };
    let revision = revision_name(&primary.task_definition);
    evidence.extend(
        left_behind(service)
            .into_iter()
            .map(|r| Evidence::new("taskDefinitionArn", r, revision)),
    );
    let of = past.and_then(|d| d.task_definition.as_ref());
    evidence.extend(history.map(|h| reasons(h, of)).unwrap_or_default());
    Some(Failure {
        severity: None,
        message,
        evidence,
        remedy: Remedy::manual(format!(
            "find out from the events and stopped tasks of {name} what keeps its tasks from running, mend it, and deploy again"
        )),
    })
}

/// What the deployments that the service lists say.
fn of_primary(w: &Workload<'_>, service: &Service, primary: &Deployment, name: &str) -> Option<String> {
    let revision = revision_name(&primary.task_definition);
    let reason = told(primary.rollout_reason.as_deref());
    let state = primary.rollout_state.as_deref();
    if state == Some("FAILED") {
        return Some(format!("the deployment of {revision} to {name} failed{reason}"));
    }
    if let Some(began) = late_since(service, w.params.deployment_timeout, w.now) {
        return Some(format!(
            "the deployment of {revision} to {name} is in progress since {began}: {} of {} tasks run, {} failed{reason}{}",
            primary.running_count,
            primary.desired_count,
            primary.failed_tasks,
            serving(service)
        ));
    }
    let left = left_behind(service);
    (state == Some("COMPLETED") && !left.is_empty() && !is_clearing_up(w, service, primary)).then(|| {
        format!(
            "{name} runs {revision} since its deployment completed, but tasks of {} still run beside it",
            left.join(", ")
        )
    })
}

/// Whether old tasks may still be there although the deployment was called successful.
fn is_clearing_up(w: &Workload<'_>, service: &Service, primary: &Deployment) -> bool {
    let allowed = patience(service, w.params.deployment_timeout);
    let since = primary.created_at;
    service.deployment_settings.early_success && since.is_some_and(|at| at + allowed >= w.now)
}

/// Which revision serves, where that is not the new one.
fn serving(service: &Service) -> String {
    match traffic(service) {
        Traffic::One(arn) if arn != service.task_definition => format!("; {} carries the traffic", revision_name(arn)),
        Traffic::Both(old, new) => format!("; {} and {} share the traffic", revision_name(old), revision_name(new)),
        Traffic::One(_) | Traffic::Unknown => String::new(),
    }
}

/// What ECS remembers of the newest deployment. The circuit breaker leaves a service steady, on the revision before.
fn of_past(service: &Service, past: &PastDeployment, name: &str) -> String {
    let what = match past.status.as_str() {
        "STOPPED" => "was stopped",
        "STOP_REQUESTED" => "is being stopped",
        "ROLLBACK_SUCCESSFUL" => "failed and was rolled back",
        "ROLLBACK_FAILED" => "failed, and so did its rollback",
        _ => "failed and is being rolled back",
    };
    let runs = revision_name(&service.task_definition);
    let of = match past.task_definition.as_deref().map(revision_name) {
        Some(revision) => format!("the deployment of {revision} to {name}"),
        None => format!("the newest deployment of {name}"),
    };
    let since = past
        .created_at
        .map(|at| format!(", begun at {at},"))
        .unwrap_or_default();
    format!("{of}{since} {what}{}; {runs} runs", told(past.reason.as_deref()))
}

fn told(reason: Option<&str>) -> String {
    let reason = reason.map(|r| r.trim_end_matches('.')).filter(|r| !r.is_empty());
    reason.map(|r| format!(" (ECS says: {r})")).unwrap_or_default()
}

fn of_state(primary: &Deployment) -> Vec<Evidence> {
    vec![
        Evidence::new("rolloutState", primary.rollout_state.as_deref(), "COMPLETED"),
        Evidence::new("runningCount", primary.running_count, primary.desired_count),
    ]
}

fn of_status(past: &PastDeployment) -> Vec<Evidence> {
    vec![Evidence::new(
        "serviceDeployments[0].status",
        past.status.as_str(),
        "SUCCESSFUL",
    )]
}

/// Why tasks stopped: those of the revision, where it is known.
fn reasons(history: &DeploymentHistory, of: Option<&String>) -> Vec<Evidence> {
    let tasks = history.stopped.iter();
    let tasks = tasks.filter(|t| of.is_none_or(|revision| t.task_definition == *revision));
    let mut reasons: Vec<&str> = vec![];
    for task in tasks {
        if !reasons.contains(&task.reason.as_str()) {
            reasons.push(&task.reason);
        }
    }
    let shown = reasons.into_iter().take(REASONS);
    shown
        .map(|reason| Evidence::new("stoppedReason", reason, "tasks that keep running"))
        .collect()
}

/// Other revisions with running tasks, by what deployments and tasks say.
fn left_behind(service: &Service) -> Vec<String> {
    let others = service.deployments.iter().skip(1);
    let of_deployments = others
        .filter(|d| d.running_count > 0 && d.task_definition != service.task_definition)
        .map(|d| &d.task_definition);
    let of_tasks = service.other_tasks.iter().filter(|(_, n)| **n > 0).map(|(arn, _)| arn);
    let mut names: Vec<String> = of_deployments
        .chain(of_tasks)
        .map(|arn| revision_name(arn).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}
