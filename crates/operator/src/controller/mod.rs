//! The operator: queues of keys, and what is done for each.
//!
//! A sweep is the key [`Subject::Everything`] of a scope; an event is the key of what it names; a workload that has
//! something under way, or that changes by itself at a known instant, is a key that a timer adds. All are read afresh,
//! evaluated, planned and, in mode `enforce`, corrected. Nothing that an event says is believed, but how a task ended: ECS
//! forgets that.
//!
//! The line runs through `reconcile`: functions over one `Context`, each of which returns what is to
//! be looked at again. This file only runs them.

mod admission;
mod affected_workloads;
mod change_actors;
mod context;
mod controllers;
mod correct;
mod migration_runs;
mod reconcile;
mod records;
mod requeue;
mod scope_state;
mod sweep;
mod task_reports;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_core::config::Config;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::policy::Mode;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::execute::Timeouts;
use crate::internal_events::{
    KeyLeftToSweep, LeadershipChanged, Notification, ReconcileFailed, ReconcileSucceeded, ScopeGained, ScopeLost,
    Telemetry, WorkUnfinished,
};
use crate::lease::LeaseCoordinator;
use crate::metrics::Metrics;
use crate::ports::{Cloud, Ledger, Notifier, PauseSwitch};
use crate::published::{State, View};
use crate::queue::{Priority, RunFailed};
pub use change_actors::{ChangeActors, EventSink};
use context::{Context, Round};
pub use controllers::{Controller, Queues};
use reconcile::reconcile;
use requeue::Requeue;
use scope_state::ScopeState;
pub use task_reports::TaskReports;

/// Runs reconciles for the keys of its queues.
pub struct Operator {
    context: Context,
    queues: Queues,
    /// What the HTTP server shows.
    state: Arc<State>,
    publishing: Mutex<()>,
    delivery: Mutex<Option<Delivery>>,
}

/// Who is told, and what waits to be told.
type Delivery = (Arc<dyn Notifier>, mpsc::Receiver<Notification>);

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
    pub leases: LeaseCoordinator,
    /// The name of this process.
    pub replica: String,
    /// Who is told of findings and corrections.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Who changed what lately.
    pub change_actors: Arc<ChangeActors>,
    /// What events told of tasks that no service started.
    pub task_reports: Arc<TaskReports>,
    /// How long to wait for AWS.
    pub timeouts: Timeouts,
}

impl Operator {
    /// An operator that has read nothing yet.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Self {
        let Dependencies {
            config,
            mode,
            clock,
            metrics,
            state,
            clouds,
            queues,
            pause,
            ledger,
            leases,
            replica,
            notifier,
            change_actors,
            task_reports,
            timeouts,
        } = dependencies;
        let scopes = clouds
            .into_iter()
            .map(|cloud| (cloud.scope().clone(), ScopeState::new(cloud)))
            .collect();
        let (telemetry, delivery) = match notifier {
            Some(notifier) => {
                let (telemetry, waiting) = Telemetry::with_notifications(metrics);
                (telemetry, Some((notifier, waiting)))
            }
            None => (Telemetry::new(metrics), None),
        };
        Self {
            context: Context {
                config,
                mode,
                clock,
                pause,
                ledger,
                leases,
                replica,
                change_actors,
                task_reports,
                timeouts,
                telemetry,
                scopes,
                round: Mutex::new(Round::default()),
            },
            queues,
            state,
            publishing: Mutex::default(),
            delivery: Mutex::new(delivery),
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
        tasks.spawn(Arc::clone(&self).notify());
        cancel.cancelled().await;
        self.queues.shut_down();
        if tokio::time::timeout(grace, self.queues.drained()).await.is_err() {
            WorkUnfinished { grace }.emit();
        }
        tasks.shutdown().await;
    }

