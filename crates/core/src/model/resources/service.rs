//! ECS services, the revisions that they run, and what their logs say.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::container::Container;
use super::deployment::{DeploymentProgress, DeploymentSettings};
use crate::model::read_error::ReadError;
use crate::model::resource_ref::ResourceRef;
use crate::model::tags::Tags;

/// An ECS service and what runs in it.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Name of its cluster.
    pub cluster: String,
    /// `ACTIVE` or `DRAINING`.
    pub status: String,
    /// ARN of the revision of the primary deployment: what runs, not what is newest.
    pub task_definition: String,
    /// Whether tasks run on Fargate.
    pub fargate: bool,
    /// All deployments, the primary one first.
    pub deployments: Vec<Deployment>,
    /// Running tasks of revisions other than the primary's, counted by revision ARN. Read only while more than
    /// one deployment is under way.
    pub other_tasks: BTreeMap<String, i32>,
    /// Why those could not be read, if they could not.
    pub unread_tasks: Option<Arc<ReadError>>,
    /// The desired number of tasks.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Subnets of its awsvpc network.
    pub subnets: Vec<String>,
    /// Security groups of its awsvpc network. Empty in other network modes.
    pub security_groups: Vec<String>,
    /// Name of the container behind its load balancer, if there is one.
    pub balanced_container: Option<String>,
    /// Whether a load balancer is in front of it.
    pub load_balanced: bool,
    /// Whether that is a Classic Load Balancer, behind which ECS has no deployment circuit breaker.
    pub classic_balancer: bool,
    /// Whether its tasks get public addresses.
    pub assign_public_ip: bool,
    /// `deploymentCircuitBreaker.enable`: whether a deployment that does not get steady is given up.
    pub circuit_breaker: bool,
    /// `deploymentCircuitBreaker.rollback`: whether the last completed deployment comes back then.
    pub circuit_breaker_rollback: bool,
    /// Whether a rollback by CloudWatch alarms is set up.
    pub alarm_rollback: bool,
    /// Whether ECS Exec is on.
    pub exec_enabled: bool,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub deployment_controller: String,
    /// How its deployments go.
    pub deployment_settings: DeploymentSettings,
    /// ARN of the service deployment under way, or of the last one, where ECS names it.
    pub service_deployment: Option<String>,
    /// How far a deployment that shifts traffic has come. Read only while one is under way.
    pub progress: Option<DeploymentProgress>,
    /// Why that could not be read, if it could not.
    pub unread_progress: Option<Arc<ReadError>>,
    /// When ECS said last that the service is steady, where the events still show it.
    pub steady_at: Option<Timestamp>,
    /// Fields in AWS's answer that this version of Holdfast does not know: their paths.
    pub unknown_fields: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/...`
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// ARN of its revision.
    pub task_definition: String,
    /// `COMPLETED`, `FAILED` or `IN_PROGRESS`; absent for other controllers.
    pub rollout_state: Option<String>,
    /// Why, in AWS's words.
    pub rollout_reason: Option<String>,
    /// The desired number of tasks.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Tasks that failed to start.
    pub failed_tasks: i32,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When its state changed last.
    pub updated_at: Option<Timestamp>,
}

/// One revision of a task definition. It never changes.
#[derive(Debug, Clone, Default)]
pub struct TaskDefinition {
    /// Its ARN.
    pub arn: String,
    /// Its family.
    pub family: String,
    /// Its revision, from 1.
    pub revision: i32,
    /// Its containers, in order.
    pub containers: Vec<Container>,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// Whether its containers share the network of their container instance: `localhost` is that machine.
    pub host_network: bool,
    /// Whether a service can be given it: `ACTIVE`, neither deregistered nor about to be deleted.
    pub active: bool,
    /// Fields in AWS's answer that a new revision would not have: their paths. This version of Holdfast does not know them.
    pub unknown_fields: Vec<String>,
    /// The role that fetches secrets.
    pub execution_role: Option<String>,
    /// The role that the containers have.
    pub task_role: Option<String>,
    /// Tags, as of when it was read: unlike the rest, they can change.
    pub tags: Tags,
}

/// `family:revision` from the ARN of a task definition.
#[must_use]
pub fn revision_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// A volume of a task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where its data lives.
    pub kind: VolumeKind,
}

/// Where a volume's data lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    /// EFS, `FSx` or S3 Files: outlives any task.
    Shared,
    /// A Docker volume with a scope and driver that outlive the host.
    DockerDriver,
    /// A directory of the host that the definition names, or a Docker volume on it that tasks share.
    Host,
    /// A directory or Docker volume that is made for each task.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html>
    Task,
    /// An EBS volume made for each task and, under a service, deleted with it.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ebs-volumes.html>
    TaskEbs,
    /// A kind that Holdfast doesn't know.
    Other,
}

/// What a definition says of a volume, however it spells that.
#[derive(Debug, Clone, Copy, Default)]
pub struct VolumeFields<'a> {
    /// Whether it is on EFS, `FSx` or S3 Files.
    pub file_system: bool,
    /// `configuredAtLaunch`.
    pub at_launch: bool,
    /// Whether it is configured by a field that Holdfast doesn't know.
    pub unknown: bool,
    /// Whether it is a Docker volume of scope `shared`.
    pub docker_shared: bool,
    /// The Docker volume's driver; absent or empty: `local`.
    pub driver: Option<&'a str>,
    /// `host.sourcePath`.
    pub host_path: Option<&'a str>,
}

impl VolumeKind {
    /// The kind of a volume with these fields.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_data_volumes.html>
    #[must_use]
    pub fn of(fields: &VolumeFields<'_>) -> Self {
        let given = |text: Option<&str>| text.is_some_and(|t| !t.is_empty());
        match fields {
            VolumeFields { file_system: true, .. } => Self::Shared,
            VolumeFields { at_launch: true, .. } => Self::TaskEbs,
            VolumeFields { unknown: true, .. } => Self::Other,
            VolumeFields {
                docker_shared: true, ..
            } if given(fields.driver) && fields.driver != Some("local") => Self::DockerDriver,
            VolumeFields {
                docker_shared: true, ..
            } => Self::Host,
            _ if given(fields.host_path) => Self::Host,
            _ => Self::Task,
        }
    }
}

/// What a service's log says since its primary deployment began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogEvidence {
    /// Log groups that were searched.
    pub groups: Vec<String>,
    /// From when on.
    pub since: Option<Timestamp>,
    /// The first line found of a built-in database: which pattern, when, in which stream. Never the line itself.
    pub builtin: Option<LogMatch>,
    /// The first line found of a connection to the database, where `database_log_pattern` is set.
    pub connected: Option<LogMatch>,
}

/// One line of a log that a pattern was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMatch {
    /// The pattern.
    pub pattern: String,
    /// When it was logged.
    pub at: Timestamp,
    /// The log group and stream.
    pub stream: String,
}

/// A correction that something undid again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fight {
    /// The workload.
    pub workload: String,
    /// What was corrected.
    pub resource: ResourceRef,
    /// The rules that asked for it.
    pub rules: Vec<String>,
    /// The change: before → after.
    pub change: String,
    /// How often it was undone within `safety.fight_window`.
    pub times: usize,
    /// Since when.
    pub since: Timestamp,
    /// Who undid it, if CloudTrail events say so.
    pub principals: Vec<String>,
}
