//! The engine that pairs lead to.

use std::borrow::Cow;

use super::super::scheme;
use super::reader::Given;
use crate::model::store::Engine;

/// The engine, as far as the driver's name or the keys say it.
pub(super) fn engine_of(given: &Given) -> Engine {
    if let Some(engine) = given.driver.as_ref().and_then(|d| scheme::engine(d)) {
        return engine;
    }
    let has = |marker: &str| given.keys.contains(&marker);
    let host = given.host.as_deref().map_or("", |h| h.trim());
    let lower = if host.len() <= 512 {
        host.to_ascii_lowercase()
    } else {
        String::new()
    };
    let file = [".db", ".db3", ".sqlite", ".sqlite3"]
        .iter()
        .any(|end| lower.ends_with(end))
        || lower == ":memory:";
    if has("datasource") && file && !given.has_password {
        return Engine::Builtin(Cow::Borrowed("SQLite"));
    }
    let other = |name: &'static str| Engine::Other(Cow::Borrowed(name));
    if has("sqlserver") || lower.starts_with("tcp:") || lower.starts_with("(localdb)") {
        return other("sqlserver");
    }
    if has("oracle") || lower.starts_with("(description") || (has("datasource") && lower.contains('/')) {
        return other("oracle");
    }
    if has("mysql") {
        return other("mysql");
    }
    // https://www.npgsql.org/doc/connection-string-parameters.html; the others say Server or Data Source.
    if has("postgres") || has("host") {
        return Engine::Postgres;
    }
    Engine::Unknown
}
