//! The AWS resources that rules judge, reduced to what they need.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tags::Tags;

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
    /// The database that was created with it.
    pub database: Option<String>,
    /// `MasterUsername`.
    pub master_user: Option<String>,
    /// The instance that this one replicates.
    pub replica_of: Option<String>,
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
    /// Names of its parameter groups.
    pub parameter_groups: Vec<String>,
    /// Whether storage is encrypted.
    pub storage_encrypted: bool,
    /// When it was created.
    pub created_at: Option<Timestamp>,
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
    /// Identifiers of its members.
    pub members: Vec<String>,
    /// Name of its subnet group.
    pub subnet_group: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Name of its parameter group.
    pub parameter_group: Option<String>,
    /// Whether storage is encrypted.
    pub storage_encrypted: bool,
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

/// A security group with its ingress rules.
#[derive(Debug, Clone, Default)]
pub struct SecurityGroup {
    /// `sg-...`
    pub id: String,
    /// `GroupName`.
    pub name: String,
    /// Its VPC.
    pub vpc: Option<String>,
    /// One entry for each rule.
    pub ingress: Vec<IngressRule>,
    /// Tags.
    pub tags: Tags,
}

/// One ingress rule: one protocol and port range, one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IngressRule {
    /// `sgr-...`
    pub id: String,
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for all.
    pub protocol: String,
    /// First port; absent where the protocol is `-1`.
    pub from_port: Option<i32>,
    /// Last port, inclusive.
    pub to_port: Option<i32>,
    /// Who may come in.
    pub source: Source,
}

/// The source of an ingress rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An IPv4 or IPv6 range.
    Cidr(IpNet),
    /// A managed prefix list.
    PrefixList(String),
    /// Another security group, perhaps of another account.
    Group {
        /// `sg-...`
        id: String,
        /// The owner, if AWS names one.
        account: Option<String>,
    },
    /// Something that Holdfast does not know: the text AWS gave. Never taken for harmless.
    Other(String),
}

impl IngressRule {
    /// Whether TCP connections to `port` may come in by this rule.
    #[must_use]
    pub fn reaches(&self, port: u16) -> bool {
        match self.protocol.as_str() {
            "-1" | "all" => true,
            // AWS normalises 6 to tcp; an API caller may still see the number.
            "tcp" | "6" => {
                let (from, to) = (self.from_port.unwrap_or(0), self.to_port.unwrap_or(65535));
                // EC2 also writes "all ports" as -1 to -1.
                (from == -1 && to == -1) || (from..=to).contains(&i32::from(port))
            }
            _ => false,
        }
    }

    /// Whether the source is the whole of IPv4 or IPv6.
    #[must_use]
    pub fn is_world(&self) -> bool {
        matches!(&self.source, Source::Cidr(net) if net.prefix_len() == 0)
    }

    /// Whether the source is one single address.
    #[must_use]
    pub fn is_single_address(&self) -> bool {
        matches!(&self.source, Source::Cidr(net) if net.prefix_len() == net.max_prefix_len())
    }

    /// For a message: `tcp 5432 from 0.0.0.0/0`.
    #[must_use]
    pub fn describe(&self) -> String {
        let ports = match (self.protocol.as_str(), self.from_port, self.to_port) {
            ("-1" | "all", _, _) => "all protocols".to_owned(),
            (p, Some(from), Some(to)) if from == to => format!("{p} {from}"),
            (p, Some(from), Some(to)) => format!("{p} {from}-{to}"),
            (p, _, _) => format!("{p} all ports"),
        };
        format!("{ports} from {}", self.source)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cidr(net) => write!(f, "{net}"),
            Self::PrefixList(id) | Self::Other(id) => f.write_str(id),
            Self::Group {
                id,
                account: Some(account),
            } => write!(f, "{account}/{id}"),
            Self::Group { id, account: None } => f.write_str(id),
        }
    }
}

/// A subnet.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// `subnet-...`
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// IPv4 and IPv6 ranges.
    pub cidrs: Vec<IpNet>,
    /// The internet gateway that its route table (its own, or the VPC's main one) sends 0.0.0.0/0 or `::/0` to.
    pub internet_gateway: Option<String>,
}

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
    /// Tasks wanted.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Subnets of its awsvpc network.
    pub subnets: Vec<String>,
    /// Security groups of its awsvpc network. Empty in other network modes.
    pub security_groups: Vec<String>,
    /// Name of the container behind its load balancer, if there is one.
    pub balanced_container: Option<String>,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub deployment_controller: String,
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
    /// Tasks wanted.
    pub desired_count: i32,
    /// Tasks running.
    pub running_count: i32,
    /// Tasks that failed to start.
    pub failed_tasks: i32,
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
    /// Whether it can be run: `ACTIVE`, not deregistered.
    pub active: bool,
    /// The role that fetches secrets.
    pub execution_role: Option<String>,
}

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
    /// Where a plain environment variable names a database, if it does. Values are not kept.
    pub plain_databases: Vec<PlainDatabase>,
    /// What is mounted in it.
    pub mounts: Vec<Mount>,
}

/// A variable that is filled from Secrets Manager or Parameter Store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVariable {
    /// Name of the variable.
    pub name: String,
    /// The reference: an ARN with an optional selector, or the name of a parameter.
    pub value_from: String,
}

/// What a plain environment variable says about a database, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainDatabase {
    /// Name of the variable.
    pub variable: String,
    /// Whether it leads out of the task: not to localhost or a sidecar.
    pub external: bool,
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
    /// EFS or `FSx`: outlives any task.
    Shared,
    /// A Docker volume with a scope and driver that outlive the host.
    DockerDriver,
    /// A directory of the host, or a Docker volume on it.
    Host,
    /// An EBS volume made for each task and, under a service, deleted with it.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ebs-volumes.html>
    TaskEbs,
}

/// A secret: its description and, where allowed, facts about its value.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Full ARN, with the six-character suffix.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it will be deleted, if that is scheduled.
    pub deleted_at: Option<Timestamp>,
    /// Version ids with their stages. Empty if AWS did not say.
    pub versions: BTreeMap<String, Vec<String>>,
    /// Tags.
    pub tags: Tags,
}
