//! What a replica does again and again: announce itself, look around, fetch its mail.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::peer_detector::PeerDetector;
use crate::lease::balance::{self, Counts};
use crate::ports::{Lease, LeaseError};
use holdfast_core::model::key::{Key, Scope};

/// Leases written at once. A thousand of them are taken over within a second or two.
const WRITES: usize = 32;

/// The soonest that anything is tried again.
const SOON: Duration = Duration::from_millis(500);

/// Gives at most this part of what is held at a time, or [`FEW`], so that most goes on undisturbed.
const PART: usize = 8;
const FEW: usize = 4;

/// For so many durations nothing is given to replicas that did not take what they were given: each try leaves a scope to
/// nobody for one. They may have other targets, or can't use the table for a while.
const CONTENT: u32 = 40;

/// What the looks so far have shown.
#[derive(Default)]
struct ClusterView {
    peer_detector: PeerDetector,
    /// What was given back was not wanted by these: nothing more is given until then, or until others come.
    content: Option<(Vec<String>, Instant)>,
}

/// Says once that something fails, and once that it works again.
struct Outage {
    what: &'static str,
    failures: u32,
}

impl Outage {
    fn new(what: &'static str) -> Self {
        Self { what, failures: 0 }
    }

    /// Notes a result; after a failure, when to try again at the latest.
    fn note<T>(&mut self, result: Result<T, LeaseError>) -> Result<T, Duration> {
        match result {
            Ok(value) => {
                if self.failures > 0 {
                    tracing::info!("leases: {} works again after {} failures", self.what, self.failures);
                    self.failures = 0;
                }
                Ok(value)
            }
            Err(e) => {
                if self.failures == 0 {
                    tracing::warn!("leases: {} fails and is tried again until it works: {e}", self.what);
                }
                self.failures = self.failures.saturating_add(1);
                Err(SOON * 2_u32.pow(self.failures.min(5)))
            }
        }
    }
}

impl Shared {
    pub(super) async fn run(&self, cancel: &CancellationToken, deliver: &(impl Fn(Key) + Send + Sync)) {
        let rounds = async {
            tokio::join!(
                biased;
                self.watch_validity(),
                self.keep_announcing(),
                self.keep_looking(),
                self.keep_fetching(deliver)
            )
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            _ = rounds => {}
        }
    }

    /// A call to the store, which must answer in time.
    pub(super) async fn within<T>(&self, call: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
        let patience = self.options.patience;
        timeout(patience, call).await.unwrap_or_else(|_| {
            Err(LeaseError(format!(
                "the table of leases (lease.table) gave no answer within {patience:?}; check the network and the region"
            )))
        })
    }

    /// Drops what is held when its validity ends, even while a call hangs.
    async fn watch_validity(&self) {
        loop {
            let dropped = self.held.lapse();
            if dropped > 0 {
                tracing::warn!(
                    "leases: {dropped} could not be renewed in time and were dropped; this replica does nothing there until it \
                     has taken them again"
                );
            }
            let now = Instant::now();
            match self.held.until().filter(|until| *until > now) {
                Some(until) => sleep_until(until).await,
                None => sleep(SOON).await,
            }
        }
    }

    async fn keep_announcing(&self) {
        let mut outage = Outage::new("announcing this replica");
        loop {
            let next = Instant::now() + self.options.renew;
            match outage.note(self.announce_if(|_| true).await) {
                Ok(()) => sleep_until(next).await,
                Err(wait) => sleep(wait.min(self.options.renew)).await,
            }
        }
    }

    /// Announces this replica, if what is left of its validity asks for it once it is this call's turn.
    pub(super) async fn announce_if(&self, needed: impl Fn(Duration) -> bool) -> Result<(), LeaseError> {
        let _one = self.announcing.lock().await;
        if self.held.is_leaving() || !needed(self.held.left()) {
            return Ok(());
        }
        let heartbeat = self.held.fresh(0);
        let started = Instant::now();
        self.within(self.store.announce(&self.replica, heartbeat)).await?;
        self.held
            .renewed(started, self.options.duration.saturating_sub(self.options.margin));
        Ok(())
    }

