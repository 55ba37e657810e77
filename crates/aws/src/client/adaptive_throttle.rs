//! How many tokens one call of a family takes: more while AWS throttles.

use std::sync::{Mutex, PoisonError};

/// Most tokens that one call takes.
const MOST: u32 = 16;
/// After this many attempts that AWS accepted, a call takes one token less.
const RELEASE: u32 = 8;

/// Doubles what a call takes when AWS throttles, and recovers slowly. AWS's own limit may be lower than the documented
/// one, or be shared with other callers in the account.
#[derive(Debug, Default)]
pub(super) struct AdaptiveThrottle(Mutex<Throttle>);

impl AdaptiveThrottle {
    /// What a call takes now.
    pub(super) fn tokens(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tokens
    }

    /// An attempt of a call that took this many tokens was throttled.
    pub(super) fn throttled(&self, took: u32) {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *throttle = throttle.throttled(took);
    }

    /// An attempt was not throttled.
    pub(super) fn taken(&self) {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *throttle = throttle.taken();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Throttle {
    tokens: u32,
    taken: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { tokens: 1, taken: 0 }
    }
}

impl Throttle {
    /// Calls that left before the last doubling tell nothing new: a wave that is throttled as a whole counts once.
    fn throttled(self, took: u32) -> Self {
        let tokens = if took < self.tokens {
            self.tokens
        } else {
            (self.tokens * 2).min(MOST)
        };
        Self { tokens, taken: 0 }
    }

    fn taken(self) -> Self {
        match self {
            Self { tokens: 1, .. } => Self::default(),
            Self { tokens, taken } if taken + 1 >= RELEASE => Self {
                tokens: tokens - 1,
                taken: 0,
            },
            Self { tokens, taken } => Self {
                tokens,
                taken: taken + 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(mut throttle: Throttle, n: u32) -> Throttle {
        for _ in 0..n {
            throttle = throttle.taken();
        }
        throttle
    }

    #[test]
    fn doubles_up_to_a_bound_and_recovers_one_by_one() {
        let mut throttle = Throttle::default();
        for tokens in [2, 4, 8, 16, 16] {
            throttle = throttle.throttled(throttle.tokens);
            assert_eq!(throttle.tokens, tokens);
        }
        assert_eq!(times(throttle, RELEASE - 1).tokens, 16);
        assert_eq!(times(throttle, RELEASE).tokens, 15);
        assert_eq!(times(throttle, RELEASE * 100), Throttle::default());
    }

    #[test]
    fn a_wave_counts_once() {
        let mut throttle = Throttle::default();
        for _ in 0..32 {
            throttle = throttle.throttled(1);
        }
        assert_eq!(throttle.tokens, 2);
    }

    #[test]
    fn what_is_throttled_does_not_count_towards_recovery() {
        let throttle = times(Throttle::default().throttled(1), RELEASE - 1).throttled(1);
        assert_eq!(times(throttle, RELEASE - 1).tokens, 2);
    }
}
