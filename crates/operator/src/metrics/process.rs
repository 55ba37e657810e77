//! The process itself.

use prometheus::{IntGauge, IntGaugeVec};

use super::series::{Maker, clamp};

/// The effective mode, as the `holdfast_mode` gauge tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// Reports only.
    Audit,
    /// Corrects what it may.
    Enforce,
}

/// Metrics of the process.
#[derive(Debug)]
pub struct ProcessMetrics {
    tasks: IntGauge,
    paused: IntGauge,
    leader: IntGauge,
    mode: IntGaugeVec,
}

impl ProcessMetrics {
    pub(super) fn register(make: &Maker<'_>, version: &str) -> prometheus::Result<Self> {
        let build = make.int_gauges("holdfast_build_info", "Always 1; the version is a label.", &["version"])?;
        build.with_label_values(&[version]).set(1);
        let metrics = Self {
            tasks: make.int_gauge("holdfast_runtime_tasks", "Asynchronous tasks alive in this process.")?,
            paused: make.int_gauge("holdfast_paused", "1 while the kill switch holds back every action.")?,
            leader: make.int_gauge("holdfast_leader", "1 while this process holds a lease, or needs none.")?,
            mode: make.int_gauges("holdfast_mode", "1 at the mode in force.", &["mode"])?,
        };
        metrics.set_mode(RunMode::Audit);
        Ok(metrics)
    }

    /// Tasks alive now.
    pub fn set_tasks(&self, alive: usize) {
        self.tasks.set(clamp(alive));
    }

    /// Whether the kill switch holds.
    pub fn set_paused(&self, is_paused: bool) {
        self.paused.set(is_paused.into());
    }

    /// Whether this process may act: it holds a lease, or none is configured.
    pub fn set_leader(&self, is_leader: bool) {
        self.leader.set(is_leader.into());
    }

    /// The mode in force: its series is 1, the other's 0.
    pub fn set_mode(&self, mode: RunMode) {
        self.mode
            .with_label_values(&["audit"])
            .set((mode == RunMode::Audit).into());
        self.mode
            .with_label_values(&["enforce"])
            .set((mode == RunMode::Enforce).into());
    }
}
