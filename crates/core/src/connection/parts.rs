//! A JSON object that is a connection itself: `host`, `port`, `username`, `password` and `dbname` as entries of it.

use super::faults::push;
use super::found::{Found, Hidden};
use super::host::hosts_of;
use super::json_text::{Text, json_text};
use super::parameters::{ssl_mode, tls_setting};
use super::scheme::{engine, port_of};
use super::text::{is_one_of, name, trim};
use crate::model::connection::{Connection, ConnectionForm, Fault, HostPort, Note};

/// The connection that the entries of an object make together, if there is a `host` among them.
pub(super) fn parts(entries: &[(String, &str)]) -> Option<Connection> {
    let entries = Entries(entries);
    entries.raw(&["host", "hostname"])?;
    let mut found = Found::new(ConnectionForm::Parts);
    let mut faults = vec![];
    let facts = &mut found.connection;
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    if let Some(engine) = entries.text(&["engine"]).and_then(|e| engine(&e)) {
        facts.engine = engine;
    }
    facts.hosts = entries.hosts(port_of(&facts.engine), &mut faults);
    let database = entries.text(&["dbname", "database"]).filter(|d| !trim(d).is_empty());
    match &database {
        Some(database) => {
            facts.database = name(trimmed(database, &mut faults));
            if facts.database.is_none() {
                push(&mut faults, Fault::Unparsable);
            }
        }
        None => facts.notes.push(Note::NoDatabase),
    }
    let user = entries.text(&["username", "user"]);
    if let Some(user) = &user {
        facts.user = name(trimmed(user, &mut faults)).filter(|u| !u.is_empty());
    }
    let password = entries.text(&["password"]);
    if let Some(password) = &password {
        facts.has_password = true;
        // A space may belong to it; a line break is what an editor left.
        if password.ends_with(['\n', '\r']) {
            push(&mut faults, Fault::SurroundingWhitespace);
        }
    }
    let tls = |(key, mode): (&str, Text<'_>)| tls_setting(key, &mode).map(|(mode, _)| mode);
    let given = ["sslmode", "ssl"]
        .iter()
        .find_map(|key| Some((*key, entries.text(&[key])?)));
    facts.sslmode = given.and_then(tls).and_then(ssl_mode);
    facts.faults = faults;
    let hidden = |text: Option<Text<'_>>| text.map(|t| Hidden::new(t.to_string()));
    found.database = hidden(database);
    found.user = hidden(user);
    found.password = hidden(password);
    Some(found.finish().0)
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

    fn hosts(&self, default_port: u16, faults: &mut Vec<Fault>) -> Vec<HostPort> {
        let port = self.raw(&["port"]).filter(|p| !matches!(*p, "null" | "\"\""));
        // A number stands there as it is.
        let port = port.map(|p| json_text(p).unwrap_or(Text::Here(p)));
        let port = port.as_deref().map(|p| trimmed(p, faults));
        let Some(host) = self.text(&["host", "hostname"]).filter(|h| !trim(h).is_empty()) else {
            push(faults, Fault::NoHost);
            return vec![];
        };
        hosts_of(trimmed(&host, faults), port, default_port, port.is_none(), faults)
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
