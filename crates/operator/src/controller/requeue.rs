//! When to look at something again.

use std::time::Duration;

use holdfast_core::model::key::Key;

use crate::queue::Priority;

/// What is to be looked at again after a reconcile, and when.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "what is not queued again is found by the next sweep only"]
pub(super) struct Requeue(Vec<Again>);

/// One key to be looked at again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Again {
    pub key: Key,
    /// Zero: at once.
    pub after: Duration,
    pub priority: Priority,
}

impl Requeue {
    /// Nothing: an event or a sweep will ask.
    pub const fn nothing() -> Self {
        Self(vec![])
    }

    /// Looks at `key` again as soon as a worker is free, besides whatever timers are asked for.
    pub fn at_once(&mut self, key: &Key, priority: Priority) {
        self.0.push(Again {
            key: key.clone(),
            after: Duration::ZERO,
            priority,
        });
    }

    /// Looks at `key` again after `delay`, or sooner, if that was asked for already. A timer that has passed already is
    /// not asked again within the same instant.
    pub fn after(&mut self, key: &Key, delay: Duration, priority: Priority) {
        let delay = delay.max(Duration::from_millis(1));
        match self
            .0
            .iter_mut()
            .find(|again| again.key == *key && !again.after.is_zero())
        {
            Some(again) => again.after = again.after.min(delay),
            None => self.0.push(Again {
                key: key.clone(),
                after: delay,
                priority,
            }),
        }
    }

    /// Asks for all that `other` asks for.
    pub fn extend(&mut self, other: Self) {
        for again in other.0 {
            if again.after.is_zero() {
                self.0.push(again);
            } else {
                self.after(&again.key, again.after, again.priority);
            }
        }
    }

    /// What is to be looked at again.
    pub fn into_keys(self) -> impl Iterator<Item = Again> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::model::key::{Scope, Subject};

    use super::*;

    #[test]
    fn the_earliest_of_what_was_asked_for() {
        let key = |name: &str| Key {
            scope: Scope {
                account: "123456789012".into(),
                region: "us-east-1".into(),
            },
            subject: Subject::Workload(name.into()),
        };
        let mut requeue = Requeue::nothing();
        requeue.after(&key("shop"), Duration::from_secs(5), Priority::Event);
        requeue.after(&key("shop"), Duration::from_secs(9), Priority::Event);
        let mut other = Requeue::nothing();
        other.after(&key("shop"), Duration::from_secs(2), Priority::Event);
        other.at_once(&key("wiki"), Priority::Sweep);
        other.at_once(&key("shop"), Priority::Sweep);
        requeue.extend(other);
        let asked: Vec<(Key, u64)> = requeue.into_keys().map(|a| (a.key, a.after.as_secs())).collect();
        assert_eq!(asked, [(key("shop"), 2), (key("wiki"), 0), (key("shop"), 0)]);
    }
}
