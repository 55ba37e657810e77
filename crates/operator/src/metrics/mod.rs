//! Every metric Holdfast exposes, by its stable name (INTERFACE.md §7), behind typed methods.
//!
//! A label value that comes from outside (AWS error codes, event types) passes a bounded set first, so that nobody
//! can grow the process's memory by inventing values. Gauges that describe a scope are *replaced* as a whole: what a
//! sweep no longer found has no series left.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use holdfast_core::model::key::Scope;

mod series;
#[cfg(test)]
mod tests;

use series::{Bounded, Maker, OTHER, ScopedGauge, clamp, lock};
pub use series::{Description, QueueMetrics};

/// The content type of [`Metrics::render`]: the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Calls to AWS: a cached read is some ms, a slow page or a throttled one seconds.
const REQUEST_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// One reconcile is a handful of calls, one with an ECS rollout minutes.
const RECONCILE_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0];
/// A sweep of one scope, from an emulator's tenth of a second to a fleet under AWS's documented rates.
const SWEEP_SECONDS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0,
];
/// From the event's own time: `EventBridge` takes about a second, `CloudTrail` minutes, a queue outage hours.
const HANDLING_SECONDS: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
const LAG_SECONDS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0,
];
/// From first seen to proved correct: immediate calls, RDS modifications of minutes, change windows of hours and days.
const CORRECT_SECONDS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0,
];

/// Past so many series of findings in one scope, further workloads are counted together as `other`.
const MAX_FINDING_SERIES: usize = 20_000;

/// The effective mode, as the `holdfast_mode` gauge tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// Reports only.
    Audit,
    /// Corrects what it may.
    Enforce,
}

/// One finding, reduced to what the gauge counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FindingLabels<'a> {
    /// Rule id.
    pub rule: &'a str,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: &'a str,
    /// `fail`, `waived` or `unknown`.
    pub verdict: &'a str,
    /// Value of the workload tag.
    pub workload: &'a str,
}

#[derive(Debug)]
struct Scoped {
    findings: ScopedGauge,
    workloads: ScopedGauge,
    resources: ScopedGauge,
}

type Hook = Box<dyn Fn() + Send + Sync>;

