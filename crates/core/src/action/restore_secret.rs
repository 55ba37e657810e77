//! `RestoreSecret`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// Cancels the deletion of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RestoreSecret {
    /// The secret's full ARN.
    pub secret: String,
}

impl Correction for RestoreSecret {
    fn calls(&self) -> Vec<Call> {
        vec![Call::new(
            "secretsmanager",
            "RestoreSecret",
            json!({"SecretId": self.secret}),
        )]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Nothing
    }

    fn preconditions(&self) -> Vec<String> {
        vec![format!(
            "{} is still scheduled for deletion, and referred to",
            self.secret
        )]
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
        format!("secret:{}", self.secret)
    }

    fn purpose(&self) -> String {
        self.target()
    }

    fn describe(&self) -> String {
        format!("{}: scheduled for deletion → restored", self.secret)
    }
}
