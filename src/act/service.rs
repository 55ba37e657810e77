//! Settings of a service, and revisions that must not come back.

use aws_sdk_ecs::types::{DeploymentCircuitBreaker, DeploymentConfiguration};

use super::rollout;
use crate::aws::{Api, Family};
use crate::collect::Collector;
use crate::model::remediation::ServiceSetting;
use crate::model::snapshot::Seen;

const DEREGISTER: Api = Api {
    service: "ecs",
    operation: "DeregisterTaskDefinition",
    family: Family::EcsUpdate,
};

/// Changes one setting of a service; nothing else of it is sent, so nothing else changes.
pub(super) async fn set_up(c: &Collector<'_>, cluster: &str, service: &str, setting: ServiceSetting) -> Seen<()> {
    let name = format!("{cluster}/{service}");
    let request = c.aws.ecs.update_service().cluster(cluster).service(service);
    let request = match setting {
        ServiceSetting::ExecuteCommand => request.enable_execute_command(true),
        ServiceSetting::CircuitBreaker => {
            let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
            request.deployment_configuration(
                DeploymentConfiguration::builder()
                    .deployment_circuit_breaker(breaker)
                    .build(),
            )
        }
    };
    c.aws.call(rollout::UPDATE, &name, request.send()).await.map(drop)
}

/// Takes a revision out of use. It can still be described, and services that run it go on.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html>
pub(super) async fn deregister(c: &Collector<'_>, revision: &str) -> Seen<()> {
    let request = c.aws.ecs.deregister_task_definition().task_definition(revision);
    c.aws.call(DEREGISTER, revision, request.send()).await.map(drop)
}
