//! The binary: exit code only.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    holdfast::cli::Cli::parse().run()
}
