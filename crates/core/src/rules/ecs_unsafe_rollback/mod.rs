#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, Deregister};
use crate::facts::{Storage, each_running, untagged};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition, revision_name};
use crate::model::snapshot::{Read, ReadError};

/// `ecs-unsafe-rollback`
pub struct EcsUnsafeRollback;

static META: Meta = Meta {
    id: "ecs-unsafe-rollback",
    severity: Severity::High,
    summary: "a revision that a rollback would choose loses what was written since",
    docs: include_str!("doc.md"),
    parameters: &["datastore", "secret_env", "data_paths"],
    reads: &[
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:ListServiceDeployments",
        "ecs:ListServices",
        "tag:GetResources",
    ],
    writes: &["ecs:DeregisterTaskDefinition"],
    risk: Risk::None,
    corrects: false,
    ..Meta::DEFAULT
};

impl Rule for EcsUnsafeRollback {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| evaluate_service(w, service, definition))
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            if w.running(service)
                .is_ok_and(|definition| is_concerned(w, service, definition))
            {
                reads.rollback_targets.insert(service.arn.clone());
            }
        }
    }
}

/// Whether a service has something to lose by a rollback, and somewhere to roll back to.
fn is_concerned(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> bool {
    service.deployment_controller == "ECS"
        && (definition.revision > 1 || service.deployments.len() > 1)
        && w.data(service)
            .is_ok_and(|data| data.storage(None, "") == Storage::Kept)
}

fn evaluate_service<'a>(w: &Workload<'a>, service: &'a Service, definition: &TaskDefinition) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Service(service);
    if !is_concerned(w, service, definition) {
        return None;
    }
    Some(match unsafe_targets(w, service) {
        Err(e) => RuleResult::unknown(subject, &service.tags, &e),
        Ok(targets) if targets.is_empty() => RuleResult::pass(subject),
        Ok(targets) => RuleResult::fail(subject, &service.tags, failure(w, service, &targets)),
    })
}

type Unsafe<'a> = Vec<(&'a TaskDefinition, String)>;

/// Targets of a rollback that would lose data, and how.
fn unsafe_targets<'a>(w: &Workload<'a>, service: &Service) -> Read<Unsafe<'a>> {
    let targets = match w.snapshot.rollback_targets.get(&service.arn) {
        Some(Ok(targets)) => targets,
        Some(Err(e)) => return Err(Arc::clone(e)),
        None => return Err(not_read(&service.arn)),
    };
    let mut found = vec![];
    for arn in targets {
        let definition = match w.snapshot.task_definitions.get(arn) {
            Some(Ok(definition)) => definition,
            Some(Err(e)) => return Err(Arc::clone(e)),
            None => return Err(not_read(arn)),
        };
        if let Some(how) = w
            .data_of(service, definition)
            .loses_data(&service.task_definition)
            .filter(|_| definition.active)
        {
            found.push((definition.as_ref(), how));
        }
    }
    Ok(found)
}

fn not_read(resource: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ecs".into(),
        operation: "ListServiceDeployments".into(),
        resource: resource.to_owned(),
        code: "NotRead".into(),
        message: "what a rollback would choose was not read; the next sweep reads it".into(),
    })
}

fn failure(w: &Workload<'_>, service: &Service, targets: &Unsafe<'_>) -> Failure {
    let told: Vec<String> = targets
        .iter()
        .map(|(d, how)| format!("{}, which {how}", revision_name(&d.arn)))
        .collect();
    let names: Vec<&str> = targets.iter().map(|(d, _)| revision_name(&d.arn)).collect();
    Failure {
        severity: None,
        message: format!(
            "{}/{} would be rolled back to {}: what was written since would be lost",
            service.cluster,
            service.name,
            told.join("; ")
        ),
        evidence: targets
            .iter()
            .map(|(d, how)| {
                Evidence::new(
                    revision_name(&d.arn),
                    how.as_str(),
                    "a place for its data that outlives the task",
                )
            })
            .collect(),
        remedy: Remedy {
            summary: format!("deregister {}", names.join(", ")),
            actions: targets
                .iter()
                .map(|(d, _)| {
                    Action::Deregister(Deregister {
                        revision: d.arn.clone(),
                    })
                })
                .collect(),
            refused: targets.iter().find_map(|(d, _)| refusal(w, d)),
        },
    }
}

/// Why a revision may not be deregistered, if it may not.
fn refusal(w: &Workload<'_>, definition: &TaskDefinition) -> Option<HoldReason> {
    let name = revision_name(&definition.arn);
    untagged(w, name, &definition.tags).or_else(|| {
        let services = w.snapshot.services.iter().flat_map(|m| m.values());
        let user = services.into_iter().find(|s| {
            s.task_definition == definition.arn || s.deployments.iter().any(|d| d.task_definition == definition.arn)
        })?;
        Some(HoldReason::RevisionInUse {
            service: format!("{}/{}", user.cluster, user.name),
            revision: name.to_owned(),
        })
    })
}
