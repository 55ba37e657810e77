//! A keyword string: `host=... user=... password=... dbname=...`.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::client::takes_parameter;
use super::faults::{empty, push};
use super::host::hosts_of;
use super::parameters::{CHECKED_KEYWORDS, KEYWORDS, is_password_key, ssl_mode};
use super::text::name;
use crate::model::connection::{Connection, ConnectionForm, Fault, UrlPart};

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

impl<'a> Given<'a> {
    fn take(&mut self, key: &'a str, value: &'a str) {
        match key {
            "host" => self.host = Some(unescape(value)),
            "hostaddr" => self.address = Some(unescape(value)),
            "port" => self.port = Some(unescape(value)),
            "user" => self.user = Some(unescape(value)),
            "dbname" => self.database = Some(unescape(value)),
            "sslmode" => self.sslmode = Some(unescape(value)),
            _ if CHECKED_KEYWORDS.contains(&key) => self.checked.push((key, value)),
            _ => {}
        }
    }

    /// Reads the pairs, and says whether a password is among them.
    fn read(s: &'a str, faults: &mut Vec<Fault>) -> (Self, bool) {
        let mut reader = Keywords { s, at: 0 };
        let mut has_password = false;
        let mut given = Self::default();
        // What was given before the first password: all that holds if the string is torn after it.
        let mut before: Option<Self> = None;
        loop {
            let pair = match reader.key() {
                Ok(None) => return (given, has_password),
                Ok(Some(key)) => reader.value().map(|value| (key, value)),
                Err(()) => Err(()),
            };
            match pair {
                Ok((key, value)) if is_password_key(key) => {
                    if key.eq_ignore_ascii_case("password") {
                        has_password = !matches!(value, "" | "\\");
                    }
                    before.get_or_insert_with(|| given.clone());
                }
                Ok((key, value)) if KEYWORDS.contains(&key) => given.take(key, value),
                _ => {
                    if let Some(before) = before {
                        push(
                            faults,
                            Fault::UnencodedReserved {
                                part: UrlPart::Password,
                            },
                        );
                        return (before, has_password);
                    }
                    push(faults, Fault::Unparsable);
                    // An unknown word where no password was yet: what follows may still be read.
                    let word = |k: &str| k.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
                    if !pair.is_ok_and(|(key, _)| word(key)) {
                        return (given, has_password);
                    }
                }
            }
        }
    }
}

/// `None` if it is no keyword string: its first word must be a keyword.
pub(super) fn keyword_string(s: &str) -> Option<Connection> {
    let first = Keywords { s, at: 0 }.key().ok()??;
    if !KEYWORDS.contains(&first) && !is_password_key(first) {
        return None;
    }
    let mut faults = vec![];
    let (given, has_password) = Given::read(s, &mut faults);
    let mut found = Connection {
        has_password,
        ..empty(ConnectionForm::Keywords)
    };
    found.user = whole(given.user, &mut faults).flatten();
    let database = whole(given.database, &mut faults);
    if database.is_none() {
        push(&mut faults, Fault::NoDatabase);
    }
    found.database = database.flatten();
    if given
        .address
        .as_ref()
        .is_some_and(|a| a.split(',').any(|a| !a.is_empty() && a.parse::<IpAddr>().is_err()))
    {
        push(&mut faults, Fault::Unparsable);
    }
    match given
        .host
        .filter(|h| !h.is_empty())
        .or(given.address)
        .filter(|h| !h.is_empty())
    {
        Some(host) => found.hosts = hosts_of(&host, given.port.as_ref().map(|p| p.as_str()), &mut faults),
        None => push(&mut faults, Fault::NoHost),
    }
    if let Some(mode) = given.sslmode {
        found.sslmode = ssl_mode(&mode);
        if found.sslmode.is_none() {
            push(&mut faults, Fault::Unparsable);
        }
    }
    if faults.is_empty() && !given.checked.iter().all(|(key, value)| takes(key, value)) {
        push(&mut faults, Fault::Unparsable);
    }
    found.faults = faults;
    Some(found)
}

/// Whether a client takes a value as it was written. One that had no quotes may hold one, or a backslash at its end.
fn takes(key: &str, value: &str) -> bool {
    let trailing = value.len() - value.trim_end_matches('\\').len();
    !value.contains('\'') && trailing.is_multiple_of(2) && takes_parameter(key, &unescape(value))
}

/// Returns the password of a well-formed keyword string, so that the caller can connect. The last of several counts.
pub(super) fn password(s: &str) -> Option<Zeroizing<String>> {
    let mut reader = Keywords { s, at: 0 };
    let mut found = None;
    while let Ok(Some(key)) = reader.key() {
        let value = reader.value().ok()?;
        if key.eq_ignore_ascii_case("password") {
            found = Some(unescape(value));
        }
    }
    found.filter(|p| !p.is_empty())
}

/// A value that is kept if it is one: an unclosed quote, or `;` between the pairs, makes one value of many, the
/// password's among them. `None` if there is none, `Some(None)` if it is not to be kept.
fn whole(value: Option<Zeroizing<String>>, faults: &mut Vec<Fault>) -> Option<Option<String>> {
    let value = value.filter(|v| !v.is_empty())?;
    let torn = value
        .chars()
        .any(|c| c.is_whitespace() || matches!(c, '=' | ';' | '\'' | '"'));
    let kept = if torn { None } else { name(&value) };
    if kept.is_none() {
        push(faults, Fault::Unparsable);
    }
    Some(kept)
}
