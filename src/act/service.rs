//! Settings of a service, and revisions that must not come back.

use aws_sdk_ecs::types::{DeploymentCircuitBreaker, DeploymentConfiguration};

use super::rollout::{self, Place};
use crate::aws::{Api, Family};
use crate::collect::Collector;
use crate::model::remediation::ServiceSetting;
use crate::model::snapshot::Seen;

const DEREGISTER: Api = Api {
    service: "ecs",
    operation: "DeregisterTaskDefinition",
    family: Family::EcsRegister,
};

/// Changes one setting of a service. A field of the service that is not sent stays as it is; what stands beside the
/// circuit breaker in the deployment's configuration is sent along as it was read, so that it stays too.
pub(super) async fn set_up(c: &Collector<'_>, cluster: &str, service: &str, setting: ServiceSetting) -> Seen<()> {
    let place = Place { cluster, service };
    let request = c.aws.ecs.update_service().cluster(cluster).service(service);
    let request = match setting {
        ServiceSetting::ExecuteCommand => request.enable_execute_command(true),
        ServiceSetting::CircuitBreaker => {
            let known = rollout::read(c, &place).await?.deployment_configuration;
            let mut configuration = known.unwrap_or_else(|| DeploymentConfiguration::builder().build());
            let breaker = configuration
                .deployment_circuit_breaker
                .get_or_insert_with(|| DeploymentCircuitBreaker::builder().build());
            (breaker.enable, breaker.rollback) = (true, true);
            request.deployment_configuration(configuration)
        }
    };
    c.aws
        .call(rollout::UPDATE, &place.name(), request.send())
        .await
        .map(drop)
}

/// Takes a revision out of use. It can still be described, and services that run it go on.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html>
pub(super) async fn deregister(c: &Collector<'_>, revision: &str) -> Seen<()> {
    let request = c.aws.ecs.deregister_task_definition().task_definition(revision);
    c.aws.call(DEREGISTER, revision, request.send()).await.map(drop)
}
