//! The operator: queues of keys, and what is done for each.
//!
//! A sweep is the key [`Subject::Everything`] of a scope; an event is the key of what it names; a workload that has
//! something under way, or that changes by itself at a known instant, is a key that a timer adds. All are read afresh,
//! evaluated, planned and, in mode `enforce`, corrected. Nothing that an event says is believed.
//!
//! [`Subject::Everything`]: holdfast_core::model::key::Subject::Everything

mod affected_workloads;
mod controllers;
mod correct;
mod gates;
mod reconcile;
mod shard;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::execute::Timeouts;
use crate::lease::LeaseCoordinator;
use crate::metrics::Metrics;
use crate::ports::Cloud;
use crate::ports::{Ledger, Notifier, PauseSwitch};
use crate::published::{State, View};
use crate::queue::{Priority, RunFailed};
pub use controllers::{Controller, Queues};
use correct::Notification;
use gates::AttemptHistory;
use holdfast_core::config::Config;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::policy::Mode;
use shard::ScopeState;
pub use witnesses::{ChangeActors, EventSink};

/// Actions remembered for `/api/v1/actions`.
const ACTIONS_KEPT: usize = 500;
/// Announcements that may wait for the bus. Past it they are dropped, and the log says so: telling others is no reason
/// to hold up a correction.
const NEWS_WAITING: usize = 1_000;

/// What the operator is made of.
pub struct Operator {
    parts: Dependencies,
    shards: BTreeMap<Scope, ScopeState>,
    actions: Mutex<VecDeque<serde_json::Value>>,
    round: Mutex<Round>,
    /// Something changed since it was published.
    news: AtomicBool,
    publishing: Mutex<()>,
    /// To whoever puts announcements on the bus.
    to_bus: Option<mpsc::Sender<Notification>>,
    announcements: Mutex<Option<(Arc<dyn Notifier>, mpsc::Receiver<Notification>)>>,
}

/// One look at every scope.
#[derive(Default)]
struct Round {
    since: Option<tokio::time::Instant>,
    swept: BTreeSet<Scope>,
}

/// What the operator needs from outside.
pub struct Dependencies {
    /// The configuration.
    pub config: Arc<Config>,
    /// `audit` or `enforce`.
    pub mode: Mode,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What the HTTP server shows.
    pub state: Arc<State>,
    /// Every account and region.
    pub clouds: Vec<Arc<dyn Cloud>>,
    /// The queues.
    pub queues: Queues,
    /// The kill switch.
    pub pause: Arc<dyn PauseSwitch>,
    /// What was seen and done before.
    pub ledger: Arc<dyn Ledger>,
    /// Where this process may act.
    pub tenure: LeaseCoordinator,
    /// The name of this process.
    pub replica: String,
    /// Where findings and actions are announced.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Who changed what lately.
    pub witnesses: Arc<ChangeActors>,
    /// How long to wait for AWS.
    pub timeouts: Timeouts,
}

impl Operator {
    /// An operator that has read nothing yet.
    #[must_use]
    pub fn new(mut parts: Dependencies) -> Self {
        let clouds = std::mem::take(&mut parts.clouds);
        let shards = clouds
            .into_iter()
            .map(|cloud| (cloud.scope().clone(), ScopeState::new(cloud)))
            .collect();
        let (to_bus, announcements) = match parts.notifier.take() {
            Some(bus) => {
                let (sender, receiver) = mpsc::channel(NEWS_WAITING);
                (Some(sender), Some((bus, receiver)))
            }
            None => (None, None),
        };
        Self {
            parts,
            shards,
            actions: Mutex::default(),
            round: Mutex::default(),
            news: AtomicBool::new(true),
            publishing: Mutex::default(),
            to_bus,
            announcements: Mutex::new(announcements),
        }
    }

