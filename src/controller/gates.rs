//! What stands between a plan and a correction in the unattended loop: the kill switch, the budget of a sweep, the
//! cooldown, and giving up a fight. Kept in memory: a new process starts with a full budget and no memory of fights.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::settings::Safety;
use crate::model::key::Scope;
use crate::model::resources::Fight;
use crate::plan::PlannedAction;

/// The kill switch: an SSM parameter that is read before each correction.
pub struct PauseSwitch {
    /// Client and parameter; absent where none is configured.
    pub parameter: Option<(aws_sdk_ssm::Client, String)>,
}

impl PauseSwitch {
    /// Why corrections are paused, if they are. Only the values `false`, `off`, `no` and `0` let them go on: a switch
    /// that can't be read, or says something else, is pulled.
    pub async fn pulled(&self) -> Option<String> {
        let (client, name) = self.parameter.as_ref()?;
        match client.get_parameter().name(name).send().await {
            Err(e) => {
                let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&e).unwrap_or("no answer");
                Some(format!(
                    "paused: the SSM parameter {name} can't be read ({code}); grant ssm:GetParameter on it, or mend \
                     safety.pause.ssm_parameter"
                ))
            }
            Ok(answer) => {
                let value = answer.parameter.and_then(|p| p.value).unwrap_or_default();
                let runs = ["false", "off", "no", "0"].contains(&value.trim().to_lowercase().as_str());
                (!runs).then(|| format!("paused by the SSM parameter {name}; set it to `false` to go on"))
            }
        }
    }
}

/// All gates.
pub(super) struct Gates {
    pub pause: PauseSwitch,
    max_actions: u32,
    cooldown: Duration,
    fight_threshold: usize,
    fight_window: Duration,
    spent: Mutex<BTreeMap<Scope, u32>>,
    done: Mutex<BTreeMap<String, Corrected>>,
}

/// A correction, and when it was carried out.
struct Corrected {
    action: PlannedAction,
    times: VecDeque<Timestamp>,
    /// Whether it was asked for again although it had been carried out too often.
    given_up: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gates {
    pub fn new(safety: &Safety, pause: PauseSwitch) -> Self {
        Self {
            pause,
            max_actions: safety.max_actions_per_sweep,
            cooldown: safety.cooldown,
            fight_threshold: usize::try_from(safety.fight_threshold).unwrap_or(usize::MAX),
            fight_window: safety.fight_window,
            spent: Mutex::default(),
            done: Mutex::default(),
        }
    }

    /// A sweep of `scope` begins: its budget is whole again, and what is long past is forgotten.
    pub fn new_sweep(&self, scope: &Scope, now: Timestamp) {
        lock(&self.spent).remove(scope);
        let keep = self.fight_window.max(self.cooldown);
        lock(&self.done).retain(|_, c| c.times.back().is_some_and(|t| age(*t, now) < keep));
    }

    /// Why `action` may not be carried out now, if it may not; else it counts against the budget.
    pub fn pass(&self, action: &PlannedAction, now: Timestamp) -> Result<(), String> {
        if let Some(Corrected { times, given_up, .. }) = lock(&self.done).get_mut(&action.id) {
            if let Some(last) = times.back().filter(|t| age(**t, now) < self.cooldown) {
                let left = self.cooldown.saturating_sub(age(*last, now)).as_secs();
                return Err(format!("waits: corrected less than safety.cooldown ago; {left} s left"));
            }
            let recent = times.iter().filter(|t| age(**t, now) < self.fight_window).count();
            *given_up = recent >= self.fight_threshold;
            if *given_up {
                return Err(format!(
                    "given up: something undid this correction {recent} times within safety.fight_window; find out \
                     what (Terraform?), then restart Holdfast"
                ));
            }
        }
        let mut spent = lock(&self.spent);
        let spent = spent.entry(action.scope.clone()).or_default();
        if *spent >= self.max_actions {
            return Err(format!(
                "waits for the next sweep: safety.max_actions_per_sweep is {}",
                self.max_actions
            ));
        }
        *spent += 1;
        Ok(())
    }

    /// Remembers that `action` was carried out.
    pub fn done(&self, action: &PlannedAction, now: Timestamp) {
        lock(&self.done)
            .entry(action.id.clone())
            .or_insert_with(|| Corrected {
                action: action.clone(),
                times: VecDeque::new(),
                given_up: false,
            })
            .times
            .push_back(now);
    }

    /// Corrections in `scope` that were given up, without who undid them.
    pub fn fights(&self, scope: &Scope, now: Timestamp) -> Vec<Fight> {
        let done = lock(&self.done);
        let given_up = done.values().filter(|c| c.given_up && c.action.scope == *scope);
        given_up
            .filter_map(|c| {
                let recent = || c.times.iter().filter(|t| age(**t, now) < self.fight_window);
                Some(Fight {
                    workload: c.action.workload.clone(),
                    resource: c.action.resource.clone(),
                    rules: c.action.rules.clone(),
                    change: c.action.change.clone(),
                    times: recent().count(),
                    since: *recent().next()?,
                    principals: vec![],
                })
            })
            .collect()
    }
}

fn age(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).max(jiff::SignedDuration::ZERO).unsigned_abs()
}
