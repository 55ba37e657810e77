//! Who may act where: a lease for each account and region, so that several processes share them and any of them can die.
//!
//! Two things are stored: who holds each scope ([`Lease`](crate::ports::Lease)), and that a replica is alive (its announcement, a number that
//! grows every few seconds). An announcement keeps *all* leases of its replica, so what leases cost hardly grows with the
//! number of scopes; a lease is written only when it changes hands. [`LeaseCoordinator`] says why that is safe.

mod balance;
pub mod conformance;
mod coordinator;
mod memory;

pub use coordinator::{InUseGuard, LeaseCoordinator, LeaseOptions};
pub use memory::{MemoryStore, Weather};

#[cfg(test)]
mod tests;
