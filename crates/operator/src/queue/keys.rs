//! What is queued, for whom, and within which bounds.

use std::hash::Hash;
use std::time::Duration;

use holdfast_core::model::key::{Key, Scope};
use tokio::sync::oneshot;

/// A key that belongs to someone with whom the others share the workers.
pub trait Laned: Clone + Eq + Hash {
    /// Whom it belongs to. Ordered, so that nothing depends on the order of a hash map.
    type Lane: Clone + Eq + Hash + Ord;

    /// The lane that the key waits in.
    fn lane(&self) -> Self::Lane;
}

impl Laned for Key {
    type Lane = Scope;

    fn lane(&self) -> Scope {
        self.scope.clone()
    }
}

/// Which of two waiting keys runs first. Smaller is sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Something happened, or a timer ran out: somebody may be waiting for the answer.
    Event,
    /// The periodic look at everything.
    Sweep,
}

/// The run ended without success, or was abandoned. Why is logged by the worker, not carried here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run for this key failed")]
pub struct RunFailed;

/// Fired once when a run that started after the `add` ends; dropped unfired when the queue shuts down first.
pub type Completion = oneshot::Sender<Result<(), RunFailed>>;

/// Why a key was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// As many keys wait as may: leave the work where it came from and come back.
    #[error("the work queue is full")]
    Full,
    /// [`super::WorkQueue::shut_down`] was called.
    #[error("the work queue is shutting down")]
    ShutDown,
}

/// Told of changes while the queue's lock is held: implementations only set gauges and counters.
pub trait QueueObserver: Send + Sync {
    /// `depth` keys are ready to run.
    fn depth(&self, depth: usize);
    /// A key became ready that was not before; merged adds don't count.
    fn added(&self);
    /// A key was put into back-off.
    fn retried(&self);
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl QueueObserver for Unobserved {
    fn depth(&self, _: usize) {}
    fn added(&self) {}
    fn retried(&self) {}
}

/// Bounds and back-off of a queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueOptions {
    /// So many distinct keys may wait; keys that run, retry or follow a timer are over and above it.
    pub capacity: usize,
    /// First back-off; it doubles with each further failure.
    pub base_delay: Duration,
    /// Longest back-off.
    pub max_delay: Duration,
    /// Share of a back-off that is random, 0.0 to 1.0: what failed together must not come back together.
    pub jitter: f64,
    /// A sweep key that waited this long goes before every other event, so that a storm cannot put off the sweep for
    /// good, nor many late sweeps the events.
    pub max_wait: Duration,
    /// So many keys of one lane may run at once (at least 1): a scope whose calls all time out must not hold every
    /// worker. `None`: as many as there are workers.
    pub max_running_per_lane: Option<usize>,
    /// So many keys that waited as [`Priority::Sweep`] may run at once: a sweep takes long, and an event should find a
    /// worker free. `None`: as many as there are workers.
    pub max_running_sweeps: Option<usize>,
    /// The runs of one key begin at least so far apart. The first begins at once; what is asked for within the interval
    /// merges into one run at its end. Timers and back-offs are not put off: whoever set them chose the time. 0: off.
    pub min_interval: Duration,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_mins(5),
            jitter: 0.25,
            max_wait: Duration::from_mins(5),
            max_running_per_lane: None,
            max_running_sweeps: None,
            min_interval: Duration::ZERO,
        }
    }
}
