//! Every metric Holdfast exposes, by its stable name (INTERFACE.md §7), behind typed methods: one file for each kind of
//! thing that is counted, with the metric, its buckets and its bounds.
//!
//! A label value that comes from outside (AWS error codes, event types) passes a bounded set first, so that nobody
//! can grow the process's memory by inventing values.

mod actions;
mod events;
mod findings;
mod process;
mod queues;
mod reconciles;
mod requests;
mod series;
mod sweeps;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use holdfast_core::model::key::Scope;
use prometheus::{Encoder, Registry, TextEncoder};

pub use actions::ActionMetrics;
pub use events::EventMetrics;
pub use findings::{FindingLabels, FindingMetrics};
pub use process::{ProcessMetrics, RunMode};
pub use queues::{QueueMetrics, QueuesMetrics};
pub use reconciles::ReconcileMetrics;
pub use requests::RequestMetrics;
pub use series::Description;
use series::{Maker, lock};
pub use sweeps::SweepMetrics;

/// The content type of [`Metrics::render`]: the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

type Hook = Box<dyn Fn() + Send + Sync>;

/// All metrics of one process, in a registry of its own.
pub struct Metrics {
    registry: Registry,
    hooks: Mutex<Vec<Hook>>,
    descriptions: Vec<Description>,
    /// Findings, workloads and resources of each scope.
    pub findings: FindingMetrics,
    /// Sweeps.
    pub sweeps: SweepMetrics,
    /// Reconciles.
    pub reconciles: ReconcileMetrics,
    /// Work queues.
    pub queues: QueuesMetrics,
    /// Event messages.
    pub events: EventMetrics,
    /// Corrections.
    pub actions: ActionMetrics,
    /// Calls to AWS.
    pub requests: RequestMetrics,
    /// The process itself.
    pub process: ProcessMetrics,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// A registry with every metric of the interface, and the process's own on Linux.
    ///
    /// # Errors
    /// Only if two metrics here had the same name: a bug that a test catches.
    pub fn new(version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let make = Maker(&registry, std::cell::RefCell::default());
        Ok(Self {
            findings: FindingMetrics::register(&make)?,
            sweeps: SweepMetrics::register(&make)?,
            reconciles: ReconcileMetrics::register(&make)?,
            queues: QueuesMetrics::register(&make)?,
            events: EventMetrics::register(&make)?,
            actions: ActionMetrics::register(&make)?,
            requests: RequestMetrics::register(&make)?,
            process: ProcessMetrics::register(&make, version)?,
            hooks: Mutex::default(),
            // Read when all others are made.
            descriptions: make.1.take(),
            registry,
        })
    }

    /// What each metric is, by name. Those of the process itself (`process_*`) are not ours to describe.
    pub fn describe(&self) -> Vec<Description> {
        let mut all = self.descriptions.clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Removes every series of a scope that this process no longer looks after.
    pub fn forget_scope(&self, scope: &Scope) {
        self.findings.forget(scope);
        self.sweeps.forget(scope);
    }

    /// Runs `hook` at the start of every [`Metrics::render`], for gauges that are only known when asked. The hook must
    /// not keep the metrics alive (a cycle) nor render.
    pub fn before_render(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.hooks).push(Box::new(hook));
    }

    /// Every metric in the Prometheus text format ([`CONTENT_TYPE`]).
    ///
    /// A family that can't be encoded is left out and logged: the others must still be seen.
    #[must_use]
    pub fn render(&self) -> String {
        for hook in lock(&self.hooks).iter() {
            hook();
        }
        let families = {
            let _still = self.findings.hold();
            self.registry.gather()
        };
        let mut text = Vec::new();
        for family in families {
            let start = text.len();
            if let Err(error) = TextEncoder::new().encode(std::slice::from_ref(&family), &mut text) {
                text.truncate(start);
                tracing::error!(metric = family.name(), %error, "metric left out of the scrape");
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
