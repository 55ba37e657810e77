//! `holdfast config`

use std::path::Path;

use clap::Subcommand;

use super::session::{configuration, print, print_json};
use super::{Failure, exit};
use holdfast_core::{config, rules};

/// Commands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Reports every error at once, with file, line and column.
    Check,
    /// The configuration in force, and where each value comes from.
    Show,
    /// JSON Schema, for editors.
    Schema,
}

pub(super) fn run(command: &ConfigCommand, path: Option<&Path>) -> Result<u8, Failure> {
    match command {
        ConfigCommand::Schema => print_json(&config::schema(&rules::ids())),
        ConfigCommand::Show => {
            print(&config::show(&configuration(path)?))?;
            Ok(exit::CLEAN)
        }
        ConfigCommand::Check => {
            let loaded = configuration(path)?;
            let source = loaded.source.as_deref().unwrap_or("the defaults");
            print(&format!("{source}: valid\n"))?;
            Ok(exit::CLEAN)
        }
    }
}
