//! One token bucket, in tokio's time.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// Burst and sustained calls a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) per_second: f64,
}

/// Counts in tokio's time, which tests pause.
#[derive(Debug, Clone, Copy, Default)]
struct TokioClock;

/// An instant of tokio's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(tokio::time::Instant);

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, later: Nanos) -> Self {
        Self(self.0 + later.into())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(tokio::time::Instant::now())
    }
}

/// One bucket, and how much it holds.
pub(super) struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>,
    burst: u32,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            limiter: RateLimiter::direct_with_clock(quota(rate), TokioClock),
            burst: rate.burst.max(1),
        }
    }

    /// Takes this many tokens at once, or, if it never holds that many, all that it holds.
    pub(super) async fn take(&self, tokens: u32) {
        let tokens = NonZeroU32::new(tokens.min(self.burst)).unwrap_or(NonZeroU32::MIN);
        // The bucket is never asked for more than it holds, which is the outer error.
        while let Ok(Err(not_yet)) = self.limiter.check_n(tokens) {
            tokio::time::sleep(not_yet.wait_time_from(TokioClock.now())).await;
        }
    }
}

fn quota(rate: Rate) -> Quota {
    let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs_f64(1.0 / rate.per_second.clamp(0.001, 1e9));
    // A period of nothing is no limit at all.
    Quota::with_period(period)
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
        .allow_burst(burst)
}
