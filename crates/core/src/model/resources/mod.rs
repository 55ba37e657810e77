//! The AWS resources that rules evaluate, reduced to what they need.

mod backup;
mod container;
mod database;
mod deployment;
mod network;
mod secret;
mod service;
mod start_command;
mod task;

pub use backup::{Alarm, Backup};
pub use container::{Container, LogTarget, Mount, PlainValue, PlainVariable, Program, SecretVariable, VolumesFrom};
pub use database::{
    DatabaseId, DbCluster, DbInstance, Endpoint, EndpointTarget, ManagedSecret, ParameterGroup, RdsEndpoint,
};
pub use deployment::{
    DeploymentHistory, DeploymentProgress, DeploymentSettings, LifecycleHook, PastDeployment, StoppedTask, Strategy,
};
pub use network::{Egress, IngressRule, SecurityGroup, Source, Subnet, VpcEndpoint};
pub use secret::{Access, AccessTarget, Rotation, Secret, VersionDates};
pub use service::{
    Deployment, Fight, LogEvidence, LogMatch, Service, TaskDefinition, Volume, VolumeFields, VolumeKind, revision_name,
};
pub use start_command::StartCommand;
pub use task::{DeployedImage, MigrationFamily, MigrationRun, RUNS_KEPT, RunResult, TaskRun, TaskStart, newest_first};
