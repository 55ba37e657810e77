//! ECS rollouts: register, update, wait until steady, and go back if that does not come.

use std::sync::Arc;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{DeploymentRolloutState, Secret, Service, Tag, TaskDefinition, TaskDefinitionField};
use tokio::time::{Instant, sleep};

use super::{Actor, Called};
use crate::aws::{Api, Family};
use crate::collect::Collector;
use crate::model::remediation::{Action, SecretChange, revision_name};
use crate::model::snapshot::{ReadError, Seen};
use crate::plan::PlannedAction;

const DESCRIBE: Api = Api {
    service: "ecs",
    operation: "DescribeTaskDefinition",
    family: Family::EcsDefinitions,
};
const REGISTER: Api = Api {
    service: "ecs",
    operation: "RegisterTaskDefinition",
    family: Family::EcsRegister,
};
pub(super) const UPDATE: Api = Api {
    service: "ecs",
    operation: "UpdateService",
    family: Family::EcsUpdate,
};
const SERVICES: Api = Api {
    service: "ecs",
    operation: "DescribeServices",
    family: Family::EcsServices,
};

/// Where a rollout happens.
pub(super) struct Place<'a> {
    pub cluster: &'a str,
    pub service: &'a str,
}

impl Place<'_> {
    pub fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

/// Carries out a rollout, or a step back.
pub(super) async fn run(actor: &Actor<'_>, planned: &PlannedAction) -> Called {
    let c = &actor.collector;
    let (place, before, after) = match &planned.action {
        Action::RollOut {
            cluster,
            service,
            base,
            changes,
        } => match register(c, base, changes, &planned.workload).await {
            Ok(registered) => (Place { cluster, service }, base, registered),
            Err(e) => return Called::Failed(e),
        },
        Action::RollBack {
            cluster,
            service,
            from,
            to,
        } => (Place { cluster, service }, from, to.clone()),
        _ => return Called::Unsettled("this is no rollout".into()),
    };
    if let Err(e) = update(c, &place, &after).await {
        return Called::Failed(e);
    }
    match settle(actor, &place, &after).await {
        Ok(()) => Called::Accepted,
        Err(why) => go_back(actor, &place, before, &after, &why).await,
    }
}

async fn update(c: &Collector<'_>, place: &Place<'_>, revision: &str) -> Seen<()> {
    let request = c
        .aws
        .ecs
        .update_service()
        .cluster(place.cluster)
        .service(place.service)
        .task_definition(revision);
    c.aws.call(UPDATE, &place.name(), request.send()).await.map(drop)
}

/// Registers the running revision with other references and nothing else changed.
async fn register(c: &Collector<'_>, base: &str, changes: &[SecretChange], workload: &str) -> Seen<String> {
    let request = c
        .aws
        .ecs
        .describe_task_definition()
        .task_definition(base)
        .include(TaskDefinitionField::Tags);
    let answer = c.aws.call(DESCRIBE, base, request.send()).await?;
    let missing = |what: &str| {
        c.aws.error(
            REGISTER,
            base,
            "NotRegistered",
            format!("{base}: {what}; nothing was registered"),
        )
    };
    let mut definition = answer
        .task_definition
        .ok_or_else(|| missing("AWS answered without it"))?;
    for change in changes {
        change_reference(&mut definition, change).map_err(|why| missing(&why))?;
    }
    // IAM lets Holdfast register only what carries the workload's tag; AWS's own tags can't be set.
    let key = format!("{}workload", c.config.tag_prefix);
    let mut tags: Vec<Tag> = answer.tags.unwrap_or_default();
    tags.retain(|t| t.key().is_some_and(|k| !k.starts_with("aws:") && k != key));
    tags.push(Tag::builder().key(key).value(workload).build());
    let request = copy(c.aws.ecs.register_task_definition(), definition).set_tags(Some(tags));
    let answer = c.aws.call(REGISTER, base, request.send()).await?;
    answer
        .task_definition
        .and_then(|d| d.task_definition_arn)
        .ok_or_else(|| missing("AWS answered without the ARN of the new revision"))
}

/// Every field that `RegisterTaskDefinition` takes. (Elastic Inference accelerators are no longer one: AWS ended them.)
fn copy(request: RegisterTaskDefinitionFluentBuilder, d: TaskDefinition) -> RegisterTaskDefinitionFluentBuilder {
    let some = |list: Option<Vec<_>>| list.filter(|l| !l.is_empty());
    request
        .set_family(d.family)
        .set_task_role_arn(d.task_role_arn.filter(|r| !r.is_empty()))
        .set_execution_role_arn(d.execution_role_arn.filter(|r| !r.is_empty()))
        .set_network_mode(d.network_mode)
        .set_container_definitions(d.container_definitions)
        .set_volumes(d.volumes.filter(|l| !l.is_empty()))
        .set_placement_constraints(d.placement_constraints.filter(|l| !l.is_empty()))
        .set_requires_compatibilities(some(d.requires_compatibilities))
        .set_cpu(d.cpu.filter(|v| !v.is_empty()))
        .set_memory(d.memory.filter(|v| !v.is_empty()))
        .set_pid_mode(d.pid_mode)
        .set_ipc_mode(d.ipc_mode)
        .set_proxy_configuration(d.proxy_configuration)
        .set_ephemeral_storage(d.ephemeral_storage)
        .set_runtime_platform(d.runtime_platform)
        .set_enable_fault_injection(d.enable_fault_injection)
}

