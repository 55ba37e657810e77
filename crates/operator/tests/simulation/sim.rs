//! What all of a simulation share: the worlds and their past, what is due, the weather, the trace.

use std::collections::{BTreeMap, VecDeque};
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

use crate::check::Checks;
use crate::layout::start;
use crate::run::Sabotage;
use crate::weather::Weather;
use crate::world::{Call, Later, World, ms};

/// A read shows the world as of so long ago at most: with a call that is carried out late, less than `Timeouts::consistency`.
pub const STALEST: Duration = Duration::from_secs(20);
/// A call whose answer was lost takes effect so late at most.
pub const LATEST: Duration = Duration::from_secs(8);

/// How long the past is kept.
pub const KEPT: Duration = Duration::from_mins(2);

/// One account and region, now and a little before.
pub struct Timeline {
    past: VecDeque<(Instant, Arc<World>)>,
}

impl Timeline {
    pub fn new(world: World) -> Self {
        Self {
            past: VecDeque::from([(Instant::now(), Arc::new(world))]),
        }
    }

    /// As of so long ago.
    pub fn at(&self, age: Duration) -> Arc<World> {
        let then = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        let seen = self.past.iter().rev().find(|(since, _)| *since <= then);
        Arc::clone(&seen.or(self.past.front()).expect("there is a world").1)
    }

    /// The world as it was at any time since then.
    pub fn versions(&self, age: Duration) -> impl Iterator<Item = &World> {
        let later = self.past.iter().filter(move |(since, _)| since.elapsed() < age).count();
        self.past.iter().rev().take(later + 1).map(|(_, world)| &**world)
    }

    pub fn now(&self) -> &World {
        &self.past.back().expect("there is a world").1
    }

    pub fn change<T>(&mut self, change: impl FnOnce(&mut World) -> T) -> T {
        let now = Instant::now();
        let mut world = self.now().clone();
        let result = change(&mut world);
        self.past.push_back((now, Arc::new(world)));
        while self.past.len() > 1 && now - self.past[1].0 > KEPT {
            self.past.pop_front();
        }
        result
    }
}

/// What will happen.
pub enum Due {
    /// A call that was sent arrives.
    Call {
        scope: Scope,
        by: String,
        call: Call,
        answer: oneshot::Sender<Result<Option<String>, &'static str>>,
    },
    /// What a call led to.
    Later(Scope, Later),
    /// An event reaches one of the replicas.
    Event(Key),
}

pub struct State {
    pub worlds: BTreeMap<Scope, Timeline>,
    due: BTreeMap<(Instant, u64), Due>,
    number: u64,
    pub weather: Weather,
    pub checks: Checks,
    pub violation: Option<String>,
    /// Of the replicas that live, by slot.
    pub queues: BTreeMap<usize, Queues>,
    /// Their ways to the table of leases.
    pub handles: BTreeMap<usize, MemoryStore>,
    /// Whether the kill switch is pulled; absent: it can't be read.
    pub paused: Option<bool>,
    lines: VecDeque<String>,
    hash: DefaultHasher,
}

pub struct Sim {
    pub seed: u64,
    pub prints: bool,
    pub sabotage: Sabotage,
    pub config: Arc<Config>,
    pub ledger: MemoryLedger,
    pub leases: MemoryStore,
    pub began: Instant,
    state: Mutex<State>,
    stir: Notify,
    pub failed: Notify,
}

const LINES: usize = 60;

