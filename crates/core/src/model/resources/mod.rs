//! The AWS resources that rules evaluate, reduced to what they need.

mod backup;
mod database;
mod network;
mod secret;
mod service;
mod task;

pub use backup::{Alarm, Backup};
pub use database::{DatabaseId, DbCluster, DbInstance, Endpoint, ParameterGroup};
pub use network::{IngressRule, SecurityGroup, Source, Subnet};
pub use secret::{Access, AccessTarget, Rotation, Secret};
pub use service::{
    Container, Deployment, Fight, LogEvidence, LogMatch, LogTarget, Mount, PlainDatabase, SecretVariable, Service,
    StartCommand, TaskDefinition, Volume, VolumeKind, revision_name,
};
pub use task::{DeployedImage, MigrationFamily, MigrationRun, RUNS_KEPT, RunResult, TaskRun, newest_first};
