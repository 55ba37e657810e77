//! Containers of a task definition, and what is kept of their settings.

use serde::{Deserialize, Serialize};

use super::start_command::StartCommand;
use crate::model::connection::Connection;
use crate::model::store::Engine;

/// A container of a task definition.
#[derive(Debug, Clone, Default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Whether the task dies with it.
    pub essential: bool,
    /// Whether it listens on a port.
    pub has_ports: bool,
    /// References to secrets, in order.
    pub secrets: Vec<SecretVariable>,
    /// Plain environment variables, and settings that the command gives as `--name=value`. Values are not kept.
    pub variables: Vec<PlainVariable>,
    /// ARNs of the S3 objects with more environment variables, which are not read.
    pub environment_files: Vec<String>,
    /// The program that fetches settings before it starts the application, if the command begins with one.
    pub wrapper: Option<String>,
    /// The image, as written.
    pub image: String,
    /// Whether it is the task's log router (`firelensConfiguration`).
    pub log_router: bool,
    /// Where its log goes, if that is CloudWatch Logs.
    pub log: Option<LogTarget>,
    /// What is mounted in it.
    pub mounts: Vec<Mount>,
    /// What it is started with.
    pub start: StartCommand,
    /// Which program that is, as far as it matters for the image of a database.
    pub program: Program,
    /// The secret with the credentials of a private registry: `repositoryCredentials.credentialsParameter`.
    pub repository_credentials: Option<String>,
    /// Options of the log driver that are filled from secrets: `logConfiguration.secretOptions`.
    pub secret_options: Vec<SecretVariable>,
    /// Whether the `awslogs` driver creates the log group where there is none: `awslogs-create-group`.
    pub creates_log_group: bool,
}

/// What `volumesFrom` of a container says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumesFrom {
    /// The container that is given the mounts.
    pub container: String,
    /// The container whose mounts they are.
    pub source: String,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

impl VolumesFrom {
    /// Gives containers the mounts that they have from others.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_VolumeFrom.html>
    pub fn apply(all: &[Self], containers: &mut [Container]) {
        for from in all {
            let source = containers.iter().find(|c| c.name == from.source);
            let mounts = source.map(|c| c.mounts.clone()).unwrap_or_default();
            if let Some(container) = containers.iter_mut().find(|c| c.name == from.container) {
                let read_only = |m: Mount| Mount {
                    read_only: m.read_only || from.read_only,
                    ..m
                };
                container.mounts.extend(mounts.into_iter().map(read_only));
            }
        }
    }
}

/// The program that a container runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Program {
    /// The image's own, or a database's server.
    #[default]
    Own,
    /// A client of a database, such as `psql` or `mongodump`: it keeps nothing.
    Client(&'static str),
    /// Another one.
    Other,
}

/// A variable that is filled from Secrets Manager or Parameter Store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVariable {
    /// Name of the variable.
    pub name: String,
    /// The reference: an ARN with an optional selector, or the name of a parameter.
    pub value_from: String,
}

/// A plain setting of a container, with facts about its value instead of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainVariable {
    /// Name of the variable; of an argument with its dashes (`--db-url`).
    pub name: String,
    /// What is kept of its value.
    pub value: PlainValue,
}

/// Facts about the value of a plain setting. What a fact needs to be kept is that the setting's name, or the value's form,
/// tells that it is not secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainValue {
    /// Whether it is nothing but white space.
    pub empty: bool,
    /// The connection string that it is.
    pub connection: Option<Connection>,
    /// Whether it is a password, by the setting's name, and not an empty one.
    pub password: bool,
    /// The host that it names: kept where the name asks for one, or where the value is an endpoint of RDS.
    pub host: Option<String>,
    /// The port that it names, by itself or after the host.
    pub port: Option<u16>,
    /// The name of a database or user, where the setting's name asks for one.
    pub name: Option<String>,
    /// The absolute path that it names, where a family reads from it where data is kept.
    pub path: Option<String>,
    /// The value, if it is one of the words by which a family selects its engine.
    pub word: Option<String>,
    /// The engine that it names, where the setting's name asks for one.
    pub engine: Engine,
    /// Whether it says that IAM gives the login.
    pub iam: bool,
}

/// Where the `awslogs` driver sends a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// `awslogs-group`.
    pub group: String,
    /// `awslogs-region`; absent: the task's own.
    pub region: Option<String>,
    /// `awslogs-stream-prefix`: streams are named `prefix/container/task-id`.
    pub stream_prefix: Option<String>,
}

/// A mount point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Name of the volume.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Whether nothing can be written there.
    pub read_only: bool,
}
