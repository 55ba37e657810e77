//! A process that runs the operator, and the faults of a whole process: it crashes, is held, is told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::sim::Sim;

/// One process from its start to its end. A restart makes a new one.
pub struct Process {
    pub name: String,
    pub sim: Arc<Sim>,
    /// Whether it crashed or ended. None of its calls returns any more.
    ended: AtomicBool,
    /// Answers to it are held back until then.
    held_until: Mutex<Option<Instant>>,
    pub crashed: CancellationToken,
    /// The operating system told it to stop.
    pub terminated: CancellationToken,
}

/// The processes that run now, by slot.
pub type Running = Arc<Mutex<Vec<Option<Arc<Process>>>>>;

impl Process {
    pub fn new(name: String, sim: Arc<Sim>) -> Self {
        Self {
            name,
            sim,
            ended: AtomicBool::new(false),
            held_until: Mutex::default(),
            crashed: CancellationToken::new(),
            terminated: CancellationToken::new(),
        }
    }

    /// A point at which the process may crash, and at which it waits while it is held. Never returns once it ended.
    pub async fn checkpoint(&self) {
        self.crash_point().await;
        loop {
            let until = *self.held_until.lock().expect("nobody panicked");
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => break,
            }
        }
        self.crash_point().await;
    }

    /// A point at which the process may crash. A hold concerns answers: a call that is about to be sent leaves.
    pub async fn crash_point(&self) {
        if !self.ended.load(Ordering::Relaxed) && self.sim.state().faults.crash() {
            self.crash();
        }
        if self.ended.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    pub fn crash(&self) {
        self.end();
        self.sim.trace(&mut self.sim.state(), &format!("{} crashes", self.name));
        self.crashed.cancel();
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Holds back all answers to this process for a while.
    pub fn hold(&self, time: Duration) {
        *self.held_until.lock().expect("nobody panicked") = Some(Instant::now() + time);
    }
}
