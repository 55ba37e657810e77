//! The faults of calls, reads, events and the ledger, and how often each happens. All of them end at a known instant.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::model::snapshot::ReadError;
use tokio::time::Instant;

use crate::bounds::{MAX_DELIVERY_DELAY, MAX_STALENESS, random_ms};
use crate::world::Fate;

/// The probability of each fault, per call or event.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultRates {
    pub failed_read: f64,
    pub stale_read: f64,
    pub failed_write: f64,
    pub lost_answer: f64,
    pub lost_event: f64,
    pub late_event: f64,
    pub repeated_event: f64,
    /// A process crashes at one of its calls, before it or after it.
    pub crash: f64,
    pub slow: f64,
    pub failed_ledger: f64,
    /// A new revision doesn't run.
    pub bad_revision: f64,
    /// CI deregisters the revision that a rollout would go back to, while the rollout is under way.
    pub deregistered_base: f64,
}

#[derive(Debug, Clone)]
pub struct Faults {
    pub rates: FaultRates,
    /// When all faults end.
    pub until: Instant,
    /// A partition cuts every process off from the ledger until then.
    pub ledger_partition: Option<Instant>,
    /// A partition cuts every process off from all read APIs until then.
    pub read_partition: Option<Instant>,
}

/// What happens to a call that changes something.
pub enum Delivery {
    /// It arrives after this time, and the process gets the answer.
    Answered(Duration),
    /// It arrives after this time, and the answer is lost.
    Unanswered(Duration),
    /// It doesn't arrive. The code says whether the process can be certain of that.
    Failed(&'static str),
}

/// Whether a call to the ledger fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFault {
    /// It fails and has no effect.
    NotDone,
    /// It has its effect, and the answer is lost.
    Done,
}

const TRANSIENT: [&str; 3] = ["ThrottlingException", "Timeout", "InternalFailure"];

pub fn error(service: &str, operation: &str, code: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: service.into(),
        operation: operation.into(),
        resource: "simulated".into(),
        code: code.into(),
        message: format!("simulated {code} of {service}:{operation}"),
    })
}

impl Faults {
    pub fn new(rates: FaultRates, until: Instant) -> Self {
        Self {
            rates,
            until,
            ledger_partition: None,
            read_partition: None,
        }
    }

    fn is_active(&self) -> bool {
        Instant::now() < self.until
    }

    fn happens(&self, rate: f64) -> bool {
        self.is_active() && rate > 0.0 && fastrand::f64() < rate
    }

    fn is_cut_off(&self, partition: Option<Instant>) -> bool {
        self.is_active() && partition.is_some_and(|until| Instant::now() < until)
    }

    pub fn crash(&self) -> bool {
        self.happens(self.rates.crash)
    }

    pub fn failed_read(&self, service: &str, operation: &str) -> Option<Arc<ReadError>> {
        if !self.is_cut_off(self.read_partition) && !self.happens(self.rates.failed_read) {
            return None;
        }
        let code = match fastrand::u8(..8) {
            0 => "AccessDeniedException",
            n => TRANSIENT[usize::from(n) % TRANSIENT.len()],
        };
        Some(error(service, operation, code))
    }

    /// How old what a read shows is.
    pub fn staleness(&self) -> Duration {
        if self.happens(self.rates.stale_read) {
            MAX_STALENESS.mul_f64(fastrand::f64())
        } else {
            Duration::ZERO
        }
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        if self.happens(self.rates.slow) {
            random_ms(200, 3_000)
        } else {
            random_ms(5, 150)
        }
    }

    pub fn delivery(&self) -> Delivery {
        if self.happens(self.rates.failed_write) {
            let code = match fastrand::u8(..4) {
                0 => "AccessDeniedException",
                1 => "ThrottlingException",
                _ => "Timeout",
            };
            return Delivery::Failed(code);
        }
        if self.happens(self.rates.lost_answer) {
            return Delivery::Unanswered(MAX_DELIVERY_DELAY.mul_f64(fastrand::f64()));
        }
        Delivery::Answered(self.latency())
    }

    /// When the event of a change arrives: never, once or twice.
    pub fn event_delays(&self) -> Vec<Duration> {
        if self.happens(self.rates.lost_event) {
            return vec![];
        }
        let count = 1 + usize::from(self.happens(self.rates.repeated_event));
        let delay = |_| {
            if self.happens(self.rates.late_event) {
                random_ms(1_000, 90_000)
            } else {
                random_ms(20, 800)
            }
        };
        (0..count).map(delay).collect()
    }

    /// When the base of a revision is deregistered that was registered just now.
    pub fn deregistration(&self) -> Option<Duration> {
        self.happens(self.rates.deregistered_base)
            .then(|| random_ms(500, 60_000))
    }

    pub fn ledger_fault(&self) -> Option<LedgerFault> {
        if self.is_cut_off(self.ledger_partition) {
            return Some(LedgerFault::NotDone);
        }
        if !self.happens(self.rates.failed_ledger) {
            return None;
        }
        Some(if fastrand::bool() {
            LedgerFault::Done
        } else {
            LedgerFault::NotDone
        })
    }

    pub fn fate(&self) -> Fate {
        if !self.happens(self.rates.bad_revision) {
            Fate::Succeeds
        } else if fastrand::bool() {
            Fate::Fails
        } else {
            Fate::Hangs
        }
    }
}
