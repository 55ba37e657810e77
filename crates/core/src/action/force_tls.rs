//! `ModifyDBParameterGroup` or `ModifyDBClusterParameterGroup` with `rds.force_ssl=1`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::{Clients, TakesAway};
use crate::model::policy::Risk;

/// Makes a parameter group refuse connections without TLS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ForceTls {
    /// Whether the group is one of clusters.
    pub of_cluster: bool,
    /// The group's name.
    pub group: String,
}

impl Correction for ForceTls {
    fn calls(&self) -> Vec<Call> {
        let (operation, key) = if self.of_cluster {
            ("ModifyDBClusterParameterGroup", "DBClusterParameterGroupName")
        } else {
            ("ModifyDBParameterGroup", "DBParameterGroupName")
        };
        let parameter = json!({"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"});
        vec![Call::new(
            "rds",
            operation,
            json!({key: self.group, "Parameters": [parameter]}),
        )]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Access(Clients::WithoutTls(&self.group))
    }

    fn preconditions(&self) -> Vec<String> {
        vec![format!(
            "{} is a group of one's own, tagged, and used by this workload alone",
            self.group
        )]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall {
            all_databases: true,
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
        format!("parameters:{}:{}", self.of_cluster, self.group)
    }

    fn purpose(&self) -> String {
        self.target()
    }

    fn describe(&self) -> String {
        format!("{}: rds.force_ssl → 1", self.group)
    }
}
