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
//! A connection has one of three forms, each in its own module: a URL (`url`), a keyword string (`keywords`), or the
//! entries of a JSON object (`json`, `parts`). They share `text`, `host` and the parameters of clients (`parameters`).

mod client;
pub mod engine;
pub mod environment;
pub mod families;
mod faults;
pub mod grammar;
mod host;
mod json;
mod json_text;
mod keywords;
mod parameters;
mod parts;
mod plain;
mod text;
mod url;
pub mod wrappers;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::model::connection::{Connection, ConnectionForm, SecretShape};
use plain::MAX_VALUE;
pub use plain::inspect_plain;
use text::trim;

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

/// Returns the well-formed connection in `value`, or under `key` if `value` is a JSON object, with its password, so
/// that the caller can connect. Returns `None` if there is none. The caller owns `value` and zeroes it.
#[must_use]
pub fn credentials(value: &str, key: Option<&str>) -> Option<(Connection, Option<Zeroizing<String>>)> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let text = match key {
        None => json_text::Text::Here(value),
        Some(key) => json::text_of(trim(value).strip_prefix('{')?, key)?,
    };
    let facts = inspect_plain(&text);
    if !facts.is_well_formed() {
        return None;
    }
    let password = match facts.form {
        ConnectionForm::Url => url::password(&text),
        ConnectionForm::Keywords => keywords::password(&text),
        ConnectionForm::Parts => return None,
    };
    Some((facts, password))
}
