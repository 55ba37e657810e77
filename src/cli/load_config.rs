//! Where the configuration comes from. `holdfast_core::config` checks and merges it.

use std::io::Read as _;
use std::path::Path;

use holdfast_core::config::{self, ConfigErrors, Loaded, MAX_BYTES};
use holdfast_core::rules;

use super::failure::Failure;

const VARIABLE: &str = "HOLDFAST_CONFIG_YAML";

/// Loads the configuration from the file, else from the environment, else the defaults.
pub(super) fn load_config(path: Option<&Path>) -> Result<Loaded, Failure> {
    let ids = rules::all_ids();
    let loaded = match (path, std::env::var(VARIABLE)) {
        (Some(path), _) => read_file(path, &ids),
        (None, Ok(text)) => config::load_text(VARIABLE, &text, &ids),
        (None, Err(_)) => Ok(Loaded::defaults()),
    };
    loaded.map_err(|e| Failure(format!("the configuration is not valid:\n{e}")))
}

/// Reads at most one byte more than a configuration may have.
fn read_file(path: &Path, known_rules: &[&str]) -> Result<Loaded, ConfigErrors> {
    let name = path.display().to_string();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => config::load_bytes(&name, &bytes, known_rules),
        Err(e) => Err(ConfigErrors::unreadable(&name, e)),
    }
}
