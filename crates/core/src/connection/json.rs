//! A JSON object whose values may be connections.

use std::collections::BTreeMap;

use super::faults::nothing;
use super::json_text::{Text, json_text, json_value};
use super::parts::parts;
use super::plain::inspect_plain;
use super::text::is_one_of;
use crate::model::connection::{Connection, Fault, MAX_KEY, MAX_KEYS, SecretShape};

/// Keys that name a password. Nothing else is read from their values.
const PASSWORD_KEYS: [&str; 4] = ["password", "pass", "passwd", "pwd"];

/// Schemes of other services that an application uses, as [`Fault::WrongScheme`] names them.
const OTHER_SERVICES: [&str; 7] = ["amqp", "amqps", "http", "https", "mongodb", "redis", "rediss"];
/// Parts of key names that are meant for the database, whatever the value is.
const DATABASE_KEYS: [&str; 4] = ["database", "dsn", "postgres", "url"];

/// Reads the object that `rest` continues after its `{`. Returns `None` if it is not valid JSON.
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

/// Returns the string under `key` of the object that `rest` continues after its `{`. The last of several counts.
pub(super) fn text_of<'a>(rest: &'a str, key: &str) -> Option<Text<'a>> {
    let (_, raw) = entries(rest)?.into_iter().rev().find(|(k, _)| k == key)?;
    json_text(raw)
}

/// Reads the string under `key`; `raw` is the string as written.
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
