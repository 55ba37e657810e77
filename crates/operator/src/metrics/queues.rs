//! Work queues.

use std::sync::Arc;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::series::{Maker, clamp};
use crate::queue::{QueueObserver, QueueStats};

/// Metrics of all work queues.
#[derive(Debug)]
pub struct QueuesMetrics {
    depth: IntGaugeVec,
    adds: IntCounterVec,
    retries: IntCounterVec,
    oldest: GaugeVec,
}

impl QueuesMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            depth: make.int_gauges("holdfast_workqueue_depth", "Keys ready to run.", &["controller"])?,
            adds: make.counter(
                "holdfast_workqueue_adds_total",
                "Keys that became ready.",
                &["controller"],
            )?,
            retries: make.counter(
                "holdfast_workqueue_retries_total",
                "Keys put into back-off.",
                &["controller"],
            )?,
            oldest: make.gauges(
                "holdfast_workqueue_oldest_seconds",
                "How long the longest waiting ready key has waited.",
                &["controller"],
            )?,
        })
    }

    /// The gauges and counters of one work queue.
    #[must_use]
    pub fn of(&self, controller: &str) -> Arc<QueueMetrics> {
        Arc::new(QueueMetrics {
            depth: self.depth.with_label_values(&[controller]),
            adds: self.adds.with_label_values(&[controller]),
            retries: self.retries.with_label_values(&[controller]),
            oldest: self.oldest.with_label_values(&[controller]),
        })
    }
}

/// One queue's series. Give it to the queue as its observer, and [`QueueMetrics::observe`] before each scrape.
#[derive(Debug)]
pub struct QueueMetrics {
    depth: IntGauge,
    adds: IntCounter,
    retries: IntCounter,
    oldest: Gauge,
}

impl QueueMetrics {
    /// Sets what is only known when asked: the age of the oldest waiting key.
    pub fn observe(&self, stats: &QueueStats) {
        self.depth.set(clamp(stats.depth));
        self.oldest.set(stats.oldest.unwrap_or_default().as_secs_f64());
    }
}

impl QueueObserver for QueueMetrics {
    fn depth(&self, depth: usize) {
        self.depth.set(clamp(depth));
    }
    fn added(&self) {
        self.adds.inc();
    }
    fn retried(&self) {
        self.retries.inc();
    }
}
