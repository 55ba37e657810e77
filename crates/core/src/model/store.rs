//! Words for how a container reaches its data.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps the data that a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL, or something that speaks its protocol on RDS.
    Postgres,
    /// A database of another kind, by its usual name in lower case: `mysql`, `mongodb`, `redis`.
    Other(Cow<'static, str>),
    /// A store inside the container, by its usual name: `SQLite`, `H2`.
    Builtin(Cow<'static, str>),
    /// Nothing tells.
    #[default]
    Unknown,
}

/// Engines and the ports on which they listen as a rule.
const PORTS: [(u16, Engine); 7] = [
    (5432, Engine::Postgres),
    (1433, Engine::Other(Cow::Borrowed("sqlserver"))),
    (1521, Engine::Other(Cow::Borrowed("oracle"))),
    (3306, Engine::Other(Cow::Borrowed("mysql"))),
    (6379, Engine::Other(Cow::Borrowed("redis"))),
    (11211, Engine::Other(Cow::Borrowed("memcached"))),
    (27017, Engine::Other(Cow::Borrowed("mongodb"))),
];

impl Engine {
    /// The engine that listens on a port as a rule; unknown for a port that says nothing.
    #[must_use]
    pub fn by_port(port: u16) -> Self {
        let found = PORTS.iter().find(|(own, _)| *own == port);
        found.map(|(_, engine)| engine.clone()).unwrap_or_default()
    }

    /// The port on which it listens as a rule; that of PostgreSQL for one that isn't known.
    #[must_use]
    pub fn port(&self) -> u16 {
        PORTS
            .iter()
            .find(|(_, engine)| engine == self)
            .map_or(5432, |(port, _)| *port)
    }
}

/// What one setting of a connection holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// A whole connection string, of any dialect; perhaps without its user or password.
    Url,
    /// A host name or address, perhaps with a port.
    Host,
    /// A port.
    Port,
    /// The name of a database.
    Database,
    /// The name of a user.
    User,
    /// A password.
    Password,
    /// How the connection is encrypted.
    Tls,
}

/// What reads a connection string, and so what is well formed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Dialect {
    /// libpq, and drivers that read its URLs and keyword strings with keys of their own: pgx, lib/pq, psycopg.
    Libpq,
    /// node-postgres and others that read URLs in JavaScript. Without `sslmode` they don't use TLS.
    Node,
    /// SQLAlchemy, Celery and Alembic: `postgresql+psycopg2://`, `db+postgresql://`.
    Sqlalchemy,
    /// Django's `dj-database-url` and `django-environ`: `postgres://`, `pgsql://`, `psql://`, `postgis://`.
    Django,
    /// JDBC: `jdbc:postgresql://host:port/database?key=value`.
    Jdbc,
    /// R2DBC: `r2dbc:postgresql://`.
    R2dbc,
    /// Npgsql and ADO.NET: `Host=...;Username=...;Password=...`.
    Ado,
    /// Prisma: a URL with `schema`, `connection_limit`, ....
    Prisma,
    /// Rails' Active Record: URLs with `adapter` schemes such as `postgis://`.
    Rails,
    /// Go's MySQL driver: `user:password@tcp(host:port)/database`.
    GoMysql,
    /// PHP's PDO and Perl's DBI: `pgsql:host=...;port=...;dbname=...`.
    Pdo,
}

impl Dialect {
    /// What a person calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Libpq => "libpq",
            Self::Node => "node-postgres",
            Self::Sqlalchemy => "SQLAlchemy",
            Self::Django => "Django",
            Self::Jdbc => "JDBC",
            Self::R2dbc => "R2DBC",
            Self::Ado => "ADO.NET",
            Self::Prisma => "Prisma",
            Self::Rails => "Rails",
            Self::GoMysql => "Go's MySQL driver",
            Self::Pdo => "PDO",
        }
    }

    /// Whether its readers speak to PostgreSQL alone.
    #[must_use]
    pub const fn needs_postgres(self) -> bool {
        matches!(self, Self::Libpq | Self::Node)
    }
}
