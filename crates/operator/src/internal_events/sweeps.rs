//! Sweeps.

use std::time::Duration;

use holdfast_core::model::key::Scope;
use holdfast_core::model::read_error::ReadError;
use jiff::Timestamp;

use super::telemetry::Telemetry;
use crate::ports::LedgerError;

/// A sweep of one scope is done.
pub struct SweepCompleted<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// How many workloads it has.
    pub workloads: usize,
    /// How many findings it has.
    pub findings: usize,
    /// How many corrections are planned.
    pub planned: usize,
    /// AWS calls that it made, repeated attempts included.
    pub calls: u64,
    /// How long it took until all was evaluated.
    pub took: Duration,
    /// When it ended, if it could read what it needed.
    pub complete_at: Option<Timestamp>,
}

impl SweepCompleted<'_> {
    /// Logs and measures it.
    pub fn emit(self, telemetry: &Telemetry) {
        let Self {
            scope,
            workloads,
            findings,
            planned,
            calls,
            took,
            complete_at,
        } = self;
        let sweeps = &telemetry.metrics.sweeps;
        sweeps.completed(scope, took.as_secs_f64(), complete_at, calls);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%scope, workloads, findings, planned, calls, took_ms, "swept");
    }
}

/// A read of a sweep failed.
pub struct ReadFailed<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The failure.
    pub error: &'a ReadError,
}

impl ReadFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let (scope, error) = (self.scope, self.error);
        tracing::warn!(%scope, service = error.service, operation = error.operation, code = error.code,
            resource = error.resource, "could not read: {}", error.message);
    }
}

/// Every scope of this process was swept since the last such event.
pub struct CoverageCompleted {
    /// How many scopes.
    pub scopes: usize,
    /// From the start of the first sweep to the end of the last.
    pub took: Duration,
}

impl CoverageCompleted {
    /// Measures it, and logs it where there is more than one scope.
    pub fn emit(self, telemetry: &Telemetry) {
        telemetry.metrics.sweeps.covered(self.took.as_secs_f64());
        if self.scopes > 1 {
            tracing::info!(
                scopes = self.scopes,
                took_s = self.took.as_secs(),
                "all accounts and regions were swept"
            );
        }
    }
}

/// Runs of migrations can't be written down.
pub struct RunsNotRecorded<'a> {
    /// How many.
    pub runs: usize,
    /// What the ledger said.
    pub error: &'a LedgerError,
}

impl RunsNotRecorded<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(runs = self.runs, why = %self.error, "how migrations ended is not in the ledger yet; it is tried again");
    }
}

/// What was done before in a scope can't be read.
pub struct LedgerUnreadable<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// What the ledger said.
    pub error: &'a LedgerError,
}

impl LedgerUnreadable<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::error!(scope = %self.scope, why = %self.error, "nothing is corrected here until the ledger can be read");
    }
}
