//! Revisions of task definitions: each described once and kept, for a revision never changes.

use std::sync::Arc;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    ContainerDefinition, LogConfiguration, LogDriver, NetworkMode, Scope, Secret, Tag, TaskDefinition as SdkDefinition,
    TaskDefinitionField, TaskDefinitionStatus, Volume as SdkVolume, VolumeFrom,
};

use super::answer_fields::{KeepFields, lost_by};
use super::collector::Collector;
use super::convert::{collect_exact, tags};
use crate::client::{Api, Family};
use holdfast_core::connection::vocabulary::Vocabulary;
use holdfast_core::connection::wrappers::wrapper;
use holdfast_core::connection::{arguments, program, reduce};
use holdfast_core::model::resources::{
    Container, LogTarget, Mount, SecretVariable, StartCommand, TaskDefinition, Volume, VolumeFields, VolumeKind,
    VolumesFrom,
};
use holdfast_core::model::snapshot::{Read, ReadError};
use zeroize::Zeroizing;

pub(crate) const DESCRIBE: Api = Api {
    service: "ecs",
    operation: "DescribeTaskDefinition",
    family: Family::EcsDefinitions,
};

/// One revision, from the cache or from AWS.
pub(super) async fn read(c: &Collector<'_>, arn: &str) -> Read<Arc<TaskDefinition>> {
    if let Some(known) = c.cache.definitions.get(arn) {
        return Ok(known);
    }
    read_fresh(c, arn).await
}

/// One revision from AWS, which then replaces the one in the cache.
pub(super) async fn read_fresh(c: &Collector<'_>, arn: &str) -> Read<Arc<TaskDefinition>> {
    let definition = fetch(c, arn).await?;
    c.cache.definitions.put(&definition);
    Ok(definition)
}

/// One revision from AWS, or the newest active one of a family: whether it is still active can change, and its tags.
pub(super) async fn fetch(c: &Collector<'_>, arn: &str) -> Read<Arc<TaskDefinition>> {
    c.progress.more(1);
    let request = c
        .aws
        .ecs
        .describe_task_definition()
        .task_definition(arn)
        .include(TaskDefinitionField::Tags);
    let kept = KeepFields::default();
    let request = request.customize().interceptor(kept.clone());
    let answer = c.aws.call(DESCRIBE, arn, request.send()).await;
    c.progress.done(1);
    let answer = answer?;
    let definition = answer.task_definition.ok_or_else(|| {
        c.aws.error(
            DESCRIBE,
            arn,
            "Empty",
            format!("AWS answered without the task definition {arn}"),
        )
    })?;
    let again = registration(c.aws.ecs.register_task_definition(), definition.clone());
    let again = again.as_input().clone().build();
    let lost = again.map(|request| lost_by(&kept.take(), &request));
    let tags = answer.tags.as_deref().unwrap_or_default();
    let mut reduced = reduced(definition, tags, arn, c.cache.vocabulary(c.config));
    // The SDK builds any request; were there one that it does not, nothing of the definition could be kept.
    reduced.unknown_fields = lost.unwrap_or_else(|_| vec!["taskDefinition".into()]);
    // What is said of a volume in a field that the SDK doesn't know may be where it is: then nothing tells.
    if reduced.unknown_fields.iter().any(|path| path.starts_with("volumes[]")) {
        let plain = reduced.volumes.iter_mut().filter(|v| v.kind == VolumeKind::Task);
        plain.for_each(|v| v.kind = VolumeKind::Other);
    }
    Ok(Arc::new(reduced))
}

/// Every field of `d` that `RegisterTaskDefinition` takes. (Elastic Inference accelerators are no longer one: AWS ended
/// them.)
pub(crate) fn registration(
    request: RegisterTaskDefinitionFluentBuilder,
    d: SdkDefinition,
) -> RegisterTaskDefinitionFluentBuilder {
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

/// Whether a service can be given it: an `INACTIVE` one was deregistered, a `DELETE_IN_PROGRESS` one is about to go.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-definition-state.html>
pub(crate) fn is_active(d: &SdkDefinition) -> bool {
    d.status().is_none_or(|s| *s == TaskDefinitionStatus::Active)
}

/// ECS answers so for a revision that was deleted.
pub(super) fn is_gone(error: &ReadError) -> bool {
    error.code == "ClientException"
}

impl Collector<'_> {
    /// One revision by its ARN or as `FAMILY:REVISION`, or the newest active one of a family.
    ///
    /// # Errors
    /// The failed read.
    pub async fn revision(&self, name: &str) -> Read<Arc<TaskDefinition>> {
        fetch(self, name).await
    }
}

