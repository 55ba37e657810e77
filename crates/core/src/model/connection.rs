//! Facts about a database secret, never its value.

use serde::{Deserialize, Serialize};

/// One host and port that a connection string names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Host name or address, lower case.
    pub host: String,
    /// Port; 5432 where none is given.
    pub port: u16,
}

/// The form in which a connection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionForm {
    /// `postgres://user:password@host:5432/database`
    Url,
    /// `host=... port=... dbname=...`
    Keywords,
    /// A JSON object with `host`, `port`, `username`, `password`, `dbname`.
    Parts,
}

/// A part of a connection string that can be at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlPart {
    /// The user name.
    User,
    /// The password.
    Password,
}

impl std::fmt::Display for UrlPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User => "user name",
            Self::Password => "password",
        })
    }
}

/// Why a connection string is malformed. None of these carries a piece of the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// Empty, or only white space.
    Empty,
    /// Neither URL nor keyword string.
    NotAConnectionString,
    /// White space or a line break before or after the value.
    SurroundingWhitespace,
    /// The value is wrapped in quotation marks.
    Quoted,
    /// The scheme is not `postgres` or `postgresql`.
    WrongScheme {
        /// The scheme found, only if it is a known one (`mysql`, `http`, ...); else absent.
        found: Option<String>,
    },
    /// More than one port after one host.
    PortTwice,
    /// The port is not a number from 1 to 65535.
    BadPort,
    /// Characters that must be percent-encoded there are not.
    UnencodedReserved {
        /// Where.
        part: UrlPart,
    },
    /// A `%` that two hexadecimal digits do not follow.
    BadPercentEncoding {
        /// Where.
        part: UrlPart,
    },
    /// No host.
    NoHost,
    /// No database name.
    NoDatabase,
    /// Malformed in a way that can't be described without the value.
    Unparsable,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotAConnectionString => {
                f.write_str("it is neither a postgres URL nor a keyword string nor JSON that holds one")
            }
            Self::SurroundingWhitespace => f.write_str("it begins or ends with white space or a line break"),
            Self::Quoted => f.write_str("it is wrapped in quotation marks"),
            Self::WrongScheme { found: Some(s) } => write!(f, "its scheme is {s}, not postgres or postgresql"),
            Self::WrongScheme { found: None } => f.write_str("its scheme is not postgres or postgresql"),
            Self::PortTwice => f.write_str("the port stands twice after the host"),
            Self::BadPort => f.write_str("the port is not a number from 1 to 65535"),
            Self::UnencodedReserved { part } => {
                write!(f, "reserved characters in the {part} are not percent-encoded")
            }
            Self::BadPercentEncoding { part } => {
                write!(f, "a % in the {part} is not followed by two hexadecimal digits")
            }
            Self::NoHost => f.write_str("it names no host"),
            Self::NoDatabase => f.write_str("it names no database"),
            Self::Unparsable => f.write_str("a PostgreSQL client can't parse it"),
        }
    }
}

/// Facts about one connection string or set of parts. Where `faults` is not empty, a fact is given only if it can't
/// be a piece of a password that was split in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// How it is written.
    pub form: ConnectionForm,
    /// Hosts with their ports, in order. Empty where unknown.
    pub hosts: Vec<HostPort>,
    /// The database's name, percent-decoded.
    pub database: Option<String>,
    /// The user's name, percent-decoded.
    pub user: Option<String>,
    /// Whether a password is given.
    pub has_password: bool,
    /// `sslmode`, as written.
    pub sslmode: Option<String>,
    /// What is wrong with it; empty if a PostgreSQL client can use it.
    pub faults: Vec<Fault>,
}

/// Most keys of a JSON object that are kept.
pub const MAX_KEYS: usize = 200;
/// Longest key of a JSON object that is kept, in bytes.
pub const MAX_KEY: usize = 256;

/// What a secret's value turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretShape {
    /// A plain string, read as a connection string.
    Plain(Connection),
    /// A JSON object.
    Json {
        /// For each key at the top level, in order: the connection that its value holds. The value of a key that
        /// holds no string is `None`. Not all are kept: see [`MAX_KEYS`] and [`MAX_KEY`].
        keys: std::collections::BTreeMap<String, Option<Connection>>,
        /// The connection that `host`, `username`, `password`, `port` and `dbname` make together, if at least
        /// `host` is there.
        parts: Option<Connection>,
    },
    /// Binary: nothing that an environment variable can carry.
    Binary,
}

impl Connection {
    /// Whether a PostgreSQL client can use it.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether the value was at least meant to be a postgres connection: false for an API key or other plain text.
    #[must_use]
    pub fn looks_intended(&self) -> bool {
        !self
            .faults
            .iter()
            .any(|f| matches!(f, Fault::NotAConnectionString | Fault::Empty))
    }
}
