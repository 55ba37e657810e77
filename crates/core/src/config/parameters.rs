//! The parameters of rules: for every workload, and for one.

use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{self, duration, optional_duration};

/// Where a workload's data belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Datastore {
    /// A PostgreSQL database outside its containers.
    #[default]
    Postgres,
    /// A durable volume.
    Volume,
}

/// Whether a workload must have a migration task definition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Migrations {
    /// It may have one.
    #[default]
    None,
    /// It must have one.
    Required,
}

/// Parameters of rules for every workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// Where data belongs.
    pub datastore: Datastore,
    /// Environment variables of which one must come from a secret.
    #[schemars(with = "Vec<forms::EnvName>", extend("uniqueItems" = true))]
    pub secret_env: Vec<String>,
    /// Absolute paths inside the containers that must be durable.
    #[schemars(with = "Vec<forms::AbsolutePath>", extend("uniqueItems" = true))]
    pub data_paths: Vec<String>,
    /// Fewest days of database backups, 0 to 35.
    #[schemars(range(max = 35))]
    pub backup_retention_days: u32,
    /// Who may reach a database besides the workload's own services.
    pub allowed_ingress: AllowedIngress,
    /// How many times the allocated storage the ceiling of storage autoscaling must be; at least 1.
    #[schemars(range(min = 1, max = 100))]
    pub storage_headroom: u32,
    /// How old the latest restorable time may be.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub restore_point_age: Duration,
    /// How long before its end a server certificate is reported.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub certificate_notice: Duration,
    /// How long a database may go without a service that refers to it.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub abandoned_after: Duration,
    /// How old the last rotation of a secret may be.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub rotation_age: Duration,
    /// How long a deployment may be in progress.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub deployment_timeout: Duration,
    /// Texts in a log, exactly as written, that tell of a database inside the container.
    #[schemars(with = "Vec<forms::NonEmpty>", extend("uniqueItems" = true))]
    pub builtin_database_patterns: Vec<String>,
    /// A text in a log, exactly as written, that tells of a connection to the database. Absent: none is looked for.
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub database_log_pattern: Option<String>,
    /// PostgreSQL extensions that `diagnose --connect` looks for.
    #[schemars(with = "Vec<forms::NonEmpty>", extend("uniqueItems" = true))]
    pub required_extensions: Vec<String>,
    /// Whether a workload must have a migration task definition.
    pub migrations: Migrations,
}

impl Default for Defaults {
    fn default() -> Self {
        let names = ["CODER_POSTGRES_URL", "CODER_PG_CONNECTION_URL", "DATABASE_URL"];
        Self {
            datastore: Datastore::Postgres,
            secret_env: names.map(str::to_owned).to_vec(),
            data_paths: vec!["/home/coder/.config/coderv2".to_owned()],
            backup_retention_days: 7,
            allowed_ingress: AllowedIngress::default(),
            storage_headroom: 2,
            // AWS keeps it within five minutes of now while an instance is well.
            restore_point_age: Duration::from_mins(30),
            certificate_notice: Duration::from_hours(60 * 24),
            abandoned_after: Duration::from_hours(48),
            rotation_age: Duration::from_hours(90 * 24),
            deployment_timeout: Duration::from_mins(30),
            builtin_database_patterns: ["Using built-in PostgreSQL", "sqlite://", "sqlite3://"]
                .map(str::to_owned)
                .to_vec(),
            database_log_pattern: None,
            required_extensions: vec![],
            migrations: Migrations::None,
        }
    }
}

/// Who may reach a database besides the workload's own services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AllowedIngress {
    /// Blocks of IPv4 or IPv6 addresses.
    #[schemars(with = "Vec<forms::Cidr>", extend("uniqueItems" = true))]
    pub cidrs: Vec<IpNet>,
    /// Ids of security groups.
    #[schemars(with = "Vec<forms::SecurityGroup>", extend("uniqueItems" = true))]
    pub security_groups: Vec<String>,
}

/// Parameters of one workload. What isn't given is taken from `defaults`; a list replaces the default list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadOverrides {
    /// Where its data belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Datastore>,
    /// Environment variables of which one must come from a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::EnvName>>", extend("uniqueItems" = true))]
    pub secret_env: Option<Vec<String>>,
    /// Absolute paths inside its containers that must be durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::AbsolutePath>>", extend("uniqueItems" = true))]
    pub data_paths: Option<Vec<String>>,
    /// Fewest days of database backups, 0 to 35.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 35))]
    pub backup_retention_days: Option<u32>,
    /// Who may reach its database besides its own services.
    #[serde(skip_serializing_if = "IngressOverrides::is_empty")]
    pub allowed_ingress: IngressOverrides,
    /// How many times the allocated storage the ceiling of storage autoscaling must be; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub storage_headroom: Option<u32>,
    /// How old the latest restorable time may be.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::Span>")]
    pub restore_point_age: Option<Duration>,
    /// How long before its end a server certificate is reported.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::Span>")]
    pub certificate_notice: Option<Duration>,
    /// How long its database may go without a service that refers to it.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::Span>")]
    pub abandoned_after: Option<Duration>,
    /// How old the last rotation of a secret may be.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::Span>")]
    pub rotation_age: Option<Duration>,
    /// How long a deployment may be in progress.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::Span>")]
    pub deployment_timeout: Option<Duration>,
    /// Texts in a log, exactly as written, that tell of a database inside the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::NonEmpty>>", extend("uniqueItems" = true))]
    pub builtin_database_patterns: Option<Vec<String>>,
    /// A text in a log, exactly as written, that tells of a connection to the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub database_log_pattern: Option<String>,
    /// PostgreSQL extensions that `diagnose --connect` looks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::NonEmpty>>", extend("uniqueItems" = true))]
    pub required_extensions: Option<Vec<String>>,
    /// Whether it must have a migration task definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrations: Option<Migrations>,
}

/// Who may reach one workload's database besides its own services. What isn't given is taken from `defaults`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IngressOverrides {
    /// Blocks of IPv4 or IPv6 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::Cidr>>", extend("uniqueItems" = true))]
    pub cidrs: Option<Vec<IpNet>>,
    /// Ids of security groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::SecurityGroup>>", extend("uniqueItems" = true))]
    pub security_groups: Option<Vec<String>>,
}

impl IngressOverrides {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
