//! Whether a connection is encrypted, as its value and its reader decide together.

use super::facts::Connection;
use crate::model::store::{Dialect, Engine};

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Tls {
    /// Never.
    Off,
    /// If the server offers it; else, or if that fails, without.
    Preferred,
    /// Always; the server's certificate may or may not be checked.
    Required,
    /// The value says nothing, and drivers that read it differ.
    DriverDefault,
}

impl Connection {
    /// How the connection is encrypted when `reader` reads it; `None`: whatever reads this dialect.
    #[must_use]
    pub fn tls(&self, reader: Option<Dialect>) -> Tls {
        match self.sslmode.as_deref() {
            Some("disable") => return Tls::Off,
            Some("allow" | "prefer") => return Tls::Preferred,
            Some(_) => return Tls::Required,
            None => {}
        }
        match &self.engine {
            Engine::Unknown if reader.is_none() => Tls::DriverDefault,
            Engine::Postgres | Engine::Unknown => default_of(reader.or(self.dialect), reader.is_some(), self),
            Engine::Builtin(_) => Tls::Off,
            // Off unless asked for: https://github.com/go-sql-driver/mysql#tls
            Engine::Other(_) if self.dialect == Some(Dialect::GoMysql) => Tls::Off,
            Engine::Other(_) => match self.scheme.as_deref() {
                // https://www.mongodb.com/docs/manual/reference/connection-string/#srv-connection-format
                Some("mongodb+srv" | "rediss" | "valkeys") => Tls::Required,
                Some("mongodb" | "redis" | "valkey") => Tls::Off,
                _ => Tls::DriverDefault,
            },
        }
    }
}

/// What a driver does when it is told nothing. `certain`: the reader is known, not inferred from the value.
fn default_of(dialect: Option<Dialect>, certain: bool, connection: &Connection) -> Tls {
    let driver = connection
        .scheme
        .as_deref()
        .and_then(|s| s.split_once('+'))
        .map(|(_, d)| d);
    match dialect {
        // libpq and pgx: prefer; lib/pq: require. A URL of this form is read by many others too.
        // https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLMODE
        Some(Dialect::Libpq) if certain || connection.form == super::facts::ConnectionForm::Keywords => Tls::Preferred,
        // https://jdbc.postgresql.org/documentation/ssl/ (sslmode), https://www.npgsql.org/doc/security.html (6.0),
        // https://www.prisma.io/docs/orm/overview/databases/postgresql (sslmode); Rails' pg, Django's psycopg and
        // PHP's PDO are libpq.
        Some(Dialect::Jdbc | Dialect::Ado | Dialect::Prisma | Dialect::Rails | Dialect::Django | Dialect::Pdo) => {
            Tls::Preferred
        }
        // https://node-postgres.com/features/ssl, https://github.com/pgjdbc/r2dbc-postgresql (sslMode)
        Some(Dialect::Node | Dialect::R2dbc) => Tls::Off,
        Some(Dialect::Sqlalchemy)
            if driver.is_none_or(|d| d.starts_with("psycopg") || d == "asyncpg") && driver.is_some() =>
        {
            Tls::Preferred
        }
        _ => Tls::DriverDefault,
    }
}
