//! Which scopes this process looks after, and whether it may act in them.

use std::time::Duration;

use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::Scope;

use super::telemetry::Telemetry;

/// This process looks after a scope from now on.
pub struct ScopeGained<'a>(pub &'a Scope);

impl ScopeGained<'_> {
    /// Shows the scope as stale until it was swept: one that never answers must be seen as stale, not be missing.
    pub fn emit(self, telemetry: &Telemetry) {
        telemetry.metrics.sweeps.pending(self.0);
    }
}

/// Another process looks after a scope from now on.
pub struct ScopeLost<'a>(pub &'a Scope);

impl ScopeLost<'_> {
    /// Logs it, and removes the scope from metrics and API.
    pub fn emit(self, telemetry: &Telemetry) {
        let scope = self.0;
        tracing::warn!(%scope, "another process looks after this from now on");
        telemetry.metrics.forget_scope(scope);
        telemetry.mark_stale();
    }
}

/// The scopes that this process looks after have changed.
pub struct LeadershipChanged {
    /// Whether it may act anywhere.
    pub is_leader: bool,
}

impl LeadershipChanged {
    /// Sets the gauge.
    pub fn emit(self, telemetry: &Telemetry) {
        telemetry.metrics.process.set_leader(self.is_leader);
    }
}

/// The kill switch was read.
pub struct PauseRead<'a>(pub Option<&'a HoldReason>);

impl PauseRead<'_> {
    /// Sets the gauge.
    pub fn emit(self, telemetry: &Telemetry) {
        telemetry.metrics.process.set_paused(self.0.is_some());
    }
}

/// The process ends before all that it had begun was done.
pub struct WorkUnfinished {
    /// How long it waited.
    pub grace: Duration,
}

impl WorkUnfinished {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            "some work did not finish in {} s; the next process takes it up",
            self.grace.as_secs()
        );
    }
}
