//! Sweeps of accounts and regions.

use holdfast_core::model::key::Scope;
use jiff::Timestamp;
use prometheus::{Gauge, GaugeVec, HistogramVec};

use super::series::Maker;

/// A sweep of one scope, from an emulator's tenth of a second to a fleet under AWS's documented rates.
const SWEEP_SECONDS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0,
];

/// Metrics of sweeps.
#[derive(Debug)]
pub struct SweepMetrics {
    seconds: HistogramVec,
    success: GaugeVec,
    calls: GaugeVec,
    full_coverage: Gauge,
    evidence_age: GaugeVec,
}

impl SweepMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            seconds: make.histogram(
                "holdfast_sweep_duration_seconds",
                "One sweep of one account and region.",
                &["account", "region"],
                SWEEP_SECONDS,
            )?,
            calls: make.gauges(
                "holdfast_sweep_calls",
                "AWS calls that the last sweep of an account and region made, repeated attempts included.",
                &["account", "region"],
            )?,
            full_coverage: make.gauge(
                "holdfast_full_coverage_seconds",
                "How long the last round over all accounts and regions took, from the start of the first sweep to the \
                 end of the last.",
            )?,
            success: make.gauges(
                "holdfast_sweep_last_success_timestamp_seconds",
                "When the last sweep ended that could read what it needed; Unix time.",
                &["account", "region"],
            )?,
            evidence_age: make.gauges(
                "holdfast_evidence_age_seconds",
                "Age of the oldest evidence in use.",
                &["kind"],
            )?,
        })
    }

    /// Notes one sweep and how many calls it made; `ok_at` is when it ended, if it could read what it needed.
    pub fn completed(&self, scope: &Scope, seconds: f64, ok_at: Option<Timestamp>, calls: u64) {
        let labels = [scope.account.as_str(), scope.region.as_str()];
        self.seconds.with_label_values(&labels).observe(seconds);
        if let Some(at) = ok_at {
            self.success
                .with_label_values(&labels)
                .set(at.as_duration().as_secs_f64());
        }
        #[allow(clippy::cast_precision_loss)] // Exact up to 2^53.
        self.calls.with_label_values(&labels).set(calls as f64);
    }

    /// Notes how long a round over every account and region took.
    pub fn covered(&self, seconds: f64) {
        self.full_coverage.set(seconds.max(0.0));
    }

    /// Notes that a scope is to be swept, so that it is seen as stale until it has been.
    pub fn pending(&self, scope: &Scope) {
        self.success
            .with_label_values(&[&scope.account, &scope.region])
            .set(0.0);
    }

    /// Age of the oldest evidence of a resource kind that is still evaluated.
    pub fn evidence_age(&self, kind: &str, seconds: f64) {
        self.evidence_age.with_label_values(&[kind]).set(seconds.max(0.0));
    }

    pub(super) fn forget(&self, scope: &Scope) {
        let place = [scope.account.as_str(), scope.region.as_str()];
        for gauge in [&self.success, &self.calls] {
            // A series that is gone already is what we want.
            let _ = gauge.remove_label_values(&place);
        }
    }
}
