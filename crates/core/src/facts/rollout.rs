//! The corrections that give a service another revision, and the reasons to hold them.

use super::deployments::is_under_way;
use super::secrets::{ask_to_read, readable_as};
use super::workload::{Workload, untagged};
use crate::action::{Action, RollOut, SecretChange};
use crate::model::follow_up_reads::FollowUpReads;
use crate::model::hold::HoldReason;
use crate::model::resources::{Access, Service, Strategy, TaskDefinition, revision_name};
use crate::rule_result::{Remedy, RuleResult};

/// The IAM actions of a rollout.
pub const ROLLOUT_WRITES: &[&str] = &[
    "ecs:DeregisterTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ecs:StopServiceDeployment",
    "ecs:TagResource",
    "ecs:UpdateService",
    "iam:PassRole",
];

/// The correction that gives a service other references, unless the service is not in a state to be changed.
#[must_use]
pub fn roll_out(w: &Workload<'_>, service: &Service, summary: String, changes: Vec<SecretChange>) -> Remedy {
    let refused = rollout_refusal(w, service).or_else(|| unreadable(w, service, &changes));
    let action = Action::RollOut(RollOut {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        base: service.task_definition.clone(),
        changes,
    });
    Remedy {
        summary,
        actions: vec![action],
        refused,
    }
}

/// The reason to hold a rollout, if the tasks are known to have no permission to read what `changes` refer to.
///
/// Only a proven denial holds it. If the simulator could not be asked, or IAM has no such role, the rollout goes on: a
/// task that can't fetch its secret does not start, the deployment does not become steady in time, and the rollout is
/// reverted. Holding it would leave a service without its database because of a missing permission that only this check
/// needs.
fn unreadable(w: &Workload<'_>, service: &Service, changes: &[SecretChange]) -> Option<HoldReason> {
    let definition = w.running(service).ok()?;
    let Some(role) = &definition.execution_role else {
        return Some(no_execution_role(definition));
    };
    changes.iter().find_map(|change| {
        let resource = readable_as(w, &change.after).ok()??;
        match w.snapshot.access.get(&(role.clone(), resource.into_owned().into())) {
            Some(Ok(Access::Denied { missing })) => Some(HoldReason::ExecutionRoleDenied {
                role: role.clone(),
                missing: missing.clone(),
            }),
            _ => None,
        }
    })
}

/// The reason for which a revision can't get a secret.
#[must_use]
pub fn no_execution_role(definition: &TaskDefinition) -> HoldReason {
    HoldReason::NoExecutionRole(revision_name(&definition.arn).to_owned())
}

/// The reason to hold another revision of a service, if there is one.
#[must_use]
pub fn rollout_refusal(w: &Workload<'_>, service: &Service) -> Option<HoldReason> {
    setting_refusal(w, service).or_else(|| base_refusal(w, service))
}

/// The reason to hold any change of a service, if there is one.
#[must_use]
pub fn setting_refusal(w: &Workload<'_>, service: &Service) -> Option<HoldReason> {
    let name = format!("{}/{}", service.cluster, service.name);
    if service.deployment_controller != "ECS" {
        return Some(HoldReason::DeployedByOthers {
            service: name,
            controller: service.deployment_controller.clone(),
        });
    }
    let settings = &service.deployment_settings;
    if settings.express {
        return Some(HoldReason::ExpressService(name));
    }
    if let Strategy::Unknown(strategy) = &settings.strategy {
        return Some(HoldReason::StrategyUnknown {
            service: name,
            strategy: strategy.clone(),
        });
    }
    if let Some(why) = untagged(w, &name, &service.tags) {
        return Some(why);
    }
    if !service.unknown_fields.is_empty() {
        return Some(HoldReason::UnknownFields {
            resource: name,
            fields: service.unknown_fields.clone(),
        });
    }
    is_under_way(service).then_some(HoldReason::DeploymentUnderWay(name))
}

/// The reason to hold a revision made of the running one, or one that might have to go back to it.
fn base_refusal(w: &Workload<'_>, service: &Service) -> Option<HoldReason> {
    // A revision that can't be read leads to no correction.
    let definition = w.running(service).ok()?;
    let revision = revision_name(&definition.arn).to_owned();
    if !definition.active {
        return Some(HoldReason::BaseInactive {
            service: format!("{}/{}", service.cluster, service.name),
            revision,
        });
    }
    (!definition.unknown_fields.is_empty()).then(|| HoldReason::UnknownFields {
        resource: revision,
        fields: definition.unknown_fields.clone(),
    })
}

/// Asks whether the execution roles may read what rollouts among `results` would have them read.
pub fn ask_to_roll_out(w: &Workload<'_>, results: Vec<RuleResult<'_>>, reads: &mut FollowUpReads) {
    for action in results.into_iter().flat_map(RuleResult::actions) {
        let Action::RollOut(RollOut { base, changes, .. }) = action else {
            continue;
        };
        if let Some(Ok(definition)) = w.snapshot.task_definitions.get(&base) {
            for change in &changes {
                ask_to_read(w, definition, &change.after, reads);
            }
        }
    }
}
