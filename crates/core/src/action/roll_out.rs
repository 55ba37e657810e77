//! `RegisterTaskDefinition` of the running revision with other references, then `UpdateService`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::rollout::{Revision, Rollout};
use super::secret_change::SecretChange;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;
use crate::model::resources::revision_name;

/// Gives a service a new revision with other references.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RollOut {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// ARN of the running revision.
    pub base: String,
    /// What differs, in order.
    pub changes: Vec<SecretChange>,
}

impl RollOut {
    fn rollout(&self) -> Rollout<'_> {
        Rollout {
            cluster: &self.cluster,
            service: &self.service,
            before: &self.base,
            revision: Revision::Register(&self.changes),
        }
    }
}

impl Correction for RollOut {
    fn calls(&self) -> Vec<Call> {
        let Self { cluster, service, .. } = self;
        vec![
            Call::new(
                "ecs",
                "RegisterTaskDefinition",
                json!({"basedOn": self.base, "changes": self.changes}),
            ),
            Call::new(
                "ecs",
                "UpdateService",
                json!({"cluster": cluster, "service": service, "taskDefinition": "(the revision registered)"}),
            ),
        ]
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
                revision_name(&self.base)
            ),
            "the secret is well formed, leads to the workload's database, and can be read".into(),
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
        let changes: Vec<String> = self
            .changes
            .iter()
            .map(|c| format!("{} {}={}", c.container, c.variable, c.after))
            .collect();
        format!("{} with {}", self.target(), changes.join(" "))
    }

    fn describe(&self) -> String {
        let changes: Vec<String> = self
            .changes
            .iter()
            .map(|c| {
                let before = c.before.as_deref().unwrap_or("(none)");
                format!("{}: {} {before} → {}", c.container, c.variable, c.after)
            })
            .collect();
        format!(
            "{}/{}: new revision of {} with {}",
            self.cluster,
            self.service,
            revision_name(&self.base),
            changes.join("; ")
        )
    }
}
