//! The books of the queue: what waits, what runs, what is put off. No locks and no waiting here.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use super::keys::{Completion, Laned, Priority, QueueObserver, QueueOptions};
use super::lanes::{Lanes, Recent};

/// A place in the order of timers; the number keeps equal instants apart.
pub(super) type TimerId = (Instant, u64);

#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) priority: Priority,
    pub(super) seq: u64,
    pub(super) since: Instant,
    /// A timer wants it: `min_interval` does not put it off.
    pub(super) at_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerKind {
    Timer,
    Retry,
    /// The key is pending but ran too short a time ago.
    Settle,
}

pub(super) struct Timer<K> {
    pub(super) key: K,
    pub(super) priority: Priority,
    pub(super) kind: TimerKind,
}

#[derive(Default)]
pub(super) struct Entry {
    /// Wants to run: it is in `ready`, or settles, or, while it runs, is dirty.
    pub(super) pending: Option<Pending>,
    /// Whom the coming run will tell.
    pub(super) waiting: Vec<Completion>,
    /// Runs now, and whom this run will tell.
    pub(super) running: Option<Vec<Completion>>,
    pub(super) failures: u32,
    pub(super) timer: Option<TimerId>,
    pub(super) retry: Option<TimerId>,
    pub(super) stabilize: Option<TimerId>,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.pending.is_none()
            && self.running.is_none()
            && self.failures == 0
            && self.timer.is_none()
            && self.retry.is_none()
    }

    fn timer_of(&mut self, kind: TimerKind) -> &mut Option<TimerId> {
        match kind {
            TimerKind::Timer => &mut self.timer,
            TimerKind::Retry => &mut self.retry,
            TimerKind::Settle => &mut self.stabilize,
        }
    }
}

pub(super) struct State<K: Laned> {
    pub(super) options: QueueOptions,
    pub(super) entries: HashMap<K, Entry>,
    events: Lanes<K>,
    sweeps: Lanes<K>,
    pub(super) timers: BTreeMap<TimerId, Timer<K>>,
    /// How many of the timers are of kind `Settle`.
    pub(super) settling: usize,
    pub(super) recent: Recent<K>,
    pub(super) running: usize,
    running_sweeps: usize,
    running_by_lane: HashMap<K::Lane, usize>,
    /// The last key went before waiting events because it had waited too long.
    gave_way: bool,
    seq: u64,
    pub(super) shut: bool,
}

