//! How ECS deploys a service, and what it remembers of its deployments.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::read_error::ReadError;

/// How the traffic comes to a new revision.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Tasks of the new revision replace those of the old one, a few at a time.
    #[default]
    Rolling,
    /// All at once, after the new revision runs beside the old one.
    BlueGreen,
    /// In equal steps.
    Linear,
    /// A small part first, then the rest.
    Canary,
    /// One that this version of Holdfast does not know: its name.
    Unknown(String),
}

impl Strategy {
    /// Whether a deployment runs the old and the new revision side by side, and shifts traffic between them.
    #[must_use]
    pub fn shifts_traffic(&self) -> bool {
        matches!(self, Self::BlueGreen | Self::Linear | Self::Canary)
    }
}

/// Settings of a service that tell how its deployments go, and how long they may take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentSettings {
    /// `strategy`.
    pub strategy: Strategy,
    /// `bakeTimeInMinutes`: how long the old revision stays after all traffic was shifted.
    pub bake_minutes: i32,
    /// How often traffic is shifted: once, or once a step of `LINEAR` and `CANARY`.
    pub shifts: i32,
    /// Minutes between two shifts.
    pub shift_minutes: i32,
    /// Lifecycle hooks.
    pub hooks: Vec<LifecycleHook>,
    /// Whether a deployment may be called successful before its last task runs, and before the old tasks are gone.
    pub early_success: bool,
    /// Whether it is an Express service, whose parts ECS manages (`resourceManagementType` is `ECS`).
    pub express: bool,
}

/// One lifecycle hook.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifecycleHook {
    /// Whether it waits for `ContinueServiceDeployment` instead of calling a function.
    pub pauses: bool,
    /// The stages at which it runs.
    pub stages: Vec<String>,
    /// Minutes until ECS goes on, or back, without it.
    pub timeout_minutes: i32,
}

impl DeploymentSettings {
    /// How long a deployment may be held up before the tasks of the new revision are started.
    #[must_use]
    pub fn before_tasks(&self) -> SignedDuration {
        let early = ["RECONCILE_SERVICE", "PRE_SCALE_UP"];
        self.hooks_at(|stage| early.contains(&stage))
    }

    /// How long a deployment may take beyond starting tasks: bake time, steps and hooks.
    #[must_use]
    pub fn allowance(&self) -> SignedDuration {
        let steps = i64::from(self.shifts - 1).max(0) * i64::from(self.shift_minutes);
        SignedDuration::from_mins(i64::from(self.bake_minutes) + steps) + self.hooks_at(|_| true)
    }

    /// The stages around each shift of production traffic come once a shift.
    fn hooks_at(&self, counts: impl Fn(&str) -> bool) -> SignedDuration {
        let times = |stage: &str| {
            let each_shift = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"];
            if each_shift.contains(&stage) {
                i64::from(self.shifts.max(1))
            } else {
                1
            }
        };
        let minutes = |hook: &LifecycleHook| -> i64 {
            let stages = hook.stages.iter().filter(|s| counts(s));
            stages.map(|s| times(s) * i64::from(hook.timeout_minutes)).sum()
        };
        SignedDuration::from_mins(self.hooks.iter().map(minutes).sum())
    }
}

/// How far a deployment that shifts traffic has come.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html>
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeploymentProgress {
    /// ARN of the service deployment.
    pub arn: String,
    /// `IN_PROGRESS`, `ROLLBACK_IN_PROGRESS`, ...
    pub status: String,
    /// `PRE_SCALE_UP` to `CLEAN_UP`.
    pub stage: Option<String>,
    /// Percent of the production traffic that the new revision is to get.
    pub shifted_percent: Option<f64>,
    /// The pause that is waited for: until when.
    pub paused_until: Option<Timestamp>,
    /// Whether it is paused.
    pub paused: bool,
}

impl DeploymentProgress {
    /// Whether ECS is taking it back.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        is_rolling_back(&self.status)
    }
}

