//! Reads a file or a text into a [`Config`], or into everything that is wrong with it.

use std::fmt;

use serde::Serialize;

use super::family::Family;
use super::schema::schema;
use super::settings::Config;
use super::{conflicts, validate};
use crate::yaml::{self, ConfigFault, Node, Place};

/// Far above any real configuration; keeps a wrong path (a disk image, `/dev/zero`) from filling the memory.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A configuration, and where each of its values comes from (for [`super::show()`]).
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The name of the file or variable it was read from; none if all of it is defaults.
    pub source: Option<String>,
    pub(super) root: Option<Node>,
}

impl Loaded {
    /// The configuration of someone who has none: all defaults.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            config: Config::default(),
            source: None,
            root: None,
        }
    }
}

/// One fault of a configuration. Displayed as `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// The name of the file or variable.
    pub source: String,
    /// Line from 1; none if the fault is the file's as a whole.
    pub line: Option<usize>,
    /// Column from 1, counted in characters; none if the fault is the file's as a whole.
    pub column: Option<usize>,
    /// What is wrong and how to put it right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "{}:{line}:{column}: {}", self.source, self.message),
            _ => write!(f, "{}: {}", self.source, self.message),
        }
    }
}

/// Everything that is wrong with a configuration: at least one error, in the order of the text. Displayed one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    /// A file that could not be read at all: `why`.
    #[must_use]
    pub fn unreadable(source: &str, why: impl fmt::Display) -> Self {
        Self(vec![ConfigError {
            source: source.to_owned(),
            line: None,
            column: None,
            message: format!("cannot read the configuration: {why}"),
        }])
    }

    fn placed(source: &str, mut faults: Vec<ConfigFault>) -> Self {
        faults.sort();
        faults.dedup();
        let error = |fault: ConfigFault| ConfigError {
            source: source.to_owned(),
            line: Some(fault.place.line),
            column: Some(fault.place.column),
            message: fault.message,
        };
        Self(faults.into_iter().map(error).collect())
    }
}

/// Reads a configuration from the bytes of a file that is called `name`.
///
/// # Errors
/// As [`load_text`]; or that it isn't UTF-8, or larger than [`MAX_BYTES`].
pub fn load_bytes(name: &str, bytes: &[u8], known_rules: &[&str]) -> Result<Loaded, ConfigErrors> {
    if bytes.len() > MAX_BYTES {
        return Err(ConfigErrors::unreadable(
            name,
            "it is larger than 1 MiB, so it is hardly a configuration",
        ));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => load_text(name, text, known_rules),
        Err(e) => {
            let before = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(ConfigErrors::placed(
                name,
                vec![ConfigFault::new(
                    Place { line, column },
                    "not UTF-8 text; save it as UTF-8",
                )],
            ))
        }
    }
}

/// Reads a configuration from its text; `source_name` is what errors and [`super::show()`] call it. An empty text is all
/// defaults. `known_rules` are the ids that `rules` may name.
///
/// # Errors
/// Everything that is wrong with it at once, each with line and column. Bad YAML syntax hides the rest.
pub fn load_text(source_name: &str, text: &str, known_rules: &[&str]) -> Result<Loaded, ConfigErrors> {
    let (root, mut faults) = yaml::parse(text, yaml::Limits::CONFIGURATION);
    let mut config = Config::default();
    if let Some(root) = &root {
        faults.extend(conflicts::find(root));
        match validate::validate(root, &schema(known_rules)) {
            Err(wrong) => faults.extend(wrong),
            Ok(_) if !faults.is_empty() => {}
            Ok(json) => match serde_json::from_value(json) {
                Ok(read) => config = read,
                // The schema lets through what the structs refuse: our mistake, which tests look for.
                Err(e) => faults.push(ConfigFault::new(root.place, e.to_string())),
            },
        }
    }
    if faults.is_empty() {
        let source = Some(source_name.to_owned());
        Ok(Loaded { config, source, root })
    } else {
        Err(ConfigErrors::placed(source_name, faults))
    }
}

/// Reads the `families` of a text that is known to be valid: no schema is compiled for it.
///
/// # Errors
/// What is wrong with it as YAML, or the first that doesn't fit.
pub fn read_families(source_name: &str, text: &str) -> Result<Vec<Family>, ConfigErrors> {
    let (root, faults) = yaml::parse(text, yaml::Limits::CONFIGURATION);
    if !faults.is_empty() {
        return Err(ConfigErrors::placed(source_name, faults));
    }
    let Some(list) = root.as_ref().and_then(|r| r.entry("families")) else {
        return Ok(vec![]);
    };
    serde_json::from_value(list.node.to_json())
        .map_err(|e| ConfigErrors::placed(source_name, vec![ConfigFault::new(list.place, e.to_string())]))
}
