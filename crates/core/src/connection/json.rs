//! A JSON object whose values may be connections.

use std::collections::BTreeMap;

use super::faults::nothing;
use super::json_text::{Text, json_text, json_value};
use super::parts::parts;
use super::plain::inspect_plain;
use super::text::is_one_of;
use crate::model::connection::{Connection, Fault, MAX_KEY, MAX_KEYS, SecretShape};

/// Keys that say that they hold a password. They are believed: nothing else is then worth knowing.
const PASSWORD_KEYS: [&str; 4] = ["password", "pass", "passwd", "pwd"];

/// Schemes of what an application reaches beside its database, as [`Fault::WrongScheme`] names them.
const OTHER_SERVICES: [&str; 7] = ["amqp", "amqps", "http", "https", "mongodb", "redis", "rediss"];
/// Pieces of the names of keys that may be meant for the database, whatever stands there.
const DATABASE_KEYS: [&str; 4] = ["database", "dsn", "postgres", "url"];

/// The object whose `{` stands before `rest`; `None` if it is no valid JSON.
pub(super) fn object(rest: &str) -> Option<SecretShape> {
    let entries = entries(rest)?;
    let parts = parts(&entries);
    let keys: BTreeMap<_, _> = entries
        .into_iter()
        .map(|(key, raw)| {
            let found = raw.starts_with('"').then(|| entry(&key, raw));
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

/// The string under `key` of the object whose `{` stands before `rest`. The last of several holds.
pub(super) fn text_of<'a>(rest: &'a str, key: &str) -> Option<Text<'a>> {
    let (_, raw) = entries(rest)?.into_iter().rev().find(|(k, _)| k == key)?;
    json_text(raw)
}

/// What a string under `key` is, which stands in `raw` as written.
fn entry(key: &str, raw: &str) -> Connection {
    let password = is_one_of(key, &PASSWORD_KEYS);
    match json_text(raw) {
        Some(text) if text.is_empty() => nothing(Fault::Empty),
        Some(text) if !password => {
            let found = inspect_plain(&text);
            if is_another_service(key, &found) {
                nothing(Fault::NotAConnectionString)
            } else {
                found
            }
        }
        _ => nothing(Fault::NotAConnectionString),
    }
}

/// Whether this is a URL that the same secret holds for something else: `"webhook": "https://..."` beside the
/// database's connection is no connection with the wrong scheme. Under a key such as `DATABASE_URL` it is one.
fn is_another_service(key: &str, found: &Connection) -> bool {
    let other = found
        .faults
        .iter()
        .any(|f| matches!(f, Fault::WrongScheme { found: Some(scheme) } if OTHER_SERVICES.contains(&scheme.as_str())));
    let key = key.to_ascii_lowercase();
    other && !DATABASE_KEYS.iter().any(|piece| key.contains(piece))
}
