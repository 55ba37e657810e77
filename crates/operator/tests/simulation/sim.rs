//! What everything in a simulation shares: the model of AWS and its past, what is scheduled, the faults and the trace.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use holdfast_core::config::Config;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::snapshot::Read;
use holdfast_operator::controller::Queues;
use holdfast_operator::lease::MemoryStore;
use holdfast_operator::ledger::MemoryLedger;
use holdfast_operator::queue::Priority;
use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::bounds::{random_ms, start};
use crate::faults::Faults;
use crate::invariants::Invariants;
use crate::scenario::Sabotage;
use crate::timeline::Timeline;
use crate::world::{Call, Consequence, Consequences, World};

/// Something that happens at a known instant.
pub enum Scheduled {
    /// A call arrives at AWS.
    Call {
        scope: Scope,
        /// The process that sent it.
        by: String,
        call: Call,
        answer: oneshot::Sender<Result<Option<String>, &'static str>>,
    },
    /// AWS finishes what a call started.
    Consequence(Scope, Consequence),
    /// One of the processes receives an event.
    Event(Key),
}

pub struct State {
    pub worlds: BTreeMap<Scope, Timeline>,
    /// In the order of time; the number keeps the order of what is due at the same instant.
    schedule: BTreeMap<(Instant, u64), Scheduled>,
    last_number: u64,
    pub faults: Faults,
    pub invariants: Invariants,
    violation: Option<String>,
    /// The queues of the running processes, by slot.
    pub queues: BTreeMap<usize, Queues>,
    /// The table of leases as each of the running processes reaches it, by slot.
    pub lease_stores: BTreeMap<usize, MemoryStore>,
    /// Whether the kill switch is on; absent, it can't be read.
    pub paused: Option<bool>,
    /// The last lines of the trace.
    lines: VecDeque<String>,
    hash: DefaultHasher,
}

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    /// Whether to print the trace.
    pub prints: bool,
    pub sabotage: Sabotage,
}

pub struct Sim {
    pub options: Options,
    pub config: Arc<Config>,
    pub ledger: MemoryLedger,
    pub leases: MemoryStore,
    pub began: Instant,
    state: Mutex<State>,
    scheduled: Notify,
    failed: Notify,
}

/// How many lines of the trace a report of a failure has.
const REPORTED_LINES: usize = 60;

