//! A process that runs the operator: started, frozen, killed, started anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::model::policy::Mode;
use holdfast_operator::clock::Clock;
use holdfast_operator::controller::{ChangeActors, Dependencies, Operator, Queues};
use holdfast_operator::execute::Timeouts;
use holdfast_operator::lease::{LeaseCoordinator, LeaseOptions};
use holdfast_operator::metrics::Metrics;
use holdfast_operator::ports::Cloud;
use holdfast_operator::published;
use holdfast_operator::queue::Priority;
use jiff::SignedDuration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cloud::{SimClock, SimCloud, SimLedger, SimStore, SimSwitch};
use crate::run::Sabotage;
use crate::sim::Sim;
use crate::world::ms;

/// How far a clock is off, either way.
pub const SKEW: Duration = Duration::from_secs(2);

/// One life of a process.
pub struct Process {
    pub name: String,
    pub sim: Arc<Sim>,
    dead: AtomicBool,
    frozen: Mutex<Option<Instant>>,
    pub killed: CancellationToken,
    pub stopped: CancellationToken,
}

impl Process {
    /// Returns while the process lives and is not frozen: for ever never, if it is dead.
    pub async fn goes_on(&self) {
        self.lives().await;
        loop {
            let until = *self.frozen.lock().expect("nobody panicked");
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        self.lives().await;
    }

    /// Like [`Process::goes_on`], but a call on its way out is not held up by a freeze.
    pub async fn lives(&self) {
        if !self.dead.load(Ordering::Relaxed) && self.sim.state().weather.crashes() {
            self.kill();
        }
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.sim.note(&mut self.sim.state(), &format!("{} dies", self.name));
        self.killed.cancel();
    }

    pub fn freeze(&self, by: Duration) {
        *self.frozen.lock().expect("nobody panicked") = Some(Instant::now() + by);
    }
}

/// How long the operator waits for AWS here.
pub fn timeouts() -> Timeouts {
    Timeouts {
        stabilize: Duration::from_secs(150),
        // As often as it takes: a look is what a seed costs.
        poll: Duration::from_secs(4),
        ..Timeouts::default()
    }
}

/// The processes that live now, by slot.
pub type Alive = Arc<Mutex<Vec<Option<Arc<Process>>>>>;

/// Keeps a process running in `slot`: one that ended is started anew some seconds later.
pub async fn keep(sim: Arc<Sim>, slot: usize, shared: bool, skewed: bool, alive: Alive) {
    for life in 1.. {
        let process = Arc::new(Process {
            name: format!("r{slot}.{life}"),
            sim: Arc::clone(&sim),
            dead: AtomicBool::new(false),
            frozen: Mutex::default(),
            killed: CancellationToken::new(),
            stopped: CancellationToken::new(),
        });
        alive.lock().expect("nobody panicked")[slot] = Some(Arc::clone(&process));
        live(&process, slot, shared, skewed).await;
        alive.lock().expect("nobody panicked")[slot] = None;
        sim.state().queues.remove(&slot);
        sleep(ms(1_000, 15_000)).await;
    }
}

async fn live(process: &Arc<Process>, slot: usize, shared: bool, skewed: bool) {
    let (sim, scopes) = (&process.sim, process.sim.scopes());
    let off = if skewed {
        SKEW.mul_f64(2.0 * fastrand::f64()).as_secs_f64() - SKEW.as_secs_f64()
    } else {
        0.0
    };
    let wrong = if sim.sabotage == Sabotage::Clocks { 60.0 } else { 1.0 };
    let skew = SignedDuration::from_secs_f64(off * wrong);
    sim.note(&mut sim.state(), &format!("{} starts, {off:+.3} s off", process.name));
    let clock: Arc<dyn Clock> = Arc::new(SimClock {
        sim: Arc::clone(sim),
        skew,
    });
    let metrics = Arc::new(Metrics::new("simulated").expect("metrics"));
    let queues = Queues::new(scopes.len(), &metrics);
    let coordinator = if shared {
        let store = SimStore(Arc::clone(process), sim.leases.handle(), Mutex::default());
        sim.state().handles.insert(slot, store.1.clone());
        LeaseCoordinator::shared(
            Arc::new(store),
            process.name.clone(),
            scopes.clone(),
            LeaseOptions {
                duration: Duration::from_secs(if sim.sabotage == Sabotage::Leases && slot == 0 {
                    120
                } else {
                    15
                }),
                mail: Duration::from_secs(3),
                ..LeaseOptions::default()
            },
        )
    } else {
        LeaseCoordinator::alone(scopes.clone())
    };
    let clouds = scopes.iter().map(|scope| {
        Arc::new(SimCloud {
            process: Arc::clone(process),
            scope: scope.clone(),
            clock: Arc::clone(&clock),
        }) as Arc<dyn Cloud>
    });
    let operator = Arc::new(Operator::new(Dependencies {
        config: Arc::clone(&sim.config),
        mode: Mode::Enforce,
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        state: Arc::new(published::State::new(metrics)),
        clouds: clouds.collect(),
        queues: queues.clone(),
        pause: Arc::new(SimSwitch(Arc::clone(process))),
        ledger: Arc::new(SimLedger(Arc::clone(process))),
        leases: coordinator.clone(),
        replica: process.name.clone(),
        notifier: None,
        change_actors: Arc::new(ChangeActors::default()),
        timeouts: timeouts(),
    }));
    sim.state().queues.insert(slot, queues.clone());
    let (work, holding) = (CancellationToken::new(), CancellationToken::new());
    let keeping = tokio::spawn({
        let (coordinator, holding) = (coordinator.clone(), holding.clone());
        async move {
            let deliver = |key| {
                // Full or shutting down: the next sweep finds it.
                let _ = queues.add(key, Priority::Event, None);
            };
            coordinator.run(holding, deliver).await;
        }
    });
    let mut working = tokio::spawn(operator.run(work.clone(), Duration::from_secs(10)));
    let orderly = async {
        process.stopped.cancelled().await;
        sim.note(&mut sim.state(), &format!("{} is told to stop", process.name));
        work.cancel();
        let _ = (&mut working).await;
        coordinator.release_all().await;
    };
    tokio::select! {
        biased;
        () = process.killed.cancelled() => {}
        () = orderly => {}
    }
    // What it waits for it will never see.
    process.dead.store(true, Ordering::Relaxed);
    for task in [working, keeping] {
        task.abort();
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
