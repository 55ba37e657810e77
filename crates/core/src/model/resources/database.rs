//! RDS instances, clusters and their parameter groups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::tags::Tags;

/// A database, by the kind that the modifying calls need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseId {
    /// `DBInstanceIdentifier`.
    Instance(String),
    /// `DBClusterIdentifier`.
    Cluster(String),
}

impl DatabaseId {
    /// The identifier, whichever it is.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Instance(id) | Self::Cluster(id) => id,
        }
    }
}

/// An RDS DB instance.
#[derive(Debug, Clone, Default)]
pub struct DbInstance {
    /// `DBInstanceIdentifier`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// `available`, `creating`, `modifying`, ...
    pub status: String,
    /// `postgres`, `aurora-postgresql`, ...
    pub engine: String,
    /// For instance `17.2`.
    pub engine_version: String,
    /// The `PubliclyAccessible` flag.
    pub publicly_accessible: bool,
    /// Days; 0 switches automated backups off.
    pub backup_retention_days: i32,
    /// Absent while it is being created.
    pub endpoint: Option<Endpoint>,
    /// The port it will listen on, where that is known before its endpoint is.
    pub port: Option<u16>,
    /// The database that was created with it.
    pub database: Option<String>,
    /// `MasterUsername`.
    pub master_user: Option<String>,
    /// The instance that this one replicates.
    pub replica_of: Option<String>,
    /// What replicates it: identifiers of instances in its region, ARNs of those elsewhere.
    pub replicas: Vec<String>,
    /// The secret in which RDS keeps the master user's password, if it does.
    pub managed_secret: Option<ManagedSecret>,
    /// The cluster that it is a member of.
    pub cluster: Option<String>,
    /// Its VPC, from the subnet group.
    pub vpc: Option<String>,
    /// Name of its subnet group.
    pub subnet_group: Option<String>,
    /// Subnets of its subnet group.
    pub subnets: Vec<String>,
    /// Security groups, active or being added.
    pub security_groups: Vec<String>,
    /// Whether it has an IPv6 address in addition to its IPv4 one: `NetworkType=DUAL`.
    pub dual_stack: bool,
    /// Names of its parameter groups.
    pub parameter_groups: Vec<String>,
    /// Whether storage is encrypted.
    pub storage_encrypted: bool,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// `LatestRestorableTime`: how far point-in-time recovery reaches.
    pub restorable_until: Option<Timestamp>,
    /// Whether it refuses to be deleted.
    pub deletion_protection: bool,
    /// GiB.
    pub allocated_storage: i32,
    /// GiB up to which storage autoscaling grows; absent if it is off.
    pub max_allocated_storage: Option<i32>,
    /// Whether minor versions are installed automatically.
    pub auto_minor_upgrade: bool,
    /// Whether a standby waits in another zone.
    pub multi_az: bool,
    /// Whether IAM may log in.
    pub iam_authentication: bool,
    /// When the server certificate ends.
    pub certificate_until: Option<Timestamp>,
    /// `db.t4g.medium`, ...
    pub class: String,
    /// Seconds between two readings of Enhanced Monitoring; 0: none.
    pub monitoring_interval: i32,
    /// Whether Performance Insights is on.
    pub performance_insights: bool,
    /// Logs that go to CloudWatch.
    pub exported_logs: Vec<String>,
    /// Names of the fields with a change pending, with the new value where it is a plain one.
    pub pending: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
}

/// An Aurora or Multi-AZ DB cluster.
#[derive(Debug, Clone, Default)]
pub struct DbCluster {
    /// `DBClusterIdentifier`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// `available`, `creating`, ...
    pub status: String,
    /// `aurora-postgresql`, or `postgres` for a Multi-AZ DB cluster.
    pub engine: String,
    /// The `PubliclyAccessible` flag: only Multi-AZ DB clusters have it; Aurora's is on the members.
    pub publicly_accessible: Option<bool>,
    /// Days.
    pub backup_retention_days: i32,
    /// Host names that lead to it: writer, reader, custom.
    pub hosts: Vec<String>,
    /// The port.
    pub port: Option<u16>,
    /// The database that was created with it.
    pub database: Option<String>,
    /// `MasterUsername`.
    pub master_user: Option<String>,
    /// The cluster or instance that this one replicates.
    pub replica_of: Option<String>,
    /// ARNs of the clusters that replicate it.
    pub replicas: Vec<String>,
    /// The Aurora global database that it is a member of.
    pub global_cluster: Option<String>,
    /// The secret in which RDS keeps the master user's password, if it does.
    pub managed_secret: Option<ManagedSecret>,
    /// Identifiers of its members.
    pub members: Vec<String>,
    /// Name of its subnet group.
    pub subnet_group: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Whether it has IPv6 addresses in addition to its IPv4 ones: `NetworkType=DUAL`.
    pub dual_stack: bool,
    /// Name of its parameter group.
    pub parameter_group: Option<String>,
    /// Whether storage is encrypted.
    pub storage_encrypted: bool,
    /// For instance `16.4`.
    pub engine_version: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// `LatestRestorableTime`: how far point-in-time recovery reaches.
    pub restorable_until: Option<Timestamp>,
    /// Whether it refuses to be deleted.
    pub deletion_protection: bool,
    /// Whether it has members in more than one zone.
    pub multi_az: bool,
    /// Whether IAM may log in.
    pub iam_authentication: bool,
    /// Whether minor versions are installed automatically. Of an Aurora cluster that needs every member's flag too.
    /// <https://docs.aws.amazon.com/config/latest/developerguide/rds-automatic-minor-version-upgrade-enabled.html>
    pub auto_minor_upgrade: Option<bool>,
    /// Names of the fields with a change pending.
    pub pending: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
}

/// Where a database listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name, lower case.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The secret in which RDS keeps the password of a master user, and which it rotates itself. The value is
/// `{username, password}` and names no host.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedSecret {
    /// `SecretArn`.
    pub arn: String,
    /// `SecretStatus`: `creating`, `active`, `rotating`, or `impaired` (usable, but RDS can't rotate it).
    pub status: String,
    /// `KmsKeyId`.
    pub kms_key: Option<String>,
}

/// A host name of RDS that neither the list of instances nor that of clusters has: of a proxy, a custom endpoint, or the
/// writer of a global database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsEndpoint {
    /// What it is, by its name: `RDS Proxy shop-pooler`.
    pub name: String,
    /// Whether it leads to read-only connections alone.
    pub read_only: bool,
    /// The databases that it leads to. Of a global database, all of its clusters: they hold the same data.
    pub targets: Vec<EndpointTarget>,
}

/// A database that an endpoint leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointTarget {
    /// One of the same account and region.
    Here(DatabaseId),
    /// One elsewhere, by its ARN.
    Elsewhere(String),
}

/// A parameter group, as far as TLS goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// Whether it is one of clusters.
    pub of_cluster: bool,
    /// What it sets `rds.force_ssl` to; absent: it leaves the engine's default.
    pub force_ssl: Option<String>,
    /// Tags.
    pub tags: Tags,
}