/// All metrics of one process, in a registry of its own.
pub struct Metrics {
    registry: Registry,
    /// Also held while rendering: a scrape sees a scope before or after its replacement, never between.
    scoped: Mutex<Scoped>,
    hooks: Mutex<Vec<Hook>>,
    codes: Bounded,
    operations: Bounded,
    sources: Bounded,
    detail_types: Bounded,
    sweep_seconds: HistogramVec,
    sweep_success: GaugeVec,
    sweep_calls: GaugeVec,
    full_coverage: Gauge,
    reconciles: IntCounterVec,
    reconcile_seconds: HistogramVec,
    queue_depth: IntGaugeVec,
    queue_adds: IntCounterVec,
    queue_retries: IntCounterVec,
    queue_oldest: GaugeVec,
    events: IntCounterVec,
    event_lag: Histogram,
    event_handling: Histogram,
    tasks: IntGauge,
    actions: IntCounterVec,
    time_to_correct: HistogramVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    throttled: IntCounterVec,
    evidence_age: GaugeVec,
    paused: IntGauge,
    leader: IntGauge,
    mode: IntGaugeVec,
    descriptions: Vec<Description>,
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
    #[allow(clippy::too_many_lines)] // One line a metric: splitting the table would only hide it.
    pub fn new(version: &str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let make = Maker(&registry, std::cell::RefCell::default());
        let finding_labels = ["rule", "severity", "verdict", "workload", "account", "region"];
        let scoped = Scoped {
            findings: ScopedGauge::new(make.int_gauges(
                "holdfast_findings",
                "Findings of the last look.",
                &finding_labels,
            )?),
            workloads: ScopedGauge::new(make.int_gauges(
                "holdfast_workloads",
                "Workloads found.",
                &["account", "region"],
            )?),
            resources: ScopedGauge::new(make.int_gauges(
                "holdfast_resources",
                "Resources of workloads found.",
                &["account", "region", "kind"],
            )?),
        };
        let build = make.int_gauges("holdfast_build_info", "Always 1; the version is a label.", &["version"])?;
        build.with_label_values(&[version]).set(1);
        let event_lag = make.add(Histogram::with_opts(
            HistogramOpts::new(
                "holdfast_event_lag_seconds",
                "From an event's own time until what it named was judged.",
            )
            .buckets(LAG_SECONDS.to_vec()),
        )?)?;
        let event_handling = make.add(Histogram::with_opts(
            HistogramOpts::new(
                "holdfast_event_handling_seconds",
                "From the receipt of a message until all that it named was judged, and corrected where that was due.",
            )
            .buckets(HANDLING_SECONDS.to_vec()),
        )?)?;
        let metrics = Self {
            scoped: Mutex::new(scoped),
            hooks: Mutex::default(),
            codes: Bounded::new(200),
            operations: Bounded::new(500),
            sources: Bounded::new(20),
            detail_types: Bounded::new(50),
            sweep_seconds: make.histogram(
                "holdfast_sweep_duration_seconds",
                "One sweep of one account and region.",
                &["account", "region"],
                SWEEP_SECONDS,
            )?,
            sweep_calls: make.gauges(
                "holdfast_sweep_calls",
                "AWS calls that the last sweep of an account and region made, repeated attempts included.",
                &["account", "region"],
            )?,
            full_coverage: make.gauge(
                "holdfast_full_coverage_seconds",
                "How long the last round over all accounts and regions took, from the start of the first sweep to the \
                 end of the last.",
            )?,
            sweep_success: make.gauges(
                "holdfast_sweep_last_success_timestamp_seconds",
                "When the last sweep ended that could read what it needed; Unix time.",
                &["account", "region"],
            )?,
            reconciles: make.counter(
                "holdfast_reconcile_total",
                "Reconciles ended.",
                &["controller", "result"],
            )?,
            reconcile_seconds: make.histogram(
                "holdfast_reconcile_duration_seconds",
                "One reconcile.",
                &["controller"],
                RECONCILE_SECONDS,
            )?,
            queue_depth: make.int_gauges("holdfast_workqueue_depth", "Keys ready to run.", &["controller"])?,
            queue_adds: make.counter(
                "holdfast_workqueue_adds_total",
                "Keys that became ready.",
                &["controller"],
            )?,
            queue_retries: make.counter(
                "holdfast_workqueue_retries_total",
                "Keys put into back-off.",
                &["controller"],
            )?,
            queue_oldest: make.gauges(
                "holdfast_workqueue_oldest_seconds",
                "How long the longest waiting ready key has waited.",
                &["controller"],
            )?,
            events: make.counter(
                "holdfast_events_received_total",
                "Event messages received, by what became of them (queued, ignored, malformed).",
                &["source", "detail_type", "result"],
            )?,
            event_lag,
            event_handling,
            tasks: make.int_gauge("holdfast_runtime_tasks", "Asynchronous tasks alive in this process.")?,
            actions: make.counter(
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
            requests: make.counter(
                "holdfast_aws_requests_total",
                "Calls to AWS.",
                &["service", "operation", "code"],
            )?,
            request_seconds: make.histogram(
                "holdfast_aws_request_duration_seconds",
                "One call to AWS, retries included.",
                &["service", "operation"],
                REQUEST_SECONDS,
            )?,
            throttled: make.counter(
                "holdfast_aws_throttled_total",
                "Calls that AWS throttled.",
                &["service", "operation"],
            )?,
            evidence_age: make.gauges(
                "holdfast_evidence_age_seconds",
                "Age of the oldest evidence in use.",
                &["kind"],
            )?,
            paused: make.int_gauge("holdfast_paused", "1 while the kill switch holds back every action.")?,
            leader: make.int_gauge("holdfast_leader", "1 while this process holds a lease, or needs none.")?,
            mode: make.int_gauges("holdfast_mode", "1 at the mode in force.", &["mode"])?,
            // Read when all others are made.
            descriptions: make.1.take(),
            registry,
        };
        metrics.set_mode(RunMode::Audit);
        Ok(metrics)
    }

    /// What each metric is, by name. Those of the process itself (`process_*`) are not ours to describe.
    pub fn describe(&self) -> Vec<Description> {
        let mut all = self.descriptions.clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Counts one call to AWS. `code` is `ok` or the error code.
    pub fn observe_aws_request(&self, service: &str, operation: &str, code: &str, seconds: f64) {
        let (service, operation) = (self.operations.admit(service), self.operations.admit(operation));
        self.requests
            .with_label_values(&[service, operation, self.codes.admit(code)])
            .inc();
        self.request_seconds
            .with_label_values(&[service, operation])
            .observe(seconds);
        // Named from the start, so that the first throttled call is an increase and not a new series.
        self.throttled.with_label_values(&[service, operation]);
    }

    /// Counts one call that AWS throttled, beside [`Metrics::observe_aws_request`].
    pub fn throttled(&self, service: &str, operation: &str) {
        self.throttled
            .with_label_values(&[self.operations.admit(service), self.operations.admit(operation)])
            .inc();
    }

    /// Counts one event message; `result` is `queued`, `ignored` or `malformed`.
    pub fn event(&self, source: &str, detail_type: &str, result: &str) {
        let labels = [self.sources.admit(source), self.detail_types.admit(detail_type), result];
        self.events.with_label_values(&labels).inc();
    }

    /// From the event's own time until all that it named was evaluated. Negative lags (clock skew) count as none.
    pub fn event_lag(&self, seconds: f64) {
        self.event_lag.observe(seconds.max(0.0));
    }

    /// From the receipt of a message until it was handled.
    pub fn event_handled(&self, seconds: f64) {
        self.event_handling.observe(seconds);
    }

    /// Tasks alive now.
    pub fn set_tasks(&self, alive: usize) {
        self.tasks.set(clamp(alive));
    }

    /// Counts one correction; `outcome` is `applied`, `verified`, `failed`, `refused` or `reverted`.
    pub fn action(&self, rule: &str, operation: &str, outcome: &str) {
        self.actions
            .with_label_values(&[rule, self.operations.admit(operation), outcome])
            .inc();
    }

    /// From the moment a finding was first seen until it was proved correct.
    pub fn time_to_correct(&self, rule: &str, seconds: f64) {
        self.time_to_correct
            .with_label_values(&[rule])
            .observe(seconds.max(0.0));
    }

    /// Counts one reconcile; `result` is for instance `ok`, `error`, `requeue`.
    pub fn reconcile(&self, controller: &str, result: &str, seconds: f64) {
        self.reconciles.with_label_values(&[controller, result]).inc();
        self.reconcile_seconds.with_label_values(&[controller]).observe(seconds);
    }

    /// Replaces every finding of `scope`: what is not given any more has no series.
    pub fn set_findings<'a>(&self, scope: &Scope, findings: impl IntoIterator<Item = FindingLabels<'a>>) {
        let mut counts: HashMap<Vec<String>, i64> = HashMap::new();
        let row = |f: &FindingLabels<'_>, workload: &str| {
            [f.rule, f.severity, f.verdict, workload, &scope.account, &scope.region]
                .map(str::to_owned)
                .to_vec()
        };
        for finding in findings {
            let mut labels = row(&finding, finding.workload);
            if counts.len() >= MAX_FINDING_SERIES && !counts.contains_key(&labels) {
                labels = row(&finding, OTHER);
            }
            *counts.entry(labels).or_default() += 1;
        }
        lock(&self.scoped)
            .findings
            .replace_keeping(scope, counts, MAX_FINDING_SERIES);
    }

