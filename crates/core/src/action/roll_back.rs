//! `UpdateService` to a revision that exists.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::rollout::{Revision, Rollout};
use super::takes_away::TakesAway;
use crate::model::policy::Risk;
use crate::model::resources::revision_name;

/// Gives a service a revision that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RollBack {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// ARN of the running revision.
    pub from: String,
    /// ARN of the revision to run.
    pub to: String,
}

impl RollBack {
    fn rollout(&self) -> Rollout<'_> {
        Rollout {
            cluster: &self.cluster,
            service: &self.service,
            before: &self.from,
            revision: Revision::Existing(&self.to),
        }
    }
}

impl Correction for RollBack {
    fn calls(&self) -> Vec<Call> {
        let parameters = json!({"cluster": self.cluster, "service": self.service, "taskDefinition": self.to});
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
        vec![
            format!(
                "{}/{} still runs {}, and no deployment is under way",
                self.cluster,
                self.service,
                revision_name(&self.from)
            ),
            format!(
                "{} still keeps its data outside of the container",
                revision_name(&self.to)
            ),
        ]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall::WORKLOAD
    }

    fn execution(&self) -> Execution<'_> {
        Execution::Rollout(self.rollout())
    }

    fn merge(&self) -> Merge<'_> {
        Merge::OneRevision(self.rollout())
    }

    fn target(&self) -> String {
        format!("service:{}/{}", self.cluster, self.service)
    }

    fn purpose(&self) -> String {
        format!("{} back", self.target())
    }

    fn describe(&self) -> String {
        format!(
            "{}/{}: revision {} → {}",
            self.cluster,
            self.service,
            revision_name(&self.from),
            revision_name(&self.to)
        )
    }
}