    async fn keep_fetching(&self, deliver: &(impl Fn(Key) + Send + Sync)) {
        let mut outage = Outage::new("fetching what other replicas left for this one");
        loop {
            let wait = match outage.note(self.within(self.store.fetch(&self.replica)).await) {
                Ok(keys) => {
                    keys.into_iter().for_each(deliver);
                    self.options.mail
                }
                Err(wait) => wait.max(self.options.mail),
            };
            sleep(wait).await;
        }
    }

    async fn keep_looking(&self) {
        let mut cluster = ClusterView::default();
        let mut outage = Outage::new("looking for free leases");
        while self.held.term().is_none() {
            // Nothing can be taken before the first announcement.
            sleep(SOON / 5).await;
        }
        loop {
            let result = outage.note(self.look(&mut cluster).await);
            let now = Instant::now();
            let jittered = now + self.options.look.mul_f64(0.8 + 0.2 * fastrand::f64());
            let due = cluster.peer_detector.next_death(self.options.duration);
            // Sooner where somebody's time is up before, or the last look failed.
            let next = due.map_or(jittered, |due| jittered.min(due));
            let next = result.map_or_else(|wait| next.min(now + wait), |()| next);
            sleep_until(next.max(now + SOON / 2)).await;
        }
    }

    /// Looks once: drops what is lost, takes what is free, gives what others lack.
    async fn look(&self, cluster: &mut ClusterView) -> Result<(), LeaseError> {
        let term = self.held.term();
        let leases = self.within(self.store.leases()).await?;
        let sent = Instant::now();
        let replicas = self.within(self.store.replicas()).await?;
        let now = Instant::now();
        cluster
            .peer_detector
            .note(&leases, &replicas, (sent, now), self.options.duration);
        self.drop_lost(&leases);

        let held = self.held.leases();
        let mut counts: Counts = cluster.peer_detector.sharing().map(|name| (name.clone(), 0)).collect();
        let mut free: BTreeMap<Scope, Option<Lease>> = BTreeMap::new();
        let mut owners = BTreeMap::new();
        counts.insert(self.replica.clone(), held.len());
        for scope in self.scopes.iter().filter(|s| !held.contains_key(*s)) {
            let lease = leases.get(scope);
            let owner = lease.and_then(|l| l.owner.as_ref()).filter(|o| **o != self.replica);
            match owner.filter(|o| cluster.peer_detector.is_alive(o)) {
                Some(owner) => {
                    self.held.forget_declined(scope);
                    counts.entry(owner.clone()).and_modify(|n| *n += 1);
                    owners.insert(scope.clone(), owner.clone());
                }
                None => {
                    free.insert(scope.clone(), lease.cloned());
                }
            }
        }
        *self.owners() = owners;
        cluster.peer_detector.note_free(&free, now);
        // Absent too if validity ended and began again in between: then nothing that was read above may be built on.
        let Some(term) = term.filter(|_| self.held.term() == term) else {
            return Ok(());
        };
        if !free.is_empty() {
            self.take(cluster, &counts, free, term, now).await?;
        }
        self.share_out(cluster, &counts, &leases).await
    }

    /// Drops what is held here but another's, or nobody's, in the store.
    fn drop_lost(&self, leases: &BTreeMap<Scope, Lease>) {
        for (scope, held) in self.held.leases() {
            let stored = leases.get(&scope);
            if !stored.is_some_and(|l| l.owner == held.owner && l.token == held.token) {
                tracing::warn!("leases: that of {scope} {}", super::fate(stored, held.token));
                self.held.lost(&scope, held.token);
            }
        }
    }

