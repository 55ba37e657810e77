//! Words for how a container reaches its data.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps the data that a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
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
    /// libpq, and drivers that read its URLs and keyword strings with keys of their own: pgx, lib/pq, psycopg, node-postgres.
    Libpq,
    /// SQLAlchemy and Django's `dj-database-url`: `postgresql+psycopg2://`.
    Sqlalchemy,
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
}
