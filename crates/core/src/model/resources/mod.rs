//! The AWS resources that rules evaluate, reduced to what they need.

mod backup;
mod database;
mod network;
mod secret;
mod service;
mod task;

pub use backup::{Alarm, Backup};
pub use database::{DatabaseId, DbCluster, DbInstance, Endpoint, ParameterGroup};
pub use network::{Egress, IngressRule, SecurityGroup, Source, Subnet, VpcEndpoint};
pub use secret::{Access, AccessTarget, Rotation, Secret, VersionDates};
pub use service::{
    Container, Deployment, Fight, LogEvidence, LogMatch, LogTarget, Mount, PlainDatabase, SecretVariable, Service,
    TaskDefinition, Volume, VolumeKind, revision_name,
};
pub use task::{MigrationFamily, TaskRun, TaskStart};
