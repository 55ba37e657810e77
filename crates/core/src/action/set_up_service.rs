//! `UpdateService` of one setting.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// Changes one setting of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetUpService {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// What changes.
    pub setting: ServiceSetting,
}

/// The setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceSetting {
    /// `deploymentCircuitBreaker` with `enable` and `rollback`. Nothing is deployed.
    CircuitBreaker,
    /// `enableExecuteCommand=true`. Running tasks get it when they are replaced, which a new deployment does.
    ExecuteCommand,
}

impl Correction for SetUpService {
    fn calls(&self) -> Vec<Call> {
        let Self { cluster, service, .. } = self;
        let parameters = match self.setting {
            ServiceSetting::CircuitBreaker => json!({
                "cluster": cluster, "service": service,
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
            }),
            ServiceSetting::ExecuteCommand => {
                json!({"cluster": cluster, "service": service, "enableExecuteCommand": true})
            }
        };
        vec![Call::new("ecs", "UpdateService", parameters)]
    }

    fn risk(&self) -> Risk {
        match self.setting {
            ServiceSetting::CircuitBreaker => Risk::None,
            ServiceSetting::ExecuteCommand => Risk::Brief,
        }
    }

    fn takes_away(&self) -> TakesAway<'_> {
        match self.setting {
            ServiceSetting::CircuitBreaker => TakesAway::Nothing,
            ServiceSetting::ExecuteCommand => TakesAway::RunningTasks {
                cluster: &self.cluster,
                service: &self.service,
            },
        }
    }

    fn preconditions(&self) -> Vec<String> {
        vec![format!(
            "{}/{} is deployed by ECS, and no deployment is under way",
            self.cluster, self.service
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
        format!("service:{}/{}", self.cluster, self.service)
    }

    fn purpose(&self) -> String {
        let setting = match self.setting {
            ServiceSetting::CircuitBreaker => "circuit breaker",
            ServiceSetting::ExecuteCommand => "execute command",
        };
        format!("{} {setting}", self.target())
    }

    fn describe(&self) -> String {
        let Self { cluster, service, .. } = self;
        match self.setting {
            ServiceSetting::CircuitBreaker => {
                format!("{cluster}/{service}: deployment circuit breaker with rollback off → on")
            }
            ServiceSetting::ExecuteCommand => format!("{cluster}/{service}: enableExecuteCommand false → true"),
        }
    }
}
