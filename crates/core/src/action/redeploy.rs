//! `UpdateService` with `forceNewDeployment`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// Replaces the tasks of a service by others of the same revision, which fetch their secrets again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Redeploy {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
}

impl Correction for Redeploy {
    fn calls(&self) -> Vec<Call> {
        let Self { cluster, service } = self;
        let parameters = json!({"cluster": cluster, "service": service, "forceNewDeployment": true});
        vec![Call::new("ecs", "UpdateService", parameters)]
    }

    fn risk(&self) -> Risk {
        Risk::Brief
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::RunningTasks {
            cluster: &self.cluster,
            service: &self.service,
        }
    }

    fn preconditions(&self) -> Vec<String> {
        let Self { cluster, service } = self;
        vec![
            format!("{cluster}/{service} is deployed by ECS, and no deployment is under way"),
            format!(
                "tasks of {cluster}/{service} still hold an earlier version of a secret, and it keeps no data in them"
            ),
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
        format!("service:{}/{}", self.cluster, self.service)
    }

    fn purpose(&self) -> String {
        format!("{} redeployed", self.target())
    }

    fn describe(&self) -> String {
        format!(
            "{}/{}: running tasks → new tasks of the same revision",
            self.cluster, self.service
        )
    }
}