    /// Reconciles one key after the other.
    async fn work(self: Arc<Self>, controller: Controller) {
        let queue = self.queues.of(controller);
        while let Some(run) = queue.get().await {
            let key = run.key().clone();
            let started = tokio::time::Instant::now();
            let result = reconcile(&self.context, &key).await;
            let took = started.elapsed();
            let is_sweep = controller == Controller::Sweep;
            let controller = controller.name();
            match result {
                Ok(again) => {
                    ReconcileSucceeded { controller, took }.emit(&self.context.telemetry);
                    self.requeue(again);
                    queue.forget(&key);
                    run.finish(Ok(()));
                }
                Err(error) => {
                    ReconcileFailed {
                        controller,
                        key: &key,
                        took,
                        error: &error,
                    }
                    .emit(&self.context.telemetry);
                    self.requeue(error.requeue);
                    queue.retry(&key, run.priority());
                    run.finish(Err(RunFailed));
                }
            }
            if is_sweep {
                self.ready_if_swept();
            }
        }
    }

    /// Queues what is to be looked at again.
    fn requeue(&self, requeue: Requeue) {
        for again in requeue.into_keys() {
            let queued = if again.after.is_zero() {
                self.queues.add(again.key.clone(), again.priority, None)
            } else {
                self.queues.add_after(again.key.clone(), again.after, again.priority)
            };
            if let Err(error) = queued {
                let key = &again.key;
                KeyLeftToSweep { key, error: &error }.emit();
            }
        }
    }

    /// Takes over the scopes that this process gains, and lets go of those that it loses.
    async fn follow_leases(self: Arc<Self>) {
        let (context, telemetry) = (&self.context, &self.context.telemetry);
        let mut held = context.leases.held();
        let mut mine: BTreeMap<Scope, u64> = BTreeMap::new();
        loop {
            let now = held.borrow_and_update().clone();
            for scope in mine.keys().filter(|s| !now.contains_key(*s)) {
                if let Some(state) = context.scopes.get(scope) {
                    state.forget();
                }
                ScopeLost(scope).emit(telemetry);
            }
            for (scope, token) in &now {
                if mine.get(scope) == Some(token) {
                    continue;
                }
                if let Some(state) = context.scopes.get(scope) {
                    state.forget();
                    ScopeGained(scope).emit(telemetry);
                    let everything = Key {
                        scope: scope.clone(),
                        subject: Subject::Everything,
                    };
                    let mut sweep = Requeue::nothing();
                    sweep.at_once(&everything, Priority::Sweep);
                    self.requeue(sweep);
                }
            }
            LeadershipChanged {
                is_leader: context.leases.is_leader(),
            }
            .emit(telemetry);
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

    /// Delivers notifications, one after the other.
    async fn notify(self: Arc<Self>) {
        let waiting = self.delivery.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((notifier, mut waiting)) = waiting else { return };
        while let Some(notification) = waiting.recv().await {
            match notification {
                Notification::Findings(opened, resolved) => notifier.findings(&opened, &resolved).await,
                Notification::Action(action, outcome, detail) => notifier.action(&action, outcome, &detail).await,
            }
        }
    }

    /// Publishes what is known to the HTTP server, if it has changed. To encode a fleet takes longer than to evaluate a
    /// workload, so it is done when somebody asks.
    pub fn publish(&self) {
        // Whoever asks meanwhile waits for what is being encoded.
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.context.telemetry.take_stale() {
            self.encode();
        }
    }

    fn encode(&self) {
        let mut findings = vec![];
        let mut workloads = vec![];
        let mut plan = holdfast_core::plan::Plan::empty(self.context.clock.now());
        for state in self.context.scopes.values() {
            let view = state.view();
            findings.extend(view.findings);
            workloads.extend(view.workloads);
            plan.extend(view.plan);
        }
        holdfast_core::evaluate::sort(&mut findings);
        let actions = self.context.telemetry.actions();
        let state = &self.state;
        state.publish(View::Findings, &json!({"schema_version": 1, "findings": findings}));
        state.publish(View::Workloads, &json!({"schema_version": 1, "workloads": workloads}));
        state.publish(View::Plan, &json!(plan));
        state.publish(View::Actions, &json!({"schema_version": 1, "actions": actions}));
    }

    /// Ready once everything that this process looks after was swept.
    fn ready_if_swept(&self) {
        if self.context.is_covered() {
            self.state.ready();
        }
    }

    /// Seconds since the oldest evidence was read.
    #[must_use]
    pub fn evidence_age(&self) -> Option<f64> {
        let scopes = self.context.scopes.values();
        let oldest = scopes.filter_map(ScopeState::evidence_from).min()?;
        Some(self.context.clock.now().duration_since(oldest).as_secs_f64())
    }
}
