//! The keys about Holdfast's own running: limits, ledger, lease, reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms;

/// How hard Holdfast may work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most AWS calls at once in one account and region, 1 to 1024; sweeps use at most four fifths of it. Accounts don't
    /// share it: one whose calls hang does not hold up the others.
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: usize,
    /// Rates of calls by service. What isn't given keeps to AWS's documented rates.
    #[schemars(with = "BTreeMap<String, ApiLimits>", extend("propertyNames" = {"enum": ApiService::words()}))]
    pub api: BTreeMap<ApiService, ApiLimits>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 32,
            api: BTreeMap::new(),
        }
    }
}

/// An AWS service whose rate of calls can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiService {
    /// ECS.
    Ecs,
    /// EC2.
    Ec2,
    /// RDS.
    Rds,
    /// Secrets Manager.
    SecretsManager,
    /// The Resource Groups Tagging API.
    Tagging,
    /// SQS.
    Sqs,
    /// IAM.
    Iam,
    /// CloudWatch Logs.
    Logs,
    /// Parameter Store.
    Ssm,
    /// CloudWatch.
    CloudWatch,
    /// KMS.
    Kms,
}

impl ApiService {
    /// Every service.
    pub const ALL: [Self; 11] = [
        Self::Ecs,
        Self::Ec2,
        Self::Rds,
        Self::SecretsManager,
        Self::Tagging,
        Self::Sqs,
        Self::Iam,
        Self::Logs,
        Self::Ssm,
        Self::CloudWatch,
        Self::Kms,
    ];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ec2 => "ec2",
            Self::Rds => "rds",
            Self::SecretsManager => "secretsmanager",
            Self::Tagging => "tagging",
            Self::Sqs => "sqs",
            Self::Iam => "iam",
            Self::Logs => "logs",
            Self::Ssm => "ssm",
            Self::CloudWatch => "cloudwatch",
            Self::Kms => "kms",
        }
    }

    fn words() -> Vec<&'static str> {
        Self::ALL.iter().map(|s| s.as_str()).collect()
    }
}

/// Rates of calls to one service, in one account and region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiLimits {
    /// Reading calls a second, on average; more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub describe_per_second: Option<f64>,
    /// Reading calls at once; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub describe_burst: Option<u32>,
    /// Changing calls a second, on average; more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub mutate_per_second: Option<f64>,
    /// Changing calls at once; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub mutate_burst: Option<u32>,
}

/// Where Holdfast remembers what it saw and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// The kind of store.
    pub kind: LedgerKind,
    /// The file of kind `sqlite`.
    #[schemars(with = "forms::NonEmpty")]
    pub path: PathBuf,
    /// The table of kind `dynamodb`.
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub table: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            kind: LedgerKind::Sqlite,
            path: PathBuf::from("holdfast.db"),
            table: None,
        }
    }
}

/// A kind of ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LedgerKind {
    /// A file, for one machine.
    #[default]
    Sqlite,
    /// A DynamoDB table.
    Dynamodb,
}

/// How several Holdfasts agree on who acts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lease {
    /// The kind of lease.
    pub kind: LeaseKind,
    /// The table of kind `dynamodb`.
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub table: Option<String>,
}

/// A kind of lease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// No lease: there is only one Holdfast.
    #[default]
    None,
    /// A DynamoDB table.
    Dynamodb,
}

/// Who else is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReportTo {
    /// Name or ARN of the EventBridge bus that receives findings and actions. Absent: none.
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub event_bus: Option<String>,
}
