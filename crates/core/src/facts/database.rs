//! The databases of a workload: instances, clusters and members of clusters.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::hold::HoldReason;
use crate::model::resources::{DatabaseId, DbCluster, DbInstance, ManagedSecret};
use crate::model::snapshot::ReadError;
use crate::model::subject::ResultSubject;
use crate::model::tags::{PhaseReading, Tags};
use crate::rule_result::{Failure, RuleResult};

/// The default port of PostgreSQL.
pub const DEFAULT_PORT: u16 = 5432;

/// The IAM actions that a rule about a database alone needs.
pub const DATABASE_READS: &[&str] = &["rds:DescribeDBInstances", "rds:DescribeDBClusters"];

/// An instance or a cluster, as RDS describes and modifies it. An instance may be a read replica or a member of a
/// cluster.
#[derive(Debug, Clone, Copy)]
pub enum RdsResource<'a> {
    /// An instance.
    Instance(&'a DbInstance),
    /// An Aurora or Multi-AZ DB cluster.
    Cluster(&'a DbCluster),
}

impl<'a> RdsResource<'a> {
    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.id,
            Self::Cluster(c) => &c.id,
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.arn,
            Self::Cluster(c) => &c.arn,
        }
    }

    /// The user that was created with it.
    #[must_use]
    pub fn master_user(&self) -> Option<&'a str> {
        match self {
            Self::Instance(i) => i.master_user.as_deref(),
            Self::Cluster(c) => c.master_user.as_deref(),
        }
    }

    /// Its identity in calls.
    #[must_use]
    pub fn identity(&self) -> DatabaseId {
        match self {
            Self::Instance(i) => DatabaseId::Instance(i.id.clone()),
            Self::Cluster(c) => DatabaseId::Cluster(c.id.clone()),
        }
    }

    /// `available`, `creating`, ...
    #[must_use]
    pub fn status(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.status,
            Self::Cluster(c) => &c.status,
        }
    }

    /// `postgres`, `aurora-postgresql`, ...
    #[must_use]
    pub fn engine(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.engine,
            Self::Cluster(c) => &c.engine,
        }
    }

    /// For instance `17.2`.
    #[must_use]
    pub fn engine_version(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.engine_version,
            Self::Cluster(c) => &c.engine_version,
        }
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> &'a Tags {
        match self {
            Self::Instance(i) => &i.tags,
            Self::Cluster(c) => &c.tags,
        }
    }

    /// When it was created; absent while it is being created.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        match self {
            Self::Instance(i) => i.created_at,
            Self::Cluster(c) => c.created_at,
        }
    }

    /// What it replicates, if it does: an identifier, or the ARN of something in another region.
    #[must_use]
    pub fn replica_of(&self) -> Option<&'a str> {
        match self {
            Self::Instance(i) => i.replica_of.as_deref(),
            Self::Cluster(c) => c.replica_of.as_deref(),
        }
    }

    /// What replicates it: identifiers, or ARNs of what is in another region.
    #[must_use]
    pub fn replicas(&self) -> &'a [String] {
        match self {
            Self::Instance(i) => &i.replicas,
            Self::Cluster(c) => &c.replicas,
        }
    }

    /// The secret in which RDS keeps the master user's password, if it does.
    #[must_use]
    pub fn managed_secret(&self) -> Option<&'a ManagedSecret> {
        match self {
            Self::Instance(i) => i.managed_secret.as_ref(),
            Self::Cluster(c) => c.managed_secret.as_ref(),
        }
    }

    /// Whether users may log in by IAM. Which of them do (the members of `rds_iam`), only the database knows.
    #[must_use]
    pub fn iam_authentication(&self) -> bool {
        match self {
            Self::Instance(i) => i.iam_authentication,
            Self::Cluster(c) => c.iam_authentication,
        }
    }

    /// Itself, for a result.
    #[must_use]
    pub fn subject(&self) -> ResultSubject<'a> {
        match self {
            Self::Instance(i) => ResultSubject::Instance(i),
            Self::Cluster(c) => ResultSubject::Cluster(c),
        }
    }

    /// The invariant holds.
    #[must_use]
    pub fn pass(&self) -> RuleResult<'a> {
        RuleResult::pass(self.subject())
    }

    /// It does not.
    #[must_use]
    pub fn fail(&self, phase: PhaseReading, failure: Failure) -> RuleResult<'a> {
        RuleResult::fail(self.subject(), self.tags(), failure).in_phase(phase)
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(&self, phase: PhaseReading, error: &Arc<ReadError>) -> RuleResult<'a> {
        RuleResult::unknown(self.subject(), self.tags(), error).in_phase(phase)
    }

    /// How the command line names it: `modify-db-instance --db-instance-identifier ID`, or the cluster's.
    #[must_use]
    pub fn modify(&self) -> String {
        match self {
            Self::Instance(i) => format!("aws rds modify-db-instance --db-instance-identifier {}", i.id),
            Self::Cluster(c) => format!("aws rds modify-db-cluster --db-cluster-identifier {}", c.id),
        }
    }
}

