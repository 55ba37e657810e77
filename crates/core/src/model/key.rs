//! The keys of the work queue: they say what to read, and nothing about its state.

use serde::{Deserialize, Serialize};

/// One account and region: the unit that is swept, sharded and reported on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// For instance `us-east-1`.
    pub region: String,
}

impl Scope {
    /// The ARN of a resource here, in the region's own partition.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let partition = match self.region.split('-').collect::<Vec<_>>().as_slice() {
            ["cn", ..] => "aws-cn",
            ["us", "gov", ..] => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// The resource that an event names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// An RDS instance, by its identifier.
    DbInstance(String),
    /// An Aurora or Multi-AZ cluster, by its identifier.
    DbCluster(String),
    /// An ECS service, by the names of its cluster and itself.
    Service {
        /// The cluster's name, not its ARN.
        cluster: String,
        /// The service's name, not its ARN.
        service: String,
    },
    /// A security group, by its `sg-` id.
    SecurityGroup(String),
    /// A secret, by ARN or name.
    Secret(String),
    /// The family of a task that no service runs, by its name.
    TaskFamily(String),
    /// A workload, by the value of its tag.
    Workload(String),
    /// A resource that many workloads may use (a subnet, a route table): the whole scope is read again.
    Everything,
}

/// What the work queue holds. Two events about the same thing are one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Where it is.
    pub scope: Scope,
    /// What it is.
    pub subject: Subject,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.subject {
            Subject::DbInstance(id) => write!(f, "{}/db:{id}", self.scope),
            Subject::DbCluster(id) => write!(f, "{}/cluster:{id}", self.scope),
            Subject::Service { cluster, service } => write!(f, "{}/service:{cluster}/{service}", self.scope),
            Subject::SecurityGroup(id) => write!(f, "{}/security-group:{id}", self.scope),
            Subject::Secret(id) => write!(f, "{}/secret:{id}", self.scope),
            Subject::TaskFamily(name) => write!(f, "{}/task-family:{name}", self.scope),
            Subject::Workload(name) => write!(f, "{}/workload:{name}", self.scope),
            Subject::Everything => write!(f, "{}/*", self.scope),
        }
    }
}
