//! What a secret's value is, and what it is worth in a given role.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::{Connection, ConnectionForm};
use super::fault::Fault;
use super::fingerprint::TextFacts;
use crate::model::store::Role;

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
        /// For each key at the top level, in order: what its value is, read as a connection string. A number is read
        /// as text. The value of a key that holds neither is `None`. Not all are kept: see [`MAX_KEYS`] and
        /// [`MAX_KEY`].
        keys: BTreeMap<String, Option<Connection>>,
        /// The connection that `host`, `username`, `password`, `port` and `dbname` make together, if at least
        /// `host` is there.
        parts: Option<Connection>,
    },
    /// Binary: nothing that an environment variable can carry.
    Binary,
}

/// What a container gets for one setting of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueInRole<'s> {
    /// A text.
    Text {
        /// What makes it unusable in its role. A password is a password whatever its characters: only an empty one, or
        /// a line break at its end, is a fault.
        faults: Vec<Fault>,
        /// The text itself, absent for a JSON value that is neither string nor number.
        text: Option<&'s TextFacts>,
        /// The connection that the text makes: also the host and port of a value in the role of a host.
        connection: Option<&'s Connection>,
        /// The role that it seems to have instead: a URL in the place of a password, a password in the place of a URL.
        rather: Option<Role>,
    },
    /// The whole JSON object, which only a reader that parses JSON can use: the roles that its keys fill, each once.
    Object(Vec<Role>),
    /// The JSON object has no such key.
    NoKey,
    /// It may have such a key, but has too many keys, or the key is too long, to be kept.
    TooLarge,
    /// A key was asked of a plain string.
    NotJson,
    /// Binary.
    Binary,
}

impl SecretShape {
    /// The value as a container gets it for a setting of this role: all of it, or what is under `key`.
    #[must_use]
    pub fn value_for(&self, role: Role, key: Option<&str>) -> ValueInRole<'_> {
        match (self, key) {
            (Self::Binary, _) => ValueInRole::Binary,
            (Self::Plain(_), Some(_)) => ValueInRole::NotJson,
            (Self::Plain(value), None) => in_role(Some(value), role, None),
            (Self::Json { .. }, None) => ValueInRole::Object(self.roles()),
            (Self::Json { keys, .. }, Some(key)) => match keys.get(key) {
                Some(value) => in_role(value.as_ref(), role, Some(key)),
                None if keys.len() >= MAX_KEYS || key.len() > MAX_KEY => ValueInRole::TooLarge,
                None => ValueInRole::NoKey,
            },
        }
    }

    /// The roles that the keys of a JSON object fill, by their names; of a plain string, none.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        let Self::Json { keys, .. } = self else {
            return vec![];
        };
        let filled = |(key, value): (&String, &Option<Connection>)| {
            let empty = value.as_ref().and_then(|v| v.text).is_some_and(|t| t.empty);
            role_of_key(key).filter(|_| !empty)
        };
        let mut roles: Vec<Role> = keys.iter().filter_map(filled).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Whether it is a user and a password, as RDS-managed and rotated secrets are, with or without an address.
    #[must_use]
    pub fn has_user_and_password(&self) -> bool {
        let roles = self.roles();
        [Role::User, Role::Password].iter().all(|r| roles.contains(r))
    }
}

fn in_role<'s>(value: Option<&'s Connection>, role: Role, key: Option<&str>) -> ValueInRole<'s> {
    let text = value.and_then(|v| v.text.as_ref());
    let is_whole = |c: &&Connection| c.is_well_formed() && c.form != ConnectionForm::Address;
    let whole = value.filter(is_whole);
    let named = key.and_then(role_of_key);
    let mut faults: Vec<Fault> = vec![];
    let empty = text.is_some_and(|t| t.empty);
    let spaced = text.is_some_and(|t| t.surrounding_whitespace);
    let mut connection = None;
    let mut rather = None;
    match role {
        Role::Url => {
            connection = value;
            faults.extend(value.map_or_else(|| vec![Fault::NotAConnectionString], |v| v.faults.clone()));
            if !value.is_some_and(Connection::looks_intended) {
                rather = named.filter(|r| *r != Role::Url);
            }
        }
        _ if value.is_none() => faults.push(Fault::Unparsable),
        _ if empty => faults.push(Fault::Empty),
        Role::Password => {
            if text.is_some_and(|t| t.line_break_at_end) {
                faults.push(Fault::SurroundingWhitespace);
            }
            rather = whole.map(|_| Role::Url);
        }
        Role::Host | Role::Port | Role::Database | Role::User | Role::Tls => {
            if spaced {
                faults.push(Fault::SurroundingWhitespace);
            } else if role == Role::Port && !text.is_none_or(|t| t.is_port) {
                faults.push(Fault::BadPort);
            }
            rather = whole.map(|_| Role::Url);
            if role == Role::Host {
                connection = value.filter(|c| !c.hosts.is_empty());
            }
        }
    }
    if rather.is_none() && !faults.contains(&Fault::Empty) {
        rather = named.filter(|n| *n != role && role != Role::Url);
    }
    ValueInRole::Text {
        faults,
        text,
        connection,
        rather,
    }
}

/// The role that the name of a JSON key or variable suggests: `password`, `DB_PASSWORD`, `dbname`, `hostname`.
#[must_use]
pub fn role_of_key(key: &str) -> Option<Role> {
    const ENDINGS: [(&[&str], Role); 7] = [
        (&["password", "passwd", "pwd", "pass"], Role::Password),
        (&["username", "user", "userid", "uid", "login"], Role::User),
        (&["host", "hostname", "endpoint", "server"], Role::Host),
        (&["port"], Role::Port),
        (
            &["dbname", "database", "databasename", "initialcatalog"],
            Role::Database,
        ),
        (&["sslmode"], Role::Tls),
        (&["url", "uri", "dsn", "connectionstring", "connstring"], Role::Url),
    ];
    let lower = key.to_ascii_lowercase();
    let word: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    // After a separator or in camel case: `DB_HOST`, `dbHost`, but not `ghost` or `support`.
    let ends = |end: &str| {
        let Some(from) = word.strip_suffix(end).map(str::len) else {
            return false;
        };
        let at = key.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()).nth(from);
        let Some((at, first)) = at else {
            return false;
        };
        let before = key[..at].chars().next_back();
        from == 0
            || before.is_some_and(|c| !c.is_ascii_alphanumeric())
            || (first.is_ascii_uppercase() && before.is_some_and(|c| c.is_ascii_lowercase()))
    };
    if lower == "db" || lower.ends_with("_db") || lower == "db_name" || lower.ends_with("_db_name") {
        return Some(Role::Database);
    }
    ENDINGS
        .iter()
        .find(|(names, _)| names.iter().any(|n| ends(n)))
        .map(|(_, role)| *role)
}