fn change_reference(definition: &mut TaskDefinition, change: &SecretChange) -> Result<(), String> {
    let containers = definition
        .container_definitions
        .as_mut()
        .ok_or("it has no containers")?;
    let container = containers
        .iter_mut()
        .find(|c| c.name.as_deref() == Some(&change.container))
        .ok_or_else(|| format!("it has no container {}", change.container))?;
    let secrets = container.secrets.get_or_insert_with(Vec::new);
    let found = secrets.iter_mut().find(|s| s.name == change.variable);
    match (found, &change.before) {
        (Some(secret), Some(before)) if secret.value_from == *before => secret.value_from.clone_from(&change.after),
        (None, None) => {
            let secret = Secret::builder()
                .name(&change.variable)
                .value_from(&change.after)
                .build();
            secrets.push(secret.map_err(|e| e.to_string())?);
            // ECS refuses a variable that is both plain and secret; the plain one gives way.
            if let Some(environment) = &mut container.environment {
                environment.retain(|e| e.name.as_deref() != Some(&change.variable));
            }
        }
        _ => {
            return Err(format!(
                "{} of {} is not what was planned on",
                change.variable, change.container
            ));
        }
    }
    Ok(())
}

/// Waits until the service runs nothing but `revision`, as many as wanted.
async fn settle(actor: &Actor<'_>, place: &Place<'_>, revision: &str) -> Result<(), String> {
    let deadline = Instant::now() + actor.patience.settle;
    let mut pause = actor.patience.look_every;
    loop {
        let last = match read(&actor.collector, place).await {
            Ok(service) => match state(&service, revision) {
                State::Steady => return Ok(()),
                State::Failed(why) => return Err(why),
                State::Moving(how) => how,
            },
            // What can't be read is neither steady nor failed.
            Err(e) => e.message.clone(),
        };
        if Instant::now() + pause > deadline {
            let waited = actor.patience.settle.as_secs();
            return Err(format!("it was not steady within {waited} s: {last}"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(actor.patience.look_every * 10);
    }
}

pub(super) async fn read(c: &Collector<'_>, place: &Place<'_>) -> Seen<Service> {
    let request = c
        .aws
        .ecs
        .describe_services()
        .cluster(place.cluster)
        .services(place.service);
    let answer = c.aws.call(SERVICES, &place.name(), request.send()).await?;
    answer
        .services
        .unwrap_or_default()
        .into_iter()
        .next()
        .ok_or_else(|| -> Arc<ReadError> {
            c.aws
                .error(SERVICES, &place.name(), "MISSING", format!("{} is gone", place.name()))
        })
}

enum State {
    Steady,
    Moving(String),
    Failed(String),
}

fn state(service: &Service, revision: &str) -> State {
    let Some(primary) = service.deployments().iter().find(|d| d.status() == Some("PRIMARY")) else {
        return State::Moving("it has no primary deployment".into());
    };
    let reason = primary.rollout_state_reason().unwrap_or("no reason given");
    if primary.task_definition() != Some(revision) {
        let shown = primary.task_definition().map_or("nothing", revision_name);
        // The circuit breaker puts the revision before in its place.
        let failed = service.deployments().iter().find(|d| {
            d.task_definition() == Some(revision) && d.rollout_state() == Some(&DeploymentRolloutState::Failed)
        });
        return match failed {
            Some(d) => State::Failed(format!(
                "the deployment failed ({}), and ECS went back to {shown}",
                d.rollout_state_reason().unwrap_or("no reason given")
            )),
            None => State::Moving(format!("the primary deployment is still {shown}")),
        };
    }
    if primary.rollout_state() == Some(&DeploymentRolloutState::Failed) {
        return State::Failed(format!("the deployment failed: {reason}"));
    }
    let complete = primary.rollout_state() == Some(&DeploymentRolloutState::Completed);
    let alone = service.deployments().len() == 1;
    if complete && alone && primary.running_count() == primary.desired_count() {
        return State::Steady;
    }
    State::Moving(format!(
        "{} of {} tasks run, {} deployments, {reason}",
        primary.running_count(),
        primary.desired_count(),
        service.deployments().len()
    ))
}

async fn go_back(actor: &Actor<'_>, place: &Place<'_>, before: &str, after: &str, why: &str) -> Called {
    let c = &actor.collector;
    tracing::warn!(
        service = place.name(),
        revision = revision_name(after),
        why,
        "the rollout failed, going back"
    );
    // ECS may have gone back by itself; then there is nothing to undo.
    if let Ok(service) = read(c, place).await
        && service.task_definition() == Some(before)
    {
        return Called::Reverted(format!("{why}; {} runs {} again", place.name(), revision_name(before)));
    }
    match update(c, place, before).await {
        Ok(()) => Called::Reverted(format!(
            "{why}; {} was set back to {}",
            place.name(),
            revision_name(before)
        )),
        Err(e) => Called::Unsettled(format!(
            "{why}; going back to {} failed too: {e}. Run: aws ecs update-service --cluster {} --service {} \
             --task-definition {before}",
            revision_name(before),
            place.cluster,
            place.service
        )),
    }
}
