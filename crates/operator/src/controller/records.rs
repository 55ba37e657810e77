//! What was observed, taken over; what the ledger is told, and what it tells.

use holdfast_core::model::resources::Fight;
use holdfast_core::plan::plan;

use super::admission::AttemptHistory;
use super::context::Context;
use super::scope_state::{Changes, ScopeState};
use crate::execute::Observation;
use crate::internal_events::{FindingsChanged, FindingsNotRecorded, OutcomeStillNotRecorded, ScopeObserved};
use crate::ports::LedgerError;

/// Findings kept for a ledger that can't be written: past it the oldest are dropped, and only when they were first seen
/// is lost.
const UNRECORDED_KEPT: usize = 10_000;

/// Takes over what was seen of one workload, and plans it as one of its scope's.
pub(super) async fn take_in(ctx: &Context, state: &ScopeState, observation: &mut Observation) {
    observation.evaluation.failing = state.rule_stats(&observation.evaluation);
    observation.plan = plan(state.scope(), &observation.evaluation, &ctx.config, ctx.clock.now());
    let changes = state.take_observation(&observation.snapshot, &observation.set, &observation.evaluation);
    state.set_plan(&observation.evaluation, &observation.plan);
    announce(ctx, state, changes, false).await;
}

/// Reads what the ledger remembers of a scope, once.
pub(super) async fn restore(ctx: &Context, state: &ScopeState) -> Result<(), LedgerError> {
    if state.history().is_some() {
        return Ok(());
    }
    let scope = state.scope();
    let now = ctx.clock.now();
    let since = now.checked_sub(ctx.memory()).unwrap_or(jiff::Timestamp::MIN);
    let generation = state.generation();
    let attempts = ctx.ledger.attempts(scope, since).await;
    let open = ctx.ledger.open_findings(scope).await;
    let runs = ctx.ledger.runs(scope, None).await;
    state.run_book().learn(runs?);
    state.restore(AttemptHistory::new(attempts?), open?, generation);
    Ok(())
}

/// Writes down the ends of attempts that could not be written down when they came: whoever reads the ledger would take
/// those attempts up again.
pub(super) async fn record_outcomes(ctx: &Context, state: &ScopeState) {
    for mut attempt in state.unrecorded_outcomes() {
        let Some(token) = ctx.leases.token(state.scope()) else {
            return;
        };
        attempt.fence = attempt.fence.max(token);
        match ctx.ledger.put(&attempt).await {
            Err(LedgerError::Unusable(why)) => {
                OutcomeStillNotRecorded {
                    attempt: &attempt,
                    why: &why,
                }
                .emit();
                return;
            }
            // Another process has taken it over, or it is written.
            Ok(()) | Err(LedgerError::Fenced { .. }) => state.recorded(&attempt.id),
        }
    }
}

/// Tells log, metrics, ledger, API and notifier what an evaluation changed. `all`: even if it changed nothing.
pub(super) async fn announce(ctx: &Context, state: &ScopeState, changes: Changes, all: bool) {
    ctx.telemetry.mark_stale();
    if changes.is_empty() && !all {
        return;
    }
    let (workloads, resources) = state.inventory();
    ScopeObserved {
        scope: state.scope(),
        findings: &state.findings(),
        workloads,
        resources: &resources,
    }
    .emit(&ctx.telemetry);
    record_findings(ctx, state, &changes).await;
    FindingsChanged {
        opened: changes.opened,
        resolved: changes.resolved,
    }
    .emit(&ctx.telemetry);
}

/// Writes to the ledger what opened and what was resolved; what can't be written now is kept for the next time.
async fn record_findings(ctx: &Context, state: &ScopeState, changes: &Changes) {
    let mut records = std::mem::take(&mut *state.unrecorded_findings());
    records.extend(changes.records(state.scope(), ctx.clock.now()));
    if records.is_empty() || state.history().is_none() {
        *state.unrecorded_findings() = records;
        return;
    }
    if let Err(error) = ctx.ledger.record_findings(&records).await {
        FindingsNotRecorded {
            findings: records.len(),
            error: &error,
        }
        .emit();
        let excess = records.len().saturating_sub(UNRECORDED_KEPT);
        records.drain(..excess);
        let mut kept = state.unrecorded_findings();
        records.append(&mut kept);
        *kept = records;
    }
}

/// Fights given up in a scope, with whoever events showed to have changed the resource since.
pub(super) fn fights(ctx: &Context, state: &ScopeState) -> Vec<Fight> {
    let now = ctx.clock.now();
    let mut fights = {
        let history = state.history();
        let known = history.as_ref().map(|h| h.fights(&ctx.config.safety, now));
        known.unwrap_or_default()
    };
    for fight in &mut fights {
        fight.principals = ctx.change_actors.of(&fight.resource, fight.since, state.cloud.caller());
    }
    fights
}
