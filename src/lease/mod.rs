//! Who may act where: a lease for each account and region, so that several processes share them and any of them can die.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::key::{Key, Scope};

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
    /// The fencing token: grows by one each time the lease changes hands, never otherwise.
    pub token: u64,
    /// Grows with each renewal. A lease whose beat stands still for the lease's duration, *by the clock of whoever
    /// watches it*, is free: no two clocks are compared.
    pub beat: u64,
}

/// Where leases are kept. Every write is conditional on what was read.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Says that `replica` is alive, under a number that grows each time.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn announce(&self, replica: &str, beat: u64) -> Result<(), LeaseError>;

    /// Replicas and their beats.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError>;

    /// Every lease there is.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError>;

    /// Puts `next` in the place of `seen` (of no lease at all, where that is absent); `false` if it has changed since.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError>;

    /// The token of `scope`'s lease and its owner, read consistently.
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