impl<K: Laned> State<K> {
    pub(super) fn new(options: QueueOptions) -> Self {
        Self {
            options,
            entries: HashMap::new(),
            events: Lanes::new(),
            sweeps: Lanes::new(),
            timers: BTreeMap::new(),
            settling: 0,
            recent: Recent::new(),
            running: 0,
            running_sweeps: 0,
            running_by_lane: HashMap::new(),
            gave_way: false,
            seq: 0,
            shut: false,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Keys that are ready to run.
    pub(super) fn depth(&self) -> usize {
        self.events.len() + self.sweeps.len()
    }

    pub(super) fn ready_keys(&self) -> impl Iterator<Item = &K> {
        self.events.keys().chain(self.sweeps.keys())
    }

    fn lanes(&mut self, priority: Priority) -> &mut Lanes<K> {
        match priority {
            Priority::Event => &mut self.events,
            Priority::Sweep => &mut self.sweeps,
        }
    }

    /// Makes `key` want to run; merges with a wish it already has. True if it had none.
    pub(super) fn mark(&mut self, key: &K, priority: Priority, now: Instant, at_once: bool) -> bool {
        let seq = self.next_seq();
        let entry = self.entries.entry(key.clone()).or_default();
        let old = entry.pending;
        let wish = match old {
            None => Pending {
                priority,
                seq,
                since: now,
                at_once,
            },
            Some(old) if priority < old.priority || (at_once && !old.at_once) => Pending {
                priority: priority.min(old.priority),
                seq: if priority < old.priority { seq } else { old.seq },
                since: old.since,
                at_once: at_once || old.at_once,
            },
            Some(_) => return false,
        };
        entry.pending = Some(wish);
        let is_running = entry.running.is_some();
        if let Some(old) = old {
            self.lanes(old.priority).remove(old.seq, &key.lane());
        }
        if !is_running {
            self.line_up(key, now);
        }
        old.is_none()
    }

    /// Puts a key that wants to run and does not run yet where it waits: among the ready, or, if it ran too short a
    /// time ago, behind a timer.
    pub(super) fn line_up(&mut self, key: &K, now: Instant) {
        let Some(wish) = self.entries.get(key).and_then(|e| e.pending) else {
            return;
        };
        let interval = self.options.min_interval;
        let settles = (!wish.at_once).then(|| self.recent.until(key, now, interval)).flatten();
        if let Some(at) = settles {
            self.set_timer(key, at, wish.priority, TimerKind::Settle);
        } else {
            self.cancel(key, TimerKind::Settle);
            self.lanes(wish.priority).insert(wish.seq, key.clone());
        }
    }

    /// Turns every timer that is due into a wish to run.
    pub(super) fn fire_due(&mut self, now: Instant, observer: &dyn QueueObserver) {
        while let Some((&id, _)) = self.timers.first_key_value() {
            if id.0 > now {
                break;
            }
            let Some(timer) = self.timers.remove(&id) else { break };
            if let Some(entry) = self.entries.get_mut(&timer.key) {
                *entry.timer_of(timer.kind) = None;
            }
            if timer.kind == TimerKind::Settle {
                self.settling -= 1;
                self.line_up(&timer.key, now);
            } else if self.mark(&timer.key, timer.priority, now, true) {
                observer.added();
            }
        }
    }

    pub(super) fn set_timer(&mut self, key: &K, at: Instant, priority: Priority, kind: TimerKind) {
        self.cancel(key, kind);
        let id = (at, self.next_seq());
        *self.entries.entry(key.clone()).or_default().timer_of(kind) = Some(id);
        self.settling += usize::from(kind == TimerKind::Settle);
        self.timers.insert(
            id,
            Timer {
                key: key.clone(),
                priority,
                kind,
            },
        );
    }

    pub(super) fn cancel(&mut self, key: &K, kind: TimerKind) {
        let set = self.entries.get_mut(key).and_then(|e| e.timer_of(kind).take());
        if set.is_some_and(|id| self.timers.remove(&id).is_some()) {
            self.settling -= usize::from(kind == TimerKind::Settle);
        }
    }

    /// Forgets runs that put nothing off any more.
    pub(super) fn prune(&mut self, now: Instant) {
        self.recent.prune(now, self.options.min_interval);
    }

    pub(super) fn drop_if_idle(&mut self, key: &K) {
        if self.entries.get(key).is_some_and(Entry::is_idle) {
            self.entries.remove(key);
        }
    }

    /// Takes the key whose turn it is, if any may run.
    pub(super) fn next(&mut self, now: Instant) -> Option<(K, Priority)> {
        let (lane, priority) = self.turn(now)?;
        self.gave_way = priority == Priority::Sweep && self.events.len() > 0;
        let key = self.lanes(priority).serve(&lane)?;
        Some((key, priority))
    }

    /// Events first, but after an event a sweep key that has waited too long; within a priority the lanes in turn,
    /// those that already run as many keys as they may left out.
    fn turn(&self, now: Instant) -> Option<(K::Lane, Priority)> {
        let event = self.events.heads().find(|(lane, _)| self.admits(lane));
        let sweeps_may = self
            .options
            .max_running_sweeps
            .is_none_or(|max| self.running_sweeps < max.max(1));
        let mut sweeps = self.sweeps.heads().filter(|(lane, _)| sweeps_may && self.admits(lane));
        let is_overdue = |key: &K| {
            let pending = self.entries.get(key).and_then(|e| e.pending);
            pending.is_some_and(|p| now - p.since >= self.options.max_wait)
        };
        let sweep = match event {
            None => sweeps.next(),
            Some(_) if self.gave_way => None,
            Some(_) => sweeps.find(|(_, key)| is_overdue(key)),
        };
        let of = |priority| move |(lane, _): (&K::Lane, &K)| (lane.clone(), priority);
        sweep.map(of(Priority::Sweep)).or(event.map(of(Priority::Event)))
    }

    fn admits(&self, lane: &K::Lane) -> bool {
        let running = self.running_by_lane.get(lane).copied().unwrap_or_default();
        self.options.max_running_per_lane.is_none_or(|max| running < max.max(1))
    }

    pub(super) fn began(&mut self, key: &K, priority: Priority, now: Instant) {
        self.running += 1;
        self.running_sweeps += usize::from(priority == Priority::Sweep);
        *self.running_by_lane.entry(key.lane()).or_default() += 1;
        if !self.options.min_interval.is_zero() {
            self.recent.note(key, now, self.options.capacity);
        }
    }

    pub(super) fn ended(&mut self, key: &K, priority: Priority) {
        self.running -= 1;
        self.running_sweeps -= usize::from(priority == Priority::Sweep);
        let lane = key.lane();
        if let Some(running) = self.running_by_lane.get_mut(&lane) {
            *running -= 1;
            if *running == 0 {
                self.running_by_lane.remove(&lane);
            }
        }
    }

    /// Leaves what runs, and nothing else.
    pub(super) fn shut(&mut self) {
        self.shut = true;
        self.events.clear();
        self.sweeps.clear();
        self.timers.clear();
        self.settling = 0;
        self.recent.clear();
        self.entries.retain(|_, entry| {
            *entry = Entry {
                running: entry.running.take(),
                ..Entry::default()
            };
            entry.running.is_some()
        });
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.depth() == 0
            && self.timers.is_empty()
            && self.settling == 0
            && self.running_by_lane.is_empty()
            && self.recent.len() == 0
    }
}
