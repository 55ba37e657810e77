//! `UpdateService`, and the revisions of task definitions that Holdfast registers and deregisters.

use std::time::Duration;

use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionOutput;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    DeploymentCircuitBreaker, DeploymentConfiguration, Secret, Service, StopServiceDeploymentStopType, Tag,
    TaskDefinition, TaskDefinitionField,
};
use aws_smithy_types::retry::RetryConfig;
use holdfast_core::action::{SecretChange, ServiceSetting};
use holdfast_core::model::read_error::{NOT_SENT, is_throttled};
use holdfast_core::model::snapshot::Read;
use holdfast_core::model::tags::Tags;

use crate::client::{Api, Family};
use crate::inventory::{
    Collector, DESCRIBE_SERVICES, DESCRIBE_TASK_DEFINITION, Fields, KeepFields, is_active, lost_by, registration,
};

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
const REGISTER: Api = Api {
    service: "ecs",
    operation: "RegisterTaskDefinition",
    family: Family::EcsRegister,
};
const STOP: Api = Api {
    service: "ecs",
    operation: "StopServiceDeployment",
    family: Family::EcsUpdate,
};
/// The tag that names the attempt which registered a revision, behind the configured prefix.
const ATTEMPT: &str = "attempt";
/// Between attempts that were throttled: as many as the SDK makes of other calls, within the time that one write may take.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// Revisions looked through for one that an attempt registered: others register too, but not that fast.
const REVISIONS: i32 = 50;