    /// Replaces how many workloads and resources (by kind) `scope` holds.
    pub fn set_inventory(&self, scope: &Scope, workloads: usize, resources: &BTreeMap<&str, usize>) {
        let place = vec![scope.account.clone(), scope.region.clone()];
        let kinds = resources.iter().map(|(kind, n)| {
            let labels = [place.as_slice(), &[(*kind).to_owned()]].concat();
            (labels, clamp(*n))
        });
        let mut scoped = lock(&self.scoped);
        scoped.resources.replace(scope, kinds.collect());
        scoped
            .workloads
            .replace(scope, HashMap::from([(place, clamp(workloads))]));
    }

    /// Takes every series of a scope away that this process no longer looks after.
    pub fn forget_scope(&self, scope: &Scope) {
        let mut scoped = lock(&self.scoped);
        let Scoped {
            findings,
            workloads,
            resources,
        } = &mut *scoped;
        for gauge in [findings, workloads, resources] {
            gauge.replace(scope, HashMap::new());
        }
        let place = [scope.account.as_str(), scope.region.as_str()];
        for gauge in [&self.sweep_success, &self.sweep_calls] {
            let _ = gauge.remove_label_values(&place);
        }
    }

    /// Notes one sweep; `ok_at` is when it ended, if it could read what it needed.
    pub fn sweep(&self, scope: &Scope, seconds: f64, ok_at: Option<Timestamp>) {
        let labels = [scope.account.as_str(), scope.region.as_str()];
        self.sweep_seconds.with_label_values(&labels).observe(seconds);
        if let Some(at) = ok_at {
            self.sweep_success
                .with_label_values(&labels)
                .set(at.as_duration().as_secs_f64());
        }
    }

