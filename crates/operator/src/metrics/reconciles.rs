//! Reconciles.

use prometheus::{HistogramVec, IntCounterVec};

use super::series::Maker;

/// One reconcile is a handful of calls, one with an ECS rollout minutes.
const RECONCILE_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0];

/// Metrics of reconciles.
#[derive(Debug)]
pub struct ReconcileMetrics {
    total: IntCounterVec,
    seconds: HistogramVec,
}

impl ReconcileMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            total: make.counter(
                "holdfast_reconcile_total",
                "Reconciles ended.",
                &["controller", "result"],
            )?,
            seconds: make.histogram(
                "holdfast_reconcile_duration_seconds",
                "One reconcile.",
                &["controller"],
                RECONCILE_SECONDS,
            )?,
        })
    }

    /// Counts one reconcile; `result` is `ok` or `error`.
    pub fn finished(&self, controller: &str, result: &str, seconds: f64) {
        self.total.with_label_values(&[controller, result]).inc();
        self.seconds.with_label_values(&[controller]).observe(seconds);
    }
}
