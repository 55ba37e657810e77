//! A JSON object whose values may be connections.

use std::collections::BTreeMap;

use super::address;
use super::faults::nothing;
use super::json_text::{Text, json_text, json_value};
use super::parts::parts;
use super::plain::inspect_plain;
use super::text::trim;
use crate::model::connection::{Connection, Fault, MAX_KEY, MAX_KEYS, SecretShape, TextFacts, role_of_key};
use crate::model::store::{Engine, Role};

/// Other services that an application uses: engines, and schemes as [`Fault::WrongScheme`] names them.
const OTHER_SERVICES: [&str; 14] = [
    "amqp",
    "amqps",
    "http",
    "https",
    "ldap",
    "ldaps",
    "memcached",
    "mongodb",
    "nats",
    "redis",
    "s3",
    "smtp",
    "smtps",
    "valkey",
];
/// Parts of key names that are meant for the database, whatever the value is.
const DATABASE_KEYS: [&str; 4] = ["database", "dsn", "postgres", "url"];

/// Reads the object that `rest` continues after its `{`. Returns `None` if it is not valid JSON.
pub(super) fn object(rest: &str) -> Option<SecretShape> {
    let entries = entries(rest)?;
    let parts = parts(&entries);
    let keys: BTreeMap<_, _> = entries
        .into_iter()
        .map(|(key, raw)| {
            let text = if raw.starts_with('"') {
                Some(json_text(raw))
            } else {
                is_number(raw).then_some(Some(Text::Here(raw)))
            };
            let found = text.map(|text| entry(&key, text));
            (key, found)
        })
        .collect();
    Some(SecretShape::Json { keys, parts })
}

/// Keys, decoded, and values as written. All is read to its end, but not all is kept.
fn entries(rest: &str) -> Option<Vec<(String, &str)>> {
    let mut entries: Vec<(String, &str)> = vec![];
    let mut rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('}') {
        return after.is_empty().then_some(entries);
    }
    loop {
        let (key, after) = json_value(rest)?;
        if !key.starts_with('"') {
            return None;
        }
        let (value, after) = json_value(after.strip_prefix(':')?)?;
        if entries.len() < MAX_KEYS
            && let Some(key) = json_text(key).filter(|k| k.len() <= MAX_KEY)
        {
            entries.push((key.to_owned(), value));
        }
        if let Some(after) = after.strip_prefix('}') {
            return after.is_empty().then_some(entries);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// Returns the string under `key` of the object that `rest` continues after its `{`. The last of several counts.
pub(super) fn text_of<'a>(rest: &'a str, key: &str) -> Option<Text<'a>> {
    let (_, raw) = entries(rest)?.into_iter().rev().find(|(k, _)| k == key)?;
    json_text(raw)
}

/// Whether a JSON value, as written, is a number.
fn is_number(raw: &str) -> bool {
    raw.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

/// Reads the text under `key`; `None`: it is none that can be read.
fn entry(key: &str, text: Option<Text<'_>>) -> Connection {
    let Some(text) = text else {
        return nothing(Fault::NotAConnectionString);
    };
    let of_text = |fault| Connection {
        text: Some(TextFacts::of(&text)),
        ..nothing(fault)
    };
    if text.is_empty() {
        return of_text(Fault::Empty);
    }
    let role = role_of_key(key);
    // Nothing else is read of a password.
    if role == Some(Role::Password) {
        return of_text(Fault::NotAConnectionString);
    }
    let found = inspect_plain(&text);
    if is_another_service(key, &found) {
        return of_text(Fault::NotAConnectionString);
    }
    // Under such a key any name is an address.
    if role == Some(Role::Host)
        && !found.looks_intended()
        && let Some(named) = address::named(trim(&text))
    {
        return Connection {
            text: found.text,
            ..named.finish().0
        };
    }
    found
}

/// Whether this is a URL that the same secret holds for something else: `"webhook": "https://..."` beside the
/// database's connection is no connection with the wrong scheme. Under a key such as `DATABASE_URL` it is one.
fn is_another_service(key: &str, found: &Connection) -> bool {
    let other = match &found.engine {
        Engine::Other(name) => OTHER_SERVICES.contains(&name.as_ref()),
        _ => found.faults.iter().any(
            |f| matches!(f, Fault::WrongScheme { found: Some(scheme) } if OTHER_SERVICES.contains(&scheme.as_str())),
        ),
    };
    let key = key.to_ascii_lowercase();
    other && !DATABASE_KEYS.iter().any(|piece| key.contains(piece))
}
