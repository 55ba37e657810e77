//! Event messages.

use prometheus::{Histogram, HistogramOpts, IntCounterVec};

use super::series::{Bounded, Maker};

/// From the receipt of a message until it was handled.
const HANDLING_SECONDS: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// From the event's own time: `EventBridge` takes about a second, `CloudTrail` minutes, a queue outage hours.
const LAG_SECONDS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0,
];

/// Metrics of event messages.
#[derive(Debug)]
pub struct EventMetrics {
    sources: Bounded,
    detail_types: Bounded,
    received: IntCounterVec,
    lag: Histogram,
    handling: Histogram,
}

impl EventMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            make.add(Histogram::with_opts(
                HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            )?)
        };
        Ok(Self {
            sources: Bounded::new(20),
            detail_types: Bounded::new(50),
            lag: histogram(
                "holdfast_event_lag_seconds",
                "From an event's own time until what it named was judged.",
                LAG_SECONDS,
            )?,
            handling: histogram(
                "holdfast_event_handling_seconds",
                "From the receipt of a message until all that it named was judged, and corrected where that was due.",
                HANDLING_SECONDS,
            )?,
            received: make.counter(
                "holdfast_events_received_total",
                "Event messages received, by what became of them (queued, ignored, malformed).",
                &["source", "detail_type", "result"],
            )?,
        })
    }

    /// Counts one event message; `result` is `queued`, `ignored` or `malformed`.
    pub fn received(&self, source: &str, detail_type: &str, result: &str) {
        let labels = [self.sources.admit(source), self.detail_types.admit(detail_type), result];
        self.received.with_label_values(&labels).inc();
    }

    /// Observes one message that was handled: seconds since its receipt, and since the event's own time where that is
    /// known. Negative lags (clock skew) count as none.
    pub fn handled(&self, seconds: f64, lag: Option<f64>) {
        if let Some(lag) = lag {
            self.lag.observe(lag.max(0.0));
        }
        self.handling.observe(seconds);
    }
}
