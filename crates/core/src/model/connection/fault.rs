//! Why a connection is malformed, and what is worth a note.

use serde::{Deserialize, Serialize};

use crate::model::store::Dialect;

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
    /// In none of the forms that a driver reads.
    NotAConnectionString,
    /// White space or a line break before or after the value.
    SurroundingWhitespace,
    /// The value is wrapped in quotation marks.
    Quoted,
    /// A URL without its scheme: `user:password@host:5432/database`.
    NoScheme,
    /// A scheme that belongs to no database; for a reader that needs PostgreSQL, that of another database.
    WrongScheme {
        /// The scheme found, only if it is a known one (`mysql`, `http`, ...); else absent.
        found: Option<String>,
    },
    /// Another dialect than the one that its reader accepts.
    WrongDialect {
        /// The scheme found, if it has one that is known.
        found: Option<String>,
        /// The reader.
        reader: Dialect,
    },
    /// User and password before the host, where the dialect takes them as parameters only.
    CredentialsInAddress,
    /// More than one port after one host.
    PortTwice,
    /// The port is not a number from 1 to 65535.
    BadPort,
    /// Characters that must be percent-encoded (or quoted, where the dialect has quotes) are not.
    UnencodedReserved {
        /// Where.
        part: UrlPart,
    },
    /// A `%` that two hexadecimal digits do not follow.
    BadPercentEncoding {
        /// Where.
        part: UrlPart,
    },
    /// No host, where there must be one.
    NoHost,
    /// No database name, where there must be one.
    NoDatabase,
    /// Malformed in a way that can't be described without the value.
    Unparsable,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotAConnectionString => {
                f.write_str("it is neither a connection URL nor a keyword string nor JSON that holds one")
            }
            Self::SurroundingWhitespace => f.write_str("it begins or ends with white space or a line break"),
            Self::Quoted => f.write_str("it is wrapped in quotation marks"),
            Self::NoScheme => f.write_str("it is a URL without its scheme (postgres://)"),
            Self::WrongScheme { found: Some(s) } => write!(f, "its scheme is {s}, not postgres or postgresql"),
            Self::WrongScheme { found: None } => f.write_str("its scheme is not postgres or postgresql"),
            Self::WrongDialect {
                found: Some(scheme),
                reader,
            } => write!(f, "its scheme is {scheme}, which {} does not accept", reader.name()),
            Self::WrongDialect { found: None, reader } => {
                write!(f, "it is in a form that {} does not accept", reader.name())
            }
            Self::CredentialsInAddress => {
                f.write_str("user and password are before the host, where its driver does not look for them")
            }
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
            Self::Unparsable => f.write_str("its driver can't parse it"),
        }
    }
}

/// What is unusual about a connection that its driver accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// A parameter that Holdfast does not know.
    UnknownParameter {
        /// Its name; absent where it may be a piece of a password.
        name: Option<String>,
    },
    /// No host: the driver takes its default, as a rule the container itself, or one from other settings.
    NoHost,
    /// No database: the driver takes its default, as a rule the name of the user.
    NoDatabase,
    /// What seems to be the host may be a piece of the password, and is not kept: `postgres://name:12345/name` without
    /// `@` may be host and port or user and password, `postgres://user:pass@word` may lack its host.
    UnclearAddress,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownParameter { name: Some(name) } => write!(f, "it has the unknown parameter {name}"),
            Self::UnknownParameter { name: None } => f.write_str("it has an unknown parameter"),
            Self::NoHost => f.write_str("it names no host"),
            Self::NoDatabase => f.write_str("it names no database"),
            Self::UnclearAddress => f.write_str("it may lack its host, with a piece of the password in its place"),
        }
    }
}
