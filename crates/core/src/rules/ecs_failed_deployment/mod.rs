#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::each_service;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{Deployment, Service, revision_name};

/// `ecs-failed-deployment`
pub struct EcsFailedDeployment;

static META: Meta = Meta {
    id: "ecs-failed-deployment",
    severity: Severity::High,
    summary: "a service's deployment failed, does not end, or left tasks of another revision running",
    docs: include_str!("doc.md"),
    parameters: &["deployment_timeout"],
    reads: &[
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTasks",
        "tag:GetResources",
    ],
    caused_by: &["ecs-secret-reference-mismatch"],
    ..Meta::DEFAULT
};

impl Rule for EcsFailedDeployment {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_service(w, |service| {
            let primary = service.deployments.first()?;
            let subject = ResultSubject::Service(service);
            Some(match (failure(w, service, primary), &service.unread_tasks) {
                (Some(failure), _) => RuleResult::fail(subject, &service.tags, failure),
                (None, Some(e)) if primary.rollout_state.as_deref() == Some("COMPLETED") => {
                    RuleResult::unknown(subject, &service.tags, e)
                }
                (None, _) => RuleResult::pass(subject),
            })
        })
    }
}

fn failure(w: &Workload<'_>, service: &Service, primary: &Deployment) -> Option<Failure> {
    let state = primary.rollout_state.as_deref();
    if state == Some("COMPLETED") && left_behind(service).is_empty() {
        return None;
    }
    let name = format!("{}/{}", service.cluster, service.name);
    let revision = revision_name(&primary.task_definition);
    let reason = primary
        .rollout_reason
        .as_ref()
        .map(|r| format!(" (ECS says: {})", r.trim_end_matches('.')))
        .unwrap_or_default();
    let message = match state {
        Some("FAILED") => format!("the deployment of {revision} to {name} failed{reason}"),
        Some("IN_PROGRESS") => {
            let began = primary.created_at?;
            if began + w.params.deployment_timeout >= w.now {
                return None;
            }
            format!(
                "the deployment of {revision} to {name} is in progress since {began}: {} of {} tasks run, {} failed{reason}",
                primary.running_count, primary.desired_count, primary.failed_tasks
            )
        }
        Some("COMPLETED") => format!(
            "{name} runs {revision} since its deployment completed, but tasks of {} still run beside it",
            left_behind(service).join(", ")
        ),
        _ => return None,
    };
    let mut evidence = vec![
        Evidence::new("rolloutState", state, "COMPLETED"),
        Evidence::new("runningCount", primary.running_count, primary.desired_count),
    ];
    evidence.extend(
        left_behind(service)
            .into_iter()
            .map(|r| Evidence::new("taskDefinitionArn", r, revision)),
    );
    Some(Failure {
        severity: None,
        message,
        evidence,
        remedy: Remedy::manual(format!(
            "find out from the events and stopped tasks of {name} what keeps its tasks from running, mend it, and deploy again"
        )),
    })
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