/// Changes one setting of a service. A field of the service that is not sent stays as it is; the rest of
/// the deployment's configuration is sent as it was read, so that it stays too.
pub(super) async fn set_up(c: &Collector<'_>, cluster: &str, service: &str, setting: ServiceSetting) -> Read<()> {
    let place = format!("{cluster}/{service}");
    let request = c.aws.ecs.update_service().cluster(cluster).service(service);
    let request = match setting {
        ServiceSetting::ExecuteCommand => request.enable_execute_command(true),
        ServiceSetting::CircuitBreaker => {
            let (described, fields) = read(c, cluster, service).await?;
            // What is not known would not be sent along.
            let unknown = fields.without(&Fields::of(&described));
            if let Some(field) = unknown.iter().find(|path| path.starts_with("deploymentConfiguration")) {
                let message = format!("{place}: this version of Holdfast does not know {field}; nothing was changed");
                return Err(c.aws.error(UPDATE, &place, NOT_SENT, message));
            }
            let known = described.deployment_configuration;
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

/// Replaces the tasks of a service by others of the same revision.
pub(super) async fn redeploy(c: &Collector<'_>, cluster: &str, service: &str) -> Read<()> {
    let request = c.aws.ecs.update_service().cluster(cluster).service(service);
    let place = format!("{cluster}/{service}");
    c.aws
        .call(UPDATE, &place, request.force_new_deployment(true).send())
        .await
        .map(drop)
}

/// The service as AWS describes it, and all fields of that.
async fn read(c: &Collector<'_>, cluster: &str, service: &str) -> Read<(Service, Fields)> {
    let place = format!("{cluster}/{service}");
    let kept = KeepFields::default();
    let request = c.aws.ecs.describe_services().cluster(cluster).services(service);
    let request = request.customize().interceptor(kept.clone());
    let answer = c.aws.call(DESCRIBE_SERVICES, &place, request.send()).await?;
    let first = answer.services.unwrap_or_default().into_iter().next();
    let first = first.map(|service| (service, kept.take().get("services").at(0).clone()));
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

/// Rolls a deployment back that is under way.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html>
pub(super) async fn stop(c: &Collector<'_>, deployment: &str) -> Read<()> {
    let request = c.aws.ecs.stop_service_deployment().service_deployment_arn(deployment);
    let request = request.stop_type(StopServiceDeploymentStopType::Rollback);
    c.aws.call(STOP, deployment, request.send()).await.map(drop)
}

/// ARN of the revision of `base`'s family that was registered for `attempt`: it is newer than `base`.
pub(crate) async fn registered(c: &Collector<'_>, base: &str, attempt: &str) -> Read<Option<String>> {
    let Some((family, from)) = base
        .rsplit_once(':')
        .and_then(|(f, r)| Some((f, r.parse::<i32>().ok()?)))
    else {
        return Ok(None);
    };
    let newest = c.definition(family.rsplit('/').next().unwrap_or(family)).await?;
    let key = format!("{}{ATTEMPT}", c.config.tag_prefix);
    let is_ours = |tags: &Tags| tags.0.get(&key).is_some_and(|v| v == attempt);
    if newest.revision > from && is_ours(&newest.tags) {
        return Ok(Some(newest.arn.clone()));
    }
    for revision in (from + 1..newest.revision)
        .rev()
        .take(REVISIONS.unsigned_abs() as usize)
    {
        let definition = c.definition(&format!("{family}:{revision}")).await?;
        if is_ours(&definition.tags) {
            return Ok(Some(definition.arn.clone()));
        }
    }
    Ok(None)
}

/// What a new revision is registered from, and how it is marked.
pub(super) struct Registration<'a> {
    pub base: &'a str,
    /// What differs; nothing for a twin of a revision that was deregistered.
    pub changes: &'a [SecretChange],
    pub workload: &'a str,
    pub attempt: &'a str,
    pub is_twin: bool,
}

/// Registers the running revision with other references and nothing else changed.
pub(super) async fn register(c: &Collector<'_>, r: &Registration<'_>) -> Read<String> {
    let base = r.base;
    let kept = KeepFields::default();
    let request = c
        .aws
        .ecs
        .describe_task_definition()
        .task_definition(base)
        .include(TaskDefinitionField::Tags)
        .customize()
        .interceptor(kept.clone());
    let answer = c.aws.call(DESCRIBE_TASK_DEFINITION, base, request.send()).await?;
    let not_sent = |what: &str| {
        let message = format!("{base}: {what}; nothing was registered");
        c.aws.error(REGISTER, base, NOT_SENT, message)
    };
    let mut definition = answer
        .task_definition
        .ok_or_else(|| not_sent("AWS answered without it"))?;
    if !r.is_twin && !is_active(&definition) {
        return Err(not_sent(
            "it is not ACTIVE, and AWS would refuse to go back to it: register it again and deploy that first",
        ));
    }
    // Compared with the definition as it is: the change itself takes a plain variable out.
    let same = registration(c.aws.ecs.register_task_definition(), definition.clone());
    let same = same.as_input().clone().build().map_err(|e| not_sent(&e.to_string()))?;
    let lost = lost_by(&kept.take(), &same);
    if !lost.is_empty() {
        let lost = lost.join(", ");
        return Err(not_sent(&format!(
            "a new revision would lose {lost}, which this version of Holdfast does not know"
        )));
    }
    for change in r.changes {
        change_reference(&mut definition, change).map_err(|e| not_sent(&e.to_string()))?;
    }
    // IAM lets Holdfast register only what carries the workload's tag; AWS's own tags can't be set.
    let key = format!("{}workload", c.config.tag_prefix);
    let mut tags: Vec<Tag> = answer.tags.unwrap_or_default();
    let mark = format!("{}{ATTEMPT}", c.config.tag_prefix);
    tags.retain(|t| t.key().is_some_and(|k| !k.starts_with("aws:") && k != key && k != mark));
    tags.push(Tag::builder().key(key).value(r.workload).build());
    tags.push(Tag::builder().key(mark).value(r.attempt).build());
    let request = registration(c.aws.ecs.register_task_definition(), definition).set_tags(Some(tags));
    let answer = send(c, base, &request).await?;
    answer
        .task_definition
        .and_then(|d| d.task_definition_arn)
        .ok_or_else(|| {
            let message = format!("{base}: AWS answered without the ARN of the new revision");
            c.aws.error(REGISTER, base, "NoArn", message)
        })
}

/// Carried out once: this call is not idempotent, and the SDK would repeat one whose answer was lost. One that was
/// throttled was not carried out, so it is sent again.
async fn send(
    c: &Collector<'_>,
    base: &str,
    request: &RegisterTaskDefinitionFluentBuilder,
) -> Read<RegisterTaskDefinitionOutput> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let once = aws_sdk_ecs::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = request.clone().customize().config_override(once);
        match (c.aws.call(REGISTER, base, request.send()).await, pauses.next()) {
            (Err(e), Some(pause)) if is_throttled(&e) => tokio::time::sleep(pause).await,
            (answer, _) => return answer,
        }
    }
}

/// Why a revision can't be registered with a change.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error("it has no containers")]
    NoContainers,
    #[error("it has no container {0}")]
    NoContainer(String),
    #[error("{variable} of {container} is not what was planned on")]
    NotAsPlanned { variable: String, container: String },
    #[error(transparent)]
    Secret(#[from] aws_sdk_ecs::error::BuildError),
}

fn change_reference(definition: &mut TaskDefinition, change: &SecretChange) -> Result<(), ChangeError> {
    let containers = definition
        .container_definitions
        .as_mut()
        .ok_or(ChangeError::NoContainers)?;
    let container = containers
        .iter_mut()
        .find(|c| c.name.as_deref() == Some(&change.container))
        .ok_or_else(|| ChangeError::NoContainer(change.container.clone()))?;
    let secrets = container.secrets.get_or_insert_with(Vec::new);
    let found = secrets.iter_mut().find(|s| s.name == change.variable);
    match (found, &change.before) {
        (Some(secret), Some(before)) if secret.value_from == *before => secret.value_from.clone_from(&change.after),
        (None, None) => {
            let secret = Secret::builder()
                .name(&change.variable)
                .value_from(&change.after)
                .build();
            secrets.push(secret?);
            // ECS refuses a variable that is both plain and secret; the plain one gives way.
            if let Some(environment) = &mut container.environment {
                environment.retain(|e| e.name.as_deref() != Some(&change.variable));
            }
        }
        _ => {
            return Err(ChangeError::NotAsPlanned {
                variable: change.variable.clone(),
                container: change.container.clone(),
            });
        }
    }
    Ok(())
}
