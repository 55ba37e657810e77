//! What this replica holds and until when, without any store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::ports::Lease;
use holdfast_core::model::key::Scope;

/// What is held. Every lease is valid until the same instant, which announcements move.
#[derive(Debug)]
pub(super) struct HeldLeases {
    inner: Mutex<Inner>,
    told: watch::Sender<BTreeMap<Scope, u64>>,
}

#[derive(Debug, Default)]
struct Inner {
    until: Option<Instant>,
    /// Grows each time that validity had ended before it was renewed: what was held before is not held after.
    term: u64,
    leases: BTreeMap<Scope, Lease>,
    in_use: BTreeMap<Scope, usize>,
    declined: BTreeSet<Scope>,
    last: u64,
    leaving: bool,
}

impl HeldLeases {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            told: watch::Sender::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells watchers if what is held has changed.
    fn tell(&self, inner: &Inner) {
        let held: BTreeMap<Scope, u64> = inner.leases.iter().map(|(s, l)| (s.clone(), l.token)).collect();
        self.told.send_if_modified(|told| {
            let changed = *told != held;
            *told = held;
            changed
        });
    }

    pub(super) fn told(&self) -> watch::Receiver<BTreeMap<Scope, u64>> {
        self.told.subscribe()
    }

    /// A number above `seen` that this process never used.
    pub(super) fn fresh(&self, seen: u64) -> u64 {
        let mut inner = self.inner();
        inner.last = inner.last.max(seen) + 1;
        inner.last
    }

    /// An announcement was accepted that was sent at `started`.
    pub(super) fn renewed(&self, started: Instant, validity: Duration) {
        let mut inner = self.inner();
        if inner.left().is_zero() {
            // Others may have taken any of these: they count only once they are taken again.
            inner.leases.clear();
            inner.term += 1;
        }
        inner.until = inner.until.max(Some(started + validity));
        self.tell(&inner);
    }

    /// Drops everything if validity has ended; how many leases that were.
    pub(super) fn lapse(&self) -> usize {
        let mut inner = self.inner();
        if !inner.left().is_zero() {
            return 0;
        }
        let dropped = inner.leases.len();
        inner.leases.clear();
        self.tell(&inner);
        dropped
    }

    /// When validity ends.
    pub(super) fn until(&self) -> Option<Instant> {
        self.inner().until
    }

    /// How long what is held stays valid.
    pub(super) fn left(&self) -> Duration {
        self.inner().left()
    }

    /// The present term; absent while nothing can be held.
    pub(super) fn term(&self) -> Option<u64> {
        let inner = self.inner();
        (!inner.leaving && !inner.left().is_zero()).then_some(inner.term)
    }

    /// A lease was taken that was asked for in `term`.
    pub(super) fn gained(&self, term: u64, lease: Lease) -> bool {
        let mut inner = self.inner();
        let valid = !inner.leaving && inner.term == term && !inner.left().is_zero();
        if valid {
            inner.declined.remove(&lease.scope);
            inner.leases.insert(lease.scope.clone(), lease);
            self.tell(&inner);
        }
        valid
    }

    /// The lease of `scope` is not ours any more, if it was that of `token`.
    pub(super) fn lost(&self, scope: &Scope, token: u64) {
        let mut inner = self.inner();
        if inner.leases.get(scope).is_some_and(|l| l.token == token) {
            inner.leases.remove(scope);
            self.tell(&inner);
        }
    }

    /// Stops holding `scopes`, and remembers not to want them.
    pub(super) fn decline(&self, scopes: &[Scope]) -> Vec<Lease> {
        let mut inner = self.inner();
        inner.declined.extend(scopes.iter().cloned());
        let dropped = scopes.iter().filter_map(|s| inner.leases.remove(s)).collect();
        self.tell(&inner);
        dropped
    }

    /// Stops holding anything, for good.
    pub(super) fn leave(&self) {
        let mut inner = self.inner();
        inner.leaving = true;
        inner.leases.clear();
        self.tell(&inner);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.inner().leaving
    }

    /// Whether `scope` was given back and nobody has taken it since.
    pub(super) fn is_declined(&self, scope: &Scope) -> bool {
        self.inner().declined.contains(scope)
    }

    /// Somebody else has taken `scope`.
    pub(super) fn forget_declined(&self, scope: &Scope) {
        self.inner().declined.remove(scope);
    }

    /// What is held, valid or not.
    pub(super) fn leases(&self) -> BTreeMap<Scope, Lease> {
        self.inner().leases.clone()
    }

    pub(super) fn token(&self, scope: &Scope) -> Option<u64> {
        let inner = self.inner();
        let lease = inner.leases.get(scope)?;
        (!inner.left().is_zero()).then_some(lease.token)
    }

    pub(super) fn engage(&self, scope: &Scope) {
        *self.inner().in_use.entry(scope.clone()).or_default() += 1;
    }

    pub(super) fn disengage(&self, scope: &Scope) {
        let mut inner = self.inner();
        if let Some(n) = inner.in_use.get_mut(scope) {
            *n -= 1;
            if *n == 0 {
                inner.in_use.remove(scope);
            }
        }
    }

    pub(super) fn is_busy(&self, scope: &Scope) -> bool {
        self.inner().in_use.contains_key(scope)
    }
}

impl Inner {
    fn left(&self) -> Duration {
        let now = Instant::now();
        self.until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_held_before_validity_ended_is_not_held_after() {
        let (held_leases, validity) = (HeldLeases::new(), Duration::from_secs(12));
        let lease = Lease {
            scope: Scope {
                account: "123456789012".into(),
                region: "us-east-1".into(),
            },
            owner: Some("a".into()),
            token: 3,
            heartbeat: 9,
        };
        assert_eq!(held_leases.term(), None);
        held_leases.renewed(Instant::now(), validity);
        let term = held_leases.term().unwrap();
        assert!(held_leases.gained(term, lease.clone()));
        tokio::time::advance(Duration::from_secs(11)).await;
        held_leases.renewed(Instant::now(), validity);
        assert_eq!(
            (held_leases.token(&lease.scope), held_leases.term()),
            (Some(3), Some(term))
        );
        // Nobody looks for a while, and then an announcement is accepted.
        tokio::time::advance(validity).await;
        assert_eq!((held_leases.token(&lease.scope), held_leases.term()), (None, None));
        held_leases.renewed(Instant::now(), validity);
        assert_eq!(held_leases.token(&lease.scope), None);
        assert!(held_leases.told().borrow().is_empty());
        // What was asked for before counts as little.
        assert!(!held_leases.gained(term, lease.clone()));
        assert!(held_leases.gained(held_leases.term().unwrap(), lease));
    }
}
