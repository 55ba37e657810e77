//! A whole scope: read, evaluated, planned; what is to be corrected is left to its workloads.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::evaluate::{evaluate, next_deadlines};
use holdfast_core::model::key::{Key, Subject};
use holdfast_core::model::policy::Mode;
use holdfast_core::plan::plan;
use jiff::Timestamp;
use tokio::time::Instant;

use super::context::Context;
use super::migration_runs;
use super::records;
use super::requeue::Requeue;
use super::scope_state::ScopeState;
use crate::clock::passed;
use crate::internal_events::{LedgerUnreadable, ReadFailed, SweepCompleted};
use crate::queue::Priority;

/// Sweeps a scope of which nothing is known yet.
pub(super) async fn first_sweep(ctx: &Context, state: &ScopeState) -> Requeue {
    let turn = state.sweeping.lock().await;
    let swept = state.is_swept();
    drop(turn);
    // Whoever held the lock has read what this key is about, or will: what is read starts after the event.
    if swept {
        Requeue::nothing()
    } else {
        sweep(ctx, state).await
    }
}

/// Sweeps a scope, and asks for the next sweep.
pub(super) async fn sweep(ctx: &Context, state: &ScopeState) -> Requeue {
    let turn = state.sweeping.lock().await;
    let (started, now, scope) = (Instant::now(), ctx.clock.now(), state.scope());
    if let Err(error) = records::restore(ctx, state).await {
        LedgerUnreadable { scope, error: &error }.emit();
    }
    records::record_outcomes(ctx, state).await;
    let before = state.cloud.sweep_calls();
    let mut snapshot = state.cloud.sweep(now).await;
    let calls = state.cloud.sweep_calls().saturating_sub(before);
    snapshot.fights = records::fights(ctx, state);
    state.carry_over_runs(&mut snapshot);
    // What can't be written down is tried again with the next sweep.
    let _ = migration_runs::remember(ctx, state, &mut snapshot, None).await;
    let evaluation = evaluate(&snapshot, &ctx.config, ctx.clock.now(), None);
    let plan = plan(scope, &evaluation, &ctx.config, ctx.clock.now());
    for error in &snapshot.errors {
        ReadFailed { scope, error }.emit();
    }
    let complete = snapshot.errors.is_empty();
    let deadlines = next_deadlines(&snapshot, &ctx.config, ctx.clock.now());
    if !ctx.holds(scope) {
        // Lost meanwhile: another process reports it.
        return Requeue::nothing();
    }
    let changes = state.take_sweep(snapshot, &evaluation);
    state.set_plan(&evaluation, &plan);
    if let Some(history) = state.history().as_mut() {
        history.prune(&ctx.config.safety, ctx.config.sweep.interval, now);
    }
    SweepCompleted {
        scope,
        workloads: evaluation.workloads.len(),
        findings: evaluation.findings.len(),
        planned: plan.actions.len(),
        calls,
        took: started.elapsed(),
        complete_at: complete.then(|| ctx.clock.now()),
    }
    .emit(&ctx.telemetry);
    records::announce(ctx, state, changes, true).await;
    drop(turn);
    ctx.swept(scope, started);
    let mut requeue = follow_up(ctx, state, plan.actions.iter().map(|a| a.workload.as_str()), deadlines);
    // From the start of one sweep to the start of the next, half of the jitter before and half after.
    let share = ctx.config.sweep.jitter.fraction() * (fastrand::f64() - 0.5);
    let interval = ctx.config.sweep.interval.mul_f64((1.0 + share).max(0.0));
    let delay = interval.saturating_sub(started.elapsed());
    let everything = Key {
        scope: scope.clone(),
        subject: Subject::Everything,
    };
    requeue.after(&everything, delay, Priority::Sweep);
    requeue
}

/// Asks for what a sweep found to be needed: corrections, worst first, what is under way, and deadlines.
fn follow_up<'p>(
    ctx: &Context,
    state: &ScopeState,
    planned: impl Iterator<Item = &'p str>,
    deadlines: BTreeMap<String, Timestamp>,
) -> Requeue {
    let mut requeue = Requeue::nothing();
    if ctx.mode == Mode::Enforce {
        let under_way: Vec<String> = {
            let history = state.history();
            let open = history.iter().flat_map(super::admission::AttemptHistory::open);
            open.map(|a| a.action.workload.clone()).collect()
        };
        let mut asked = BTreeSet::new();
        for workload in planned.map(str::to_owned).chain(under_way) {
            if asked.insert(workload.clone()) {
                requeue.at_once(&state.key_of(&workload), Priority::Sweep);
            }
        }
    }
    for (workload, at) in deadlines {
        let delay = passed(ctx.clock.now(), at);
        requeue.after(&state.key_of(&workload), delay, Priority::Event);
    }
    requeue
}
