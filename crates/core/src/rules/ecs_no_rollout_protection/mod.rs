#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, ServiceSetting, SetUpService};
use crate::facts::{each_service, setting_refusal};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, Strategy};

/// `ecs-no-rollout-protection`
pub struct EcsNoRolloutProtection;

static META: Meta = Meta {
    id: "ecs-no-rollout-protection",
    severity: Severity::Medium,
    summary: "a service is deployed without a circuit breaker that rolls back",
    docs: include_str!("doc.md"),
    reads: &[
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices",
        "tag:GetResources",
    ],
    writes: &["ecs:UpdateService"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

impl Rule for EcsNoRolloutProtection {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_service(w, |service| {
            if !is_rolling(service) {
                return None;
            }
            let subject = ResultSubject::Service(service);
            Some(if service.circuit_breaker && service.circuit_breaker_rollback {
                RuleResult::pass(subject)
            } else {
                RuleResult::fail(subject, &service.tags, failure(w, service))
            })
        })
    }
}

/// Whether ECS itself replaces the tasks, a few at a time, by settings that are the owner's to make. Where traffic is
/// shifted the old revision stays until the new one is proved.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>
fn is_rolling(service: &Service) -> bool {
    let settings = &service.deployment_settings;
    service.deployment_controller == "ECS" && settings.strategy == Strategy::Rolling && !settings.express
}

fn failure(w: &Workload<'_>, service: &Service) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let lack = if service.circuit_breaker {
        "its deployment circuit breaker does not roll back"
    } else {
        "its deployment circuit breaker is off"
    };
    let alarms = if service.alarm_rollback {
        " (its alarms roll back, but say nothing of tasks that never start)"
    } else {
        ""
    };
    let refused = setting_refusal(w, service).or_else(|| {
        service
            .classic_balancer
            .then(|| HoldReason::ClassicLoadBalancer(name.clone()))
    });
    Failure {
        severity: None,
        message: format!("{name} would keep starting tasks of a revision that fails: {lack}{alarms}"),
        evidence: vec![
            Evidence::new("deploymentCircuitBreaker.enable", service.circuit_breaker, true),
            Evidence::new(
                "deploymentCircuitBreaker.rollback",
                service.circuit_breaker_rollback,
                true,
            ),
        ],
        remedy: Remedy {
            summary: format!("switch the deployment circuit breaker of {name} on, with rollback"),
            actions: vec![Action::SetUpService(SetUpService {
                cluster: service.cluster.clone(),
                service: service.name.clone(),
                setting: ServiceSetting::CircuitBreaker,
            })],
            refused,
        },
    }
}
