//! The books of the queue: what waits, what runs, what is put off. No locks and no waiting here.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::{Completion, Priority, QueueObserver};

/// A place in the order of timers; the number keeps equal instants apart.
pub(super) type TimerId = (Instant, u64);

#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) priority: Priority,
    pub(super) seq: u64,
    pub(super) since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerKind {
    Timer,
    Retry,
}

pub(super) struct Timer<K> {
    pub(super) key: K,
    pub(super) priority: Priority,
    pub(super) kind: TimerKind,
}

#[derive(Default)]
pub(super) struct Entry {
    /// Wants to run: it is in `ready`, or, while it runs, dirty.
    pub(super) pending: Option<Pending>,
    /// Whom the coming run will tell.
    pub(super) waiting: Vec<Completion>,
    /// Runs now, and whom this run will tell.
    pub(super) running: Option<Vec<Completion>>,
    pub(super) failures: u32,
    pub(super) timer: Option<TimerId>,
    pub(super) retry: Option<TimerId>,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.pending.is_none()
            && self.running.is_none()
            && self.failures == 0
            && self.timer.is_none()
            && self.retry.is_none()
    }
}

pub(super) struct State<K> {
    pub(super) entries: HashMap<K, Entry>,
    pub(super) ready: BTreeMap<(Priority, u64), K>,
    pub(super) timers: BTreeMap<TimerId, Timer<K>>,
    pub(super) running: usize,
    pub(super) seq: u64,
    pub(super) shut: bool,
}

impl<K: Clone + Eq + Hash> State<K> {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            ready: BTreeMap::new(),
            timers: BTreeMap::new(),
            running: 0,
            seq: 0,
            shut: false,
        }
    }

    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Makes `key` want to run; merges with a wish it already has. True if it had none.
    pub(super) fn mark(&mut self, key: &K, priority: Priority, now: Instant) -> bool {
        let seq = self.next_seq();
        let entry = self.entries.entry(key.clone()).or_default();
        let (slot, is_new) = match entry.pending {
            None => (
                Pending {
                    priority,
                    seq,
                    since: now,
                },
                true,
            ),
            Some(old) if priority < old.priority => {
                self.ready.remove(&(old.priority, old.seq));
                (
                    Pending {
                        priority,
                        seq,
                        since: old.since,
                    },
                    false,
                )
            }
            Some(_) => return false,
        };
        entry.pending = Some(slot);
        if entry.running.is_none() {
            self.ready.insert((slot.priority, slot.seq), key.clone());
        }
        is_new
    }

    /// Moves every timer that is due to where it can run.
    pub(super) fn fire_due(&mut self, now: Instant, observer: &dyn QueueObserver) {
        while let Some((&id, _)) = self.timers.first_key_value() {
            if id.0 > now {
                break;
            }
            let Some(timer) = self.timers.remove(&id) else { break };
            if let Some(entry) = self.entries.get_mut(&timer.key) {
                match timer.kind {
                    TimerKind::Timer => entry.timer = None,
                    TimerKind::Retry => entry.retry = None,
                }
            }
            if self.mark(&timer.key, timer.priority, now) {
                observer.added();
            }
        }
    }

    pub(super) fn set_timer(&mut self, key: &K, at: Instant, priority: Priority, kind: TimerKind) {
        let id = (at, self.next_seq());
        let entry = self.entries.entry(key.clone()).or_default();
        let place = match kind {
            TimerKind::Timer => &mut entry.timer,
            TimerKind::Retry => &mut entry.retry,
        };
        if let Some(old) = place.replace(id) {
            self.timers.remove(&old);
        }
        self.timers.insert(
            id,
            Timer {
                key: key.clone(),
                priority,
                kind,
            },
        );
    }

    pub(super) fn drop_if_idle(&mut self, key: &K) {
        if self.entries.get(key).is_some_and(Entry::is_idle) {
            self.entries.remove(key);
        }
    }
}

/// The first key in order, unless a sweep key has waited too long.
pub(super) fn next_slot<K: Eq + Hash>(state: &State<K>, now: Instant, max_wait: Duration) -> Option<(Priority, u64)> {
    let (first, _) = state.ready.first_key_value()?;
    if first.0 == Priority::Event
        && let Some((slot, key)) = state.ready.range((Priority::Sweep, 0)..).next()
        && let Some(pending) = state.entries.get(key).and_then(|e| e.pending)
        && now - pending.since >= max_wait
    {
        return Some(*slot);
    }
    Some(*first)
}
