//! `holdfast`, the program. What it does is in the library of the same name: see `lib.rs`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    holdfast::cli::Cli::parse().run()
}
