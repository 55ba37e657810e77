//! What goes wrong, and how often. All of it ends at a known instant.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::model::snapshot::ReadError;
use tokio::time::Instant;

use crate::sim::{LATEST, STALEST};
use crate::world::{Fate, ms};

/// Chances of faults, each of one call or event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    pub failed_read: f64,
    pub stale_read: f64,
    pub failed_write: f64,
    pub lost_answer: f64,
    pub lost_event: f64,
    pub late_event: f64,
    pub repeated_event: f64,
    /// That a process dies at an await.
    pub crash: f64,
    pub slow: f64,
    pub failed_ledger: f64,
    /// That a new revision is no good.
    pub bad_revision: f64,
}

#[derive(Debug, Clone)]
pub struct Weather {
    pub rates: Rates,
    /// When all faults end.
    pub until: Instant,
    /// The ledger can't be used until then.
    pub ledger_down: Option<Instant>,
    /// Nothing can be read until then.
    pub blind: Option<Instant>,
}

/// What becomes of a call that changes something.
pub enum Sent {
    /// It arrives after so long, and its answer comes.
    Answered(Duration),
    /// It arrives, and the answer is lost.
    Unanswered(Duration),
    /// It never arrives; the code tells whether that is certain.
    Failed(&'static str),
}

const PASSING: [&str; 3] = ["ThrottlingException", "Timeout", "InternalFailure"];

pub fn error(service: &str, operation: &str, code: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: service.into(),
        operation: operation.into(),
        resource: "simulated".into(),
        code: code.into(),
        message: format!("simulated {code} of {service}:{operation}"),
    })
}

impl Weather {
    pub fn is_bad(&self) -> bool {
        Instant::now() < self.until
    }

    fn strikes(&self, rate: f64) -> bool {
        self.is_bad() && rate > 0.0 && fastrand::f64() < rate
    }

    pub fn crashes(&self) -> bool {
        self.strikes(self.rates.crash)
    }

    pub fn failed_read(&self, service: &str, operation: &str) -> Option<Arc<ReadError>> {
        let blind = self.is_bad() && self.blind.is_some_and(|until| Instant::now() < until);
        if !blind && !self.strikes(self.rates.failed_read) {
            return None;
        }
        let code = match fastrand::u8(..8) {
            0 => "AccessDeniedException",
            n => PASSING[usize::from(n) % PASSING.len()],
        };
        Some(error(service, operation, code))
    }

    pub fn staleness(&self) -> Duration {
        if self.strikes(self.rates.stale_read) {
            STALEST.mul_f64(fastrand::f64())
        } else {
            Duration::ZERO
        }
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        if self.strikes(self.rates.slow) {
            ms(200, 3_000)
        } else {
            ms(5, 150)
        }
    }

    pub fn write(&self) -> Sent {
        if self.strikes(self.rates.failed_write) {
            let code = match fastrand::u8(..4) {
                0 => "AccessDeniedException",
                1 => "ThrottlingException",
                _ => "Timeout",
            };
            return Sent::Failed(code);
        }
        if self.strikes(self.rates.lost_answer) {
            return Sent::Unanswered(LATEST.mul_f64(fastrand::f64()));
        }
        Sent::Answered(self.latency())
    }

    /// When a change is told of; never, once, or more often.
    pub fn event(&self) -> Vec<Duration> {
        if self.strikes(self.rates.lost_event) {
            return vec![];
        }
        let count = 1 + usize::from(self.strikes(self.rates.repeated_event));
        let after = |_| {
            if self.strikes(self.rates.late_event) {
                ms(1_000, 90_000)
            } else {
                ms(20, 800)
            }
        };
        (0..count).map(after).collect()
    }

    /// Why the ledger can't be used, and whether what was asked is done all the same.
    pub fn ledger(&self) -> Option<bool> {
        if self.is_bad() && self.ledger_down.is_some_and(|until| Instant::now() < until) {
            return Some(false);
        }
        self.strikes(self.rates.failed_ledger).then(fastrand::bool)
    }

    pub fn fate(&self) -> Fate {
        if !self.strikes(self.rates.bad_revision) {
            Fate::Good
        } else if fastrand::bool() {
            Fate::Fails
        } else {
            Fate::Hangs
        }
    }
}
