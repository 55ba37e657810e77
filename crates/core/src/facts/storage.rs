//! Whether a revision keeps its data through a deployment.

use super::secrets::database_variables;
use super::workload::Workload;
use crate::model::resources::{TaskDefinition, VolumeKind};

/// Whether a revision keeps what is written under one of `paths` on a volume that outlives the task.
#[must_use]
pub fn has_durable_volume(definition: &TaskDefinition, paths: &[String], fargate: bool) -> bool {
    let durable = |name: &str| {
        definition.volumes.iter().any(|v| {
            v.name == name
                && match v.kind {
                    VolumeKind::Shared => true,
                    VolumeKind::DockerDriver => !fargate,
                    VolumeKind::Host | VolumeKind::TaskEbs => false,
                }
        })
    };
    definition
        .containers
        .iter()
        .flat_map(|c| &c.mounts)
        .any(|m| !m.read_only && durable(&m.volume) && paths.iter().any(|p| is_at_or_above(&m.path, p)))
}

/// Whether `mount` is `path` or a directory above it.
fn is_at_or_above(mount: &str, path: &str) -> bool {
    let parts = |s: &str| -> Vec<String> { s.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
    parts(path).starts_with(&parts(mount))
}

/// Whether a revision reaches a database outside of its own containers: by a secret, a parameter, or a plain URL.
#[must_use]
pub fn has_external_database(w: &Workload<'_>, definition: &TaskDefinition) -> bool {
    database_variables(w, definition).next().is_some()
        || definition
            .containers
            .iter()
            .flat_map(|c| &c.plain_databases)
            .any(|d| d.external)
}

/// Whether a revision would keep its data through a deployment.
#[must_use]
pub fn is_durable(w: &Workload<'_>, definition: &TaskDefinition, fargate: bool) -> bool {
    let by_database = w.params.datastore == crate::config::Datastore::Postgres && has_external_database(w, definition);
    by_database || has_durable_volume(definition, &w.params.data_paths, fargate)
}

/// How a revision would lose data as a workload's, where another one keeps it: what `ecs-ephemeral-storage` or
/// `ecs-missing-database-secret` would say of it.
#[must_use]
pub fn loses_data(w: &Workload<'_>, definition: &TaskDefinition, fargate: bool) -> Option<&'static str> {
    if !is_durable(w, definition, fargate) {
        return Some("keeps its data in the container");
    }
    let needs_secret = w.params.datastore == crate::config::Datastore::Postgres;
    (needs_secret && database_variables(w, definition).next().is_none()).then_some("gets no database secret")
}
