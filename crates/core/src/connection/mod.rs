//! Reads the value of a secret and keeps facts about it, but never a password or a part of one.
//!
//! The difficulty is a password that holds an unescaped `/`, `@`, `?`, `#` or `:`. A parser that reads from left to
//! right takes the end of such a password for the host, port, database or query, and would publish it as a fact. This
//! parser therefore looks for the end of the credentials from the right. Once it finds a fault, it keeps a host or
//! database only if it looks like one (see `host::Host::credible`).
//!
//! A password is never copied: the parser reads it where the caller keeps it, and the caller zeroes it. `client`
//! decides whether a PostgreSQL client accepts the rest.
//!
//! A connection is a URL (`url`, whose schemes `scheme` has), a JDBC or R2DBC URL or the string of Go's MySQL driver
//! (`jdbc`), a keyword string (`keywords`), pairs between semicolons (`pairs`), a file (`file`), an address alone
//! (`address`), or the entries of a JSON object (`json`, `parts`). Each parser returns a `found::Found`: the facts, and
//! for a moment what only a comparison needs. They share `text`, `host` and the parameters of drivers (`parameters`).

mod address;
mod client;
pub mod container;
pub mod engine;
pub mod families;
mod faults;
mod file;
mod found;
pub mod grammar;
pub mod grouped;
mod host;
mod jdbc;
mod json;
mod json_text;
mod keywords;
mod pairs;
mod parameters;
mod parts;
mod plain;
mod program;
mod scheme;
pub mod selected;
mod text;
mod url;
mod variable;
pub mod vocabulary;
pub mod wrappers;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::model::connection::{Connection, ConnectionForm, SecretShape};
use plain::MAX_VALUE;
pub use plain::inspect_plain;
pub use program::program;
use text::trim;
pub use variable::{arguments, reduce};

/// Reads the value of a secret: a plain string, or a JSON object of them. The caller owns `value` and zeroes it.
#[must_use]
pub fn inspect(value: &str) -> SecretShape {
    if value.len() <= MAX_VALUE
        && let Some(shape) = trim(value).strip_prefix('{').and_then(json::object)
    {
        return shape;
    }
    SecretShape::Plain(inspect_plain(value))
}

/// Returns the well-formed PostgreSQL connection in `value`, or under `key` if `value` is a JSON object, with its
/// password, so that the caller can connect, whatever the dialect. Returns `None` if there is none. The caller owns
/// `value` and zeroes it.
#[must_use]
pub fn credentials(value: &str, key: Option<&str>) -> Option<(Connection, Option<Zeroizing<String>>)> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let text = match key {
        None => json_text::Text::Here(value),
        Some(key) => json::text_of(trim(value).strip_prefix('{')?, key)?,
    };
    let (facts, password) = plain::with_password(&text);
    let usable = facts.is_well_formed() && !facts.is_other_engine() && facts.form != ConnectionForm::Address;
    usable.then_some((facts, password))
}
