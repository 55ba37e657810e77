//! What every reconcile works with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::config::Config;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::Scope;
use holdfast_core::model::policy::Mode;
use tokio::time::Instant;

use super::change_actors::ChangeActors;
use super::scope_state::ScopeState;
use super::task_reports::TaskReports;
use crate::clock::Clock;
use crate::execute::{Executor, Timeouts, WriteGuard};
use crate::internal_events::{CoverageCompleted, PauseRead, Telemetry};
use crate::lease::LeaseCoordinator;
use crate::ports::{Ledger, PauseSwitch};

/// What every reconcile works with: the world outside, and what is known of each scope.
pub(super) struct Context {
    pub config: Arc<Config>,
    pub mode: Mode,
    pub clock: Arc<dyn Clock>,
    pub pause: Arc<dyn PauseSwitch>,
    pub ledger: Arc<dyn Ledger>,
    pub leases: LeaseCoordinator,
    /// The name of this process.
    pub replica: String,
    pub change_actors: Arc<ChangeActors>,
    pub task_reports: Arc<TaskReports>,
    pub timeouts: Timeouts,
    pub telemetry: Telemetry,
    pub scopes: BTreeMap<Scope, ScopeState>,
    pub round: Mutex<Round>,
}

/// One look at every scope.
#[derive(Default)]
pub(super) struct Round {
    since: Option<Instant>,
    swept: BTreeSet<Scope>,
}

impl Context {
    /// What carries out corrections in a scope.
    pub fn executor<'a>(&'a self, state: &'a ScopeState) -> Executor<'a> {
        Executor {
            cloud: state.cloud.as_ref(),
            config: &self.config,
            clock: self.clock.as_ref(),
            ledger: self.ledger.as_ref(),
            guard: self,
            replica: &self.replica,
            timeouts: self.timeouts,
        }
    }

    /// Whether this process looks after `scope`.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.leases.token(scope).is_some()
    }

    /// Whether everything that this process looks after was swept.
    pub fn is_covered(&self) -> bool {
        let held = |s: &&ScopeState| self.holds(s.scope());
        self.scopes.values().filter(held).all(ScopeState::is_swept)
    }

    /// Notes that a scope was swept; tells how long it took until all were.
    pub fn swept(&self, scope: &Scope, started: Instant) {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *round.since.get_or_insert(started);
        round.swept.insert(scope.clone());
        let held = |s: &&Scope| self.holds(s);
        if self.scopes.keys().filter(held).all(|s| round.swept.contains(s)) {
            CoverageCompleted {
                scopes: round.swept.len(),
                took: since.elapsed(),
            }
            .emit(&self.telemetry);
            *round = Round::default();
        }
    }

    /// How far back the ledger is read: as far as anything that holds a correction looks.
    pub fn memory(&self) -> Duration {
        let safety = &self.config.safety;
        safety.fight_window.max(safety.cooldown).max(self.config.sweep.interval)
    }
}

#[async_trait]
impl WriteGuard for Context {
    async fn may_write(&self, scope: &Scope, new: bool) -> Result<u64, HoldReason> {
        if new {
            let pulled = self.pause.pulled().await;
            PauseRead(pulled.as_ref()).emit(&self.telemetry);
            if let Some(why) = pulled {
                return Err(why);
            }
        }
        let token = self
            .leases
            .token(scope)
            .ok_or_else(|| HoldReason::LeaseOfAnother(scope.clone()))?;
        let checked = self.leases.check(scope, token).await;
        checked.map_err(|e| HoldReason::LeaseUnconfirmed(e.to_string()))?;
        Ok(token)
    }

    fn token(&self, scope: &Scope) -> Option<u64> {
        self.leases.token(scope)
    }
}
