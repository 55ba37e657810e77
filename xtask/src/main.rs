//! What a checkout is checked and rebuilt with: `cargo xtask help`.

mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy [CHECKOUT]    circles of imports, layers, purity of the core, rules and their registry, lengths of files
";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy(&checkout()),
        ["tidy", elsewhere] => tidy(Path::new(elsewhere)),
        ["help" | "--help"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("{USAGE}"),
    }
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
