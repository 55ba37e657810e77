//! How long the operator itself takes from an event to its judgement, and to the call that corrects, while it sweeps all
//! the time. AWS is a fleet in memory that answers at once: what is measured is queue, reading, judging, planning, ledger
//! (SQLite) and everything that is told, on the two threads that `holdfast run` has.
//!
//!     cargo bench --bench operator [-- WORKLOADS EVENTS]

#![allow(clippy::expect_used, reason = "the worlds made here are whole")]

#[path = "../crates/core/benches/fleet/mod.rs"]
mod fleet;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use holdfast::ledger_sqlite::SqliteLedger;
use holdfast_core::action::{Action, ClosePublicAccess};
use holdfast_core::config::Config;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::policy::Mode;
use holdfast_core::model::resources::{Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::refresh::RefreshSet;
use holdfast_operator::clock::{Clock, SystemClock};
use holdfast_operator::controller::{ChangeActors, Dependencies, Operator, Queues};
use holdfast_operator::execute::Timeouts;
use holdfast_operator::lease::LeaseCoordinator;
use holdfast_operator::metrics::Metrics;
use holdfast_operator::ports::NoSwitch;
use holdfast_operator::ports::{Cloud, Write};
use holdfast_operator::published::State;
use holdfast_operator::queue::Priority;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The fleet, and when a call last changed it.
struct Memory {
    scope: Scope,
    truth: Mutex<Snapshot>,
    called: Mutex<Option<Instant>>,
    sweeps: Mutex<usize>,
}

impl Memory {
    fn read(&self, now: Timestamp) -> Snapshot {
        let mut snapshot = self.truth.lock().expect("whole").clone();
        snapshot.started_at = now;
        snapshot
    }

    fn set_public(&self, instance: &str, public: bool) {
        let mut truth = self.truth.lock().expect("whole");
        let instances = truth.instances.as_mut().expect("readable");
        instances.get_mut(instance).expect("there").publicly_accessible = public;
    }
}

#[async_trait]
impl Cloud for Memory {
    fn scope(&self) -> &Scope {
        &self.scope
    }
    fn caller(&self) -> Option<&str> {
        None
    }
    async fn sweep(&self, now: Timestamp) -> Snapshot {
        *self.sweeps.lock().expect("whole") += 1;
        self.read(now)
    }
    async fn refresh(&self, _: &Snapshot, _: &RefreshSet, now: Timestamp) -> Snapshot {
        self.read(now)
    }
    async fn service(&self, _: &str, _: &str) -> Read<Option<Service>> {
        Ok(None)
    }
    async fn definition(&self, _: &str) -> Read<Option<Arc<TaskDefinition>>> {
        Ok(None)
    }
    async fn registered(&self, _: &str, _: &str) -> Read<Option<String>> {
        Ok(None)
    }
    async fn write(&self, write: Write<'_>) -> Read<Option<String>> {
        *self.called.lock().expect("whole") = Some(Instant::now());
        if let Write::Correct(Action::ClosePublicAccess(ClosePublicAccess { instance })) = write {
            self.set_public(instance, false);
        }
        Ok(None)
    }
}

fn main() {
    // `cargo bench` adds a flag of its own.
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let workloads = numbers.first().copied().unwrap_or(2_000);
    let events = numbers.get(1).copied().unwrap_or(200);
    // As `holdfast run` has it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(workloads, events));
}

async fn measure(workloads: usize, events: usize) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let truth = fleet::snapshot(workloads, clock.now());
    let names: Vec<String> = truth.instances.as_ref().expect("readable").keys().cloned().collect();
    let scope = truth.scope.clone();
    let cloud = Arc::new(Memory {
        scope: scope.clone(),
        truth: Mutex::new(truth),
        called: Mutex::default(),
        sweeps: Mutex::default(),
    });
    let mut config = Config::default();
    // A sweep is never over for long.
    config.sweep.interval = Duration::from_millis(200);
    config.safety.max_actions_per_sweep = u32::MAX;
    config.safety.cooldown = Duration::ZERO;
    config.safety.fight_threshold = u32::MAX;
    let metrics = Arc::new(Metrics::new("bench").expect("metrics"));
    let queues = Queues::new(1, &metrics);
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(&directory.path().join("bench.db"), clock.now()).await;
    let operator = Arc::new(Operator::new(Dependencies {
        config: Arc::new(config),
        mode: Mode::Enforce,
        clock,
        state: Arc::new(State::new(Arc::clone(&metrics))),
        metrics,
        clouds: vec![Arc::clone(&cloud) as Arc<dyn Cloud>],
        queues: queues.clone(),
        pause: Arc::new(NoSwitch),
        ledger: Arc::new(ledger.expect("a ledger")),
        leases: LeaseCoordinator::alone(vec![scope.clone()]),
        replica: "bench".into(),
        notifier: None,
        change_actors: Arc::new(ChangeActors::default()),
        task_reports: Arc::default(),
        timeouts: Timeouts::default(),
    }));
    let cancel = CancellationToken::new();
    let running = tokio::spawn(operator.run(cancel.clone(), Duration::from_secs(5)));
    while *cloud.sweeps.lock().expect("whole") < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (mut judged, mut acted) = (vec![], vec![]);
    let mut used = BTreeSet::new();
    for number in 0..events {
        let name = &names[(number * 7919) % names.len()];
        // One in four was opened behind our back; each only once, since the same key waits a second between two runs.
        let open = number % 4 == 0 && used.insert(name.clone());
        *cloud.called.lock().expect("whole") = None;
        if open {
            cloud.set_public(name, true);
        }
        let (done, told) = oneshot::channel();
        let key = Key {
            scope: scope.clone(),
            subject: Subject::DbInstance(name.clone()),
        };
        let sent = Instant::now();
        queues.add(key, Priority::Event, Some(done)).expect("room");
        told.await.expect("an end").expect("success");
        match *cloud.called.lock().expect("whole") {
            Some(at) if open => acted.push(at - sent),
            _ => judged.push(sent.elapsed()),
        }
        tokio::time::sleep(Duration::from_millis(5 + fastrand::u64(0..20))).await;
    }
    let sweeps = *cloud.sweeps.lock().expect("whole");
    println!("{workloads} workloads, {sweeps} sweeps meanwhile");
    tell("event to judged", judged);
    tell("event to call", acted);
    cancel.cancel();
    running.await.expect("an end");
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len().saturating_sub(1) * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: {} measured, median {:?}, 95 % within {:?}, longest {:?}",
        times.len(),
        at(50),
        at(95),
        at(100)
    );
}
