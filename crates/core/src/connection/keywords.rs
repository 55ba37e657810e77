//! A keyword string: `host=... user=... password=... dbname=...`.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::client::takes_parameter;
use super::faults::push;
use super::found::{Found, Hidden, Parameters};
use super::host::hosts_of;
use super::parameters::{CHECKED_KEYWORDS, KEYWORDS, PASSWORD_KEYWORDS, is_known, is_secret_key, ssl_mode};
use super::scheme::DEFAULT_PORT;
use super::text::{is_one_of, name};
use crate::model::connection::{ConnectionForm, Fault, Note, UrlPart};
use crate::model::store::{Dialect, Engine};

const fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Goes through `key = value` pairs as libpq does.
struct Keywords<'a> {
    s: &'a str,
    at: usize,
}

impl<'a> Keywords<'a> {
    fn skip_space(&mut self) {
        while self.s.as_bytes().get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Up to and with the `=`; `Err` if there is none, `Ok(None)` at the end.
    fn key(&mut self) -> Result<Option<&'a str>, ()> {
        self.skip_space();
        let from = self.at;
        let bytes = self.s.as_bytes();
        if from == bytes.len() {
            return Ok(None);
        }
        while bytes.get(self.at).is_some_and(|c| *c != b'=' && !is_space(*c)) {
            self.at += 1;
        }
        let key = &self.s[from..self.at];
        self.skip_space();
        if key.is_empty() || bytes.get(self.at) != Some(&b'=') {
            return Err(());
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// The value as written, without quotes but with its backslashes; `Err` if the quote does not end.
    fn value(&mut self) -> Result<&'a str, ()> {
        self.skip_space();
        let bytes = self.s.as_bytes();
        let quoted = bytes.get(self.at) == Some(&b'\'');
        self.at += usize::from(quoted);
        let from = self.at;
        loop {
            match bytes.get(self.at) {
                None if quoted => return Err(()),
                None => break,
                Some(b'\'') if quoted => break,
                Some(c) if !quoted && is_space(*c) => break,
                // Whatever follows, a byte of it at least: the rest of a character is none of those above.
                Some(b'\\') if self.at + 1 < bytes.len() => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        let value = &self.s[from..self.at];
        self.at += usize::from(quoted);
        Ok(value)
    }
}

/// Without backslashes. Never grows its buffer, so nothing is left behind.
fn unescape(value: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(value.len()));
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
        } else if let Some(c) = chars.next() {
            out.push(c);
        }
    }
    out
}

/// The values of a keyword string that may be kept or checked.
#[derive(Default, Clone)]
struct Given<'a> {
    host: Option<Zeroizing<String>>,
    address: Option<Zeroizing<String>>,
    port: Option<Zeroizing<String>>,
    user: Option<Zeroizing<String>>,
    database: Option<Zeroizing<String>>,
    sslmode: Option<Zeroizing<String>>,
    /// For [`takes_parameter`].
    checked: Vec<(&'a str, &'a str)>,
}

/// The password among the pairs: whether there is one, and which.
#[derive(Default)]
struct Secret {
    given: bool,
    password: Option<Hidden>,
}

impl<'a> Given<'a> {
    fn take(&mut self, key: &'a str, value: &'a str, parameters: &mut Parameters) {
        match key {
            "host" => self.host = Some(unescape(value)),
            "port" => self.port = Some(unescape(value)),
            "user" => self.user = Some(unescape(value)),
            "dbname" => self.database = Some(unescape(value)),
            _ => {
                match key {
                    "hostaddr" => self.address = Some(unescape(value)),
                    "sslmode" => self.sslmode = Some(unescape(value)),
                    _ if CHECKED_KEYWORDS.contains(&key) => self.checked.push((key, value)),
                    _ => {}
                }
                parameters.push(key, unescape(value));
            }
        }
    }

