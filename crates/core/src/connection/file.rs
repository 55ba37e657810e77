//! Databases that live in a file or in the memory of the process: SQLite, H2, HSQLDB, Derby, DuckDB.

use std::borrow::Cow;

use super::found::{Found, Hidden};
use super::text::name;
use crate::model::connection::ConnectionForm;
use crate::model::store::{Dialect, Engine};

/// Schemes of files, with the engine.
/// <https://docs.sqlalchemy.org/en/20/dialects/sqlite.html>, <https://www.sqlite.org/uri.html>
const SCHEMES: &[(&str, &str)] = &[
    ("sqlite", "SQLite"),
    ("sqlite3", "SQLite"),
    ("spatialite", "SQLite"),
    ("duckdb", "DuckDB"),
];

/// `sqlite:///file`, `sqlite:file`, `db+sqlite://`, and Prisma's `file:./dev.db`; `None` if it is no such thing.
pub(super) fn file(s: &str) -> Option<Found> {
    let (written, rest) = s.split_once(':')?;
    if written.len() > 32 {
        return None;
    }
    let lower = written.to_ascii_lowercase();
    let base = ["db+", "sqla+"]
        .iter()
        .find_map(|p| lower.strip_prefix(p))
        .unwrap_or(&lower);
    let (base, driver) = base.split_once('+').map_or((base, None), |(b, d)| (b, Some(d)));
    // https://www.prisma.io/docs/orm/overview/databases/sqlite
    if base == "file" {
        let bare = rest.split('?').next().unwrap_or_default();
        let ends = [".db", ".db3", ".sqlite", ".sqlite3"].iter().any(|e| bare.ends_with(e));
        if !(ends
            || (rest.starts_with('.') && !bare.contains(':'))
            || bare == ":memory:"
            || rest.contains("mode=memory"))
        {
            return None;
        }
        let mut found = built_in("SQLite", &lower, rest);
        found.connection.dialect = Some(Dialect::Prisma);
        return Some(found);
    }
    let (_, engine) = SCHEMES.iter().find(|(name, _)| *name == base)?;
    // `sqlite://host/file` has no host: SQLAlchemy takes three slashes, others none or two.
    let path = rest
        .strip_prefix("///")
        .or_else(|| rest.strip_prefix("//"))
        .unwrap_or(rest);
    let mut found = built_in(engine, base, path);
    if driver.is_some() || lower != base {
        found.connection.dialect = Some(Dialect::Sqlalchemy);
    }
    found.form = Hidden::new(lower);
    Some(found)
}

/// What comes after `jdbc:h2:` and its like. With a host it is a server elsewhere.
/// <https://www.h2database.com/html/features.html#database_url>
pub(super) fn jdbc(database: &str, after: &str) -> Found {
    let engine = match database {
        "h2" => "H2",
        "hsqldb" => "HSQLDB",
        "derby" => "Derby",
        "duckdb" => "DuckDB",
        _ => "SQLite",
    };
    let server = ["tcp:", "ssl:", "hsql:", "hsqls:", "http:", "https:"]
        .iter()
        .any(|p| after.starts_with(p))
        || (database == "derby" && after.starts_with("//"));
    let path = after.strip_prefix("file:").unwrap_or(after);
    let mut found = built_in(engine, &format!("jdbc:{database}"), path);
    if after == "mem" || after.starts_with("mem:") || after.starts_with("memory:") {
        found.connection.database = Some(":memory:".to_owned());
    }
    if server {
        found.connection.engine = Engine::Other(Cow::Owned(engine.to_ascii_lowercase()));
        found.connection.database = None;
    }
    found.connection.dialect = Some(Dialect::Jdbc);
    found
}

fn built_in(engine: &'static str, scheme: &str, rest: &str) -> Found {
    let mut found = Found::new(ConnectionForm::Url);
    found.connection.engine = Engine::Builtin(Cow::Borrowed(engine));
    found.connection.scheme = Some(scheme.to_owned());
    let bare = rest.split(['?', ';']).next().unwrap_or_default();
    let memory = bare.is_empty() || bare == ":memory:" || rest.contains("mode=memory");
    found.connection.database = if memory {
        Some(":memory:".to_owned())
    } else {
        path(bare)
    };
    found.address = Hidden::new(rest.to_owned());
    found.form = Hidden::new(scheme.to_owned());
    found
}

/// A path that may be kept.
pub(super) fn path(text: &str) -> Option<String> {
    let plain = text
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"._-/~: ".contains(&c));
    (plain && !text.is_empty()).then(|| name(text)).flatten()
}
