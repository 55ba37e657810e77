//! `ModifyDBInstance` with `PubliclyAccessible=false`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::{Clients, TakesAway};
use crate::model::policy::Risk;

/// Takes a public address from an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClosePublicAccess {
    /// `DBInstanceIdentifier`.
    pub instance: String,
}

impl Correction for ClosePublicAccess {
    fn calls(&self) -> Vec<Call> {
        // PubliclyAccessible takes effect at once whatever ApplyImmediately says; true would carry out other pending
        // changes. https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
        let parameters =
            json!({"DBInstanceIdentifier": self.instance, "PubliclyAccessible": false, "ApplyImmediately": false});
        vec![Call::new("rds", "ModifyDBInstance", parameters)]
    }

    fn risk(&self) -> Risk {
        Risk::Brief
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Access(Clients::Public(&self.instance))
    }

    fn preconditions(&self) -> Vec<String> {
        vec![
            format!(
                "{} is available, publicly accessible, and not in a migration window",
                self.instance
            ),
            "every service of the workload reaches it by a private path".into(),
        ]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall {
            all_databases: false,
            discover_services: true,
        }
    }

    fn execution(&self) -> Execution<'_> {
        Execution::OneCall
    }

    fn merge(&self) -> Merge<'_> {
        Merge::Identical
    }

    fn target(&self) -> String {
        format!("db:{}", self.instance)
    }

    fn purpose(&self) -> String {
        format!("{} private", self.target())
    }

    fn describe(&self) -> String {
        format!("{}: PubliclyAccessible true → false", self.instance)
    }
}
