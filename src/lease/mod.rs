//! Who may act where: a lease for each account and region, so that several processes share them and any of them can die.

//!
//! Two things are stored: who holds each scope ([`Lease`]), and that a replica is alive (its announcement, a number that
//! grows every few seconds). An announcement keeps *all* leases of its replica, so what leases cost hardly grows with the
//! number of scopes; a lease is written only when it changes hands. [`Tenure`] says why that is safe.

mod balance;
mod dynamodb;
mod memory;
mod open;
mod tenure;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::key::{Key, Scope};
pub use dynamodb::DynamoStore;
pub use memory::{MemoryStore, Weather};
pub use open::{open, replica_name};
pub use tenure::{Busy, Tenure, TenureOptions};

/// Why a lease store can't be used: one sentence that names the table and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaseError(pub String);

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Where it lets its owner act.
    pub scope: Scope,
    /// The process that holds it; absent after it was given back.
    pub owner: Option<String>,
    /// The fencing token: grows by one each time the lease is taken, also by the one that had it before, never otherwise.
    pub token: u64,
    /// Grows with each write, so that no state of a lease comes twice: what is true of a lease that was read is still true
    /// if a write on that condition succeeds.
    pub beat: u64,
}

/// Where leases are kept. Every write is conditional on what was read.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Says that `replica` is alive, under a `beat` that is greater than any before. A write that was overtaken by a later
    /// one must not undo it.
    ///
    /// # Errors
    /// [`LeaseError`], also if another process has announced itself under this name and a greater number.
    async fn announce(&self, replica: &str, beat: u64) -> Result<(), LeaseError>;

    /// Says that `replica` is about to end, so that nobody leaves it a share of the scopes.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError>;

    /// Replicas and their beats, read consistently. Those that are long gone may be among them.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError>;

    /// Every lease there is, read consistently.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError>;

    /// Puts `next` in the place of `seen` (of no lease at all, where that is absent); `false` if it has changed since.
    /// `next` was never tried before. If it is what is there although the condition fails, an earlier try of this very call
    /// took effect, and the answer is `true`.
    ///
    /// # Errors
    /// [`LeaseError`]; the write may have taken effect or may do so later.
    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError>;

    /// The lease of `scope`, read consistently.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError>;

    /// Leaves `key` for `replica` to look at.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError>;

    /// Takes what was left for `replica`. A key that is lost here is found again by the next sweep.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError>;
}

#[cfg(test)]
mod tests;
