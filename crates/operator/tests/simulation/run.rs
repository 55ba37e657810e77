//! One seed from its first to its last instant.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::config::{ChangeWindow, Config};
use holdfast_core::evaluate::evaluate;
use holdfast_core::model::policy::{Mode, Risk};
use holdfast_core::plan::plan;
use holdfast_operator::attempt::Outcome;
use holdfast_operator::controller::Controller;
use tokio::time::{Instant, timeout};

use crate::chaos::{Chaos, Habits};
use crate::layout::{self, Defects};
use crate::process::{Alive, keep, timeouts};
use crate::sim::Sim;
use crate::view::{self, Reads};
use crate::weather::{Rates, Weather};
use crate::world::{ATTEMPT, World, ms};

/// What a seed is mostly about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// One process, nothing fails; windows end.
    Calm,
    /// One process; AWS, events and the ledger fail.
    Faults,
    /// One process, which dies at any await.
    Crashes,
    /// Several processes that share the scopes, freeze, die, and lose their leases.
    Replicas,
    /// Several processes; people and Terraform change things.
    People,
}

impl Flavour {
    pub const ALL: [Self; 5] = [Self::Calm, Self::Faults, Self::Crashes, Self::Replicas, Self::People];

    fn rates(self) -> Rates {
        let some = |most: f64| if fastrand::bool() { most * fastrand::f64() } else { 0.0 };
        if self == Self::Calm {
            return Rates {
                bad_revision: some(0.5),
                ..Rates::default()
            };
        }
        Rates {
            failed_read: some(0.15),
            stale_read: some(0.3),
            failed_write: some(0.3),
            lost_answer: some(0.4),
            lost_event: some(0.5),
            late_event: some(0.3),
            repeated_event: some(0.5),
            crash: match self {
                Self::Crashes => 0.002 + some(0.03),
                _ => some(0.002),
            },
            slow: some(0.3),
            failed_ledger: some(0.1),
            bad_revision: some(0.6),
        }
    }

    fn habits(self) -> Habits {
        Habits {
            breaks: self != Self::Calm,
            terraform: self == Self::People && fastrand::bool(),
            restraints: matches!(self, Self::People | Self::Faults),
            processes: matches!(self, Self::Replicas | Self::People),
            outages: matches!(self, Self::Faults | Self::Replicas),
        }
    }
}

/// What a seed came to; the same whenever it is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub trace: u64,
    pub attempts: usize,
    pub writes: usize,
    pub effects: usize,
    /// Simulated seconds.
    pub seconds: u64,
    /// By outcome.
    pub ended: BTreeMap<String, usize>,
}

impl Summary {
    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.writes += other.writes;
        self.effects += other.effects;
        self.seconds += other.seconds;
        for (how, times) in &other.ended {
            *self.ended.entry(how.clone()).or_default() += times;
        }
    }
}

/// What is wrong with the simulation itself: proof that its checks can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    None,
    /// The ledger forgets what was done.
    Ledger,
    /// Reads are older than `Timeouts::consistency`.
    Reads,
    /// The kill switch is not heard.
    Switch,
    /// One process keeps its leases for longer than the others know of, and reads them as they were.
    Leases,
    /// Clocks are minutes off.
    Clocks,
    /// Services can never be read.
    Services,
}

/// Runs a seed.
///
/// # Errors
/// Which invariant does not hold, and what led to it.
pub fn seed(seed: u64, prints: bool, sabotage: Sabotage) -> Result<Summary, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    fastrand::seed(seed);
    let flavour = Flavour::ALL[usize::try_from(seed % Flavour::ALL.len() as u64).expect("a number")];
    runtime.block_on(play(seed, flavour, prints, sabotage))
}

const RULES: [&str; 8] = [
    "rds-public-access",
    "rds-open-ingress",
    "rds-short-backup-retention",
    "rds-deletion-unprotected",
    "secret-deletion-scheduled",
    "ecs-secret-reference-mismatch",
    "ecs-ephemeral-storage",
    "correction-reverted",
];

fn config(flavour: Flavour) -> Config {
    let mut config = Config {
        mode: Mode::Enforce,
        ..Config::default()
    };
    for id in holdfast_core::rules::ids() {
        let settings = config.rules.entry(id.to_owned()).or_default();
        settings.enabled = Some(RULES.contains(&id));
        settings.correct = Some(true);
    }
    config.sweep.interval = ms(60_000, 120_000);
    let safety = &mut config.safety;
    safety.cooldown = ms(30_000, 150_000);
    safety.fight_window = Duration::from_mins(30);
    safety.fight_threshold = fastrand::u32(2..5);
    safety.max_actions_per_sweep = if flavour == Flavour::Calm {
        10
    } else {
        fastrand::u32(1..6)
    };
    if flavour != Flavour::Calm && fastrand::u8(..8) == 0 {
        safety.allow_risk.remove(&Risk::Brief);
    }
    if flavour != Flavour::Calm && fastrand::u8(..6) == 0 {
        safety.change_windows.push(ChangeWindow {
            cron: "*/10 * * * *".into(),
            duration: Duration::from_mins(4),
            time_zone: "UTC".into(),
        });
    }
    config
}

