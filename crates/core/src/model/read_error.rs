//! Reads that failed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A call that failed, told so that a person can mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReadError {
    /// IAM prefix of the service: `rds`, `ecs`, `ec2`, `secretsmanager`, `tag`, ...
    pub service: String,
    /// For instance `DescribeDBInstances`.
    pub operation: String,
    /// The resource asked for, or the scope.
    pub resource: String,
    /// AWS's error code, or `timeout`, `connection`, ...
    pub code: String,
    /// What happened and what to do about it.
    pub message: String,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{} on {}: {}",
            self.service, self.operation, self.resource, self.message
        )
    }
}

/// What was read, or why it could not be.
pub type Seen<T> = Result<T, Arc<ReadError>>;
