//! What a seed tests: which faults it may have, what people do meanwhile, and how the operator is configured.

use std::time::Duration;

use holdfast_core::config::{ChangeWindow, Config};
use holdfast_core::model::policy::{Mode, Risk};

use crate::bounds::random_ms;
use crate::faults::FaultRates;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// One process and no faults. Migration windows end.
    Calm,
    /// One process. AWS, events and the ledger fail.
    Faults,
    /// One process that crashes at any of its calls and is restarted.
    Crashes,
    /// Several processes that share the scopes. They crash, are held, have skewed clocks, and are cut off from the leases.
    Replicas,
    /// Several processes, while people and Terraform change things.
    People,
}

/// What disturbs the operator besides the faults of single calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disturbances {
    /// People change a resource so that a rule fails again.
    pub drift: bool,
    /// Terraform reverts a correction every few minutes.
    pub terraform: bool,
    /// People use tags, migration windows, waivers and the kill switch.
    pub restraints: bool,
    /// Processes crash, are told to stop, and are held.
    pub processes: bool,
    /// Partitions cut processes off from the ledger, the leases and the read APIs for a while.
    pub partitions: bool,
}

/// A fault of the simulation itself, which the invariants must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// The ledger returns no attempts.
    Ledger,
    /// Reads are up to 100 s old, longer than `Timeouts::consistency`.
    Reads,
    /// The operator doesn't see the kill switch.
    Switch,
    /// One process believes in its leases for longer than the others do, and reads them as it wrote them.
    Leases,
    /// Clocks are up to two minutes ahead or behind.
    Clocks,
    /// Services can never be read.
    Services,
}

impl Scenario {
    pub const ALL: [Self; 5] = [Self::Calm, Self::Faults, Self::Crashes, Self::Replicas, Self::People];

    /// The scenario of a seed: all take turns.
    pub fn of(seed: u64) -> Self {
        let turn = seed % Self::ALL.len() as u64;
        Self::ALL[usize::try_from(turn).expect("less than five")]
    }

    pub fn has_replicas(self) -> bool {
        matches!(self, Self::Replicas | Self::People)
    }

    /// Half of the rates are zero, so that seeds differ in what fails, not only in how often.
    pub fn fault_rates(self) -> FaultRates {
        let up_to = |most: f64| if fastrand::bool() { most * fastrand::f64() } else { 0.0 };
        if self == Self::Calm {
            return FaultRates {
                bad_revision: up_to(0.5),
                deregistered_base: up_to(1.0),
                ..FaultRates::default()
            };
        }
        FaultRates {
            failed_read: up_to(0.15),
            stale_read: up_to(0.3),
            failed_write: up_to(0.3),
            lost_answer: up_to(0.4),
            lost_event: up_to(0.5),
            late_event: up_to(0.3),
            repeated_event: up_to(0.5),
            crash: match self {
                Self::Crashes => 0.002 + up_to(0.03),
                _ => up_to(0.002),
            },
            slow: up_to(0.3),
            failed_ledger: up_to(0.1),
            bad_revision: up_to(0.6),
            deregistered_base: up_to(1.0),
        }
    }

    pub fn disturbances(self) -> Disturbances {
        Disturbances {
            drift: self != Self::Calm,
            terraform: self == Self::People && fastrand::bool(),
            restraints: matches!(self, Self::People | Self::Faults),
            processes: self.has_replicas(),
            partitions: matches!(self, Self::Faults | Self::Replicas),
        }
    }

    pub fn config(self) -> Config {
        let mut config = Config {
            mode: Mode::Enforce,
            ..Config::default()
        };
        for id in holdfast_core::rules::ids() {
            let settings = config.rules.entry(id.to_owned()).or_default();
            settings.enabled = Some(RULES.contains(&id));
            settings.correct = Some(true);
        }
        config.sweep.interval = random_ms(60_000, 120_000);
        let safety = &mut config.safety;
        safety.cooldown = random_ms(30_000, 150_000);
        safety.fight_window = Duration::from_mins(30);
        safety.fight_threshold = fastrand::u32(2..5);
        if self == Self::Calm {
            safety.max_actions_per_sweep = 10;
            return config;
        }
        safety.max_actions_per_sweep = fastrand::u32(1..6);
        if fastrand::u8(..8) == 0 {
            safety.allow_risk.remove(&Risk::Brief);
        }
        if fastrand::u8(..6) == 0 {
            safety.change_windows.push(ChangeWindow {
                cron: "*/10 * * * *".into(),
                duration: Duration::from_mins(4),
                time_zone: "UTC".into(),
            });
        }
        config
    }
}

/// The rules whose corrections the model of AWS can execute, and the one that finds what was reverted.
const RULES: [&str; 8] = [
    "rds-public-access",
    "rds-open-ingress",
    "rds-short-backup-retention",
    "rds-deletion-unprotected",
    "secret-deletion-scheduled",
    "ecs-secret-reference-mismatch",
    "ecs-ephemeral-storage",
    "correction-reverted",
];
