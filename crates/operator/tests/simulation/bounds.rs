//! How far each fault goes at most, and how long things take. The faults draw within these figures and the invariants
//! calculate with them.

use std::time::Duration;

use holdfast_operator::execute::Timeouts;
use jiff::Timestamp;

/// A call takes effect at most this long after it was sent, also when its answer is lost.
pub const MAX_DELIVERY_DELAY: Duration = Duration::from_secs(8);

/// A read shows AWS as it was at most this long ago. A late call is visible after 8 s + 20 s = 28 s, which is less than
/// the 30 s of `Timeouts::consistency`.
pub const MAX_STALENESS: Duration = Duration::from_secs(20);

/// A write uses a read that is at most this old. Between the two are the kill switch, the lease and two lines of the
/// ledger, each up to 3 s, and the process may be held for 45 s meanwhile: 4 × 3 s + 45 s = 57 s.
pub const MAX_READ_AGE: Duration = Duration::from_mins(1);

/// The clock of a process is ahead or behind by at most this much, so two clocks differ by at most twice as much.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// From the end of a migration window to the call that closes the database, when nothing is slow. The operator looks at a
/// workload at most once a second, so that may have to pass first. A read, the kill switch, two lines of the ledger and the
/// call then take up to 0.15 s each: 1 s + 5 × 0.15 s = 1.75 s.
pub const WINDOW_REACTION: Duration = Duration::from_millis(1_800);

/// When simulated time begins: 2026-11-21T12:00:00Z.
pub fn start() -> Timestamp {
    Timestamp::constant(1_795_262_400, 0)
}

/// How long the operator waits for AWS. A deployment takes up to 90 s here.
pub fn timeouts() -> Timeouts {
    Timeouts {
        stabilize: Duration::from_secs(150),
        // Reads are most of what a seed costs, so they are as rare as the invariants allow.
        poll: Duration::from_secs(4),
        ..Timeouts::default()
    }
}

/// How long a deployment that shifts traffic bakes: longer than `stabilize`.
pub const BAKE_MINUTES: i32 = 3;

/// A random number of milliseconds, less than `to`.
pub fn random_ms(from: u64, to: u64) -> Duration {
    Duration::from_millis(fastrand::u64(from..to))
}
