//! The operator against a simulated AWS, built with optimization: a profile of its own, so that nothing else is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs `seeds` of them, or `seed` alone with its whole trace.
pub fn run(checkout: &Path, variable: &str, number: &str) -> Result<()> {
    let number: u64 = number.parse().with_context(|| format!("{number} is no number"))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--locked", "--profile", "simulation"])
        .args([
            "--package",
            "holdfast-operator",
            "--test",
            "simulation",
            "--",
            "--nocapture",
        ])
        .env(variable, number.to_string())
        .current_dir(checkout)
        .status()
        .context("cargo test")?;
    ensure!(
        status.success(),
        "the simulation failed: cargo xtask simulate --seed N tells more of one seed"
    );
    Ok(())
}
