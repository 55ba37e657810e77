//! One connection, in whatever form it is written.

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Note};
use super::fingerprint::{Fingerprints, TextFacts};
use crate::model::store::{Dialect, Engine};

/// One host and port that a connection string names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Host name or address, lower case.
    pub host: String,
    /// Port; that of the engine where none is given.
    pub port: u16,
}

/// The form in which a connection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionForm {
    /// `postgres://user:password@host:5432/database`, `jdbc:postgresql://host/database?user=...`, `sqlite:///file`
    #[default]
    Url,
    /// `host=... port=... dbname=...`
    Keywords,
    /// `Host=...;Port=...;Database=...`, also after the scheme of JDBC or PDO
    Pairs,
    /// `user:password@tcp(host:3306)/database`
    Dsn,
    /// A JSON object with `host`, `port`, `username`, `password`, `dbname`.
    Parts,
    /// `host`, `host:5432`: an address and nothing else.
    Address,
}

/// Facts about one connection string or set of parts. Where `faults` is not empty, a fact is given only if it can't
/// be a piece of a password that was split in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connection {
    /// How it is written.
    pub form: ConnectionForm,
    /// What reads this form; absent where several do, or none is known.
    #[serde(default)]
    pub dialect: Option<Dialect>,
    /// The kind of database, as far as the value says. A port says nothing.
    #[serde(default)]
    pub engine: Engine,
    /// The scheme, only if it is a known one: `postgres`, `postgresql+asyncpg`, `jdbc:postgresql`, `mysql`.
    #[serde(default)]
    pub scheme: Option<String>,
    /// Hosts with their ports, in order. Empty where unknown.
    pub hosts: Vec<HostPort>,
    /// The database's name, percent-decoded; of a database in the container, its file or `:memory:`.
    pub database: Option<String>,
    /// The user's name, percent-decoded.
    pub user: Option<String>,
    /// Whether a password is given.
    pub has_password: bool,
    /// What the value says of encryption, in the words of libpq's `sslmode` (`ssl=true` is `require`), and
    /// node-postgres' `no-verify`. [`tls`](Self::tls) says what it comes to.
    pub sslmode: Option<String>,
    /// What is unusual, and no fault.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// What is wrong with it; empty if a driver of its dialect can use it.
    pub faults: Vec<Fault>,
    /// The facts of the value as a text, whatever it means. Absent for parts.
    #[serde(default)]
    pub text: Option<TextFacts>,
    /// What its parts are, for comparison alone. Absent where the value is malformed, and once it was serialized.
    #[serde(skip)]
    pub fingerprints: Option<Box<Fingerprints>>,
}

/// A part in which two connections differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Difference {
    /// The form or scheme.
    Form,
    /// A host or port.
    Address,
    /// The database.
    Database,
    /// The user.
    User,
    /// The password.
    Password,
    /// Another parameter.
    Parameters,
}

impl Difference {
    /// What a person calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Address => "host or port",
            Self::Database => "database",
            Self::User => "user",
            Self::Password => "password",
            Self::Parameters => "parameters",
        }
    }
}

impl Connection {
    /// Whether a driver of its dialect can use it.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether the value was at least meant to be a connection: false for an API key or other plain text, and for
    /// an address alone.
    #[must_use]
    pub fn looks_intended(&self) -> bool {
        self.form != ConnectionForm::Address
            && !self
                .faults
                .iter()
                .any(|f| matches!(f, Fault::NotAConnectionString | Fault::Empty))
    }

    /// Whether it is certain to lead to a database of another kind than PostgreSQL.
    #[must_use]
    pub const fn is_other_engine(&self) -> bool {
        matches!(self.engine, Engine::Other(_) | Engine::Builtin(_))
    }

    /// In what two connections differ: form, host, port, database, user, password or another parameter. `None` if
    /// either is malformed or can't be compared.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Option<Vec<Difference>> {
        let (a, b) = (self.fingerprints.as_deref()?, other.fingerprints.as_deref()?);
        let parts = [
            (Difference::Form, a.form == b.form),
            (Difference::Address, a.address == b.address),
            (Difference::Database, a.database == b.database),
            (Difference::User, a.user == b.user),
            (Difference::Password, a.password == b.password),
            (Difference::Parameters, a.parameters == b.parameters),
        ];
        Some(
            parts
                .into_iter()
                .filter(|(_, same)| !same)
                .map(|(part, _)| part)
                .collect(),
        )
    }

    /// Whether both are certain to be the very same connection, password and every parameter included.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.differences(other).is_some_and(|d| d.is_empty())
    }
}
