//! What this replica may act on, and until when.
//!
//! # Why no two replicas hold a scope at once
//!
//! Let D be [`LeaseOptions::duration`] and m its margin.
//!
//! - A replica counts what it holds as valid until D − m after it *sent* its last accepted announcement, and renews that
//!   only while it lasts. Once it has ended, everything is dropped and has to be taken anew, by a write that changes the lease.
//! - Another replica calls it dead if an announcement that it *received* is still the last one in a consistent read that it
//!   *sent* D later: by its own clock that is at least D after the announcement took effect, so the first replica's validity ended
//!   m before. Only the rates of two clocks are compared, over seconds; m is far more than they can differ.
//! - It then takes the lease on the condition that it is what it was *before* that read. If its owner has come back in between
//!   and taken it again, the write fails.
//!
//! No answer proves that a write failed. So no number is used twice: what was tried without an answer is read again, and what
//! turns out to be ours counts only after another write.
//!
//! # How soon a dead replica's scopes move
//!
//! Its last announcement is seen at the next look (5 s), is D old 15 s after that, and then the next look is due at once:
//! 20 s, a round trip or two, and up to 8 s to spare for a table that answers slowly.

mod held_leases;
mod peer_detector;
mod rounds;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ports::{Lease, LeaseError, LeaseStore};
use held_leases::HeldLeases;
use holdfast_core::model::key::{Key, Scope};

/// Times of a [`LeaseCoordinator`]. All replicas must have the same `duration` and `margin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseOptions {
    /// After so long without an announcement a replica is dead to the others. Three announcements may fail in a row.
    pub duration: Duration,
    /// By how much a replica itself stops sooner: clocks differ by less than a thousandth, which leaves the rest to a process
    /// that was suspended between its last look at the clock and its call.
    pub margin: Duration,
    /// How often it announces itself.
    pub renew: Duration,
    /// How often it looks for what is free, at most; up to a fifth sooner, so that replicas don't go in step.
    pub look: Duration,
    /// How often it looks into its mailbox.
    pub mail: Duration,
    /// How long a call to the store may take before it counts as failed. Two of them fit between two announcements.
    pub patience: Duration,
    /// What must be left of the validity for a write to AWS to begin. Normally 7 s to 12 s are left.
    pub room: Duration,
}

impl Default for LeaseOptions {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            margin: Duration::from_secs(3),
            renew: Duration::from_secs(5),
            look: Duration::from_secs(5),
            mail: Duration::from_secs(1),
            patience: Duration::from_millis(2_500),
            room: Duration::from_secs(5),
        }
    }
}

/// What this process holds. Clones are the same tenure.
#[derive(Clone)]
pub struct LeaseCoordinator(Arc<Kind>);

enum Kind {
    Alone(watch::Sender<BTreeMap<Scope, u64>>),
    Shared(Box<Shared>),
}

struct Shared {
    store: Arc<dyn LeaseStore>,
    replica: String,
    /// Sorted.
    scopes: Vec<Scope>,
    options: LeaseOptions,
    held: HeldLeases,
    /// Who held what when we last looked, the living alone.
    owners: Mutex<BTreeMap<Scope, String>>,
    /// One announcement at a time.
    announcing: tokio::sync::Mutex<()>,
}

/// While this lives, the lease is not given to a replica that has fewer. It can be lost all the same.
#[must_use = "dropping it lets the lease go"]
pub struct InUseGuard {
    coordinator: LeaseCoordinator,
    scope: Scope,
}

impl Drop for InUseGuard {
    fn drop(&mut self) {
        if let Kind::Shared(shared) = &*self.coordinator.0 {
            shared.held.disengage(&self.scope);
        }
    }
}

impl LeaseCoordinator {
    /// There is no other replica: everything is held for ever, with token 0.
    #[must_use]
    pub fn alone(scopes: Vec<Scope>) -> Self {
        let held = scopes.into_iter().map(|scope| (scope, 0)).collect();
        Self(Arc::new(Kind::Alone(watch::Sender::new(held))))
    }

