//! A plan of four times the changes takes about four times as long. `benches/plan.rs` has the figure.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a test that measures")]

#[path = "../benches/large_plan/mod.rs"]
mod large_plan;

use std::time::{Duration, Instant};

use holdfast_core::check::{CheckOptions, check};
use holdfast_core::config::Config;
use jiff::Timestamp;

/// The shortest of three runs: what the machine does besides only adds to it.
fn shortest(changes: usize) -> Duration {
    let text = large_plan::large_plan(changes);
    let config = Config::default();
    let run = |_| {
        let begin = Instant::now();
        let checked = check(
            "plan.json",
            text.as_bytes(),
            CheckOptions::default(),
            &config,
            Timestamp::UNIX_EPOCH,
        );
        let took = begin.elapsed();
        let checked = checked.expect("a plan");
        let lost = checked
            .evaluation
            .findings
            .iter()
            .filter(|f| f.rule == "plan-destroys-data");
        assert_eq!(lost.count(), changes / 100);
        took
    };
    (0..3).map(run).min().expect("three runs")
}

#[test]
fn time_grows_with_the_changes_and_not_with_their_square() {
    let (small, large) = (shortest(1_000), shortest(4_000));
    // Sixteen times, if each change looked at all others.
    assert!(large < small * 10, "{small:?} for 1,000, {large:?} for 4,000");
}
