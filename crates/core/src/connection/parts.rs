//! A JSON object that is a connection itself: `host`, `port`, `username`, `password` and `dbname` as entries of it.

use super::faults::{empty, push};
use super::host::hosts_of;
use super::json_text::{Text, json_text};
use super::parameters::ssl_mode;
use super::text::{is_one_of, name, trim};
use crate::model::connection::{Connection, ConnectionForm, Fault, HostPort};

/// Engines, as RDS and others name them, that are not PostgreSQL.
#[rustfmt::skip]
const OTHER_ENGINES: [&str; 8] =
    ["mysql", "mariadb", "mssql", "mongodb", "oracle", "sqlserver", "redshift", "db2"];

/// The connection that the entries of an object make together, if there is a `host` among them.
pub(super) fn parts(entries: &[(String, &str)]) -> Option<Connection> {
    let entries = Entries(entries);
    entries.raw(&["host", "hostname"])?;
    let mut found = empty(ConnectionForm::Parts);
    let mut faults = vec![];
    if let Some(engine) = entries.text(&["engine"])
        && let Some(other) = OTHER_ENGINES.iter().find(|k| engine.eq_ignore_ascii_case(k))
    {
        push(
            &mut faults,
            Fault::WrongScheme {
                found: Some((*other).to_owned()),
            },
        );
    }
    found.hosts = entries.hosts(&mut faults);
    found.database = entries.database(&mut faults);
    if let Some(user) = entries.text(&["username", "user"]) {
        found.user = name(trimmed(&user, &mut faults)).filter(|u| !u.is_empty());
    }
    if let Some(password) = entries.text(&["password"]) {
        found.has_password = true;
        // A space may belong to it; a line break is what an editor left.
        if password.ends_with(['\n', '\r']) {
            push(&mut faults, Fault::SurroundingWhitespace);
        }
    }
    found.sslmode = entries.text(&["sslmode"]).and_then(|m| ssl_mode(&m));
    found.faults = faults;
    Some(found)
}

/// Keys with their values as written. As for most readers of JSON the last of several with the same key holds.
struct Entries<'a>(&'a [(String, &'a str)]);

impl<'a> Entries<'a> {
    fn raw(&self, names: &[&str]) -> Option<&'a str> {
        self.0.iter().rev().find(|(k, _)| is_one_of(k, names)).map(|(_, v)| *v)
    }

    /// What is a string, and not empty.
    fn text(&self, names: &[&str]) -> Option<Text<'a>> {
        self.raw(names).and_then(json_text).filter(|t| !t.is_empty())
    }

    fn hosts(&self, faults: &mut Vec<Fault>) -> Vec<HostPort> {
        let port = self.raw(&["port"]).filter(|p| !matches!(*p, "null" | "\"\""));
        // A number stands there as it is.
        let port = port.map(|p| json_text(p).unwrap_or(Text::Here(p)));
        let port = port.as_deref().map(|p| trimmed(p, faults));
        let Some(host) = self.text(&["host", "hostname"]).filter(|h| !trim(h).is_empty()) else {
            push(faults, Fault::NoHost);
            return vec![];
        };
        hosts_of(trimmed(&host, faults), port, faults)
    }

    fn database(&self, faults: &mut Vec<Fault>) -> Option<String> {
        let Some(database) = self.text(&["dbname", "database"]).filter(|d| !trim(d).is_empty()) else {
            push(faults, Fault::NoDatabase);
            return None;
        };
        let kept = name(trimmed(&database, faults));
        if kept.is_none() {
            push(faults, Fault::Unparsable);
        }
        kept
    }
}

/// Without white space around it, which is a fault.
fn trimmed<'s>(s: &'s str, faults: &mut Vec<Fault>) -> &'s str {
    let inner = trim(s);
    if inner.len() != s.len() {
        push(faults, Fault::SurroundingWhitespace);
    }
    inner
}
