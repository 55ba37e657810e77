//! Runs the operator against a model of AWS in simulated time, with faults drawn from a seed. How to use it is in
//! CONTRIBUTING.md.
//!
//! The files, each of which uses only those above it: `bounds`; `world`, the model of AWS, and `timeline`, its past;
//! `generate`, its initial state; `faults` and `scenario`, what fails and how often; `invariants`, what must hold; `sim`, what
//! all of these share; `fake_reads`, from the model to a snapshot; `process`, `ports` and `replica`, the operator in a process
//! that crashes and restarts; `people` and `disturbances`, what happens meanwhile; `run`, one seed.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bounds;
mod disturbances;
mod fake_reads;
mod faults;
mod generate;
mod invariants;
mod people;
mod ports;
mod process;
mod replica;
mod run;
mod scenario;
mod sim;
mod timeline;
mod world;

use run::{Summary, run_seed};
use scenario::{Sabotage, Scenario};
use sim::Options;

/// How many seeds all scenarios have together. A test that is not optimized runs fewer than ten in a CPU second, so
/// `make test` and `make simulate` ask for their own number of an optimized one.
const SEEDS: u64 = 500;
/// How many seeds of each scenario are run twice, to check that both runs are equal.
const RUN_TWICE: usize = 5;
/// A scenario stops after so many failures.
const MAX_FAILURES: usize = 5;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|v| !v.is_empty())?;
    Some(text.parse().expect("a number"))
}

fn run(seed: u64) -> Result<Summary, String> {
    run_seed(Options {
        seed,
        prints: false,
        sabotage: Sabotage::None,
    })
}

fn assert_repeats(seed: u64, first: &Result<Summary, String>) {
    assert!(*first == run(seed), "HOLDFAST_SIM_SEED={seed}: two runs differ");
}

/// Runs all seeds of a scenario: `HOLDFAST_SIM_SEEDS` of them from `HOLDFAST_SIM_FROM` on, or `HOLDFAST_SIM_SEED` alone,
/// with its trace.
fn run_all(scenario: Scenario) {
    if let Some(seed) = number("HOLDFAST_SIM_SEED") {
        if Scenario::of(seed) == scenario {
            run_with_trace(seed);
        }
        return;
    }
    let from = number("HOLDFAST_SIM_FROM").unwrap_or(0);
    let count = number("HOLDFAST_SIM_SEEDS").unwrap_or(SEEDS);
    let (began, mut done, mut failed, mut total) = (wall_clock(), 0, vec![], Summary::default());
    for seed in (from..from + count).filter(|seed| Scenario::of(*seed) == scenario) {
        let result = run(seed);
        if done < RUN_TWICE {
            assert_repeats(seed, &result);
        }
        done += 1;
        match result {
            Ok(summary) => total.add(&summary),
            Err(report) => {
                println!("{report}\n");
                failed.push(seed);
                if failed.len() >= MAX_FAILURES {
                    break;
                }
            }
        }
    }
    println!("{scenario:?}: {done} seeds in {:.1?}; {total:?}", began.elapsed());
    assert!(failed.is_empty(), "make simulate SEED=n prints the trace of {failed:?}");
    assert!(total.effects > 0, "nothing was ever corrected");
}

fn run_with_trace(seed: u64) {
    let result = run_seed(Options {
        seed,
        prints: true,
        sabotage: Sabotage::None,
    });
    assert_repeats(seed, &result);
    result.unwrap_or_else(|report| panic!("{report}"));
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long the test takes, which is not simulated"
)]
fn wall_clock() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn calm() {
    run_all(Scenario::Calm);
}

#[test]
fn faults() {
    run_all(Scenario::Faults);
}

#[test]
fn crashes() {
    run_all(Scenario::Crashes);
}

#[test]
fn replicas() {
    run_all(Scenario::Replicas);
}

#[test]
fn people() {
    run_all(Scenario::People);
}

/// Asserts that one of 200 seeds of the scenario fails under this sabotage, and that its report contains `words`.
fn assert_found(sabotage: Sabotage, scenario: Scenario, words: &str) {
    let seeds = (0..).filter(|seed| Scenario::of(*seed) == scenario).take(200);
    let mut reports = seeds.filter_map(|seed| {
        run_seed(Options {
            seed,
            prints: false,
            sabotage,
        })
        .err()
    });
    assert!(
        reports.any(|report| report.contains(words)),
        "{sabotage:?}: no report contains {words:?}"
    );
}

#[test]
fn a_ledger_that_forgets_is_found() {
    assert_found(Sabotage::Ledger, Scenario::Crashes, "is still under way");
}

#[test]
fn reads_that_are_too_old_are_found() {
    assert_found(Sabotage::Reads, Scenario::People, "VIOLATED");
}

#[test]
fn a_kill_switch_that_is_ignored_is_found() {
    assert_found(Sabotage::Switch, Scenario::People, "although the kill switch");
}

#[test]
fn leases_that_several_processes_hold_are_found() {
    assert_found(Sabotage::Leases, Scenario::Replicas, "although the lease is held by");
}

#[test]
fn clocks_with_too_much_skew_are_found() {
    assert_found(Sabotage::Clocks, Scenario::Replicas, "VIOLATED");
}

#[test]
fn services_that_are_never_corrected_are_found() {
    assert_found(Sabotage::Services, Scenario::Calm, "not settled in time");
}