    /// Shares `scopes` with all replicas that use `store`. `replica` must be a name that no process had before.
    #[must_use]
    pub fn shared(store: Arc<dyn LeaseStore>, replica: String, mut scopes: Vec<Scope>, options: LeaseOptions) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(Arc::new(Kind::Shared(Box::new(Shared {
            store,
            replica,
            scopes,
            options,
            held: HeldLeases::new(),
            owners: Mutex::default(),
            announcing: tokio::sync::Mutex::default(),
        }))))
    }

    /// Announces this replica, keeps what it holds, takes what is free, balances, and hands each key that others left for
    /// it to `deliver`, until `cancel`. Whoever ends in order cancels this last: without it nothing stays held for long.
    ///
    /// `deliver` may get a key of a scope that is not held (any more).
    pub async fn run(&self, cancel: CancellationToken, deliver: impl Fn(Key) + Send + Sync) {
        match &*self.0 {
            Kind::Alone(_) => cancel.cancelled().await,
            Kind::Shared(shared) => shared.run(&cancel, &deliver).await,
        }
    }

    /// What is held, with the fencing tokens. Changes are told as they happen; the end of validity at once.
    #[must_use]
    pub fn held(&self) -> watch::Receiver<BTreeMap<Scope, u64>> {
        match &*self.0 {
            Kind::Alone(held) => held.subscribe(),
            Kind::Shared(shared) => shared.held.told(),
        }
    }

    /// The fencing token of `scope`, if it is held at this instant.
    #[must_use]
    pub fn token(&self, scope: &Scope) -> Option<u64> {
        match &*self.0 {
            Kind::Alone(held) => held.borrow().get(scope).copied(),
            Kind::Shared(shared) => shared.held.token(scope),
        }
    }

    /// Asked right before each write to AWS: `scope` is held under `token`, the store says the same, and it stays so for at
    /// least [`LeaseOptions::room`].
    ///
    /// # Errors
    /// Why the write must not be made.
    pub async fn check(&self, scope: &Scope, token: u64) -> Result<(), LeaseError> {
        match &*self.0 {
            Kind::Alone(held) if held.borrow().contains_key(scope) => Ok(()),
            Kind::Alone(_) => Err(LeaseError(format!("{scope} is none of this process's targets"))),
            Kind::Shared(shared) => shared.check(scope, token).await,
        }
    }

    /// Leaves `key`, whose scope is not held here, to the replica that holds it; `false` if none does. Its next holder begins
    /// with a sweep, so nothing is missed then.
    ///
    /// # Errors
    /// If the store can't be used.
    pub async fn hand_over(&self, key: &Key) -> Result<bool, LeaseError> {
        match &*self.0 {
            Kind::Alone(_) => Ok(false),
            Kind::Shared(shared) => shared.hand_over(key).await,
        }
    }

    /// Keeps the lease of `scope` from being given to a replica that has fewer, while something is under way there.
    pub fn in_use(&self, scope: &Scope) -> InUseGuard {
        if let Kind::Shared(shared) = &*self.0 {
            shared.held.engage(scope);
        }
        InUseGuard {
            coordinator: self.clone(),
            scope: scope.clone(),
        }
    }

    /// Gives `scopes` back. They are taken again only if nobody else wants them.
    pub async fn give_back(&self, scopes: &[Scope]) {
        if let Kind::Shared(shared) = &*self.0
            && let Err(e) = shared.give_back(scopes).await
        {
            tracing::warn!("a lease could not be given back and ends by itself: {e}");
        }
    }

    /// Gives everything back and takes no more, so that the others take over at once. For the end of the process, when
    /// nothing is under way any more.
    pub async fn release_all(&self) {
        if let Kind::Shared(shared) = &*self.0
            && let Err(e) = shared.release_all().await
        {
            tracing::warn!("not every lease could be given back; the rest end by themselves: {e}");
        }
    }

    /// Whether this replica has something to act on: it holds a lease, or needs none.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        match &*self.0 {
            Kind::Alone(_) => true,
            Kind::Shared(shared) => shared.scopes.iter().any(|s| shared.held.token(s).is_some()),
        }
    }
}

impl Shared {
    async fn check(&self, scope: &Scope, token: u64) -> Result<(), LeaseError> {
        let room = self.options.room;
        self.holds(scope, token)?;
        if self.held.left() < room + self.options.patience {
            self.announce_if(|left| left < room + self.options.patience)
                .await
                .map_err(|e| LeaseError(format!("the lease of {scope} could not be renewed in time: {e}")))?;
        }
        let stored = self.within(self.store.read(scope)).await?;
        let is_ours = |l: &Lease| l.owner.as_ref() == Some(&self.replica) && l.token == token;
        if !stored.as_ref().is_some_and(is_ours) {
            self.held.lost(scope, token);
            return Err(LeaseError(format!(
                "the lease of {scope} {}; this replica must not act there any more",
                fate(stored.as_ref(), token)
            )));
        }
        self.holds(scope, token)?;
        let left = self.held.left();
        if left < room {
            return Err(LeaseError(format!(
                "the lease of {scope} ends in {left:.1?}, too soon to begin a write; it is tried again once it is renewed"
            )));
        }
        Ok(())
    }

    fn holds(&self, scope: &Scope, token: u64) -> Result<(), LeaseError> {
        match self.held.token(scope) {
            Some(held) if held == token => Ok(()),
            Some(held) => Err(LeaseError(format!(
                "the lease of {scope} was lost and taken again (token {held}, ours was {token})"
            ))),
            None => Err(LeaseError(format!(
                "the lease of {scope} (token {token}) is not held any more: it could not be renewed in time, or was given back"
            ))),
        }
    }

    async fn hand_over(&self, key: &Key) -> Result<bool, LeaseError> {
        let known = self.owners().get(&key.scope).cloned();
        let holder = match known {
            Some(holder) => Some(holder),
            None => self.within(self.store.read(&key.scope)).await?.and_then(|l| l.owner),
        };
        match holder.filter(|holder| *holder != self.replica) {
            Some(holder) => self.within(self.store.post(&holder, key)).await.map(|()| true),
            None => Ok(false),
        }
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, BTreeMap<Scope, String>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has become of the lease that we held under the token `ours`.
fn fate(stored: Option<&Lease>, ours: u64) -> String {
    let Some(Lease { owner, token, .. }) = stored else {
        return format!("is gone from the table (our token was {ours})");
    };
    match owner {
        None => format!("was given back (token {token}, ours was {ours})"),
        Some(owner) => format!("is now held by {owner} (token {token}, ours was {ours})"),
    }
}
