//! What waits at one priority: a line for each lane, and whose turn it is. And which keys ran lately.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::keys::Laned;

/// Waiting keys, served round-robin over lanes and first-in-first-out within one.
pub(super) struct Lanes<K: Laned> {
    lines: BTreeMap<K::Lane, Line<K>>,
    /// Lanes in the order of their turns. A lane that was served, or that was empty, goes to the end.
    turns: BTreeMap<u64, K::Lane>,
    last_turn: u64,
    len: usize,
}

struct Line<K> {
    turn: u64,
    keys: BTreeMap<u64, K>,
}

impl<K: Laned> Lanes<K> {
    pub(super) fn new() -> Self {
        Self {
            lines: BTreeMap::new(),
            turns: BTreeMap::new(),
            last_turn: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a key into its lane, in the order of `seq`.
    pub(super) fn insert(&mut self, seq: u64, key: K) {
        let lane = key.lane();
        let Self {
            lines,
            turns,
            last_turn,
            ..
        } = self;
        let line = lines.entry(lane).or_insert_with_key(|lane| {
            *last_turn += 1;
            turns.insert(*last_turn, lane.clone());
            Line {
                turn: *last_turn,
                keys: BTreeMap::new(),
            }
        });
        if line.keys.insert(seq, key).is_none() {
            self.len += 1;
        }
    }

    /// Takes a key out of its lane, wherever in it.
    pub(super) fn remove(&mut self, seq: u64, lane: &K::Lane) {
        let Some(line) = self.lines.get_mut(lane) else { return };
        if line.keys.remove(&seq).is_none() {
            return;
        }
        self.len -= 1;
        if line.keys.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(lane);
        }
    }

    /// The head of each lane, in the order of turns.
    pub(super) fn heads(&self) -> impl Iterator<Item = (&K::Lane, &K)> {
        self.turns.values().filter_map(|lane| {
            let (_, key) = self.lines.get(lane)?.keys.first_key_value()?;
            Some((lane, key))
        })
    }

    /// Every key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.lines.values().flat_map(|line| line.keys.values())
    }

    /// Takes the head of a lane, whose turn is over then.
    pub(super) fn serve(&mut self, lane: &K::Lane) -> Option<K> {
        let line = self.lines.get_mut(lane)?;
        let (_, key) = line.keys.pop_first()?;
        self.len -= 1;
        self.turns.remove(&line.turn);
        if line.keys.is_empty() {
            self.lines.remove(lane);
        } else {
            self.last_turn += 1;
            line.turn = self.last_turn;
            self.turns.insert(self.last_turn, lane.clone());
        }
        Some(key)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}

/// When keys began to run last, for as long as that still puts their next run off.
pub(super) struct Recent<K> {
    began: HashMap<K, Instant>,
    order: VecDeque<(Instant, K)>,
}

impl<K: Clone + Eq + Hash> Recent<K> {
    pub(super) fn new() -> Self {
        Self {
            began: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Notes that `key` begins to run. Of more than `most` keys the oldest are forgotten: those may run sooner.
    pub(super) fn note(&mut self, key: &K, now: Instant, most: usize) {
        self.began.insert(key.clone(), now);
        self.order.push_back((now, key.clone()));
        while self.order.len() > most {
            self.drop_oldest();
        }
    }

    /// When `key` may run again, if that is not yet.
    pub(super) fn until(&self, key: &K, now: Instant, interval: Duration) -> Option<Instant> {
        let at = self.began.get(key)?.checked_add(interval)?;
        (at > now).then_some(at)
    }

    /// Forgets what is past.
    pub(super) fn prune(&mut self, now: Instant, interval: Duration) {
        while self.order.front().is_some_and(|(began, _)| now - *began >= interval) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((began, key)) = self.order.pop_front() else {
            return;
        };
        // It may have run again since.
        if self.began.get(&key) == Some(&began) {
            self.began.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.began.len().max(self.order.len())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}
