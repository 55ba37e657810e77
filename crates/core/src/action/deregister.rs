//! `DeregisterTaskDefinition`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;
use crate::model::resources::revision_name;

/// Deregisters a task definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Deregister {
    /// ARN of the revision.
    pub revision: String,
}

impl Correction for Deregister {
    fn calls(&self) -> Vec<Call> {
        vec![Call::new(
            "ecs",
            "DeregisterTaskDefinition",
            json!({"taskDefinition": self.revision}),
        )]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Revision(&self.revision)
    }

    fn preconditions(&self) -> Vec<String> {
        vec![
            format!("no service runs {}", revision_name(&self.revision)),
            "the running revision keeps its data outside of the container".into(),
        ]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall::WORKLOAD
    }

    fn execution(&self) -> Execution<'_> {
        Execution::OneCall
    }

    fn merge(&self) -> Merge<'_> {
        Merge::Identical
    }

    fn target(&self) -> String {
        format!("revision:{}", self.revision)
    }

    fn purpose(&self) -> String {
        self.target()
    }

    fn describe(&self) -> String {
        format!("{}: ACTIVE → INACTIVE", revision_name(&self.revision))
    }
}
