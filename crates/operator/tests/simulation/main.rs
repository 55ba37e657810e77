//! A seeded simulation of the operator against a model of AWS, in simulated time: CONTRIBUTING.md tells how to run it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod chaos;
mod check;
mod cloud;
mod layout;
mod process;
mod run;
mod sim;
mod view;
mod weather;
mod world;

use run::{Flavour, Sabotage};

/// The value of a variable, if it has one.
fn number(name: &str) -> Option<u64> {
    let set = std::env::var(name).ok().filter(|v| !v.is_empty());
    set.map(|v| v.parse().expect("a number"))
}

/// Each flavour runs those seeds that leave its number when divided by how many there are.
fn seeds(flavour: Flavour) {
    let (count, own) = (Flavour::ALL.len() as u64, flavour as u64);
    if let Some(seed) = number("HOLDFAST_SIM_SEED") {
        if seed % count == own {
            let first = run::seed(seed, true, Sabotage::None);
            assert!(
                first == run::seed(seed, false, Sabotage::None),
                "HOLDFAST_SIM_SEED={seed}: two runs differ"
            );
            first.unwrap_or_else(|story| panic!("{story}"));
        }
        return;
    }
    let from = number("HOLDFAST_SIM_FROM").unwrap_or(0);
    let all = number("HOLDFAST_SIM_SEEDS").unwrap_or(SEEDS);
    let began = clock();
    let mut failed = vec![];
    let mut done = 0;
    let mut total = run::Summary::default();
    for seed in (from..from + all).filter(|seed| seed % count == own) {
        let outcome = run::seed(seed, false, Sabotage::None);
        if done < TWICE {
            assert!(
                outcome == run::seed(seed, false, Sabotage::None),
                "HOLDFAST_SIM_SEED={seed}: two runs differ"
            );
        }
        done += 1;
        match outcome {
            Ok(outcome) => total.add(&outcome),
            Err(story) => {
                println!("{story}\n");
                failed.push(seed);
                if failed.len() >= ENOUGH {
                    break;
                }
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let speed = f64::from(done) / took;
    println!("{flavour:?}: {done} seeds in {took:.1} s, {speed:.0} a second; {total:?}");
    assert!(failed.is_empty(), "make simulate SEED=n tells more of {failed:?}");
    assert!(total.effects > 0, "nothing was ever corrected");
}

/// Seeds in `make test`, of all flavours.
const SEEDS: u64 = 3_000;
/// So many of each flavour are run twice, to see that both come to the same.
const TWICE: i32 = 5;
/// Failures after which a flavour is given up.
const ENOUGH: usize = 5;

#[allow(clippy::disallowed_methods, reason = "how long it takes us, not the simulated")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn calm() {
    seeds(Flavour::Calm);
}

#[test]
fn faults() {
    seeds(Flavour::Faults);
}

#[test]
fn crashes() {
    seeds(Flavour::Crashes);
}

#[test]
fn replicas() {
    seeds(Flavour::Replicas);
}

#[test]
fn people() {
    seeds(Flavour::People);
}

/// What the checks say when something is wrong that they are for.
fn finds(sabotage: Sabotage, flavour: Flavour, words: &str) {
    let seeds = (0..200).map(|n| n * Flavour::ALL.len() as u64 + flavour as u64);
    let mut found = seeds.filter_map(|seed| run::seed(seed, false, sabotage).err());
    assert!(
        found.any(|story| story.contains(words)),
        "{sabotage:?}: nothing says {words:?}"
    );
}

#[test]
fn a_ledger_that_forgets_is_found() {
    finds(Sabotage::Ledger, Flavour::Crashes, "is still under way");
}

#[test]
fn reads_that_are_too_old_are_found() {
    finds(Sabotage::Reads, Flavour::People, "VIOLATED");
}

#[test]
fn a_switch_that_is_not_heard_is_found() {
    finds(Sabotage::Switch, Flavour::People, "although the kill switch");
}

#[test]
fn leases_that_are_everybodys_are_found() {
    finds(Sabotage::Leases, Flavour::Replicas, "although the lease is held by");
}

#[test]
fn clocks_that_are_off_are_found() {
    finds(Sabotage::Clocks, Flavour::Replicas, "VIOLATED");
}

#[test]
fn services_that_are_never_corrected_are_found() {
    finds(Sabotage::Services, Flavour::Calm, "not settled in time");
}
