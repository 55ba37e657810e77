//! AWS calls as plans and reports show them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One AWS call as a person would read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// IAM prefix: `rds`, `ec2`, `ecs`.
    pub service: String,
    /// For instance `ModifyDBInstance`.
    pub operation: String,
    /// Its parameters. Of `RegisterTaskDefinition` only what differs from the revision it is based on.
    pub parameters: Value,
}

impl Call {
    /// A call of `service`.
    #[must_use]
    pub fn new(service: &str, operation: &str, parameters: Value) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            parameters,
        }
    }
}