impl Sim {
    pub fn new(options: Options, config: Config, worlds: Vec<World>, faults: Faults) -> Arc<Self> {
        let worlds = worlds.into_iter().map(|w| (w.scope.clone(), Timeline::new(w)));
        let (config, leases) = (Arc::new(config), MemoryStore::default());
        Arc::new(Self {
            options,
            config: Arc::clone(&config),
            ledger: MemoryLedger::new(),
            leases: leases.clone(),
            began: Instant::now(),
            state: Mutex::new(State {
                worlds: worlds.collect(),
                schedule: BTreeMap::new(),
                last_number: 0,
                faults,
                invariants: Invariants::new(config, leases),
                violation: None,
                queues: BTreeMap::new(),
                lease_stores: BTreeMap::new(),
                paused: Some(false),
                lines: VecDeque::new(),
                hash: DefaultHasher::new(),
            }),
            scheduled: Notify::new(),
            failed: Notify::new(),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }

    /// The time, without the skew that the clock of a process has.
    pub fn now(&self) -> Timestamp {
        start() + self.began.elapsed()
    }

    pub fn scopes(&self) -> Vec<Scope> {
        self.state().worlds.keys().cloned().collect()
    }

    /// Adds a line to the trace.
    pub fn trace(&self, state: &mut State, line: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        // The line that drops out of the report lends its memory to the new one.
        let mut traced = match state.lines.len() {
            REPORTED_LINES.. => state.lines.pop_front().unwrap_or_default(),
            _ => String::new(),
        };
        traced.clear();
        let _ = write!(traced, "{seconds:>9.3} {line}");
        traced.hash(&mut state.hash);
        if self.options.prints {
            eprintln!("{traced}");
        }
        state.lines.push_back(traced);
    }

    /// A hash of the whole trace.
    pub fn trace_hash(&self) -> u64 {
        self.state().hash.finish()
    }

    /// Fails the seed if an invariant does not hold.
    pub fn check(&self, state: &mut State, result: Result<(), String>) {
        if let Err(violation) = result {
            self.trace(state, &format!("VIOLATED: {violation}"));
            state.violation.get_or_insert(violation);
            self.failed.notify_one();
        }
    }

    /// Returns once an invariant did not hold.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    /// The first violation, and the trace that leads to it.
    pub fn failure(&self) -> Option<String> {
        let state = self.state();
        let violation = state.violation.clone()?;
        let lines: Vec<&str> = state.lines.iter().map(String::as_str).collect();
        Some(format!(
            "HOLDFAST_SIM_SEED={} after {:.3} s: {violation}\n{}",
            self.options.seed,
            self.began.elapsed().as_secs_f64(),
            lines.join("\n")
        ))
    }

    pub fn schedule(&self, state: &mut State, after: Duration, what: Scheduled) {
        state.last_number += 1;
        let at = (Instant::now() + after, state.last_number);
        state.schedule.insert(at, what);
        self.scheduled.notify_one();
    }

    pub fn schedule_consequences(&self, state: &mut State, scope: &Scope, consequences: Consequences) {
        for (after, consequence) in consequences {
            self.schedule(state, after, Scheduled::Consequence(scope.clone(), consequence));
        }
    }

    /// Sends the event of a change, subject to the faults.
    pub fn send_event(&self, state: &mut State, scope: &Scope, subject: Subject) {
        let key = Key {
            scope: scope.clone(),
            subject,
        };
        for delay in state.faults.event_delays() {
            self.schedule(state, delay, Scheduled::Event(key.clone()));
        }
    }

    /// Changes something as people and Terraform do, without Holdfast.
    pub fn change(&self, scope: &Scope, subject: Subject, what: &str, change: impl FnOnce(&mut World)) {
        let mut state = self.state();
        self.trace(&mut state, &format!("{scope} {what}"));
        if let Some(timeline) = state.worlds.get_mut(scope) {
            timeline.change(change);
        }
        self.send_event(&mut state, scope, subject);
    }

    /// Does what is scheduled when its time comes, and never returns.
    pub async fn run_schedule(self: Arc<Self>) {
        loop {
            let next = self.state().schedule.first_key_value().map(|((at, _), _)| *at);
            match next {
                Some(at) if at <= Instant::now() => {
                    let mut state = self.state();
                    if let Some((_, scheduled)) = state.schedule.pop_first() {
                        self.execute(&mut state, scheduled);
                    }
                }
                Some(at) => tokio::select! {
                    biased;
                    () = self.scheduled.notified() => {}
                    () = sleep_until(at) => {}
                },
                None => self.scheduled.notified().await,
            }
        }
    }

    fn execute(&self, state: &mut State, scheduled: Scheduled) {
        match scheduled {
            Scheduled::Event(key) => self.deliver_event(state, key),
            Scheduled::Consequence(scope, consequence) => {
                let (Some(timeline), now) = (state.worlds.get_mut(&scope), self.now()) else {
                    return;
                };
                let (subject, more) = timeline.change(|w| w.apply_consequence(&consequence, now));
                self.schedule_consequences(state, &scope, more);
                if let Some(subject) = subject {
                    self.trace(state, &format!("{scope} {consequence:?}"));
                    self.send_event(state, &scope, subject);
                }
            }
            Scheduled::Call {
                scope,
                by,
                call,
                answer,
            } => {
                let result = self.apply_call(state, &scope, &by, &call);
                // The process that waits for the answer may have crashed.
                let _ = answer.send(result);
            }
        }
    }

    fn deliver_event(&self, state: &mut State, key: Key) {
        let running: Vec<usize> = state.queues.keys().copied().collect();
        if running.is_empty() {
            // SQS keeps it until a process runs again.
            self.schedule(state, random_ms(1_000, 5_000), Scheduled::Event(key));
            return;
        }
        let queues = state.queues[&running[fastrand::usize(..running.len())]].clone();
        // A queue that is full or shutting down drops it; the next sweep finds the change.
        let _ = queues.add(key, Priority::Event, None);
    }

    fn apply_call(
        &self,
        state: &mut State,
        scope: &Scope,
        by: &str,
        call: &Call,
    ) -> Result<Option<String>, &'static str> {
        let (fate, now) = (state.faults.fate(), self.now());
        let timeline = state.worlds.get_mut(scope).ok_or("InternalFailure")?;
        let before = Arc::clone(timeline.now());
        let applied = timeline.change(|w| {
            w.next_fate = fate;
            w.apply(call, now)
        });
        let result = applied.as_ref().map(|a| a.arn.clone()).map_err(|code| *code);
        self.trace(state, &format!("{scope} {} by {by}: {result:?}", call.target()));
        let State { invariants, worlds, .. } = &mut *state;
        if let Ok(applied) = applied {
            let after = worlds[scope].now();
            let holds = invariants.on_effect(call, &before, after, applied.no_change, now);
            self.schedule_consequences(state, scope, applied.consequences);
            if let Call::Register { base, .. } = call
                && let Some(after) = state.faults.deregistration()
            {
                let consequence = Consequence::Deregistered(base.clone());
                self.schedule_consequences(state, scope, vec![(after, consequence)]);
            }
            self.check(state, holds);
            if let (false, Some(subject)) = (applied.no_change, call.subject()) {
                self.send_event(state, scope, subject);
            }
        } else {
            let holds = invariants.on_refusal(call, worlds[scope].now(), now);
            self.check(state, holds);
        }
        result
    }

    /// What one read API shows: the state of a little while ago, or an error.
    pub fn read(&self, scope: &Scope, service: &str, operation: &str) -> Read<Arc<World>> {
        let state = self.state();
        if let Some(error) = state.faults.failed_read(service, operation) {
            return Err(error);
        }
        if self.options.sabotage == Sabotage::Services && service == "ecs" {
            return Err(crate::faults::error(service, operation, "AccessDeniedException"));
        }
        let mut age = state.faults.staleness();
        if self.options.sabotage == Sabotage::Reads {
            age *= 5;
        }
        Ok(state.worlds[scope].at(age))
    }
}
