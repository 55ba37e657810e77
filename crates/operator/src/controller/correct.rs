//! Corrections in the unattended loop: admitted, begun, taken further, told.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_core::model::hold::HoldReason;
use holdfast_core::plan::PlannedAction;

use super::admission::Deferral;
use super::context::Context;
use super::records;
use super::requeue::Requeue;
use super::scope_state::ScopeState;
use crate::attempt::{Attempt, Outcome};
use crate::execute::{Executor, Observation, Progress, StepResult};
use crate::internal_events::{ActionEnded, ActionHeld, ActionPending};
use crate::queue::Priority;

/// How soon the ledger is tried again where a correction waits for it.
const RECORD_AGAIN: Duration = Duration::from_secs(10);

/// Takes further what is under way in a workload.
pub(super) async fn resume(
    ctx: &Context,
    state: &ScopeState,
    executor: &Executor<'_>,
    workload: &str,
    requeue: &mut Requeue,
) {
    if let Err(error) = records::restore(ctx, state).await {
        tracing::debug!(why = %error, "nothing is corrected until the ledger can be read");
    }
    records::record_outcomes(ctx, state).await;
    for attempt in state.open_attempts(workload) {
        let Some(base) = state.snapshot() else { return };
        let StepResult {
            attempt: Some(attempt),
            progress,
            look,
            unsaved,
        } = Box::pin(executor.advance(&base, attempt)).await
        else {
            continue;
        };
        drop(base);
        state.keep_unrecorded(unsaved);
        take_step(ctx, state, executor, attempt, progress, look, requeue).await;
    }
}

/// Corrects what `observation` shows to be wrong with a workload: one thing after the other, each on a fresh look.
pub(super) async fn execute(
    ctx: &Context,
    state: &ScopeState,
    executor: &Executor<'_>,
    observation: Observation,
    workload: &str,
    requeue: &mut Requeue,
) {
    let mut tried = BTreeSet::new();
    let mut planned = of_workload(&observation, workload);
    let mut fresh = Some(observation);
    while let Some(action) = planned.iter().find(|a| !tried.contains(&a.id)).cloned() {
        tried.insert(action.id.clone());
        if let Err(deferral) = admit(ctx, state, &action) {
            if let Some(delay) = deferral.after {
                requeue.after(&state.key_of(workload), delay, Priority::Event);
            }
            hold(ctx, state, &action, &deferral.reason);
            if state.set_fights(records::fights(ctx, state)) {
                // A fight that was given up just now is a finding: look again, so that it is told at once.
                requeue.at_once(&state.key_of(workload), Priority::Event);
            }
            continue;
        }
        let Some(base) = state.snapshot() else { return };
        let step = Box::pin(executor.begin(&base, fresh.take(), &action)).await;
        drop(base);
        state.keep_unrecorded(step.unsaved);
        match (step.attempt, step.progress) {
            (Some(attempt), progress) => {
                // What was read before the call is no longer how things are.
                let after = take_step(ctx, state, executor, attempt, progress, None, requeue).await;
                if let Some(observation) = after {
                    planned = of_workload(&observation, workload);
                    fresh = Some(observation);
                }
            }
            (None, progress) => {
                if let Some(history) = state.history().as_mut() {
                    history.withdraw(&action);
                }
                if let Some(mut observation) = step.look {
                    records::take_in(ctx, state, &mut observation).await;
                    fresh = Some(observation);
                }
                // What was not begun neither ends nor waits.
                if let Progress::Held(reason) = progress {
                    hold(ctx, state, &action, &reason);
                }
            }
        }
    }
}

/// Takes over how far an attempt has come; what shows at once is seen at once. Returns the last look at the workload, if
/// there was one after the attempt's last call.
async fn take_step(
    ctx: &Context,
    state: &ScopeState,
    executor: &Executor<'_>,
    mut attempt: Attempt,
    mut progress: Progress,
    mut look: Option<Observation>,
    requeue: &mut Requeue,
) -> Option<Observation> {
    if let Progress::Waits(Duration::ZERO, _) = progress
        && let Some(base) = state.snapshot()
    {
        let next = Box::pin(executor.advance(&base, attempt.clone())).await;
        state.keep_unrecorded(next.unsaved);
        (progress, look) = (next.progress, next.look);
        attempt = next.attempt.unwrap_or(attempt);
    }
    if let Some(history) = state.history().as_mut() {
        history.put(attempt.clone());
    }
    match progress {
        Progress::Waits(delay, why) => {
            ActionPending {
                attempt: &attempt,
                why: &why,
            }
            .emit();
            let key = state.key_of(&attempt.action.workload);
            requeue.after(&key, delay, Priority::Event);
        }
        Progress::Held(reason) => ended(ctx, state, &attempt.action, Outcome::Refused, &reason.to_string()),
        Progress::Ended(outcome, detail) => ended(ctx, state, &attempt.action, outcome, &detail),
    }
    if let Some(observation) = &mut look {
        records::take_in(ctx, state, observation).await;
    }
    look
}

fn ended(ctx: &Context, state: &ScopeState, action: &PlannedAction, outcome: Outcome, detail: &str) {
    ActionEnded {
        action,
        outcome,
        detail,
        at: ctx.clock.now(),
        first_seen: state.first_seen(&action.workload, &action.findings),
    }
    .emit(&ctx.telemetry);
}

/// Lets an action through what stands between a plan and a correction, or says why not.
fn admit(ctx: &Context, state: &ScopeState, action: &PlannedAction) -> Result<(), Deferral> {
    let target = action.action.target();
    let mut unrecorded = state.unrecorded_outcomes().into_iter();
    if unrecorded.any(|a| a.action.action.target() == target) {
        return Err(Deferral {
            reason: HoldReason::EndUnsaved,
            after: Some(RECORD_AGAIN),
        });
    }
    match state.history().as_mut() {
        Some(history) => history.admit(action, &ctx.config.safety, ctx.config.sweep.interval, ctx.clock.now()),
        None => Err(Deferral {
            reason: HoldReason::PastUnknown,
            after: None,
        }),
    }
}

/// Shows in plan, metrics and log that something holds an action.
fn hold(ctx: &Context, state: &ScopeState, action: &PlannedAction, reason: &HoldReason) {
    ActionHeld { action, reason }.emit(&ctx.telemetry);
    state.hold(action, reason);
}

fn of_workload(observation: &Observation, workload: &str) -> Vec<PlannedAction> {
    let actions = observation.plan.actions.iter();
    actions.filter(|a| a.workload == workload).cloned().collect()
}
