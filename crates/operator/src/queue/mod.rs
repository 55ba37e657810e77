//! A work queue that never holds a key twice and never hands it to two workers at once.
//!
//! The habits are those of client-go's work queue: adding a key that waits merges, adding one that runs marks it dirty
//! and runs it once more afterwards. On top come
//!
//! - two priorities, events before sweeps;
//! - lanes ([`Laned`]): within a priority the lanes take turns, so that a storm of one account delays the single key of
//!   another by at most one key of each lane, and a lane may be kept from holding every worker;
//! - timers, back-off per key, and a least interval between two runs of a key, within which events merge;
//! - a bound on what waits;
//! - completion tokens, which tell a caller how the first run that *started after* its call ended: that is what lets a
//!   queue message be deleted only once it was handled.
//!
//! Everything sits behind one mutex that is never held over an await. Time is [`tokio::time`], so that tests pause it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

mod keys;
mod lanes;
mod state;
#[cfg(test)]
mod tests;

pub use keys::{AddError, Completion, Laned, Priority, QueueObserver, QueueOptions, RunFailed, Unobserved};
use state::{State, TimerKind};

/// What a queue holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Keys ready to run.
    pub depth: usize,
    /// Keys being run.
    pub running: usize,
    /// Timers and back-offs not yet due, and keys that ran too short a time ago.
    pub delayed: usize,
    /// How long the longest waiting ready key has waited.
    pub oldest: Option<Duration>,
}

struct Shared<K: Laned> {
    state: Mutex<State<K>>,
    work: Notify,
    drained: Notify,
    observer: Arc<dyn QueueObserver>,
}

/// The queue; clones share it.
pub struct WorkQueue<K: Laned>(Arc<Shared<K>>);

