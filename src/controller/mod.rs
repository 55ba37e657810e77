//! The operator: a queue of keys, and what is done for each.
//!
//! A sweep is the key [`Subject::Everything`] of a scope; an event is the key of what it names. Both are read afresh,
//! judged, planned and, in mode `enforce`, corrected. Nothing that an event says is believed.
//!
//! [`Subject::Everything`]: crate::model::key::Subject::Everything

mod gates;
mod owners;
pub mod queue;
mod reconcile;
mod shard;
mod witnesses;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::act::Patience;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::collect::Memory;
use crate::config::Config;
use crate::model::key::{Key, Scope, Subject};
use crate::model::policy::Mode;
use crate::report::Bus;
use crate::serve::{State, View};
use crate::telemetry::metrics::Metrics;
use gates::Gates;
pub use gates::PauseSwitch;
use queue::{Priority, RunFailed, WorkQueue};
use shard::Shard;
pub use witnesses::{Intake, Witnesses};

/// The label of the only queue there is so far.
pub const CONTROLLER: &str = "workload";
/// Keys worked on at once: most of a run is waiting for AWS.
const WORKERS: usize = 16;
/// Actions remembered for `/api/v1/actions`.
const ACTIONS_KEPT: usize = 500;

/// What the operator is made of.
pub struct Operator {
    config: Config,
    mode: Mode,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    state: Arc<State>,
    shards: BTreeMap<Scope, Shard>,
    memory: Memory,
    queue: WorkQueue<Key>,
    gates: Gates,
    bus: Option<Bus>,
    witnesses: Arc<Witnesses>,
    patience: Patience,
    actions: std::sync::Mutex<std::collections::VecDeque<serde_json::Value>>,
}

/// What the operator needs from outside.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// `audit` or `enforce`.
    pub mode: Mode,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What the HTTP server shows.
    pub state: Arc<State>,
    /// Every account and region.
    pub scopes: Vec<Aws>,
    /// The queue.
    pub queue: WorkQueue<Key>,
    /// The kill switch.
    pub pause: PauseSwitch,
    /// Where findings and actions are announced.
    pub bus: Option<Bus>,
    /// Who changed what lately.
    pub witnesses: Arc<Witnesses>,
}

impl Operator {
    /// An operator that has read nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let shards: BTreeMap<Scope, Shard> = parts
            .scopes
            .into_iter()
            .map(|aws| (aws.scope.clone(), Shard::new(aws)))
            .collect();
        for scope in shards.keys() {
            // A scope that never answers must be seen as stale, not be missing.
            parts.metrics.sweep_pending(scope);
        }
        Self {
            gates: Gates::new(&parts.config.safety, parts.pause),
            config: parts.config,
            mode: parts.mode,
            clock: parts.clock,
            metrics: parts.metrics,
            state: parts.state,
            shards,
            memory: Memory::default(),
            queue: parts.queue,
            bus: parts.bus,
            witnesses: parts.witnesses,
            patience: Patience::default(),
            actions: std::sync::Mutex::default(),
        }
    }

    /// Works until `cancel`, then finishes what has begun, within `grace`.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken, grace: Duration) {
        let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(Arc::clone(&self).work())).collect();
        let sweeper = tokio::spawn(Arc::clone(&self).sweep(cancel.clone()));
        cancel.cancelled().await;
        self.queue.shut_down();
        sweeper.abort();
        if tokio::time::timeout(grace, self.queue.drained()).await.is_err() {
            tracing::warn!(
                "some work did not finish in {} s; the next process takes it up",
                grace.as_secs()
            );
        }
        for worker in workers {
            worker.abort();
        }
    }

    async fn sweep(self: Arc<Self>, cancel: CancellationToken) {
        loop {
            for scope in self.shards.keys() {
                let key = Key {
                    scope: scope.clone(),
                    subject: Subject::Everything,
                };
                if let Err(e) = self.queue.add(key, Priority::Sweep, None) {
                    tracing::warn!(%scope, error = %e, "this sweep is left out");
                }
            }
            let interval = self.config.sweep.interval;
            // Half before, half after: the mean stays what is configured.
            let share = self.config.sweep.jitter.fraction() * (fastrand::f64() - 0.5);
            let pause = interval.mul_f64((1.0 + share).max(0.0));
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some(run) = self.queue.get().await {
            let key = run.key().clone();
            let started = tokio::time::Instant::now();
            let result = self.reconcile(&key).await;
            let took = started.elapsed().as_secs_f64();
            match &result {
                Ok(()) => {
                    self.metrics.reconcile(CONTROLLER, "ok", took);
                    self.queue.forget(&key);
                    run.finish(Ok(()));
                }
                Err(why) => {
                    self.metrics.reconcile(CONTROLLER, "error", took);
                    tracing::warn!(%key, why, "this will be tried again");
                    self.queue.retry(&key, run.priority());
                    run.finish(Err(RunFailed));
                }
            }
        }
    }

    /// Publishes what is known to the HTTP server and the metrics.
    fn publish(&self) {
        let mut findings = vec![];
        let mut workloads = vec![];
        let mut plan = crate::plan::Plan::empty(self.clock.now());
        for shard in self.shards.values() {
            let view = shard.view();
            findings.extend(view.findings);
            workloads.extend(view.workloads);
            plan.extend(view.plan);
        }
        crate::judge::sort(&mut findings);
        self.state
            .publish(View::Findings, &json!({"schema_version": 1, "findings": findings}));
        self.state
            .publish(View::Workloads, &json!({"schema_version": 1, "workloads": workloads}));
        self.state.publish(View::Plan, &json!(plan));
        let actions = self.actions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.state
            .publish(View::Actions, &json!({"schema_version": 1, "actions": *actions}));
        drop(actions);
        if self.shards.values().all(Shard::is_swept) {
            self.state.ready();
        }
    }

    fn remember(&self, action: serde_json::Value) {
        let mut actions = self.actions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        actions.push_front(action);
        actions.truncate(ACTIONS_KEPT);
    }

    /// Seconds since the oldest evidence was read.
    #[must_use]
    pub fn evidence_age(&self) -> Option<f64> {
        let oldest = self.shards.values().filter_map(Shard::evidence_from).min()?;
        Some(self.clock.now().duration_since(oldest).as_secs_f64())
    }
}
