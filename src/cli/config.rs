//! `holdfast config`

use std::path::Path;

use clap::Subcommand;
use holdfast_core::{config, rules};

use super::failure::Failure;
use super::load_config::load_config;
use super::output::{print, print_json};
use crate::exit::Exit;

/// Commands of `config`.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Reports every error at once, with file, line and column.
    Check,
    /// The configuration in force, and where each value comes from.
    Show,
    /// JSON Schema, for editors.
    Schema,
}

pub(super) fn run(command: &ConfigCommand, path: Option<&Path>) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Schema => print_json(&config::schema(&rules::all_ids()))?,
        ConfigCommand::Show => print(&config::show(&load_config(path)?))?,
        ConfigCommand::Check => {
            let loaded = load_config(path)?;
            let source = loaded.source.as_deref().unwrap_or("the defaults");
            print(&format!("{source}: valid\n"))?;
        }
    }
    Ok(Exit::Clean)
}
