//! Disturbs the operator every now and then: people change things, processes crash and are held, partitions cut them off.

use std::sync::Arc;

use holdfast_core::model::key::Scope;
use holdfast_operator::lease::Weather as LeaseFaults;
use tokio::time::{Instant, sleep};

use crate::bounds::random_ms;
use crate::people::{Drift, restrain, terraform, undo_later};
use crate::process::Running;
use crate::scenario::Disturbances;
use crate::sim::Sim;

pub struct Disturber {
    pub sim: Arc<Sim>,
    pub disturbances: Disturbances,
    pub workloads: Vec<String>,
    pub running: Running,
    /// When the disturbances end.
    pub until: Instant,
}

impl Disturber {
    /// Disturbs something every 2 s to 40 s.
    pub async fn run(self) {
        if self.disturbances.terraform {
            let (sim, workload) = (Arc::clone(&self.sim), self.workloads[0].clone());
            tokio::spawn(terraform(sim, workload, self.until));
        }
        loop {
            sleep(random_ms(2_000, 40_000)).await;
            if Instant::now() >= self.until {
                return;
            }
            let these = self.disturbances;
            match fastrand::u8(..5) {
                0 | 1 if these.drift => {
                    let (scope, workload) = self.any_workload();
                    Drift::ALL[fastrand::usize(..Drift::ALL.len())].cause(&self.sim, &scope, &workload);
                }
                2 if these.restraints => {
                    let (scope, workload) = self.any_workload();
                    restrain(&self.sim, self.until, scope, workload);
                }
                3 if these.processes => self.disturb_process(),
                4 if these.partitions => self.partition(),
                _ => {}
            }
        }
    }

    fn any_workload(&self) -> (Scope, String) {
        let scopes = self.sim.scopes();
        let scope = scopes[fastrand::usize(..scopes.len())].clone();
        (scope, self.workloads[fastrand::usize(..self.workloads.len())].clone())
    }

    fn disturb_process(&self) {
        let running = self.running.lock().expect("nobody panicked");
        let slot = fastrand::usize(..running.len());
        let Some(process) = &running[slot] else { return };
        match fastrand::u8(..4) {
            0 => process.crash(),
            1 => process.terminated.cancel(),
            _ => {
                let time = random_ms(500, 45_000);
                let line = format!("{} is held for {time:?}", process.name);
                self.sim.trace(&mut self.sim.state(), &line);
                process.hold(time);
            }
        }
    }

    /// Cuts processes off from the ledger, from the read APIs, or one of them from the leases.
    fn partition(&self) {
        let mut state = self.sim.state();
        let until = Instant::now() + random_ms(2_000, 60_000);
        match fastrand::u8(..4) {
            0 => {
                state.faults.ledger_partition = Some(until);
                self.sim.trace(&mut state, "partition from the ledger");
            }
            1 => {
                state.faults.read_partition = Some(until);
                self.sim.trace(&mut state, "partition from the read APIs");
            }
            _ => {
                let faults = lease_faults();
                let stores: Vec<_> = state.lease_stores.values().cloned().collect();
                if stores.is_empty() {
                    return;
                }
                let store = stores[fastrand::usize(..stores.len())].clone();
                self.sim.trace(&mut state, &format!("leases: {faults:?}"));
                store.set_weather(faults);
                tokio::spawn(undo_later(Arc::clone(&self.sim), self.until, move |_| {
                    store.set_weather(LeaseFaults::default());
                }));
            }
        }
    }
}

/// A partition from the table of leases, a slow way to it, or one that loses calls and answers.
fn lease_faults() -> LeaseFaults {
    match fastrand::u8(..3) {
        0 => LeaseFaults {
            down: true,
            ..LeaseFaults::default()
        },
        1 => LeaseFaults {
            delay: random_ms(1, 6_000),
            ..LeaseFaults::default()
        },
        _ => LeaseFaults {
            failing: 0.3 * fastrand::f64(),
            lost: 0.6 * fastrand::f64(),
            ..LeaseFaults::default()
        },
    }
}
