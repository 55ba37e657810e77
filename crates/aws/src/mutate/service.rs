//! Settings of a service, and revisions that must not come back.

use aws_sdk_ecs::types::{DeploymentCircuitBreaker, DeploymentConfiguration, Service};

use crate::client::{Api, Family};
use crate::inventory::{Collector, DESCRIBE_SERVICES};
use holdfast_core::action::ServiceSetting;
use holdfast_core::model::snapshot::Read;

pub(super) const UPDATE: Api = Api {
    service: "ecs",
    operation: "UpdateService",
    family: Family::EcsUpdate,
};
const DEREGISTER: Api = Api {
    service: "ecs",
    operation: "DeregisterTaskDefinition",
    family: Family::EcsRegister,
};

/// Changes one setting of a service. A field of the service that is not sent stays as it is; what stands beside the
/// circuit breaker in the deployment's configuration is sent along as it was read, so that it stays too.
pub(super) async fn set_up(c: &Collector<'_>, cluster: &str, service: &str, setting: ServiceSetting) -> Read<()> {
    let place = format!("{cluster}/{service}");
    let request = c.aws.ecs.update_service().cluster(cluster).service(service);
    let request = match setting {
        ServiceSetting::ExecuteCommand => request.enable_execute_command(true),
        ServiceSetting::CircuitBreaker => {
            let known = read(c, cluster, service).await?.deployment_configuration;
            let mut configuration = known.unwrap_or_else(|| DeploymentConfiguration::builder().build());
            let breaker = configuration
                .deployment_circuit_breaker
                .get_or_insert_with(|| DeploymentCircuitBreaker::builder().build());
            (breaker.enable, breaker.rollback) = (true, true);
            request.deployment_configuration(configuration)
        }
    };
    c.aws.call(UPDATE, &place, request.send()).await.map(drop)
}

/// Gives a service a revision to run.
pub(super) async fn update(c: &Collector<'_>, cluster: &str, service: &str, revision: &str) -> Read<()> {
    let request = c
        .aws
        .ecs
        .update_service()
        .cluster(cluster)
        .service(service)
        .task_definition(revision);
    let place = format!("{cluster}/{service}");
    c.aws.call(UPDATE, &place, request.send()).await.map(drop)
}

async fn read(c: &Collector<'_>, cluster: &str, service: &str) -> Read<Service> {
    let place = format!("{cluster}/{service}");
    let request = c.aws.ecs.describe_services().cluster(cluster).services(service);
    let answer = c.aws.call(DESCRIBE_SERVICES, &place, request.send()).await?;
    let first = answer.services.unwrap_or_default().into_iter().next();
    first.ok_or_else(|| {
        c.aws.error(
            DESCRIBE_SERVICES,
            &place,
            "MISSING",
            format!("{place} is gone; nothing was changed"),
        )
    })
}

/// Takes a revision out of use. It can still be described, and services that run it go on.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html>
pub(super) async fn deregister(c: &Collector<'_>, revision: &str) -> Read<()> {
    let request = c.aws.ecs.deregister_task_definition().task_definition(revision);
    c.aws.call(DEREGISTER, revision, request.send()).await.map(drop)
}
