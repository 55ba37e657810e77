//! Calls to AWS.

use prometheus::{HistogramVec, IntCounterVec};

use super::series::{Bounded, Maker};

/// A cached read is some ms, a slow page or a throttled one seconds.
const REQUEST_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Metrics of calls to AWS.
#[derive(Debug)]
pub struct RequestMetrics {
    codes: Bounded,
    operations: Bounded,
    total: IntCounterVec,
    seconds: HistogramVec,
    throttled: IntCounterVec,
}

impl RequestMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            codes: Bounded::new(200),
            operations: Bounded::new(500),
            total: make.counter(
                "holdfast_aws_requests_total",
                "Calls to AWS.",
                &["service", "operation", "code"],
            )?,
            seconds: make.histogram(
                "holdfast_aws_request_duration_seconds",
                "One call to AWS, retries included.",
                &["service", "operation"],
                REQUEST_SECONDS,
            )?,
            throttled: make.counter(
                "holdfast_aws_throttled_total",
                "Calls that AWS throttled.",
                &["service", "operation"],
            )?,
        })
    }

    /// Counts one call to AWS. `code` is `ok` or the error code.
    pub fn observe(&self, service: &str, operation: &str, code: &str, seconds: f64) {
        let (service, operation) = (self.operations.admit(service), self.operations.admit(operation));
        self.total
            .with_label_values(&[service, operation, self.codes.admit(code)])
            .inc();
        self.seconds.with_label_values(&[service, operation]).observe(seconds);
        // Named from the start, so that the first throttled call is an increase and not a new series.
        self.throttled.with_label_values(&[service, operation]);
    }

    /// Counts one call that AWS throttled, beside [`Self::observe`].
    pub fn throttled(&self, service: &str, operation: &str) {
        self.throttled
            .with_label_values(&[self.operations.admit(service), self.operations.admit(operation)])
            .inc();
    }
}
