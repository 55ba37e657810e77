//! Reads the value of a secret and keeps facts about it, never a password nor a piece of one.
//!
//! The difficulty is a password that holds an unescaped `/`, `@`, `?`, `#` or `:`. A parser that goes from left to
//! right then takes the password's tail for host, port, database or query, and would publish it as a fact. So here
//! the end of the credentials is looked for from the right; whatever comes of it is evaluated by where it stands; and
//! as soon as there is a fault, a host or database is a fact only if it looks like one (see `host::Host::credible`).
//!
//! A password is never copied: it is looked at where the caller keeps it (and will zero it). The last word on
//! whether a client takes the rest has `client`.
//!
//! A connection is written in one of three forms, each with a module of its own: a URL (`url`), a keyword string
//! (`keywords`), or the entries of a JSON object (`json`, `parts`). They share `text`, `host` and what is known of a
//! client's parameters (`parameters`).

mod client;
pub mod environment;
mod faults;
mod host;
mod json;
mod json_text;
mod keywords;
mod parameters;
mod parts;
mod plain;
mod text;
mod url;

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

/// The well-formed connection that stands in `value`, or in the JSON object `value` under `key`, with its password:
/// for whoever connects with it. `None` if there is none. The caller owns `value` and zeroes it.
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
