//! Runs the operator in a process, and restarts it when the process ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::model::policy::Mode;
use holdfast_operator::clock::Clock;
use holdfast_operator::controller::{ChangeActors, Dependencies, Operator, Queues};
use holdfast_operator::lease::{LeaseCoordinator, LeaseOptions};
use holdfast_operator::metrics::Metrics;
use holdfast_operator::ports::Cloud;
use holdfast_operator::published;
use holdfast_operator::queue::Priority;
use jiff::SignedDuration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bounds::{MAX_CLOCK_SKEW, random_ms, timeouts};
use crate::ports::{SimClock, SimCloud, SimLeases, SimLedger, SimSwitch};
use crate::process::{Process, Running};
use crate::scenario::Sabotage;
use crate::sim::Sim;

/// How replicas differ from a process that runs alone.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Several processes share the scopes by leases.
    pub has_leases: bool,
    pub has_clock_skew: bool,
}

/// Runs a process in `slot`, and another one 1 s to 15 s after each end.
pub async fn run_with_restarts(sim: Arc<Sim>, slot: usize, setup: Setup, running: Running) {
    for start in 1.. {
        let process = Arc::new(Process::new(format!("r{slot}.{start}"), Arc::clone(&sim)));
        running.lock().expect("nobody panicked")[slot] = Some(Arc::clone(&process));
        run_process(&process, slot, setup).await;
        running.lock().expect("nobody panicked")[slot] = None;
        sim.state().queues.remove(&slot);
        sleep(random_ms(1_000, 15_000)).await;
    }
}

/// Returns when the process crashed, or stopped as it was told to.
async fn run_process(process: &Arc<Process>, slot: usize, setup: Setup) {
    let (sim, scopes) = (&process.sim, process.sim.scopes());
    let clock = clock(process, setup);
    let metrics = Arc::new(Metrics::new("simulated").expect("metrics"));
    let queues = Queues::new(scopes.len(), &metrics);
    let leases = leases(process, slot, setup);
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
        leases: leases.clone(),
        replica: process.name.clone(),
        notifier: None,
        change_actors: Arc::new(ChangeActors::default()),
        task_reports: Arc::default(),
        timeouts: timeouts(),
    }));
    sim.state().queues.insert(slot, queues.clone());
    let (stop_work, stop_leases) = (CancellationToken::new(), CancellationToken::new());
    let keeping_leases = tokio::spawn({
        let (leases, stop_leases) = (leases.clone(), stop_leases.clone());
        async move {
            let deliver = |key| {
                // A queue that is full or shutting down drops it; the next sweep finds the change.
                let _ = queues.add(key, Priority::Event, None);
            };
            leases.run(stop_leases, deliver).await;
        }
    });
    let mut working = tokio::spawn(operator.run(stop_work.clone(), Duration::from_secs(10)));
    let shutdown = async {
        process.terminated.cancelled().await;
        sim.trace(&mut sim.state(), &format!("{} is told to stop", process.name));
        stop_work.cancel();
        let _ = (&mut working).await;
        leases.release_all().await;
    };
    tokio::select! {
        biased;
        () = process.crashed.cancelled() => {}
        () = shutdown => {}
    }
    // None of its calls returns any more, so that aborting its tasks can't let one go on.
    process.end();
    for task in [working, keeping_leases] {
        task.abort();
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

fn clock(process: &Process, setup: Setup) -> Arc<dyn Clock> {
    let sim = &process.sim;
    let skew = if setup.has_clock_skew {
        MAX_CLOCK_SKEW.mul_f64(2.0 * fastrand::f64()).as_secs_f64() - MAX_CLOCK_SKEW.as_secs_f64()
    } else {
        0.0
    };
    // 60 × 2 s are two minutes.
    let factor = match sim.options.sabotage {
        Sabotage::Clocks => 60.0,
        _ => 1.0,
    };
    sim.trace(
        &mut sim.state(),
        &format!("{} starts, clock skew {skew:+.3} s", process.name),
    );
    Arc::new(SimClock {
        sim: Arc::clone(sim),
        skew: SignedDuration::from_secs_f64(skew * factor),
    })
}

fn leases(process: &Arc<Process>, slot: usize, setup: Setup) -> LeaseCoordinator {
    let (sim, scopes) = (&process.sim, process.sim.scopes());
    if !setup.has_leases {
        return LeaseCoordinator::alone(scopes);
    }
    let table = sim.leases.handle();
    sim.state().lease_stores.insert(slot, table.clone());
    let outlives = sim.options.sabotage == Sabotage::Leases && slot == 0;
    LeaseCoordinator::shared(
        Arc::new(SimLeases {
            process: Arc::clone(process),
            table,
            written: Mutex::default(),
        }),
        process.name.clone(),
        scopes,
        LeaseOptions {
            duration: Duration::from_secs(if outlives { 120 } else { 15 }),
            mail: Duration::from_secs(3),
            ..LeaseOptions::default()
        },
    )
}
