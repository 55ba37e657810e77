//! Words by which settings select an engine or a way to log in.

use std::borrow::Cow;

use crate::model::store::Engine;

const POSTGRES: &[&str] = &[
    "pg", "pgsql", "postgis", "postgres", "postgresql", "postgresdb", "psql", "aurora-postgresql", "postgresql+psycopg2",
    "django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis", "org.postgresql.driver", "npgsql",
];

const OTHERS: &[(&str, &str)] = &[
    ("mysql", "mysql"),
    ("mysql2", "mysql"),
    ("mysqli", "mysql"),
    ("mysqldb", "mysql"),
    ("pdo_mysql", "mysql"),
    ("aurora-mysql", "mysql"),
    ("django.db.backends.mysql", "mysql"),
    ("com.mysql.cj.jdbc.driver", "mysql"),
    ("mariadb", "mariadb"),
    ("mssql", "sqlserver"),
    ("sqlserver", "sqlserver"),
    ("sqlsrv", "sqlserver"),
    ("oracle", "oracle"),
    ("oracledb", "oracle"),
    ("mongo", "mongodb"),
    ("mongodb", "mongodb"),
    ("dynamodb", "dynamodb"),
    ("cassandra", "cassandra"),
    ("cockroachdb", "cockroachdb"),
    ("clickhouse", "clickhouse"),
    ("redis", "redis"),
];

const BUILT_IN: &[(&str, &str)] = &[
    ("sqlite", "SQLite"),
    ("sqlite3", "SQLite"),
    ("better-sqlite3", "SQLite"),
    ("django.db.backends.sqlite3", "SQLite"),
    ("h2", "H2"),
    ("hsqldb", "HSQLDB"),
    ("derby", "Derby"),
    ("leveldb", "LevelDB"),
];

/// Values of settings that say: log in with IAM, not with a password.
const IAM: &[&str] = &["awsiamrds", "iam", "rds-iam", "rds_iam", "aws-iam", "aws_iam", "aws-rds-iam", "awsiam"];

/// Values that switch something on.
const ON: &[&str] = &["1", "true", "yes", "on", "enabled"];

/// Ends of names of settings whose value says which engine is used: `DB_CLIENT`, `database.type`.
const SELECTORS: &[&str] = &[
    "TYPE", "CLIENT", "ENGINE", "DIALECT", "DRIVER", "CONNECTION", "PROVIDER", "KIND", "VENDOR", "BACKEND", "ADAPTER", "AUTH",
];

/// The engine that a word names; `None` if it names none. `word` is in lower case.
pub(super) fn engine(word: &str) -> Option<Engine> {
    let find = |list: &[(&'static str, &'static str)]| list.iter().find(|(w, _)| *w == word).map(|(_, name)| *name);
    if POSTGRES.contains(&word) {
        return Some(Engine::Postgres);
    }
    find(OTHERS)
        .map(|name| Engine::Other(Cow::Borrowed(name)))
        .or_else(|| find(BUILT_IN).map(|name| Engine::Builtin(Cow::Borrowed(name))))
}

/// The name of a setting in capitals, with `_` between its parts, however it is written: `Db__Host`, `db.host`, `dbHost`.
pub(super) fn upper(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before_lower = false;
    for c in name.trim_start_matches('-').chars() {
        if c.is_ascii_uppercase() && before_lower {
            out.push('_');
        }
        before_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_uppercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// The prefix of a setting that selects an engine: `DB` for `DB_CLIENT`. `name` is as [`upper`] gives it.
pub(super) fn selects(name: &str) -> Option<&str> {
    let (group, end) = name.rsplit_once('_')?;
    SELECTORS.contains(&end).then_some(group)
}

/// Whether a setting says that IAM gives the login. `name` is as [`upper`] gives it, `word` in lower case.
pub(super) fn says_iam(name: &str, word: &str) -> bool {
    IAM.contains(&word) || (ON.contains(&word) && name.split('_').any(|part| part == "IAM"))
}

/// Whether a word may be kept of the setting `name`: it is on one of these lists, and the name asks for such a word.
pub(super) fn is_known(name: &str, word: &str) -> bool {
    (selects(name).is_some() && (engine(word).is_some() || IAM.contains(&word))) || says_iam(name, word)
}