/// One database of a workload: an instance outside of a cluster, a cluster with its members, or a member whose cluster
/// is not in the list, because it was listed before the cluster was there or because the cluster is being deleted.
#[derive(Debug, Clone)]
pub struct Database<'a> {
    /// The instance or cluster itself.
    pub resource: RdsResource<'a>,
    /// Its identifier.
    pub id: &'a str,
    /// Its ARN.
    pub arn: &'a str,
    /// The instance itself, or the members of the cluster that belong to the workload.
    pub members: Vec<&'a DbInstance>,
    /// Host names that lead to it. Empty while it is being created.
    pub hosts: Vec<&'a str>,
    /// Its port.
    pub port: Option<u16>,
    /// The database that was created with it.
    pub name: Option<&'a str>,
    /// The secret in which RDS keeps the master user's password, if it does: `{username, password}`, without a host.
    pub managed_secret: Option<&'a ManagedSecret>,
    /// Whether users may log in by IAM.
    pub iam_authentication: bool,
    /// Its security groups.
    pub security_groups: &'a [String],
    /// Its VPC, where known.
    pub vpc: Option<&'a str>,
    /// Its phase.
    pub phase: PhaseReading,
    /// Its tags.
    pub tags: &'a Tags,
}

impl<'a> Database<'a> {
    /// Itself, for a result.
    #[must_use]
    pub fn subject(&self) -> ResultSubject<'a> {
        self.resource.subject()
    }

    /// Whether one of its own endpoints has this name, as `hosts::normal` makes it.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.contains(&host)
    }

    /// Whether this is it: the instance or cluster itself, or a member.
    #[must_use]
    pub fn is(&self, resource: &RdsResource<'_>) -> bool {
        match (&self.resource, resource) {
            (RdsResource::Cluster(own), RdsResource::Cluster(other)) => own.id == other.id,
            (RdsResource::Cluster(own), RdsResource::Instance(i)) => i.cluster.as_ref() == Some(&own.id),
            (RdsResource::Instance(own), RdsResource::Instance(other)) => own.id == other.id,
            // A member whose cluster belongs to nobody: services use it by the cluster's endpoints.
            (RdsResource::Instance(own), RdsResource::Cluster(c)) => own.cluster.as_ref() == Some(&c.id),
        }
    }

    /// Whether it is what a blue/green switchover left of `other`, which has its name and endpoints now. RDS appends `-oldN`
    /// to the name of the former database, and lets it be read alone until it is restarted.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-switching.html>
    #[must_use]
    pub fn is_former(&self, other: &Self) -> bool {
        let rest = self.id.strip_prefix(other.id).and_then(|r| r.strip_prefix("-old"));
        rest.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Whether it is the green side of a blue/green deployment of `other`, whose name RDS makes of six letters and digits:
    /// nothing leads to it before the switchover.
    #[must_use]
    pub fn is_staged_for(&self, other: &Self) -> bool {
        let rest = self.id.strip_prefix(other.id).and_then(|r| r.strip_prefix("-green-"));
        rest.is_some_and(|n| n.len() == 6 && n.bytes().all(|b| b.is_ascii_alphanumeric()))
    }

    /// Whether it has IPv6 addresses.
    #[must_use]
    pub fn dual_stack(&self) -> bool {
        self.members.iter().any(|i| i.dual_stack)
    }

    /// Whether it is a member whose cluster is not in the list: storage, backups and settings are not its own.
    #[must_use]
    pub fn is_orphaned_member(&self) -> bool {
        matches!(self.resource, RdsResource::Instance(i) if i.cluster.is_some())
    }

    /// The invariant holds.
    #[must_use]
    pub fn pass(&self) -> RuleResult<'a> {
        self.resource.pass()
    }

    /// It does not.
    #[must_use]
    pub fn fail(&self, failure: Failure) -> RuleResult<'a> {
        self.resource.fail(self.phase, failure)
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(&self, error: &Arc<ReadError>) -> RuleResult<'a> {
        self.resource.unknown(self.phase, error)
    }
}

