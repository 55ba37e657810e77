//! What a checkout is checked and rebuilt with: `cargo xtask help`.

mod reference;
mod simulate;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy [CHECKOUT]               circles of imports, layers, purity of the core, rules and their registry, long files
  reference [--check] BINARY    write docs/{rules,cli,config,metrics}.md, or fail if they are not what BINARY says
  simulate --seeds N            the operator against a simulated AWS, N times; built with optimization
  simulate --seed N             one of them, with its whole trace
";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => return tidy(&checkout()),
        ["tidy", elsewhere] => return tidy(Path::new(elsewhere)),
        ["reference", "--check", binary] => reference::run(&checkout(), Path::new(binary), true)?,
        ["reference", binary] => reference::run(&checkout(), Path::new(binary), false)?,
        ["simulate", "--seeds", count] => simulate::run(&checkout(), "HOLDFAST_SIM_SEEDS", count)?,
        ["simulate", "--seed", seed] => simulate::run(&checkout(), "HOLDFAST_SIM_SEED", seed)?,
        ["help" | "--help"] => print!("{USAGE}"),
        _ => bail!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The checkout that this was built from.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

fn tidy(checkout: &Path) -> Result<ExitCode> {
    let complaints = tidy::check(checkout)?;
    for complaint in &complaints {
        println!("{complaint}\n");
    }
    if complaints.is_empty() {
        println!("tidy");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} complaints", complaints.len());
    Ok(ExitCode::FAILURE)
}
