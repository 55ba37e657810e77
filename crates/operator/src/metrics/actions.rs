//! Corrections.

use prometheus::{HistogramVec, IntCounterVec};

use super::series::{Bounded, Maker};

/// From first seen to proved correct: immediate calls, RDS modifications of minutes, change windows of hours and days.
const CORRECT_SECONDS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0,
];

/// Metrics of corrections.
#[derive(Debug)]
pub struct ActionMetrics {
    operations: Bounded,
    total: IntCounterVec,
    time_to_correct: HistogramVec,
}

impl ActionMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            operations: Bounded::new(500),
            total: make.counter(
                "holdfast_actions_total",
                "Corrections, by outcome (applied, verified, failed, refused, reverted).",
                &["rule", "operation", "outcome"],
            )?,
            time_to_correct: make.histogram(
                "holdfast_time_to_correct_seconds",
                "From first seen to proved correct.",
                &["rule"],
                CORRECT_SECONDS,
            )?,
        })
    }

    /// Counts one correction; `outcome` is `applied`, `verified`, `failed`, `refused` or `reverted`.
    pub fn ended(&self, rule: &str, operation: &str, outcome: &str) {
        self.total
            .with_label_values(&[rule, self.operations.admit(operation), outcome])
            .inc();
    }

    /// From the moment a finding was first seen until it was proved correct.
    pub fn corrected(&self, rule: &str, seconds: f64) {
        self.time_to_correct
            .with_label_values(&[rule])
            .observe(seconds.max(0.0));
    }
}