impl<K: Laned> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Laned> WorkQueue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new(options: QueueOptions, observer: Arc<dyn QueueObserver>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(options)),
            work: Notify::new(),
            drained: Notify::new(),
            observer,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // A panic under the lock would be a bug here; the maps stay usable, and the other keys must go on.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a run of `key` that starts after this call.
    ///
    /// A key that waits already is merged (and moves up if this priority is higher); one that runs will run again.
    ///
    /// # Errors
    /// [`AddError::Full`] if the key is new and as many wait as may; [`AddError::ShutDown`] after the end began. The
    /// completion is dropped then.
    #[allow(clippy::needless_pass_by_value)] // Callers hand the key over, as to any collection.
    pub fn add(&self, key: K, priority: Priority, done: Option<Completion>) -> Result<(), AddError> {
        let mut state = self.lock();
        if state.shut {
            return Err(AddError::ShutDown);
        }
        let known = state
            .entries
            .get(&key)
            .is_some_and(|e| e.pending.is_some() || e.running.is_some());
        if !known && state.depth() + state.settling >= state.options.capacity {
            return Err(AddError::Full);
        }
        let now = Instant::now();
        state.prune(now);
        if state.mark(&key, priority, now, false) {
            self.0.observer.added();
        }
        if let (Some(done), Some(entry)) = (done, state.entries.get_mut(&key)) {
            // Callers that gave up would otherwise pile up on a key that never gets its turn.
            entry.waiting.retain(|waiter| !waiter.is_closed());
            entry.waiting.push(done);
        }
        self.0.observer.depth(state.depth());
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    /// Asks for a run of `key` once `delay` has passed: window ends, cooldowns, debounce.
    ///
    /// One timer per key: the earlier of two wins, so every run asks again for what it still waits for.
    ///
    /// # Errors
    /// As [`WorkQueue::add`]; as many timers may be set as keys may wait.
    #[allow(clippy::needless_pass_by_value)] // As `add`.
    pub fn add_after(&self, key: K, delay: Duration, priority: Priority) -> Result<(), AddError> {
        let mut state = self.lock();
        if state.shut {
            return Err(AddError::ShutDown);
        }
        let at = deadline(delay);
        match state.entries.get(&key).and_then(|e| e.timer) {
            Some(set) if set.0 <= at => return Ok(()),
            None if state.timers.len() - state.settling >= state.options.capacity => return Err(AddError::Full),
            _ => {}
        }
        state.set_timer(&key, at, priority, TimerKind::Timer);
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    /// Puts a key that failed into back-off and returns for how long; `None` while shutting down.
    ///
    /// Never refused for lack of room: the key was admitted before.
    pub fn retry(&self, key: &K, priority: Priority) -> Option<Duration> {
        let mut state = self.lock();
        if state.shut {
            return None;
        }
        let entry = state.entries.entry(key.clone()).or_default();
        entry.failures = entry.failures.saturating_add(1);
        let failures = entry.failures;
        let delay = backoff(&state.options, failures, fastrand::f64());
        state.set_timer(key, deadline(delay), priority, TimerKind::Retry);
        self.0.observer.retried();
        drop(state);
        self.0.work.notify_one();
        Some(delay)
    }

    /// Ends the back-off of a key that succeeded: its failures count from zero and no retry is pending.
    pub fn forget(&self, key: &K) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.get_mut(key) {
            entry.failures = 0;
            state.cancel(key, TimerKind::Retry);
            state.drop_if_idle(key);
        }
    }

    /// Waits for a key that may run. `None` once the queue is shut down, whatever still waits.
    ///
    /// Safe to cancel. The key counts as running until the returned [`Running`] is finished or dropped.
    pub async fn get(&self) -> Option<Running<K>> {
        loop {
            let notified = self.0.work.notified();
            tokio::pin!(notified);
            // Registered before looking, so that nothing added in between is missed.
            notified.as_mut().enable();
            let next = match self.try_get() {
                Poll::Key(running) => return Some(running),
                Poll::Deferral => return None,
                Poll::Wait(next) => next,
            };
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = notified => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => notified.await,
            }
        }
    }

    fn try_get(&self) -> Poll<K> {
        let mut state = self.lock();
        if state.shut {
            return Poll::Deferral;
        }
        let now = Instant::now();
        state.fire_due(now, &*self.0.observer);
        state.prune(now);
        let Some((key, priority)) = state.next(now) else {
            // A lane that may not run more is looked at again when one of its keys ends.
            return Poll::Wait(state.timers.first_key_value().map(|(id, _)| id.0));
        };
        let entry = state.entries.entry(key.clone()).or_default();
        let waited = entry.pending.take().map_or(Duration::ZERO, |p| now - p.since);
        entry.running = Some(std::mem::take(&mut entry.waiting));
        // This run is the retry.
        state.cancel(&key, TimerKind::Retry);
        state.began(&key, priority, now);
        self.0.observer.depth(state.depth());
        // Whoever waits beside us must take over what is left, and the watch over the next timer.
        let more = state.depth() > 0 || !state.timers.is_empty();
        drop(state);
        if more {
            self.0.work.notify_one();
        }
        Poll::Key(Running {
            queue: self.clone(),
            key,
            priority,
            waited,
            result: Err(RunFailed),
        })
    }

    fn finish(&self, key: &K, priority: Priority, result: Result<(), RunFailed>) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(key) else {
            return;
        };
        let told = entry.running.take().unwrap_or_default();
        state.ended(key, priority);
        state.line_up(key, Instant::now());
        self.0.observer.depth(state.depth());
        state.drop_if_idle(key);
        let is_drained = state.running == 0;
        // This key itself, or one of its lane that had to wait for its end.
        let more = state.depth() > 0 || !state.timers.is_empty();
        drop(state);
        for done in told {
            // Nobody listening any more is fine.
            let _ = done.send(result);
        }
        if more {
            self.0.work.notify_one();
        }
        if is_drained {
            self.0.drained.notify_waiters();
        }
    }

    /// Begins the end: no key is taken or handed out any more, completions of keys not yet started are dropped, what
    /// runs may finish.
    pub fn shut_down(&self) {
        let mut state = self.lock();
        state.shut();
        self.0.observer.depth(0);
        drop(state);
        self.0.work.notify_waiters();
        self.0.drained.notify_waiters();
    }

    /// Waits until no key runs. Meant for after [`WorkQueue::shut_down`]; bound it with a timeout.
    pub async fn drained(&self) {
        loop {
            let notified = self.0.drained.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.lock().running == 0 {
                return;
            }
            notified.await;
        }
    }

    /// What the queue holds now. Walks the waiting keys: for a scrape, not for a loop.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let mut state = self.lock();
        let now = Instant::now();
        state.prune(now);
        let oldest = state
            .ready_keys()
            .filter_map(|key| state.entries.get(key)?.pending)
            .map(|p| p.since)
            .min();
        QueueStats {
            depth: state.depth(),
            running: state.running,
            delayed: state.timers.len(),
            oldest: oldest.map(|since| now - since),
        }
    }
}

enum Poll<K: Laned> {
    Key(Running<K>),
    /// Nothing is ready; the next timer, if there is one.
    Wait(Option<Instant>),
    Deferral,
}

/// An instant that far ahead; a delay past what the clock can hold is thirty years, as tokio does it.
fn deadline(delay: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(delay)
        .unwrap_or_else(|| now + Duration::from_hours(24 * 365 * 30))
}

/// `base * 2^(failures - 1)`, at most `max`, of which the share `jitter` is scaled by `random` in 0..1.
fn backoff(options: &QueueOptions, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let full = options.base_delay.saturating_mul(1 << doublings).min(options.max_delay);
    let jitter = options.jitter.clamp(0.0, 1.0);
    full.mul_f64(1.0 - jitter * random.clamp(0.0, 1.0))
}

/// A key that runs. Dropping it unfinished (a panic, a cancelled worker) counts as failure.
pub struct Running<K: Laned> {
    queue: WorkQueue<K>,
    key: K,
    priority: Priority,
    waited: Duration,
    result: Result<(), RunFailed>,
}

impl<K: Laned> Running<K> {
    /// The key to run.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The priority it waited with: pass it on to [`WorkQueue::retry`].
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// How long it waited.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Ends the run and tells whoever asked for it. Call [`WorkQueue::retry`] or [`WorkQueue::forget`] before.
    pub fn finish(mut self, result: Result<(), RunFailed>) {
        self.result = result; // told by drop
    }
}

impl<K: Laned> Drop for Running<K> {
    fn drop(&mut self) {
        self.queue.finish(&self.key, self.priority, self.result);
    }
}
