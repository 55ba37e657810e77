//! Runs one seed from its start until everything is corrected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_core::action::Action;
use holdfast_core::config::Config;
use holdfast_core::evaluate::evaluate;
use holdfast_core::plan::plan;
use holdfast_operator::attempt::Outcome;
use holdfast_operator::controller::Controller;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use crate::bounds::{BAKE_MINUTES, random_ms, timeouts};
use crate::disturbances::Disturber;
use crate::fake_reads::{self, Reads};
use crate::faults::Faults;
use crate::generate::{self, DefectRate};
use crate::invariants::took_effect;
use crate::people::migration_windows;
use crate::process::Running;
use crate::replica::{Setup, run_with_restarts};
use crate::scenario::Scenario;
use crate::sim::{Options, Sim, State};
use crate::world::{ATTEMPT, World};

/// What happened in a seed. It is the same each time that the seed is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// A hash of the trace.
    pub trace: u64,
    pub attempts: usize,
    pub writes: usize,
    pub effects: usize,
    /// Simulated seconds.
    pub seconds: u64,
    /// How many attempts had each outcome.
    pub ended: BTreeMap<String, usize>,
}

impl Summary {
    fn of(sim: &Sim) -> Self {
        let trace = sim.trace_hash();
        let invariants = &sim.state().invariants;
        let mut ended = BTreeMap::new();
        for known in invariants.attempts.values() {
            let outcome = known.attempt.outcome.map_or("open", Outcome::as_str);
            *ended.entry(outcome.to_owned()).or_default() += 1;
        }
        Self {
            trace,
            attempts: invariants.attempts.len(),
            writes: invariants.calls,
            effects: invariants.effects,
            seconds: sim.began.elapsed().as_secs(),
            ended,
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.writes += other.writes;
        self.effects += other.effects;
        self.seconds += other.seconds;
        for (outcome, count) in &other.ended {
            *self.ended.entry(outcome.clone()).or_default() += count;
        }
    }
}

/// Runs a seed on one thread and in simulated time.
///
/// # Errors
/// The invariant that does not hold, and the trace that leads there.
pub fn run_seed(options: Options) -> Result<Summary, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    fastrand::seed(options.seed);
    runtime.block_on(simulate(options))
}

async fn simulate(options: Options) -> Result<Summary, String> {
    let scenario = Scenario::of(options.seed);
    let mut config = scenario.config();
    let (scopes, slots) = if scenario.has_replicas() {
        (fastrand::usize(1..3), fastrand::usize(2..4))
    } else {
        (1, 1)
    };
    let workloads = generate::workload_names(fastrand::usize(1..3));
    let worlds: Vec<World> = (0..scopes)
        .map(|n| generate::world(n, &workloads, &mut config, DefectRate(0.4)))
        .collect();
    // With faults and disturbances at first, then without.
    let disturbed = random_ms(60_000, 270_000);
    let faults = Faults::new(scenario.fault_rates(), Instant::now() + disturbed);
    let sim = Sim::new(options, config, worlds, faults);
    tokio::spawn(Arc::clone(&sim).run_schedule());
    let running: Running = Arc::new(Mutex::new(vec![None; slots]));
    let setup = Setup {
        has_leases: scenario.has_replicas(),
        has_clock_skew: scenario != Scenario::Calm,
    };
    for slot in 0..slots {
        tokio::spawn(run_with_restarts(Arc::clone(&sim), slot, setup, Arc::clone(&running)));
    }
    let disturber = Disturber {
        sim: Arc::clone(&sim),
        disturbances: scenario.disturbances(),
        workloads: workloads.clone(),
        running,
        until: sim.began + disturbed,
    };
    tokio::spawn(disturber.run());
    if scenario == Scenario::Calm {
        let workload = workloads[0].clone();
        tokio::spawn(migration_windows(Arc::clone(&sim), workload, sim.began + disturbed));
    }
    pass_time(&sim, disturbed).await?;
    let end = Instant::now() + time_to_settle(&sim, workloads.len());
    loop {
        pass_time(&sim, Duration::from_secs(10)).await?;
        let Some(why) = unsettled(&sim, slots) else {
            return Ok(Summary::of(&sim));
        };
        if Instant::now() > end {
            sim.check(&mut sim.state(), Err(format!("not settled in time: {why}")));
        }
    }
}

/// Lets time pass.
///
/// # Errors
/// The report, once an invariant does not hold.
async fn pass_time(sim: &Sim, time: Duration) -> Result<(), String> {
    let _ = timeout(time, sim.failed()).await;
    sim.failure().map_or(Ok(()), Err)
}

