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

use run::Flavour;

/// Each flavour runs those seeds that leave its number when divided by [`Flavour::ALL`].
fn seeds(flavour: Flavour) {
    let number = |name: &str| std::env::var(name).ok().map(|v| v.parse::<u64>().expect("a number"));
    let count = Flavour::ALL.len() as u64;
    let own = flavour as u64;
    if let Some(seed) = number("HOLDFAST_SIM_SEED") {
        if seed % count == own {
            let first = run::seed(seed, true);
            assert_eq!(
                first,
                run::seed(seed, false),
                "HOLDFAST_SIM_SEED={seed}: two runs differ"
            );
        }
        return;
    }
    let from = number("HOLDFAST_SIM_FROM").unwrap_or(0);
    let all = number("HOLDFAST_SIM_SEEDS").unwrap_or(3_000);
    let began = clock();
    let mut failures = vec![];
    let mut done = 0;
    let mut total = run::Outcome::default();
    for seed in (from..from + all).filter(|seed| seed % count == own) {
        match std::panic::catch_unwind(|| run::seed(seed, false)) {
            Ok(outcome) => {
                if done < 5 {
                    assert_eq!(
                        outcome,
                        run::seed(seed, false),
                        "HOLDFAST_SIM_SEED={seed}: two runs differ"
                    );
                }
                total.add(&outcome);
            }
            Err(_) => failures.push(seed),
        }
        done += 1;
        if failures.len() > 4 {
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "{flavour:?}: {done} seeds in {took:.1} s, {:.0} a second; {total:?}",
        f64::from(done) / took
    );
    assert!(failures.is_empty(), "failed seeds: {failures:?}");
    assert!(total.effects > 0, "nothing was ever corrected");
}

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