/// The databases that `instances` and `clusters` make, each once.
pub(super) fn databases<'a>(
    instances: &[&'a DbInstance],
    clusters: &[&'a DbCluster],
    phase: impl Fn(&RdsResource<'a>) -> PhaseReading,
) -> Vec<Database<'a>> {
    let mut databases: Vec<Database<'a>> = clusters
        .iter()
        .map(|c| {
            let members: Vec<&DbInstance> = instances
                .iter()
                .copied()
                .filter(|i| i.cluster.as_deref() == Some(&c.id))
                .collect();
            let mut hosts: Vec<&str> = c.hosts.iter().map(String::as_str).collect();
            hosts.extend(
                members
                    .iter()
                    .filter_map(|i| i.endpoint.as_ref())
                    .map(|e| e.host.as_str()),
            );
            Database {
                resource: RdsResource::Cluster(c),
                id: &c.id,
                arn: &c.arn,
                hosts,
                port: c.port.or_else(|| {
                    members
                        .iter()
                        .find_map(|i| i.endpoint.as_ref().map(|e| e.port).or(i.port))
                }),
                name: c.database.as_deref(),
                managed_secret: c.managed_secret.as_ref(),
                iam_authentication: c.iam_authentication,
                security_groups: &c.security_groups,
                vpc: members.iter().find_map(|i| i.vpc.as_deref()),
                phase: phase(&RdsResource::Cluster(c)),
                tags: &c.tags,
                members,
            }
        })
        .collect();
    // A member whose cluster is not in the list stands for itself.
    let alone = |i: &&DbInstance| !clusters.iter().any(|c| i.cluster.as_deref() == Some(&c.id));
    databases.extend(instances.iter().copied().filter(alone).map(|i| Database {
        resource: RdsResource::Instance(i),
        id: &i.id,
        arn: &i.arn,
        members: vec![i],
        hosts: i.endpoint.iter().map(|e| e.host.as_str()).collect(),
        port: i.endpoint.as_ref().map(|e| e.port).or(i.port),
        name: i.database.as_deref(),
        managed_secret: i.managed_secret.as_ref(),
        iam_authentication: i.iam_authentication,
        security_groups: &i.security_groups,
        vpc: i.vpc.as_deref(),
        phase: phase(&RdsResource::Instance(i)),
        tags: &i.tags,
    }));
    databases
}

/// The reason to hold a change, if AWS refuses to modify a database of this status.
#[must_use]
pub fn not_available(id: &str, status: &str) -> Option<HoldReason> {
    (status != "available").then(|| HoldReason::DatabaseNotAvailable {
        database: id.to_owned(),
        status: status.to_owned(),
    })
}
