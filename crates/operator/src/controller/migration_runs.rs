//! What is known of runs of migrations beside what ECS shows: from events and from the ledger, and back to the ledger.

use std::collections::BTreeSet;

use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::read_error::ReadError;
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::refresh::RefreshSet;
use std::sync::Arc;

use super::context::Context;
use super::scope_state::ScopeState;
use crate::internal_events::RunsNotRecorded;
use crate::ledger::RunBook;
use crate::ports::LedgerError;

/// Adds to `snapshot` what the ledger and events know of runs, and tells the ledger what it does not know: of the workloads of
/// `only`, or of all.
pub(super) async fn remember(
    ctx: &Context,
    state: &ScopeState,
    snapshot: &mut Snapshot,
    only: Option<&BTreeSet<String>>,
) -> Result<(), LedgerError> {
    let scope = state.scope();
    let mut reported = vec![];
    for family in ctx.task_reports.families(scope) {
        if snapshot.migrations.as_ref().is_ok_and(|m| m.get(&family).is_some()) {
            let key = key_of(scope, &family);
            let runs = ctx.task_reports.of(&key);
            snapshot.remember_runs(&family, &runs);
            reported.push((key, runs));
        }
    }
    if state.history().is_none() {
        not_recalled(snapshot);
    }
    let news = {
        let book = state.run_book();
        book.recall(snapshot);
        book.news(snapshot, &ctx.config, ctx.clock.now(), only)
    };
    if !news.is_empty()
        && let Err(error) = ctx.ledger.record_runs(&news).await
    {
        // The snapshot has them: they are tried again with the next one.
        RunsNotRecorded {
            runs: news.len(),
            error: &error,
        }
        .emit();
        return Err(error);
    }
    state.run_book().learn(news);
    for (key, runs) in reported {
        ctx.task_reports.done(&key, &runs);
    }
    Ok(())
}

/// Until the ledger was read, no run known may mean anything.
fn not_recalled(snapshot: &mut Snapshot) {
    if let Ok(families) = &mut snapshot.migrations {
        for (_, family) in families.iter_mut() {
            family.unrecalled = Some("it could not be read yet".to_owned());
        }
    }
}

/// Takes in what other processes have told the ledger of a family since: one that received an event, or a command.
pub(super) async fn reread(ctx: &Context, state: &ScopeState, subject: &Subject) -> Result<(), LedgerError> {
    let Subject::TaskFamily(family) = subject else {
        return Ok(());
    };
    let runs = ctx.ledger.runs(state.scope(), Some(family)).await?;
    state.run_book().learn(runs);
    Ok(())
}

/// Drops what events told of a family that migrates nothing.
pub(super) fn not_a_migration(ctx: &Context, scope: &Scope, subject: &Subject) {
    if let Subject::TaskFamily(family) = subject {
        let key = key_of(scope, family);
        ctx.task_reports.done(&key, &ctx.task_reports.of(&key));
    }
}

/// Why what an event told could not be written down.
pub(super) enum NotKept {
    /// Whether the family migrates could not be read.
    Read(Arc<ReadError>),
    /// The ledger could not be written.
    Ledger(LedgerError),
}

/// Writes to the ledger what an event told this process of a family that another process looks after: that one gets the key
/// alone.
pub(super) async fn keep_for_another(ctx: &Context, state: &ScopeState, key: &Key) -> Result<(), NotKept> {
    let runs = ctx.task_reports.of(key);
    let Subject::TaskFamily(family) = &key.subject else {
        return Ok(());
    };
    if runs.is_empty() {
        return Ok(());
    }
    let now = ctx.clock.now();
    let mut set = RefreshSet::default();
    set.add(&key.subject, state.scope());
    let nothing = Snapshot::empty(state.scope().clone(), now);
    let mut alone = state.cloud.refresh(&nothing, &set, now).await;
    if let Err(e) = &alone.migrations {
        return Err(NotKept::Read(Arc::clone(e)));
    }
    alone.remember_runs(family, &runs);
    let news = RunBook::default().news(&alone, &ctx.config, now, None);
    ctx.ledger.record_runs(&news).await.map_err(NotKept::Ledger)?;
    ctx.task_reports.done(key, &runs);
    Ok(())
}

fn key_of(scope: &Scope, family: &str) -> Key {
    Key {
        scope: scope.clone(),
        subject: Subject::TaskFamily(family.to_owned()),
    }
}
