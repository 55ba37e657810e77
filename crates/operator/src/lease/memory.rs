//! Leases in memory, shared by the replicas of one process: for tests and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::ports::{Lease, LeaseError, LeaseStore};
use holdfast_core::model::key::{Key, Scope};

/// What goes wrong with the calls through one handle. Drawn from `fastrand`, so a seed repeats it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// Every call fails, without effect.
    pub down: bool,
    /// The part of calls, 0 to 1, that fail without effect.
    pub failing: f64,
    /// The part of calls, 0 to 1, that take effect while the answer is lost.
    pub lost: f64,
    /// Up to so long passes before a call takes effect, and again before its answer comes. A call whose caller gives up
    /// takes effect all the same.
    pub delay: Duration,
}

#[derive(Debug, Default)]
struct Table {
    leases: BTreeMap<Scope, Lease>,
    replicas: BTreeMap<String, u64>,
    inboxes: BTreeMap<String, BTreeSet<Key>>,
}

/// A table in memory. Clones share the table and the weather; [`MemoryStore::handle`] gives a replica weather of its own.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    table: Arc<Mutex<Table>>,
    weather: Arc<Mutex<Weather>>,
}

impl MemoryStore {
    /// The same table, reached under fair weather of its own.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            weather: Arc::default(),
        }
    }

    /// Changes what goes wrong from now on.
    pub fn set_weather(&self, weather: Weather) {
        *lock(&self.weather) = weather;
    }

    /// The lease of `scope` as it is now, whatever the weather.
    #[must_use]
    pub fn lease(&self, scope: &Scope) -> Option<Lease> {
        lock(&self.table).leases.get(scope).cloned()
    }

    async fn call<T: Send + 'static>(
        &self,
        apply: impl FnOnce(&mut Table) -> T + Send + 'static,
    ) -> Result<T, LeaseError> {
        let weather = *lock(&self.weather);
        if weather.down || fastrand::f64() < weather.failing {
            return Err(LeaseError("the table of leases in memory was told to fail".to_owned()));
        }
        let answered = if weather.delay.is_zero() {
            Some(apply(&mut lock(&self.table)))
        } else {
            let (there, back) = (
                weather.delay.mul_f64(fastrand::f64()),
                weather.delay.mul_f64(fastrand::f64()),
            );
            let (send, receive) = oneshot::channel();
            let table = Arc::clone(&self.table);
            tokio::spawn(async move {
                tokio::time::sleep(there).await;
                let answer = apply(&mut lock(&table));
                tokio::time::sleep(back).await;
                // Nobody may be waiting any more.
                let _ = send.send(answer);
            });
            receive.await.ok()
        };
        answered
            .filter(|_| fastrand::f64() >= weather.lost)
            .ok_or_else(|| LeaseError("the answer of the table of leases in memory was lost".to_owned()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn announce(&self, replica: &str, heartbeat: u64) -> Result<(), LeaseError> {
        let name = replica.to_owned();
        let stored = self.call(move |table| {
            let stored = table.replicas.entry(name).or_default();
            *stored = heartbeat.max(*stored);
            *stored
        });
        match stored.await? {
            stored if stored == heartbeat => Ok(()),
            _ => Err(LeaseError(format!("another process announces itself as {replica}"))),
        }
    }

    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError> {
        let replica = replica.to_owned();
        self.call(move |table| table.replicas.remove(&replica)).await?;
        Ok(())
    }

    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError> {
        self.call(|table| table.replicas.clone()).await
    }

    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError> {
        self.call(|table| table.leases.clone()).await
    }

    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError> {
        let (seen, next) = (seen.cloned(), next.clone());
        self.call(move |table| {
            let stored = table.leases.get(&next.scope);
            if stored == Some(&next) {
                return true;
            }
            let unchanged = stored == seen.as_ref();
            if unchanged {
                table.leases.insert(next.scope.clone(), next);
            }
            unchanged
        })
        .await
    }

    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError> {
        let scope = scope.clone();
        self.call(move |table| table.leases.get(&scope).cloned()).await
    }

    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError> {
        let (replica, key) = (replica.to_owned(), key.clone());
        self.call(move |table| table.inboxes.entry(replica).or_default().insert(key))
            .await?;
        Ok(())
    }

    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError> {
        let replica = replica.to_owned();
        let keys = self.call(move |table| table.inboxes.remove(&replica).unwrap_or_default());
        Ok(keys.await?.into_iter().collect())
    }
}
