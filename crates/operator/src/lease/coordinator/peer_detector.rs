//! Who is alive, as seen from here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::ports::Lease;
use holdfast_core::model::key::Scope;

/// What was seen of the others so far. Only this process's clock is asked.
#[derive(Debug, Default)]
pub(super) struct PeerDetector {
    /// By replica: its last number (none: it never announced itself, or was removed), and when that was first received.
    heartbeats: BTreeMap<String, (Option<u64>, Instant)>,
    /// Free leases, and since when they are known to be.
    free: BTreeMap<Scope, Instant>,
    live: BTreeSet<String>,
}

impl PeerDetector {
    /// Takes in what was read: `leases` first, and then `replicas`, in a call made at `sent` and answered at `received`.
    ///
    /// A replica is dead if a read that was *sent* at least `duration` after a number was *received* still finds that number.
    /// The order of the two reads matters: a lease that its owner took again before it was read was taken under an
    /// announcement that the second read must show.
    pub(super) fn note(
        &mut self,
        leases: &BTreeMap<Scope, Lease>,
        replicas: &BTreeMap<String, u64>,
        (sent, received): (Instant, Instant),
        duration: Duration,
    ) {
        let owners = leases.values().filter_map(|l| l.owner.as_ref());
        let names: BTreeSet<&String> = replicas.keys().chain(owners).collect();
        self.heartbeats.retain(|name, _| names.contains(name));
        self.live.clear();
        for name in names {
            let heartbeat = replicas.get(name).copied();
            let seen = self.heartbeats.entry(name.clone()).or_insert((heartbeat, received));
            if seen.0 != heartbeat {
                *seen = (heartbeat, received);
            }
            if sent < seen.1 + duration {
                self.live.insert(name.clone());
            }
        }
    }

    /// Whether `replica`'s leases are its own still.
    pub(super) fn is_alive(&self, replica: &str) -> bool {
        self.live.contains(replica)
    }

    /// Those that want a share: they are alive and announced.
    pub(super) fn sharing(&self) -> impl Iterator<Item = &String> {
        self.live.iter().filter(|name| {
            self.heartbeats
                .get(*name)
                .is_some_and(|(heartbeat, _)| heartbeat.is_some())
        })
    }

    /// Notes which leases are free now.
    pub(super) fn note_free<T>(&mut self, free: &BTreeMap<Scope, T>, now: Instant) {
        self.free.retain(|scope, _| free.contains_key(scope));
        for scope in free.keys() {
            self.free.entry(scope.clone()).or_insert(now);
        }
    }

    /// Whether nobody has taken `scope` for `duration`, though it was free.
    pub(super) fn is_unwanted(&self, scope: &Scope, now: Instant, duration: Duration) -> bool {
        self.free.get(scope).is_some_and(|since| *since + duration <= now)
    }

    /// When the next of those alive is dead, unless it announces itself before.
    pub(super) fn next_death(&self, duration: Duration) -> Option<Instant> {
        let living = self.heartbeats.iter().filter(|(name, _)| self.live.contains(*name));
        living.map(|(_, (_, since))| *since + duration).min()
    }
}