/// Keeps what rules need. Values of environment variables are looked at here and not kept.
fn reduced(d: SdkDefinition, list: &[Tag], arn: &str, vocabulary: &Vocabulary) -> TaskDefinition {
    let active = is_active(&d);
    let containers = d.container_definitions.unwrap_or_default();
    let from: Vec<VolumesFrom> = containers.iter().flat_map(volumes_from).collect();
    let mut containers = collect_exact(containers.into_iter().map(|c| container(c, vocabulary)));
    VolumesFrom::apply(&from, &mut containers);
    TaskDefinition {
        arn: d.task_definition_arn.unwrap_or_else(|| arn.to_owned()),
        family: d.family.unwrap_or_default(),
        revision: d.revision,
        containers,
        volumes: collect_exact(d.volumes.unwrap_or_default().into_iter().filter_map(volume)),
        host_network: d.network_mode == Some(NetworkMode::Host),
        active,
        unknown_fields: vec![],
        execution_role: d.execution_role_arn.filter(|r| !r.is_empty()),
        task_role: d.task_role_arn.filter(|r| !r.is_empty()),
        tags: tags(list.iter().map(|t| (t.key(), t.value()))),
    }
}

fn volumes_from(c: &ContainerDefinition) -> Vec<VolumesFrom> {
    let one = |from: &VolumeFrom| {
        Some(VolumesFrom {
            container: c.name.clone()?,
            source: from.source_container.clone()?,
            read_only: from.read_only.unwrap_or_default(),
        })
    };
    c.volumes_from.iter().flatten().filter_map(one).collect()
}

fn container(c: ContainerDefinition, vocabulary: &Vocabulary) -> Container {
    let hidden = |words: Option<Vec<String>>| -> Vec<Zeroizing<String>> {
        collect_exact(words.unwrap_or_default().into_iter().map(Zeroizing::new))
    };
    let (entry_point, command) = (hidden(c.entry_point), hidden(c.command));
    let plain = c.environment.unwrap_or_default().into_iter();
    let plain: Vec<(String, Zeroizing<String>)> =
        collect_exact(plain.filter_map(|kv| Some((kv.name?, Zeroizing::new(kv.value?)))));
    let start = StartCommand::new(&entry_point, &command, &plain);
    let plain = plain.into_iter().map(|(name, value)| reduce(name, &value, vocabulary));
    let log = c.log_configuration.as_ref();
    let creates = log.and_then(|l| l.options.as_ref()?.get("awslogs-create-group"));
    let creates_log_group = creates.is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let secret_options = log.and_then(|l| l.secret_options.clone()).unwrap_or_default();
    Container {
        start,
        program: program(&entry_point, &command),
        variables: plain.chain(arguments(&entry_point, &command, vocabulary)).collect(),
        environment_files: collect_exact(c.environment_files.unwrap_or_default().into_iter().map(|f| f.value)),
        wrapper: wrapper(&entry_point, &command).map(str::to_owned),
        log_router: c.firelens_configuration.is_some(),
        image: c.image.unwrap_or_default(),
        log: c.log_configuration.and_then(log_target),
        name: c.name.unwrap_or_default(),
        // AWS: a container is essential unless it says otherwise.
        essential: c.essential.unwrap_or(true),
        has_ports: c.port_mappings.is_some_and(|p| !p.is_empty()),
        secrets: secrets(c.secrets.unwrap_or_default()),
        mounts: collect_exact(c.mount_points.unwrap_or_default().into_iter().filter_map(|m| {
            Some(Mount {
                volume: m.source_volume?,
                path: m.container_path?,
                read_only: m.read_only.unwrap_or_default(),
            })
        })),
        repository_credentials: c.repository_credentials.map(|r| r.credentials_parameter),
        secret_options: secrets(secret_options),
        creates_log_group,
    }
}

fn secrets(list: Vec<Secret>) -> Vec<SecretVariable> {
    collect_exact(list.into_iter().map(|s| SecretVariable {
        name: s.name,
        value_from: s.value_from,
    }))
}

fn log_target(log: LogConfiguration) -> Option<LogTarget> {
    let options = log.options.unwrap_or_default();
    let option = |key: &str| options.get(key).filter(|v| !v.is_empty()).cloned();
    (log.log_driver == LogDriver::Awslogs)
        .then(|| option("awslogs-group"))
        .flatten()
        .map(|group| LogTarget {
            group,
            region: option("awslogs-region"),
            stream_prefix: option("awslogs-stream-prefix"),
        })
}

fn volume(v: SdkVolume) -> Option<Volume> {
    let docker = v.docker_volume_configuration.as_ref();
    let kind = VolumeKind::of(&VolumeFields {
        file_system: v.efs_volume_configuration.is_some()
            || v.fsx_windows_file_server_volume_configuration.is_some()
            || v.s3files_volume_configuration.is_some(),
        at_launch: v.configured_at_launch == Some(true),
        // The SDK has left it out: `fetch` looks for it.
        unknown: false,
        docker_shared: docker.is_some_and(|d| d.scope == Some(Scope::Shared)),
        driver: docker.and_then(|d| d.driver.as_deref()),
        host_path: v.host.as_ref().and_then(|h| h.source_path.as_deref()),
    });
    Some(Volume { name: v.name?, kind })
}
