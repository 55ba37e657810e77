//! What is done for one key: read, evaluate, plan and, in mode `enforce`, execute.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::config::change_windows::{self, WindowState};
use holdfast_core::evaluate::{evaluate, next_deadlines};
use holdfast_core::model::key::{Key, Subject};
use holdfast_core::model::policy::Mode;
use holdfast_core::model::read_error::{ReadError, is_absent, is_denied};
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::refresh::RefreshSet;

use super::affected_workloads::affected_workloads;
use super::context::Context;
use super::correct;
use super::migration_runs::{self, NotKept};
use super::records;
use super::requeue::Requeue;
use super::scope_state::ScopeState;
use super::sweep;
use crate::clock::passed;
use crate::execute::Observation;
use crate::internal_events::{KeyHandedOver, KeyOfForeignScope};
use crate::ports::{LeaseError, LedgerError};
use crate::queue::Priority;

/// Why a key should be tried again soon. What could be read was evaluated all the same.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(super) struct ReconcileError {
    pub cause: Cause,
    /// What is to be looked at again whatever becomes of the next try.
    pub requeue: Requeue,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// A read failed that may well succeed then.
    #[error("{0}")]
    Read(Arc<ReadError>),
    /// The key could not be handed to the process that looks after it.
    #[error(transparent)]
    Mailbox(#[from] LeaseError),
    /// What an event told could not be written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Handles one key.
///
/// # Errors
/// Why it should be tried again soon.
pub(super) async fn reconcile(ctx: &Context, key: &Key) -> Result<Requeue, ReconcileError> {
    let Some(state) = ctx.scopes.get(&key.scope) else {
        KeyOfForeignScope(key).emit();
        return Ok(Requeue::nothing());
    };
    if !ctx.holds(&key.scope) {
        return hand_over(ctx, state, key).await;
    }
    match (&key.subject, state.snapshot()) {
        (Subject::Everything, _) => Ok(Box::pin(sweep::sweep(ctx, state)).await),
        // Before the first sweep nothing is known; the sweep will read this too.
        (subject, None) => {
            let requeue = Box::pin(sweep::first_sweep(ctx, state)).await;
            match state.snapshot().filter(|_| !ctx.task_reports.of(key).is_empty()) {
                // The sweep does not know of a family whose tags are new.
                Some(base) => with(requeue, Box::pin(reconcile_subject(ctx, state, &base, subject)).await),
                None => Ok(requeue),
            }
        }
        (subject, Some(base)) => Box::pin(reconcile_subject(ctx, state, &base, subject)).await,
    }
}

/// An event reached this process although another one looks after its scope.
async fn hand_over(ctx: &Context, state: &ScopeState, key: &Key) -> Result<Requeue, ReconcileError> {
    if key.subject != Subject::Everything {
        let kept = migration_runs::keep_for_another(ctx, state, key).await;
        kept.map_err(|why| ReconcileError {
            cause: match why {
                NotKept::Read(e) => Cause::Read(e),
                NotKept::Ledger(e) => e.into(),
            },
            requeue: Requeue::nothing(),
        })?;
        let taken = ctx.leases.hand_over(key).await.map_err(|e| ReconcileError {
            cause: e.into(),
            requeue: Requeue::nothing(),
        })?;
        KeyHandedOver { key, taken }.emit();
    }
    Ok(Requeue::nothing())
}

/// Every workload that the subject concerns, one after the other.
async fn reconcile_subject(
    ctx: &Context,
    state: &ScopeState,
    base: &Snapshot,
    subject: &Subject,
) -> Result<Requeue, ReconcileError> {
    let mut workloads = affected_workloads(base, &ctx.config, subject);
    if workloads.is_empty() {
        // Not known: untagged, or new. Its own tags tell.
        let mut set = RefreshSet::default();
        set.add(subject, state.scope());
        let alone = state.cloud.refresh(base, &set, ctx.clock.now()).await;
        workloads = affected_workloads(&alone, &ctx.config, subject);
    }
    let mut requeue = Requeue::nothing();
    let mut failed = None;
    if workloads.is_empty() {
        migration_runs::not_a_migration(ctx, state.scope(), subject);
    } else if let Err(e) = migration_runs::reread(ctx, state, subject).await {
        failed = Some(e.into());
    }
    for workload in workloads {
        match Box::pin(reconcile_workload(ctx, state, &workload, subject)).await {
            Ok(again) => requeue.extend(again),
            Err(e) => {
                requeue.extend(e.requeue);
                failed = failed.or(Some(e.cause));
            }
        }
    }
    match failed {
        None => Ok(requeue),
        Some(cause) => Err(ReconcileError { cause, requeue }),
    }
}

/// Collect → evaluate → plan → execute, for one workload.
async fn reconcile_workload(
    ctx: &Context,
    state: &ScopeState,
    workload: &str,
    about: &Subject,
) -> Result<Requeue, ReconcileError> {
    let lock = state.workload_lock(workload);
    let _one_at_a_time = lock.lock().await;
    let _in_use = ctx.leases.in_use(state.scope());
    let (enforces, key) = (ctx.mode == Mode::Enforce, state.key_of(workload));
    let executor = ctx.executor(state);
    let mut requeue = Requeue::nothing();
    if enforces {
        correct::resume(ctx, state, &executor, workload, &mut requeue).await;
    }
    state.set_fights(records::fights(ctx, state));
    let Some(base) = state.snapshot() else {
        // Lost to another process meanwhile.
        return Ok(requeue);
    };
    let mut observation = executor.observe(&base, workload, Some(about)).await;
    drop(base);
    let only = BTreeSet::from([workload.to_owned()]);
    let mut remembered = Ok(());
    if migrates(&observation.snapshot, ctx, workload) {
        remembered = migration_runs::remember(ctx, state, &mut observation.snapshot, Some(&only)).await;
        observation.evaluation = evaluate(&observation.snapshot, &ctx.config, ctx.clock.now(), Some(&only));
    }
    records::take_in(ctx, state, &mut observation).await;
    let failed = passing_failure(&observation.snapshot);
    let now = ctx.clock.now();
    if let Some(at) = next_deadlines(&observation.snapshot, &ctx.config, now).remove(workload) {
        requeue.after(&key, passed(now, at), Priority::Event);
    }
    if enforces {
        if let Some(delay) = until_window(ctx, &observation, workload) {
            requeue.after(&key, delay, Priority::Event);
        }
        correct::execute(ctx, state, &executor, observation, workload, &mut requeue).await;
    }
    match (failed, remembered) {
        (None, Ok(())) => Ok(requeue),
        (Some(e), _) => Err(ReconcileError {
            cause: Cause::Read(e),
            requeue,
        }),
        (None, Err(e)) if matches!(about, Subject::TaskFamily(_)) => Err(ReconcileError {
            cause: e.into(),
            requeue,
        }),
        // The next look tries again to write it down.
        (None, Err(_)) => Ok(requeue),
    }
}

/// Whether a workload has a family of migrations.
fn migrates(snapshot: &Snapshot, ctx: &Context, workload: &str) -> bool {
    let mut families = snapshot.migrations.iter().flat_map(|m| m.values());
    families.any(|f| f.tags.workload(&ctx.config.tag_prefix) == Some(workload))
}

/// A result with what is to be looked at again besides.
fn with(mut first: Requeue, then: Result<Requeue, ReconcileError>) -> Result<Requeue, ReconcileError> {
    match then {
        Ok(more) => {
            first.extend(more);
            Ok(first)
        }
        Err(e) => {
            first.extend(e.requeue);
            Err(ReconcileError {
                cause: e.cause,
                requeue: first,
            })
        }
    }
}

/// A failed read that may well succeed if it is tried again.
fn passing_failure(snapshot: &Snapshot) -> Option<Arc<ReadError>> {
    let passes = |e: &&Arc<ReadError>| !is_denied(e) && !is_absent(e);
    snapshot.errors.iter().find(passes).cloned()
}

/// How long it is until a change window opens, if something of the workload waits for one.
fn until_window(ctx: &Context, observation: &Observation, workload: &str) -> Option<Duration> {
    let now = ctx.clock.now();
    let waits = observation.plan.held.iter().any(|h| h.workload == workload);
    match change_windows::state_at(&ctx.config.safety.change_windows, now) {
        WindowState::Closed(Some(at)) if waits => Some(passed(now, at)),
        WindowState::Closed(_) | WindowState::Open(_) => None,
    }
}