async fn play(seed: u64, flavour: Flavour, prints: bool, sabotage: Sabotage) -> Result<Summary, String> {
    let mut config = config(flavour);
    let several = matches!(flavour, Flavour::Replicas | Flavour::People);
    let (scopes, slots) = if several {
        (fastrand::usize(1..3), fastrand::usize(2..4))
    } else {
        (1, 1)
    };
    let workloads = layout::names(fastrand::usize(1..3));
    let defects = Defects(0.4);
    let worlds: Vec<World> = (0..scopes)
        .map(|n| layout::world(n, &workloads, &mut config, &defects))
        .collect();
    let bad = ms(60_000, 270_000);
    let weather = Weather {
        rates: flavour.rates(),
        until: Instant::now() + bad,
        ledger_down: None,
        blind: None,
    };
    let sim = Sim::new((seed, prints, sabotage), config, worlds, weather);
    tokio::spawn(Arc::clone(&sim).nature());
    let alive: Alive = Arc::new(Mutex::new(vec![None; slots]));
    let skewed = flavour != Flavour::Calm;
    for slot in 0..slots {
        tokio::spawn(keep(Arc::clone(&sim), slot, several, skewed, Arc::clone(&alive)));
    }
    let chaos = Chaos {
        sim: Arc::clone(&sim),
        habits: flavour.habits(),
        workloads: workloads.clone(),
        alive,
        until: sim.began + bad,
    };
    tokio::spawn(chaos.run());
    if flavour == Flavour::Calm {
        tokio::spawn(crate::chaos::windows(
            Arc::clone(&sim),
            workloads.clone(),
            sim.began + bad,
        ));
    }
    run_for(&sim, bad).await?;
    let end = Instant::now() + bound(&sim, &workloads);
    loop {
        run_for(&sim, Duration::from_secs(10)).await?;
        let Some(why) = unsettled(&sim, slots) else { break };
        if Instant::now() > end {
            sim.fail(&mut sim.state(), &format!("not settled in time: {why}"));
        }
    }
    sim.story().map_or_else(|| Ok(outcome(&sim)), Err)
}

/// Lets so much time pass.
///
/// # Errors
/// The story, if an invariant is violated meanwhile.
async fn run_for(sim: &Sim, time: Duration) -> Result<(), String> {
    // Told or not: what was violated is known.
    let _ = timeout(time, sim.failed.notified()).await;
    sim.story().map_or(Ok(()), Err)
}

/// How long it may take until everything is corrected.
fn bound(sim: &Sim, workloads: &[String]) -> Duration {
    let (safety, stabilize) = (&sim.config.safety, timeouts().stabilize);
    let most = workloads.len() * sim.scopes().len() * 6;
    let rounds = u32::try_from(most).expect("few") / safety.max_actions_per_sweep + 3;
    let windows = if safety.change_windows.is_empty() { 1 } else { 3 };
    // What is under way fails, is taken back and tried again; the rest waits for its turn.
    (stabilize * 2 + safety.cooldown * 2 + sim.config.sweep.interval * rounds) * windows + Duration::from_mins(2)
}

/// What is not as it should be yet.
fn unsettled(sim: &Sim, slots: usize) -> Option<String> {
    let state = sim.state();
    if let Some(open) = state.checks.attempts.values().find(|k| k.attempt.is_open()) {
        return Some(format!("{} is open: {}", open.attempt.id, open.attempt.detail));
    }
    for (scope, timeline) in &state.worlds {
        let world = Arc::new(timeline.now().clone());
        let now = sim.now();
        let snapshot = view::sweep(&Reads::truth(&world), scope, &sim.config, now);
        let mut config = holdfast_core::config::Config::clone(&sim.config);
        config.safety.change_windows.clear();
        let evaluation = evaluate(&snapshot, &config, now, None);
        let planned = plan(scope, &evaluation, &config, now);
        for action in &planned.actions {
            let purpose = action.action.purpose();
            let undone = state.checks.attempts.values().filter(|k| {
                k.attempt.scope() == scope
                    && k.attempt.action.action.purpose() == purpose
                    && matches!(
                        k.attempt.outcome,
                        Some(Outcome::Verified | Outcome::Applied | Outcome::Reverted)
                    )
            });
            if undone.count() < config.safety.fight_threshold as usize {
                return Some(format!("{} is not corrected", action.change));
            }
        }
        for service in world.services.values() {
            // What was given up because the tag was gone stays as it was: it is not ours to set back.
            let left = state.checks.attempts.values().any(|k| {
                k.attempt.scope() == scope
                    && k.attempt.action.workload == service.name
                    && k.attempt.detail.ends_with("no longer tagged")
            });
            if !World::is_steady(service) && !left {
                return Some(format!("{} is not steady: {:?}", service.name, service.deployments));
            }
        }
        let mut revisions = BTreeMap::new();
        for definition in world.definitions.values() {
            if let Some(attempt) = definition.tags.0.get(ATTEMPT) {
                *revisions.entry(attempt).or_insert(0) += 1;
            }
        }
        if let Some((attempt, n)) = revisions.into_iter().find(|(_, n)| *n > 1) {
            return Some(format!("{n} revisions of {attempt}"));
        }
    }
    for queues in state.queues.values() {
        for controller in Controller::ALL {
            let stats = queues.of(controller).stats();
            if stats.depth > 0 {
                return Some(format!("{} keys wait for {}", stats.depth, controller.name()));
            }
        }
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    (tasks > slots * 70 + 20).then(|| format!("{tasks} tasks live"))
}

fn outcome(sim: &Sim) -> Summary {
    let trace = sim.hash();
    let state = sim.state();
    let mut ended = BTreeMap::new();
    for known in state.checks.attempts.values() {
        let how = known.attempt.outcome.map_or("open", Outcome::as_str);
        *ended.entry(how.to_owned()).or_default() += 1;
    }
    Summary {
        trace,
        attempts: state.checks.attempts.len(),
        writes: state.checks.writes,
        effects: state.checks.effects,
        seconds: sim.began.elapsed().as_secs(),
        ended,
    }
}
