//! A ledger that ends with the process: for tests, and for the simulation.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::kept;
use crate::attempt::{Attempt, FindingRecord, History};
use crate::ports::{Ledger, LedgerError};
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::MigrationRun;

/// What identifies a sighting, in the order in which the newest is told first: instant, finding, workload, scope.
type Seen = (Timestamp, String, String, Scope);

#[derive(Debug, Default)]
struct Store {
    /// By id.
    attempts: BTreeMap<String, Attempt>,
    records: BTreeMap<Seen, FindingRecord>,
    /// By scope and family, the newest first.
    runs: BTreeMap<(Scope, String), Vec<MigrationRun>>,
}

/// A ledger in memory. Clones share what they hold, as two processes share a table.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(Arc<Mutex<Store>>);

impl MemoryLedger {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<FindingRecord>, LedgerError> {
        let store = self.store();
        let open = store
            .records
            .values()
            .filter(|s| s.scope == *scope && s.resolved_at.is_none());
        Ok(open.cloned().collect())
    }

    async fn record_findings(&self, records: &[FindingRecord]) -> Result<(), LedgerError> {
        let mut store = self.store();
        for new in records {
            let key = (
                new.first_seen,
                new.finding.clone(),
                new.workload.clone(),
                new.scope.clone(),
            );
            let stored = store.records.entry(key).or_insert_with(|| new.clone());
            stored.resolved_at = stored.resolved_at.or(new.resolved_at);
        }
        Ok(())
    }

    async fn put(&self, attempt: &Attempt) -> Result<(), LedgerError> {
        let mut store = self.store();
        if store.attempts.get(&attempt.id).is_some_and(|s| s.fence > attempt.fence) {
            return Err(LedgerError::Fenced {
                attempt: attempt.id.clone(),
            });
        }
        let detail = kept(&attempt.detail).to_owned();
        let attempt = Attempt {
            detail,
            ..attempt.clone()
        };
        store.attempts.insert(attempt.id.clone(), attempt);
        Ok(())
    }

    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError> {
        let store = self.store();
        let wanted = |a: &&Attempt| a.scope() == scope && (a.is_open() || a.begun_at >= since);
        let mut found: Vec<Attempt> = store.attempts.values().filter(wanted).cloned().collect();
        // Stable: those of the same instant stay ordered by id.
        found.sort_by_key(|a| a.begun_at);
        Ok(found)
    }

    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError> {
        let store = self.store();
        let of = |name: &str| workload.is_none_or(|w| w == name);
        let mut attempts: Vec<&Attempt> = store.attempts.values().filter(|a| of(&a.action.workload)).collect();
        attempts.sort_by_key(|a| Reverse((a.begun_at, &a.id)));
        let records = store.records.values().rev().filter(|s| of(&s.workload));
        Ok(History {
            attempts: attempts.into_iter().take(limit).cloned().collect(),
            records: records.take(limit).cloned().collect(),
        })
    }

    async fn record_runs(&self, runs: &[MigrationRun]) -> Result<(), LedgerError> {
        let mut store = self.store();
        for run in runs {
            let known = store.runs.entry((run.scope.clone(), run.family.clone())).or_default();
            MigrationRun::add_to(known, run);
        }
        Ok(())
    }

    async fn runs(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError> {
        let store = self.store();
        let wanted = |(of, name): &(Scope, String)| of == scope && family.is_none_or(|f| f == name);
        let found = store.runs.iter().filter(|(key, _)| wanted(key));
        Ok(found.flat_map(|(_, runs)| runs.iter().cloned()).collect())
    }
}
