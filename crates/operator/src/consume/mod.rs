//! Events: from the queue to keys, and back to the queue when they are handled.
//!
//! The loop here is receive → parse → add each key to the work queue → wait until all were handled → delete. A message
//! leaves the queue only by being handled or by being none of our business; everything else comes back by itself once
//! its visibility timeout is over, and ends in the dead-letter queue if it keeps coming back.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::internal_events::{
    EventHandled, EventMalformed, EventReceived, MessagesGivenBack, MessagesNotDeleted, ReceiveFailed, Telemetry,
};
use crate::ports::{BATCH, EventSource, Message, SourceError};
use crate::queue::{AddError, Completion, Priority, RunFailed, WorkQueue};
use holdfast_core::event::{self, Relevance};
use holdfast_core::model::key::Key;
use holdfast_core::model::resources::TaskRun;

/// Where keys go. [`WorkQueue`] is one.
pub trait KeySink: Send + Sync {
    /// Takes a key; `done` is fired when a run that started after this call ends.
    ///
    /// # Errors
    /// [`AddError::Full`]: keep the message and come back; [`AddError::ShutDown`]: leave it to another process.
    fn add(&self, key: Key, done: Completion) -> Result<(), AddError>;

    /// Hears who changed what `key` names.
    fn record_actor(&self, _key: &Key, _who: &str, _at: Timestamp) {}

    /// Hears of a task of the family that `key` names. Before [`Self::add`], so that the run for the key knows of it.
    fn record_run(&self, _key: &Key, _run: TaskRun) {}
}

impl KeySink for WorkQueue<Key> {
    fn add(&self, key: Key, done: Completion) -> Result<(), AddError> {
        WorkQueue::add(self, key, Priority::Event, Some(done))
    }
}

/// Bounds of the loop.
#[derive(Debug, Clone, Copy)]
pub struct ConsumeOptions {
    /// So many messages may be in flight; nothing more is received meanwhile. SQS allows 120,000 a queue.
    pub max_in_flight: usize,
    /// First pause after a failed receive; it doubles.
    pub base_delay: Duration,
    /// Longest pause after failed receives.
    pub max_delay: Duration,
    /// How often keys that the work queue had no room for are offered again.
    pub offer_again: Duration,
    /// How long messages in flight may still be finished after cancellation.
    pub grace: Duration,
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 1_000,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_mins(1),
            offer_again: Duration::from_millis(200),
            grace: Duration::from_secs(25),
        }
    }
}

/// What the loop is made of.
pub struct Consumer {
    /// Where messages come from.
    pub source: Arc<dyn EventSource>,
    /// Where keys go.
    pub sink: Arc<dyn KeySink>,
    /// Logs and counts events.
    pub telemetry: Arc<Telemetry>,
    /// For the lag of events.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub options: ConsumeOptions,
}

impl Consumer {
    /// Consumes until `cancel`, then finishes what is in flight, within the grace, and gives the rest back at once.
    ///
    /// Shut the work queue down with the same signal: that drops the completions of keys that have not started.
    pub async fn run(self, cancel: CancellationToken) {
        Loop::new(self).run(cancel).await;
    }
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposition {
    Handled,
    /// A run failed: the visibility timeout is its back-off.
    Failed,
    /// Never run, the process is ending: another may have it now.
    Abandoned,
}

type Told = oneshot::Receiver<Result<(), RunFailed>>;

/// A message whose keys did not all fit into the work queue.
struct Parked {
    id: u64,
    keys: VecDeque<Key>,
    told: Vec<Told>,
}

struct InFlight {
    handle: String,
    event_time: Option<Timestamp>,
    received: Instant,
    /// When its visibility timeout was last started.
    since: Instant,
}

type Receiving = BoxFuture<'static, (Duration, Result<Vec<Message>, SourceError>)>;

struct Loop {
    parts: Consumer,
    next_id: u64,
    in_flight: HashMap<u64, InFlight>,
    parked: VecDeque<Parked>,
    waits: FuturesUnordered<BoxFuture<'static, (u64, Disposition)>>,
    /// Deletions and visibility changes under way.
    chores: FuturesUnordered<BoxFuture<'static, ()>>,
    to_delete: Vec<String>,
    to_release: Vec<String>,
    failures: u32,
}

impl Loop {
    fn new(parts: Consumer) -> Self {
        Self {
            parts,
            next_id: 0,
            in_flight: HashMap::new(),
            parked: VecDeque::new(),
            waits: FuturesUnordered::new(),
            chores: FuturesUnordered::new(),
            to_delete: Vec::new(),
            to_release: Vec::new(),
            failures: 0,
        }
    }