/// A deployment as ECS remembers it for 90 days.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastDeployment {
    /// ARN of the service deployment.
    pub arn: String,
    /// `SUCCESSFUL`, `STOPPED`, `ROLLBACK_SUCCESSFUL`, ...
    pub status: String,
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// ARN of the revision that was to be deployed. Read only where the deployment went wrong.
    pub task_definition: Option<String>,
    /// When it began.
    pub created_at: Option<Timestamp>,
}

impl PastDeployment {
    /// Whether it did not come to its end.
    #[must_use]
    pub fn went_wrong(&self) -> bool {
        is_rolling_back(&self.status)
            || ["STOPPED", "STOP_REQUESTED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"].contains(&self.status.as_str())
    }
}

fn is_rolling_back(status: &str) -> bool {
    ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"].contains(&status)
}

/// The newest deployment of a service, and what ended the tasks of a failing one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentHistory {
    /// The newest; absent where ECS remembers none.
    pub newest: Option<PastDeployment>,
    /// Why tasks stopped, in ECS's words, each once and the newest first. ECS forgets a stopped task after about an hour.
    pub stopped: Vec<StoppedTask>,
    /// Why those could not be read, if they could not.
    pub unread_stopped: Option<Arc<ReadError>>,
}

/// A task of a service that stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// ARN of its revision.
    pub task_definition: String,
    /// ECS's words: `Essential container in task exited`, with the exit code of the container.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(stages: &[&str], timeout_minutes: i32) -> LifecycleHook {
        LifecycleHook {
            stages: stages.iter().map(|s| (*s).to_owned()).collect(),
            timeout_minutes,
            ..LifecycleHook::default()
        }
    }

    #[test]
    fn how_long_each_strategy_may_take() {
        let rolling = DeploymentSettings::default();
        let blue_green = DeploymentSettings {
            strategy: Strategy::BlueGreen,
            bake_minutes: 60,
            shifts: 1,
            ..rolling.clone()
        };
        let linear = DeploymentSettings {
            strategy: Strategy::Linear,
            bake_minutes: 5,
            shifts: 5,
            shift_minutes: 3,
            ..rolling.clone()
        };
        let canary = DeploymentSettings {
            strategy: Strategy::Canary,
            bake_minutes: 5,
            shifts: 2,
            shift_minutes: 7,
            ..rolling.clone()
        };
        let hooked = DeploymentSettings {
            hooks: vec![hook(&["PRE_SCALE_UP"], 10), hook(&["POST_TEST_TRAFFIC_SHIFT"], 20)],
            ..blue_green.clone()
        };
        let each_step = DeploymentSettings {
            hooks: vec![hook(&["PRE_PRODUCTION_TRAFFIC_SHIFT"], 2)],
            ..linear.clone()
        };
        for (settings, before, whole) in [
            (rolling, 0, 0),
            (blue_green, 0, 60),
            (linear, 0, 5 + 4 * 3),
            (canary, 0, 5 + 7),
            (hooked, 10, 60 + 30),
            (each_step, 0, 5 + 4 * 3 + 5 * 2),
        ] {
            assert_eq!(
                settings.before_tasks(),
                SignedDuration::from_mins(before),
                "{settings:?}"
            );
            assert_eq!(settings.allowance(), SignedDuration::from_mins(whole), "{settings:?}");
        }
    }

    #[test]
    fn what_went_wrong() {
        for (status, wrong) in [
            ("PENDING", false),
            ("IN_PROGRESS", false),
            ("SUCCESSFUL", false),
            ("STOPPED", true),
            ("STOP_REQUESTED", true),
            ("ROLLBACK_REQUESTED", true),
            ("ROLLBACK_IN_PROGRESS", true),
            ("ROLLBACK_SUCCESSFUL", true),
            ("ROLLBACK_FAILED", true),
        ] {
            let deployment = PastDeployment {
                status: status.into(),
                ..PastDeployment::default()
            };
            assert_eq!(deployment.went_wrong(), wrong, "{status}");
        }
    }
}
