//! The brake of a family of calls: how many tokens one call takes, by how AWS takes the calls.

use std::sync::{Mutex, PoisonError};

/// Most tokens that one call takes.
const MOST: u32 = 16;
/// After so many attempts that AWS took, a call takes one token less.
const RELEASE: u32 = 8;

/// Doubles what a call takes when AWS throttles, and lets go slowly. AWS's own limit may be lower than the documented
/// one, or be shared with whoever else calls in the account.
#[derive(Debug, Default)]
pub(super) struct AdaptiveThrottle(Mutex<Braking>);

impl AdaptiveThrottle {
    /// What a call takes now.
    pub(super) fn tokens(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tokens
    }

    /// An attempt of a call that took so many tokens was throttled.
    pub(super) fn throttled(&self, took: u32) {
        let mut braking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *braking = braking.throttled(took);
    }

    /// An attempt was not throttled.
    pub(super) fn taken(&self) {
        let mut braking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *braking = braking.taken();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Braking {
    tokens: u32,
    taken: u32,
}

impl Default for Braking {
    fn default() -> Self {
        Self { tokens: 1, taken: 0 }
    }
}

impl Braking {
    /// Calls that left before the last doubling tell nothing new: a wave that is throttled as a whole brakes once.
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

    fn times(mut braking: Braking, n: u32) -> Braking {
        for _ in 0..n {
            braking = braking.taken();
        }
        braking
    }

    #[test]
    fn doubles_up_to_a_bound_and_lets_go_one_by_one() {
        let mut braking = Braking::default();
        for tokens in [2, 4, 8, 16, 16] {
            braking = braking.throttled(braking.tokens);
            assert_eq!(braking.tokens, tokens);
        }
        assert_eq!(times(braking, RELEASE - 1).tokens, 16);
        assert_eq!(times(braking, RELEASE).tokens, 15);
        assert_eq!(times(braking, RELEASE * 100), Braking::default());
    }

    #[test]
    fn a_wave_brakes_once() {
        let mut braking = Braking::default();
        for _ in 0..32 {
            braking = braking.throttled(1);
        }
        assert_eq!(braking.tokens, 2);
    }

    #[test]
    fn what_is_throttled_does_not_count_towards_letting_go() {
        let braking = times(Braking::default().throttled(1), RELEASE - 1).throttled(1);
        assert_eq!(times(braking, RELEASE - 1).tokens, 2);
    }
}
