#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, ServiceSetting, SetUpService};
use crate::facts::{each_service, rollout_refusal};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Access, AccessTarget, Service, TaskDefinition, revision_name};
use crate::model::snapshot::ReadError;

/// `ecs-exec-disabled`
pub struct EcsExecDisabled;

static META: Meta = Meta {
    id: "ecs-exec-disabled",
    severity: Severity::Low,
    enabled: false,
    summary: "nobody can get into a service's running containers to rescue data",
    docs: include_str!("doc.md"),
    reads: &[
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:ListServices",
        "iam:SimulatePrincipalPolicy",
        "tag:GetResources",
    ],
    writes: &["ecs:UpdateService"],
    risk: Risk::Brief,
    ..Meta::DEFAULT
};

impl Rule for EcsExecDisabled {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_service(w, |service| {
            let subject = ResultSubject::Service(service);
            let role = match w.running(service) {
                Ok(definition) => role(w, definition),
                Err(e) => Err(e),
            };
            Some(match role {
                Ok(None) if service.exec_enabled => RuleResult::pass(subject),
                Err(e) if service.exec_enabled => RuleResult::unknown(subject, &service.tags, &e),
                role => {
                    let lack = role.as_ref().ok().and_then(Option::as_ref);
                    RuleResult::fail(subject, &service.tags, failure(w, service, lack))
                }
            })
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            if let Ok(TaskDefinition {
                task_role: Some(role), ..
            }) = w.running(service)
            {
                reads.may(role, AccessTarget::EcsExec);
            }
        }
    }
}

/// The permissions that the task role does not have, as far as is known.
fn role(w: &Workload<'_>, definition: &TaskDefinition) -> Result<Option<HoldReason>, Arc<ReadError>> {
    let Some(role) = &definition.task_role else {
        let revision = revision_name(&definition.arn).to_owned();
        return Ok(Some(HoldReason::NoTaskRole(revision)));
    };
    match w.snapshot.access.get(&(role.clone(), AccessTarget::EcsExec)) {
        Some(Ok(Access::Denied { missing })) => Ok(Some(HoldReason::TaskRoleDenied {
            role: role.clone(),
            missing: missing.clone(),
        })),
        Some(Ok(Access::NoRole)) => Ok(Some(HoldReason::TaskRoleMissing(role.clone()))),
        Some(Err(e)) => Err(Arc::clone(e)),
        Some(Ok(Access::Allowed | Access::AllowedHere { .. })) | None => Ok(None),
    }
}

fn failure(w: &Workload<'_>, service: &Service, lack: Option<&HoldReason>) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let flag = (!service.exec_enabled).then(|| "enableExecuteCommand is off".to_owned());
    let told: Vec<String> = flag.into_iter().chain(lack.map(ToString::to_string)).collect();
    let mut evidence = vec![Evidence::new("enableExecuteCommand", service.exec_enabled, true)];
    evidence.extend(lack.map(|l| Evidence::new("taskRoleArn", l.to_string(), "a role that may use ssmmessages")));
    let act = vec![Action::SetUpService(SetUpService {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        setting: ServiceSetting::ExecuteCommand,
    })];
    let remedy = match (service.exec_enabled, lack) {
        (true, _) => Remedy::manual(format!("let the task role of {name} use ssmmessages")),
        (false, None) => Remedy {
            summary: format!("set enableExecuteCommand on {name}"),
            actions: act,
            refused: rollout_refusal(w, service),
        },
        // The switch alone would promise what the role does not keep.
        (false, Some(lack)) => Remedy::refuse(format!("set enableExecuteCommand on {name}"), act, lack.clone()),
    };
    Failure {
        severity: None,
        message: format!("nobody can get into the containers of {name}: {}", told.join("; ")),
        evidence,
        remedy,
    }
}