    async fn run(mut self, cancel: CancellationToken) {
        let options = self.parts.options;
        let mut receiving: Option<Receiving> = None;
        let mut pause = Duration::ZERO;
        let mut stop_at: Option<Instant> = None;
        let mut renew = tokio::time::interval((self.parts.source.visibility() / 4).max(Duration::from_secs(1)));
        let mut offer = tokio::time::interval(options.offer_again);
        offer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.flush();
            let has_room = self.parked.is_empty() && self.in_flight.len() + BATCH <= options.max_in_flight.max(BATCH);
            if stop_at.is_none() && receiving.is_none() && has_room {
                receiving = Some(self.receive(pause));
            }
            if stop_at.is_some() && self.in_flight.is_empty() && self.chores.is_empty() {
                return;
            }
            let until = stop_at.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = cancel.cancelled(), if stop_at.is_none() => {
                    // Dropping the long poll closes its connection: nothing waits for its 20 seconds.
                    receiving = None;
                    stop_at = Some(Instant::now() + options.grace);
                    self.release_parked();
                }
                () = tokio::time::sleep_until(until), if stop_at.is_some() => {
                    self.give_up().await;
                    return;
                }
                Some((id, ended)) = self.waits.next(), if !self.waits.is_empty() => {
                    self.end(id, ended, stop_at.is_some());
                    // Keys that many messages named end together: one deletion for ten of them.
                    while let Some(Some((id, ended))) = self.waits.next().now_or_never() {
                        self.end(id, ended, stop_at.is_some());
                    }
                    self.offer_parked();
                }
                Some(()) = self.chores.next(), if !self.chores.is_empty() => {}
                Some((took, result)) = OptionFuture::from(receiving.as_mut()), if receiving.is_some() => {
                    receiving = None;
                    pause = self.received(took, result);
                }
                _ = offer.tick(), if !self.parked.is_empty() => self.offer_parked(),
                _ = renew.tick() => self.renew(),
            }
        }
    }

    /// One long poll, after a pause.
    fn receive(&self, pause: Duration) -> Receiving {
        let source = Arc::clone(&self.parts.source);
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            let start = Instant::now();
            let result = source.receive().await;
            (start.elapsed(), result)
        })
    }

    /// Takes messages in, and tells how long to pause before the next poll.
    fn received(&mut self, took: Duration, result: Result<Vec<Message>, SourceError>) -> Duration {
        let options = self.parts.options;
        match result {
            Ok(messages) => {
                self.failures = 0;
                // An empty answer that did not wait is no long poll: don't spin on it.
                let is_spinning = messages.is_empty() && took < Duration::from_millis(100);
                for message in messages {
                    self.take(message);
                }
                if is_spinning {
                    options.offer_again
                } else {
                    Duration::ZERO
                }
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let doublings = (self.failures - 1).min(16);
                let full = options.base_delay.saturating_mul(1 << doublings).min(options.max_delay);
                let delay = full.mul_f64(1.0 - 0.25 * fastrand::f64());
                ReceiveFailed {
                    error: &error,
                    failures: self.failures,
                    retry_in: delay,
                }
                .emit();
                delay
            }
        }
    }

    fn take(&mut self, message: Message) {
        let parsed = match event::parse(&message.body) {
            Ok(parsed) => parsed,
            Err(error) => {
                EventMalformed {
                    message_id: &message.id,
                    error: &error,
                }
                .emit(&self.parts.telemetry);
                return;
            }
        };
        EventReceived {
            message_id: &message.id,
            source: &parsed.source,
            detail_type: &parsed.detail_type,
            keys: parsed.keys.len(),
            actor: parsed.actor.as_deref(),
            relevant: parsed.outcome == Relevance::Relevant,
        }
        .emit(&self.parts.telemetry);
        if parsed.keys.is_empty() {
            self.to_delete.push(message.receipt_handle);
            return;
        }
        self.next_id += 1;
        let id = self.next_id;
        let event_time = parsed.time.or(message.sent_at);
        if let Some(who) = &parsed.actor {
            let at = event_time.unwrap_or_else(|| self.parts.clock.now());
            for key in &parsed.keys {
                self.parts.sink.record_actor(key, who, at);
            }
        }
        for (key, run) in parsed.runs {
            self.parts.sink.record_run(&key, run);
        }
        self.in_flight.insert(
            id,
            InFlight {
                handle: message.receipt_handle,
                event_time,
                received: Instant::now(),
                since: Instant::now(),
            },
        );
        self.offer(Parked {
            id,
            keys: parsed.keys.into(),
            told: Vec::new(),
        });
    }

    /// Gives a message's keys to the work queue, as far as they fit.
    fn offer(&mut self, mut message: Parked) {
        while let Some(key) = message.keys.front() {
            let (done, told) = oneshot::channel();
            match self.parts.sink.add(key.clone(), done) {
                Ok(()) => {
                    message.keys.pop_front();
                    message.told.push(told);
                }
                Err(AddError::Full) => {
                    self.parked.push_front(message);
                    return;
                }
                Err(AddError::ShutDown) => {
                    self.end(message.id, Disposition::Abandoned, true);
                    return;
                }
            }
        }
        let Parked { id, told, .. } = message;
        self.waits.push(Box::pin(async move {
            let mut ended = Disposition::Handled;
            for one in told {
                match one.await {
                    Ok(Ok(())) => {}
                    Ok(Err(RunFailed)) => ended = Disposition::Failed,
                    Err(_) => return (id, Disposition::Abandoned),
                }
            }
            (id, ended)
        }));
    }

    fn offer_parked(&mut self) {
        while let Some(message) = self.parked.pop_front() {
            let id = message.id;
            self.offer(message);
            if self.parked.front().is_some_and(|front| front.id == id) {
                return;
            }
        }
    }

    fn release_parked(&mut self) {
        for Parked { id, .. } in std::mem::take(&mut self.parked) {
            self.end(id, Disposition::Abandoned, true);
        }
    }

    fn end(&mut self, id: u64, ended: Disposition, is_stopping: bool) {
        let Some(message) = self.in_flight.remove(&id) else {
            return;
        };
        match ended {
            Disposition::Handled => {
                let lag = message
                    .event_time
                    .map(|time| self.parts.clock.now().duration_since(time).as_secs_f64());
                EventHandled {
                    took: message.received.elapsed(),
                    lag,
                }
                .emit(&self.parts.telemetry);
                self.to_delete.push(message.handle);
            }
            Disposition::Abandoned if is_stopping => self.to_release.push(message.handle),
            Disposition::Failed | Disposition::Abandoned => {}
        }
    }

    /// Starts what is owed to the queue.
    fn flush(&mut self) {
        for handles in chunks(&mut self.to_delete) {
            self.chores
                .push(Box::pin(delete(Arc::clone(&self.parts.source), handles)));
        }
        for handles in chunks(&mut self.to_release) {
            self.chores.push(Box::pin(set_visibility(
                Arc::clone(&self.parts.source),
                handles,
                Duration::ZERO,
            )));
        }
    }

    /// Keeps messages that take longer than their visibility timeout from being delivered a second time.
    fn renew(&mut self) {
        let (now, visibility) = (Instant::now(), self.parts.source.visibility());
        let mut handles = Vec::new();
        for message in self.in_flight.values_mut().filter(|m| now - m.since >= visibility / 2) {
            message.since = now;
            handles.push(message.handle.clone());
        }
        for batch in chunks(&mut handles) {
            self.chores.push(Box::pin(set_visibility(
                Arc::clone(&self.parts.source),
                batch,
                visibility,
            )));
        }
    }

    /// The grace is over: whatever is still in flight goes back now.
    async fn give_up(&mut self) {
        let left = self.in_flight.len();
        MessagesGivenBack { messages: left }.emit();
        let ids: Vec<u64> = self.in_flight.keys().copied().collect();
        for id in ids {
            self.end(id, Disposition::Abandoned, true);
        }
        self.flush();
        let rest = async { while self.chores.next().await.is_some() {} };
        // Not given back is not lost: the visibility timeout does the same, later.
        let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
    }
}

fn chunks(handles: &mut Vec<String>) -> Vec<Vec<String>> {
    std::mem::take(handles).chunks(BATCH).map(<[String]>::to_vec).collect()
}

/// Deletes a batch, trying again a few times what SQS did not delete in a call that succeeded; a call that failed, the
/// SDK has repeated already. What stays is handled twice, which is harmless.
async fn delete(source: Arc<dyn EventSource>, mut handles: Vec<String>) {
    for attempt in 0..4u32 {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100) * (1 << (2 * attempt))).await;
        }
        match source.delete(handles.clone()).await {
            Ok(left) if left.is_empty() => return,
            Ok(left) => handles = left,
            Err(error) => {
                tracing::debug!(%error, attempt, "handled messages not deleted");
                break;
            }
        }
    }
    MessagesNotDeleted {
        messages: handles.len(),
    }
    .emit();
}

async fn set_visibility(source: Arc<dyn EventSource>, handles: Vec<String>, visibility: Duration) {
    if let Err(error) = source.set_visibility(handles, visibility).await {
        tracing::debug!(%error, "visibility timeout not changed; messages may be delivered again");
    }
}