    /// Works until `cancel`, then finishes what has begun, within `grace`.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken, grace: Duration) {
        let mut tasks = tokio::task::JoinSet::new();
        for controller in Controller::ALL {
            for _ in 0..controller.workers() {
                tasks.spawn(Arc::clone(&self).work(controller));
            }
        }
        tasks.spawn(Arc::clone(&self).follow_leases());
        tasks.spawn(Arc::clone(&self).announce_all());
        cancel.cancelled().await;
        self.parts.queues.shut_down();
        if tokio::time::timeout(grace, self.parts.queues.drained()).await.is_err() {
            tracing::warn!(
                "some work did not finish in {} s; the next process takes it up",
                grace.as_secs()
            );
        }
        tasks.shutdown().await;
    }

    /// Takes over the scopes that this process gains, and lets go of those that it loses.
    async fn follow_leases(self: Arc<Self>) {
        let mut held = self.parts.tenure.held();
        let mut mine: BTreeMap<Scope, u64> = BTreeMap::new();
        loop {
            let now = held.borrow_and_update().clone();
            for scope in mine.keys().filter(|s| !now.contains_key(*s)) {
                tracing::warn!(%scope, "another process looks after this from now on");
                if let Some(shard) = self.shards.get(scope) {
                    shard.forget();
                }
                self.parts.metrics.forget_scope(scope);
                self.is_news();
            }
            for (scope, token) in &now {
                if mine.get(scope) == Some(token) {
                    continue;
                }
                if let Some(shard) = self.shards.get(scope) {
                    shard.forget();
                    // A scope that never answers must be seen as stale, not be missing.
                    self.parts.metrics.sweep_pending(scope);
                    self.sweep_after(scope, Duration::ZERO);
                }
            }
            self.parts.metrics.set_leader(self.parts.tenure.is_leader());
            if now.is_empty() {
                // Others look after everything: there is nothing to wait for.
                self.ready_if_swept();
            }
            mine = now;
            if held.changed().await.is_err() {
                // Nothing is gained or lost any more.
                return std::future::pending().await;
            }
        }
    }

    /// Asks for a sweep.
    fn sweep_after(&self, scope: &Scope, delay: Duration) {
        let key = Key {
            scope: scope.clone(),
            subject: Subject::Everything,
        };
        let queue = self.parts.queues.of(Controller::Sweep);
        let asked = if delay.is_zero() {
            queue.add(key, Priority::Sweep, None)
        } else {
            queue.add_after(key, delay, Priority::Sweep)
        };
        if let Err(e) = asked {
            tracing::debug!(%scope, error = %e, "no further sweep");
        }
    }

    /// Reads what the ledger remembers of a scope, once.
    async fn recall(&self, shard: &ScopeState) -> Result<(), String> {
        if shard.past().is_some() {
            return Ok(());
        }
        let (scope, safety) = (shard.scope(), &self.parts.config.safety);
        let keep = safety
            .fight_window
            .max(safety.cooldown)
            .max(self.parts.config.sweep.interval);
        let now = self.parts.clock.now();
        let since = now.checked_sub(keep).unwrap_or(jiff::Timestamp::MIN);
        let generation = shard.generation();
        let attempts = self.parts.ledger.attempts(scope, since).await;
        let open = self.parts.ledger.open_findings(scope).await;
        match (attempts, open) {
            (Ok(attempts), Ok(open)) => {
                shard.remember(AttemptHistory::new(attempts), open, generation);
                Ok(())
            }
            (Err(e), _) | (_, Err(e)) => Err(e.to_string()),
        }
    }

    async fn work(self: Arc<Self>, controller: Controller) {
        let queue = self.parts.queues.of(controller);
        while let Some(run) = queue.get().await {
            let key = run.key().clone();
            let started = tokio::time::Instant::now();
            let result = self.reconcile(&key).await;
            let took = started.elapsed().as_secs_f64();
            match &result {
                Ok(()) => {
                    self.parts.metrics.reconcile(controller.name(), "ok", took);
                    queue.forget(&key);
                    run.finish(Ok(()));
                }
                Err(why) => {
                    self.parts.metrics.reconcile(controller.name(), "error", took);
                    tracing::warn!(%key, why, "this will be tried again");
                    queue.retry(&key, run.priority());
                    run.finish(Err(RunFailed));
                }
            }
        }
    }

    fn tell_bus(&self, news: Notification) {
        if let Some(bus) = &self.to_bus
            && bus.try_send(news).is_err()
        {
            tracing::warn!("the event bus does not keep up: an announcement was dropped");
        }
    }

    async fn announce_all(self: Arc<Self>) {
        let waiting = self.announcements.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((bus, mut news)) = waiting else { return };
        while let Some(one) = news.recv().await {
            match one {
                Notification::Findings(opened, resolved) => bus.findings(&opened, &resolved).await,
                Notification::Action(action, ended, detail) => bus.action(&action, ended, &detail).await,
            }
        }
    }

    fn is_news(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    /// Publishes what is known to the HTTP server, if it has changed. Encoding a fleet takes longer than evaluating a
    /// workload, so it is done when somebody asks.
    pub fn publish(&self) {
        // Whoever asks meanwhile waits for what is being encoded.
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.news.swap(false, Ordering::Relaxed) {
            self.encode();
        }
    }

    fn encode(&self) {
        let state = &self.parts.state;
        let mut findings = vec![];
        let mut workloads = vec![];
        let mut plan = holdfast_core::plan::Plan::empty(self.parts.clock.now());
        for shard in self.shards.values() {
            let view = shard.view();
            findings.extend(view.findings);
            workloads.extend(view.workloads);
            plan.extend(view.plan);
        }
        holdfast_core::evaluate::sort(&mut findings);
        state.publish(View::Findings, &json!({"schema_version": 1, "findings": findings}));
        state.publish(View::Workloads, &json!({"schema_version": 1, "workloads": workloads}));
        state.publish(View::Plan, &json!(plan));
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        state.publish(View::Actions, &json!({"schema_version": 1, "actions": *actions}));
    }

    /// Ready once everything that this process looks after was swept.
    fn ready_if_swept(&self) {
        let held = |s: &&ScopeState| self.parts.tenure.token(s.scope()).is_some();
        if self.shards.values().filter(held).all(ScopeState::is_swept) {
            self.parts.state.ready();
        }
    }

    fn remember(&self, action: serde_json::Value) {
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.push_front(action);
        actions.truncate(ACTIONS_KEPT);
    }

    /// Seconds since the oldest evidence was read.
    #[must_use]
    pub fn evidence_age(&self) -> Option<f64> {
        let oldest = self.shards.values().filter_map(ScopeState::evidence_from).min()?;
        Some(self.parts.clock.now().duration_since(oldest).as_secs_f64())
    }
}
