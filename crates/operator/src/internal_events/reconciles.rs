//! Keys and what is done for them.

use std::time::Duration;

use holdfast_core::model::key::Key;

use super::telemetry::Telemetry;
use crate::queue::AddError;

/// What was to be done for a key is done.
pub struct ReconcileSucceeded {
    /// Name of the controller.
    pub controller: &'static str,
    /// How long it took.
    pub took: Duration,
}

impl ReconcileSucceeded {
    /// Counts and measures it.
    pub fn emit(self, telemetry: &Telemetry) {
        let metrics = &telemetry.metrics.reconciles;
        metrics.finished(self.controller, "ok", self.took.as_secs_f64());
    }
}

/// What was to be done for a key will be tried again.
pub struct ReconcileFailed<'a, E> {
    /// Name of the controller.
    pub controller: &'static str,
    /// The key.
    pub key: &'a Key,
    /// How long it took.
    pub took: Duration,
    /// Why.
    pub error: &'a E,
}

impl<E: std::fmt::Display> ReconcileFailed<'_, E> {
    /// Logs, counts and measures it.
    pub fn emit(self, telemetry: &Telemetry) {
        let metrics = &telemetry.metrics.reconciles;
        metrics.finished(self.controller, "error", self.took.as_secs_f64());
        tracing::warn!(key = %self.key, why = %self.error, "this will be tried again");
    }
}

/// A key could not be queued, and only the next sweep finds it.
pub struct KeyLeftToSweep<'a> {
    /// The key.
    pub key: &'a Key,
    /// What the queue said.
    pub error: &'a AddError,
}

impl KeyLeftToSweep<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(key = %self.key, error = %self.error, "left to the next sweep");
    }
}

/// An event named a scope that is not a target: anyone who may write to the queue picks the scope.
pub struct KeyOfForeignScope<'a>(pub &'a Key);

impl KeyOfForeignScope<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::debug!(key = %self.0, "an event of a scope that is not a target");
    }
}

/// An event reached this process although another one looks after its scope.
pub struct KeyHandedOver<'a> {
    /// The key.
    pub key: &'a Key,
    /// Whether another process was there to take it.
    pub taken: bool,
}

impl KeyHandedOver<'_> {
    /// Logs it.
    pub fn emit(self) {
        let key = self.key;
        if self.taken {
            tracing::debug!(%key, "handed over to the process that looks after it");
        } else {
            tracing::debug!(%key, "nobody looks after it now; whoever does next begins with a sweep");
        }
    }
}