/// How long it may take to correct everything once nothing fails any more.
///
/// A workload needs up to 6 corrections: access, ingress, retention, protection, secret, revision. With up to
/// `max_actions_per_sweep` of them in a sweep, and 3 sweeps to spare, they take
/// `workloads × scopes × 6 / max_actions_per_sweep + 3` sweeps. One that fails is rolled back and watched until that is proved,
/// each of which takes as long as the attempt itself, its bake time included, and is tried again after its cooldown. Where corrections have to wait for change windows, which are open
/// for 4 of 10 minutes, all of this takes up to 3 times as long.
fn time_to_settle(sim: &Sim, workloads: usize) -> Duration {
    let safety = &sim.config.safety;
    let corrections = workloads * sim.scopes().len() * 6;
    let sweeps = u32::try_from(corrections).expect("few") / safety.max_actions_per_sweep + 3;
    let waiting = if safety.change_windows.is_empty() { 1 } else { 3 };
    let bake = Duration::from_mins(BAKE_MINUTES.unsigned_abs().into());
    let all_at_once = (timeouts().stabilize + bake) * 3 + safety.cooldown * 2;
    (all_at_once + sim.config.sweep.interval * sweeps) * waiting + Duration::from_mins(2)
}

/// What is not yet as it should be in the end.
fn unsettled(sim: &Sim, slots: usize) -> Option<String> {
    let (state, now) = (sim.state(), sim.now());
    let open = state.invariants.attempts.values().find(|k| k.attempt.is_open());
    if let Some(open) = open {
        return Some(format!("{} is open: {}", open.attempt.id, open.attempt.detail));
    }
    let mut any_time = Config::clone(&sim.config);
    any_time.safety.change_windows.clear();
    for timeline in state.worlds.values() {
        let world = timeline.now();
        let why = unsteady_service(&state, world)
            .or_else(|| extra_revision(world))
            .or_else(|| failed_revision(&state, world))
            .or_else(|| uncorrected(&state, world, &any_time, now));
        if why.is_some() {
            return why;
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
    // No task is leaked: a process has fewer than 70, the simulation fewer than 20.
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    (tasks > slots * 70 + 20).then(|| format!("{tasks} tasks live"))
}

/// A correction that should have been made. One that was made and undone too often is left alone.
fn uncorrected(state: &State, world: &Arc<World>, config: &Config, now: Timestamp) -> Option<String> {
    let snapshot = fake_reads::sweep(&Reads::perfect(world), &world.scope, config, now);
    let evaluation = evaluate(&snapshot, config, now, None);
    let planned = plan(&world.scope, &evaluation, config, now);
    let missing = planned.actions.iter().find(|planned| {
        let purpose = planned.action.purpose();
        let made = state
            .invariants
            .attempts
            .values()
            .map(|known| &known.attempt)
            .filter(|a| *a.scope() == world.scope && a.action.action.purpose() == purpose && took_effect(a));
        made.count() < config.safety.fight_threshold as usize
    });
    missing.map(|action| format!("{} is not corrected", action.change))
}

/// A service that does not run one revision, unless Holdfast gave it up because its tag was removed meanwhile.
fn unsteady_service(state: &State, world: &World) -> Option<String> {
    let is_given_up = |name: &str| {
        let mut attempts = state.invariants.attempts.values().map(|known| &known.attempt);
        attempts
            .any(|a| *a.scope() == world.scope && a.action.workload == name && a.detail.ends_with("no longer tagged"))
    };
    let unsteady = world
        .services
        .values()
        .find(|s| !World::is_steady(s) && !is_given_up(&s.name));
    unsteady.map(|s| format!("{} is not steady: {:?}", s.name, s.deployments))
}

fn extra_revision(world: &World) -> Option<String> {
    let mut revisions = BTreeMap::new();
    for definition in world.definitions.values() {
        if let Some(attempt) = definition.tags.0.get(ATTEMPT) {
            *revisions.entry(attempt).or_insert(0) += 1;
        }
    }
    let (attempt, count) = revisions.into_iter().find(|(_, count)| *count > 1)?;
    Some(format!("{count} revisions of {attempt}"))
}

/// A revision of ours that failed, and that a bare family name may mean still.
fn failed_revision(state: &State, world: &World) -> Option<String> {
    let attempts = state.invariants.attempts.values().map(|known| &known.attempt);
    let mut reverted = attempts.filter(|a| a.outcome == Some(Outcome::Reverted) && *a.scope() == world.scope);
    let left = reverted.find(|a| {
        let is_active = a.revision.as_ref().is_some_and(|arn| world.definitions[arn].active);
        let is_ours = matches!(a.action.action, Action::RollOut(_));
        is_active && is_ours && !a.detail.contains("is still ACTIVE")
    })?;
    Some(format!(
        "{}: the revision that failed is ACTIVE: {}",
        left.id, left.detail
    ))
}