    /// Takes its share of what is free, and what has been free for so long that nobody else seems to want it.
    async fn take(
        &self,
        cluster: &mut ClusterView,
        counts: &Counts,
        free: BTreeMap<Scope, Option<Lease>>,
        term: u64,
        now: Instant,
    ) -> Result<(), LeaseError> {
        let allowed = balance::allowance(self.scopes.len(), counts, free.len(), &self.replica);
        let unwanted = |scope: &Scope| cluster.peer_detector.is_unwanted(scope, now, self.options.duration);
        let (unwanted, mut wanted): (Vec<_>, Vec<_>) = free.into_iter().partition(|(scope, _)| unwanted(scope));
        if unwanted.iter().any(|(scope, _)| self.held.is_declined(scope)) {
            let sharing = cluster.peer_detector.sharing().cloned().collect();
            cluster.content = Some((sharing, now + self.options.duration * CONTENT));
        }
        // From a place of its own, so that replicas which look at the same time seldom reach for the same.
        if !wanted.is_empty() {
            let start = fastrand::usize(..wanted.len());
            wanted.rotate_left(start);
        }
        let (declined, wanted): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(scope, _)| self.held.is_declined(scope));
        let left = wanted.iter().skip(allowed).chain(&declined);
        // Ours in the store but not here: an answer was lost, or the lease could not be given back.
        let ours = |l: &&Lease| l.owner.as_ref() == Some(&self.replica);
        let release: Vec<Lease> = left
            .filter_map(|(_, lease)| lease.as_ref())
            .filter(ours)
            .cloned()
            .collect();
        let take = unwanted.into_iter().chain(wanted.into_iter().take(allowed));
        let taken = stream::iter(take).map(|(scope, seen)| self.take_one(scope, seen, term));
        let results: Vec<_> = taken.buffered(WRITES).collect().await;
        results.into_iter().collect::<Result<(), _>>()?;
        self.release(release).await
    }

    async fn take_one(&self, scope: Scope, seen: Option<Lease>, term: u64) -> Result<(), LeaseError> {
        let (token, heartbeat) = seen.as_ref().map_or((0, 0), |l| (l.token, l.heartbeat));
        let next = Lease {
            scope,
            owner: Some(self.replica.clone()),
            token: token + 1,
            heartbeat: self.held.fresh(heartbeat),
        };
        if self.within(self.store.swap(seen.as_ref(), &next)).await? {
            let from = seen.as_ref().and_then(|l| l.owner.as_ref());
            tracing::info!(
                "leases: {} taken (token {}){}",
                next.scope,
                next.token,
                from.map(|o| format!(", last held by {o}")).unwrap_or_default()
            );
            self.held.gained(term, next);
        }
        Ok(())
    }

    /// Gives what other replicas are due, of what nothing is under way in.
    async fn share_out(
        &self,
        cluster: &mut ClusterView,
        counts: &Counts,
        leases: &BTreeMap<Scope, Lease>,
    ) -> Result<(), LeaseError> {
        let stays = |(with, until): &(Vec<String>, Instant)| {
            Instant::now() < *until && with.iter().eq(cluster.peer_detector.sharing())
        };
        if cluster.content.as_ref().is_some_and(stays) {
            return Ok(());
        }
        cluster.content = None;
        let held = self.held.leases();
        // By the same numbers as everybody else's: what was free when we looked counts as free, whoever has taken it since.
        let taken: usize = counts.values().sum();
        let free = self.scopes.len().saturating_sub(taken);
        let surplus = balance::surplus(self.scopes.len(), counts, free, &self.replica);
        let most = FEW.max(held.len() / PART);
        let idle = held.into_keys().rev();
        let idle = idle.filter(|s| leases.contains_key(s) && !self.held.is_busy(s));
        let given: Vec<Scope> = idle.take(surplus.min(most)).collect();
        if given.is_empty() {
            return Ok(());
        }
        tracing::info!("leases: {} are given to replicas that have fewer", given.len());
        self.give_back(&given).await
    }

    pub(super) async fn give_back(&self, scopes: &[Scope]) -> Result<(), LeaseError> {
        let leases = self.held.decline(scopes);
        self.release(leases).await
    }

    pub(super) async fn release_all(&self) -> Result<(), LeaseError> {
        self.held.leave();
        // After this, no announcement is under way.
        drop(self.announcing.lock().await);
        let leases = self.within(self.store.leases()).await?;
        let ours = leases
            .into_values()
            .filter(|l| l.owner.as_ref() == Some(&self.replica))
            .collect();
        let released = self.release(ours).await;
        self.within(self.store.withdraw(&self.replica)).await?;
        released
    }

    /// Marks leases as nobody's. One that has changed is not ours, which is as good.
    async fn release(&self, leases: Vec<Lease>) -> Result<(), LeaseError> {
        let released = stream::iter(leases).map(async |lease| {
            let next = Lease {
                owner: None,
                heartbeat: self.held.fresh(lease.heartbeat),
                ..lease.clone()
            };
            self.within(self.store.swap(Some(&lease), &next)).await.map(|_| ())
        });
        let results: Vec<_> = released.buffered(WRITES).collect().await;
        results.into_iter().collect()
    }
}
