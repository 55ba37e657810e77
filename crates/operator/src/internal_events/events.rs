//! Messages of the event queue.

use std::time::Duration;

use super::telemetry::Telemetry;
use crate::ports::SourceError;

/// A message was understood.
pub struct EventReceived<'a> {
    /// The message's id.
    pub message_id: &'a str,
    /// Who sent the event, for instance `aws.rds`.
    pub source: &'a str,
    /// Its detail type.
    pub detail_type: &'a str,
    /// How many keys it names.
    pub keys: usize,
    /// Who made the call that it tells of.
    pub actor: Option<&'a str>,
    /// Whether it concerns us.
    pub relevant: bool,
}

impl EventReceived<'_> {
    /// Logs and counts it.
    pub fn emit(self, telemetry: &Telemetry) {
        let Self {
            message_id,
            source,
            detail_type,
            keys,
            actor,
            relevant,
        } = self;
        let result = if relevant { "queued" } else { "ignored" };
        telemetry.metrics.events.received(source, detail_type, result);
        tracing::debug!(message_id, source, detail_type, keys, actor, result, "event received");
    }
}

/// A message was not understood.
pub struct EventMalformed<'a, E> {
    /// The message's id.
    pub message_id: &'a str,
    /// Why.
    pub error: &'a E,
}

impl<E: std::fmt::Display> EventMalformed<'_, E> {
    /// Logs and counts it. The content stays out of the log: nobody knows what it holds.
    pub fn emit(self, telemetry: &Telemetry) {
        tracing::warn!(message_id = %self.message_id, error = %self.error,
            "event not understood; left for the dead-letter queue");
        telemetry.metrics.events.received("unknown", "unknown", "malformed");
    }
}

/// All that a message named was looked at.
pub struct EventHandled {
    /// Since its receipt.
    pub took: Duration,
    /// Since the event's own time, in seconds, where that is known; negative if a clock is ahead.
    pub lag: Option<f64>,
}

impl EventHandled {
    /// Measures it.
    pub fn emit(self, telemetry: &Telemetry) {
        telemetry.metrics.events.handled(self.took.as_secs_f64(), self.lag);
    }
}

/// A poll of the queue failed.
pub struct ReceiveFailed<'a> {
    /// What AWS said.
    pub error: &'a SourceError,
    /// How many polls failed in a row.
    pub failures: u32,
    /// When the next one is made.
    pub retry_in: Duration,
}

impl ReceiveFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let (error, failures) = (self.error, self.failures);
        let retry_in_ms = u64::try_from(self.retry_in.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%error, failures, retry_in_ms, "no events received; sweeps go on");
    }
}

/// Messages go back to the queue, since the process ends.
pub struct MessagesGivenBack {
    /// How many.
    pub messages: usize,
}

impl MessagesGivenBack {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            messages = self.messages,
            "messages still in flight at the end of the grace go back to the queue"
        );
    }
}

/// Messages that were handled could not be deleted, and will be handled again.
pub struct MessagesNotDeleted {
    /// How many.
    pub messages: usize,
}

impl MessagesNotDeleted {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            messages = self.messages,
            "handled messages could not be deleted; they will be handled again"
        );
    }
}
