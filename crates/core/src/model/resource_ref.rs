//! The name of a resource in findings.

use serde::{Deserialize, Serialize};

use super::key::Scope;

/// The kinds of resource that a finding can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An RDS instance.
    RdsDbInstance,
    /// An RDS cluster.
    RdsDbCluster,
    /// A security group.
    Ec2SecurityGroup,
    /// A secret.
    SecretsmanagerSecret,
    /// An ECS service.
    EcsService,
    /// A task definition.
    EcsTaskDefinition,
    /// A resource of a plan, of a type that no other kind names: `check` alone speaks of it.
    PlannedResource,
    /// The workload as a whole.
    Workload,
}

impl Kind {
    /// Every kind that an account has, in order.
    pub const ALL: [Self; 7] = [
        Self::RdsDbInstance,
        Self::RdsDbCluster,
        Self::Ec2SecurityGroup,
        Self::SecretsmanagerSecret,
        Self::EcsService,
        Self::EcsTaskDefinition,
        Self::Workload,
    ];

    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RdsDbInstance => "rds-db-instance",
            Self::RdsDbCluster => "rds-db-cluster",
            Self::Ec2SecurityGroup => "ec2-security-group",
            Self::SecretsmanagerSecret => "secretsmanager-secret",
            Self::EcsService => "ecs-service",
            Self::EcsTaskDefinition => "ecs-task-definition",
            Self::PlannedResource => "planned-resource",
            Self::Workload => "workload",
        }
    }
}

/// The resource that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceRef {
    /// Its kind.
    pub kind: Kind,
    /// Its name or id; for a service `cluster/service`.
    pub id: String,
    /// Its ARN; of a workload, which has none, `workload/NAME`.
    pub arn: String,
    /// Twelve digits.
    pub account: String,
    /// For instance `us-east-1`.
    pub region: String,
}

impl ResourceRef {
    /// A resource of `scope`.
    pub fn new(kind: Kind, id: impl Into<String>, arn: impl Into<String>, scope: &Scope) -> Self {
        Self {
            kind,
            id: id.into(),
            arn: arn.into(),
            account: scope.account.clone(),
            region: scope.region.clone(),
        }
    }

    /// A workload as a whole.
    #[must_use]
    pub fn workload(name: &str, scope: &Scope) -> Self {
        Self::new(Kind::Workload, name, format!("workload/{name}"), scope)
    }
}