    /// Notes what one sweep cost ([`Aws::sweep_calls`] after it, less before it).
    ///
    /// [`Aws::sweep_calls`]: crate::aws::Aws::sweep_calls
    pub fn sweep_calls(&self, scope: &Scope, calls: u64) {
        #[allow(clippy::cast_precision_loss)] // Exact up to 2^53.
        self.sweep_calls
            .with_label_values(&[&scope.account, &scope.region])
            .set(calls as f64);
    }

    /// Notes how long a round over every account and region took.
    pub fn full_coverage(&self, seconds: f64) {
        self.full_coverage.set(seconds.max(0.0));
    }

    /// Notes that a scope is to be swept, so that it is seen as stale until it has been.
    pub fn sweep_pending(&self, scope: &Scope) {
        self.sweep_success
            .with_label_values(&[&scope.account, &scope.region])
            .set(0.0);
    }

    /// The gauges and counters of one work queue.
    #[must_use]
    pub fn queue(&self, controller: &str) -> Arc<QueueMetrics> {
        Arc::new(QueueMetrics {
            depth: self.queue_depth.with_label_values(&[controller]),
            adds: self.queue_adds.with_label_values(&[controller]),
            retries: self.queue_retries.with_label_values(&[controller]),
            oldest: self.queue_oldest.with_label_values(&[controller]),
        })
    }

    /// Runs `hook` at the start of every [`Metrics::render`], for gauges that are only known when asked. The hook must
    /// not keep the metrics alive (a cycle) nor render.
    pub fn before_render(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.hooks).push(Box::new(hook));
    }

    /// Age of the oldest evidence of a resource kind that is still evaluated by.
    pub fn evidence_age(&self, kind: &str, seconds: f64) {
        self.evidence_age.with_label_values(&[kind]).set(seconds.max(0.0));
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

    /// Every metric in the Prometheus text format ([`CONTENT_TYPE`]).
    ///
    /// A family that can't be encoded is left out and logged: the others must still be seen.
    #[must_use]
    pub fn render(&self) -> String {
        for hook in lock(&self.hooks).iter() {
            hook();
        }
        let families = {
            let _still = lock(&self.scoped);
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