    /// Reads the pairs, and says which password is among them.
    fn read(s: &'a str, parameters: &mut Parameters, faults: &mut Vec<Fault>) -> (Self, Secret) {
        let mut reader = Keywords { s, at: 0 };
        let mut secret = Secret::default();
        let mut given = Self::default();
        // What was given before the first password: all that holds if the string is torn after it.
        let mut before: Option<Self> = None;
        let mut doubtful = false;
        loop {
            let pair = match reader.key() {
                Ok(None) => break,
                Ok(Some(key)) => reader.value().map(|value| (key, value)),
                Err(()) => Err(()),
            };
            match pair {
                Ok((key, value)) if is_word(key) && is_secret_key(key) => {
                    if key.eq_ignore_ascii_case("password") {
                        secret.given = !matches!(value, "" | "\\");
                        secret.password = Some(unescape(value));
                        parameters.secret_seen();
                    } else {
                        parameters.push_secret(key, value);
                    }
                    before.get_or_insert_with(|| given.clone());
                }
                Ok((key, value)) if is_word(key) => {
                    // After a password it may be a piece of it: drivers take unknown words, but nothing is kept.
                    doubtful |= before.is_some() && !is_known(key);
                    given.take(key, value, parameters);
                }
                _ => {
                    if let Some(before) = before {
                        push(
                            faults,
                            Fault::UnencodedReserved {
                                part: UrlPart::Password,
                            },
                        );
                        return (before, secret);
                    }
                    push(faults, Fault::Unparsable);
                    return (given, secret);
                }
            }
        }
        match before {
            Some(before) if doubtful => (before, secret),
            _ => (given, secret),
        }
    }
}

/// Whether this may be the name of a parameter, of a driver or of the server (`x.y`).
fn is_word(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
}

/// `None` if it is no keyword string: its first word must be a keyword, or a driver's with a host or database after it.
pub(super) fn keyword_string(s: &str) -> Option<Found> {
    let first = Keywords { s, at: 0 }.key().ok()??;
    let driver = || is_known(first) && [" host=", " dbname="].iter().any(|k| s.contains(k));
    if !KEYWORDS.contains(&first) && !is_one_of(first, &PASSWORD_KEYWORDS) && !driver() {
        return None;
    }
    let mut found = Found::new(ConnectionForm::Keywords);
    let mut faults = vec![];
    let (given, secret) = Given::read(s, &mut found.parameters, &mut faults);
    let facts = &mut found.connection;
    facts.engine = Engine::Postgres;
    facts.dialect = Some(Dialect::Libpq);
    facts.has_password = secret.given;
    found.password = secret.password;
    facts.user = whole(given.user.as_ref(), &mut faults).flatten();
    let database = whole(given.database.as_ref(), &mut faults);
    let names_database = database.is_some();
    facts.database = database.flatten();
    if given
        .address
        .as_ref()
        .is_some_and(|a| a.split(',').any(|a| !a.is_empty() && a.parse::<IpAddr>().is_err()))
    {
        push(&mut faults, Fault::Unparsable);
    }
    let host = given.host.filter(|h| !h.is_empty()).or(given.address);
    match host.as_ref().filter(|h| !h.is_empty()) {
        Some(host) => {
            let port = given.port.as_ref().map(|p| p.as_str());
            facts.hosts = hosts_of(host, port, DEFAULT_PORT, false, &mut faults);
        }
        None => facts.notes.push(Note::NoHost),
    }
    if !names_database {
        facts.notes.push(Note::NoDatabase);
    }
    if let Some(mode) = given.sslmode {
        facts.sslmode = ssl_mode(&mode);
        if facts.sslmode.is_none() {
            push(&mut faults, Fault::Unparsable);
        }
    }
    if faults.is_empty() && !given.checked.iter().all(|(key, value)| takes(key, value)) {
        push(&mut faults, Fault::Unparsable);
    }
    facts.faults = faults;
    let port = given.port.as_ref().map_or("", |p| p);
    found.address = Hidden::new([host.as_ref().map_or("", |h| h), port].join("\n"));
    found.database = given.database;
    found.user = given.user;
    Some(found)
}

/// Whether a client takes a value as it was written. One that had no quotes may hold one, or a backslash at its end.
fn takes(key: &str, value: &str) -> bool {
    let trailing = value.len() - value.trim_end_matches('\\').len();
    !value.contains('\'') && trailing.is_multiple_of(2) && takes_parameter(key, &unescape(value))
}

/// A value that is kept if it is one: an unclosed quote, or `;` between the pairs, makes one value of many, the
/// password's among them. `None` if there is none, `Some(None)` if it is not to be kept.
fn whole(value: Option<&Hidden>, faults: &mut Vec<Fault>) -> Option<Option<String>> {
    let value = value.filter(|v| !v.is_empty())?;
    let torn = value
        .chars()
        .any(|c| c.is_whitespace() || matches!(c, '=' | ';' | '\'' | '"'));
    let kept = if torn { None } else { name(value) };
    if kept.is_none() {
        push(faults, Fault::Unparsable);
    }
    Some(kept)
}