impl Sim {
    pub fn new(
        (seed, prints, sabotage): (u64, bool, Sabotage),
        config: Config,
        worlds: Vec<World>,
        weather: Weather,
    ) -> Arc<Self> {
        let worlds = worlds.into_iter().map(|w| (w.scope.clone(), Timeline::new(w)));
        Arc::new(Self {
            seed,
            prints,
            sabotage,
            config: Arc::new(config),
            ledger: MemoryLedger::new(),
            leases: MemoryStore::default(),
            began: Instant::now(),
            state: Mutex::new(State {
                worlds: worlds.collect(),
                due: BTreeMap::new(),
                number: 0,
                weather,
                checks: Checks::default(),
                violation: None,
                queues: BTreeMap::new(),
                handles: BTreeMap::new(),
                paused: Some(false),
                lines: VecDeque::new(),
                hash: DefaultHasher::new(),
            }),
            stir: Notify::new(),
            failed: Notify::new(),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }

    /// True time.
    pub fn now(&self) -> Timestamp {
        start() + self.began.elapsed()
    }

    pub fn scopes(&self) -> Vec<Scope> {
        self.state().worlds.keys().cloned().collect()
    }

    /// Adds a line to the trace.
    pub fn note(&self, state: &mut State, line: &str) {
        let line = format!("{:>9.3} {line}", self.began.elapsed().as_secs_f64());
        line.hash(&mut state.hash);
        if self.prints {
            eprintln!("{line}");
        }
        state.lines.push_back(line);
        if state.lines.len() > LINES {
            state.lines.pop_front();
        }
    }

    pub fn hash(&self) -> u64 {
        self.state().hash.finish()
    }

    /// Notes that an invariant does not hold.
    pub fn fail(&self, state: &mut State, what: &str) {
        self.note(state, &format!("VIOLATED: {what}"));
        state.violation.get_or_insert_with(|| what.to_owned());
        self.failed.notify_one();
    }

    /// What is told of a failure.
    pub fn story(&self) -> Option<String> {
        let state = self.state();
        let what = state.violation.clone()?;
        let lines: Vec<&str> = state.lines.iter().map(String::as_str).collect();
        Some(format!(
            "HOLDFAST_SIM_SEED={} after {:.3} s: {what}\n{}",
            self.seed,
            self.began.elapsed().as_secs_f64(),
            lines.join("\n")
        ))
    }

    pub fn plan(&self, state: &mut State, after: Duration, due: Due) {
        state.number += 1;
        let at = (Instant::now() + after, state.number);
        state.due.insert(at, due);
        self.stir.notify_one();
    }

    /// Tells whoever listens that something changed, as reliably as the weather lets.
    pub fn emit(&self, state: &mut State, scope: &Scope, subject: Subject) {
        let key = Key {
            scope: scope.clone(),
            subject,
        };
        for after in state.weather.event() {
            self.plan(state, after, Due::Event(key.clone()));
        }
    }

    /// Someone other than Holdfast changes something.
    pub fn meddle(&self, scope: &Scope, subject: Subject, what: &str, change: impl FnOnce(&mut World)) {
        let mut state = self.state();
        self.note(&mut state, &format!("{scope} {what}"));
        if let Some(timeline) = state.worlds.get_mut(scope) {
            timeline.change(change);
        }
        self.emit(&mut state, scope, subject);
    }

    /// Plans what follows from a change.
    pub fn follow(&self, state: &mut State, scope: &Scope, later: Vec<(Duration, Later)>) {
        for (after, later) in later {
            self.plan(state, after, Due::Later(scope.clone(), later));
        }
    }

    /// Lets things happen when they are due, for ever.
    pub async fn nature(self: Arc<Self>) {
        loop {
            let next = self.state().due.first_key_value().map(|((at, _), _)| *at);
            match next {
                Some(at) if at <= Instant::now() => {
                    let mut state = self.state();
                    if let Some((_, due)) = state.due.pop_first() {
                        self.happen(&mut state, due);
                    }
                }
                Some(at) => tokio::select! {
                    biased;
                    () = self.stir.notified() => {}
                    () = sleep_until(at) => {}
                },
                None => self.stir.notified().await,
            }
        }
    }

    fn happen(&self, state: &mut State, due: Due) {
        let now = self.now();
        match due {
            Due::Event(key) => {
                let live: Vec<usize> = state.queues.keys().copied().collect();
                if live.is_empty() {
                    // It stays in SQS until someone takes it.
                    self.plan(state, ms(1_000, 5_000), Due::Event(key));
                    return;
                }
                let queues = state.queues[&live[fastrand::usize(..live.len())]].clone();
                // Full or shutting down: the next sweep finds it.
                let _ = queues.add(key, Priority::Event, None);
            }
            Due::Later(scope, later) => {
                let Some(timeline) = state.worlds.get_mut(&scope) else {
                    return;
                };
                let (subject, more) = timeline.change(|w| w.happen(&later, now));
                self.follow(state, &scope, more);
                if let Some(subject) = subject {
                    self.note(state, &format!("{scope} {later:?}"));
                    self.emit(state, &scope, subject);
                }
            }
            Due::Call {
                scope,
                by,
                call,
                answer,
            } => {
                let fate = state.weather.fate();
                let Some(timeline) = state.worlds.get_mut(&scope) else {
                    return;
                };
                let before = timeline.now().clone();
                let done = timeline.change(|w| {
                    w.next_fate = fate;
                    w.apply(&call, now)
                });
                let told = done.as_ref().map(|d| d.named.clone()).map_err(|code| *code);
                self.note(state, &format!("{scope} {} by {by}: {told:?}", call.target()));
                if let Ok(done) = done {
                    let no_change = done.no_change;
                    self.follow(state, &scope, done.later);
                    self.took_effect(state, &scope, &call, &before, no_change);
                    if let (false, Some(subject)) = (no_change, subject(&call)) {
                        self.emit(state, &scope, subject);
                    }
                } else {
                    self.refused(state, &scope, &call);
                }
                // The caller may be dead.
                let _ = answer.send(told);
            }
        }
    }

    /// What a part of the world looked like a little while ago, or why that can't be told.
    pub fn read(&self, scope: &Scope, service: &str, operation: &str) -> Read<Arc<World>> {
        let mut state = self.state();
        let State { weather, worlds, .. } = &mut *state;
        if let Some(error) = weather.failed_read(service, operation) {
            return Err(error);
        }
        if self.sabotage == Sabotage::Services && service == "ecs" {
            return Err(crate::weather::error(service, operation, "AccessDeniedException"));
        }
        let mut age = weather.staleness();
        if self.sabotage == Sabotage::Reads {
            age *= 5;
        }
        Ok(worlds[scope].at(age))
    }
}

fn subject(call: &Call) -> Option<Subject> {
    use holdfast_core::action::{
        Action, ClosePublicAccess, ConfigureDatabase, RaiseRetention, RestoreSecret, RevokeIngress,
    };
    use holdfast_core::model::resources::DatabaseId;
    Some(match call {
        Call::Update { cluster, service, .. } => Subject::Service {
            cluster: cluster.clone(),
            service: service.clone(),
        },
        Call::Register { .. } => return None,
        Call::Correct(action) => match action {
            Action::ClosePublicAccess(ClosePublicAccess { instance: id })
            | Action::RaiseRetention(RaiseRetention {
                database: DatabaseId::Instance(id),
                ..
            })
            | Action::ConfigureDatabase(ConfigureDatabase {
                database: DatabaseId::Instance(id),
                ..
            }) => Subject::DbInstance(id.clone()),
            Action::RevokeIngress(RevokeIngress { group, .. }) => Subject::SecurityGroup(group.clone()),
            Action::RestoreSecret(RestoreSecret { secret }) => Subject::Secret(secret.clone()),
            _ => return None,
        },
    })
}
