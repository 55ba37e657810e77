//! Goes through pairs between semicolons.

use super::super::faults::push;
use super::super::found::{Hidden, Parameters};
use super::super::parameters::tls_setting;
use super::keys::{Key, is_known_pair};
use crate::model::connection::{Fault, UrlPart};

/// The pieces between semicolons, quotes or not: enough to see what a text is.
pub(super) fn segments(s: &str) -> impl Iterator<Item = &str> {
    s.split(';').map(str::trim).filter(|s| !s.is_empty()).take(64)
}

/// The values that may be kept or compared.
#[derive(Default, Clone)]
pub(super) struct Given {
    pub(super) host: Option<Hidden>,
    pub(super) port: Option<Hidden>,
    pub(super) database: Option<Hidden>,
    pub(super) user: Option<Hidden>,
    pub(super) password: Option<Hidden>,
    pub(super) has_password: bool,
    /// The mode, and whether a parameter named it.
    pub(super) tls: Option<(&'static str, bool)>,
    pub(super) driver: Option<Hidden>,
    /// Keys as they were written, for telling the engine.
    pub(super) keys: Vec<&'static str>,
}

impl Given {
    /// Reads the pairs. What comes after a password is kept only if nothing looks as if the password had torn the text.
    pub(super) fn read(s: &str, parameters: &mut Parameters, faults: &mut Vec<Fault>) -> Self {
        let mut given = Self::default();
        // What was given before the first password: all that holds if the text is torn after it.
        let mut before: Option<Self> = None;
        let mut torn = false;
        let mut reader = Reader { s, at: 0 };
        while let Some(pair) = reader.next() {
            let Ok((key, value)) = pair else {
                let part = UrlPart::Password;
                let secret = before.is_some() || reader.secret();
                push(
                    faults,
                    if secret {
                        Fault::UnencodedReserved { part }
                    } else {
                        Fault::Unparsable
                    },
                );
                torn = true;
                break;
            };
            let role = Key::of(key);
            if role == Some(Key::Password) {
                given.has_password = !value.is_empty();
                given.password = Some(value);
                parameters.secret_seen();
                before.get_or_insert_with(|| given.clone());
                continue;
            }
            if role == Some(Key::Secret) {
                parameters.push_secret(key, &value);
                before.get_or_insert_with(|| given.clone());
                continue;
            }
            torn |= before.is_some() && role.is_none() && !is_known_pair(key);
            given.take(role, key, value, parameters);
        }
        match before {
            Some(mut before) if torn => {
                before.has_password = given.has_password;
                before.password = given.password;
                before
            }
            _ => given,
        }
    }

    fn take(&mut self, role: Option<Key>, key: &str, value: Hidden, parameters: &mut Parameters) {
        if let Some(marker) = super::keys::marker(key) {
            self.keys.push(marker);
        }
        match role {
            Some(Key::Host) => self.host = Some(value),
            Some(Key::Port) => self.port = Some(value).filter(|v| !v.is_empty()),
            Some(Key::Database) => self.database = Some(value),
            Some(Key::User) => self.user = Some(value),
            Some(Key::Driver) => {
                self.driver = Some(value.clone());
                parameters.push("driver", value);
            }
            _ => {
                let tls = tls_setting(key, &value);
                if let Some((mode, exact)) = tls.filter(|(_, exact)| *exact || self.tls.is_none_or(|(_, e)| !e)) {
                    self.tls = Some((mode, exact));
                }
                if role.is_some() || is_known_pair(key) {
                    // Its own list knows it; the other must not make a note of it.
                    parameters.push_known(key, value);
                } else {
                    parameters.push(key, value);
                }
            }
        }
    }
}

/// `DbConnectionStringBuilder`: a value may be in quotation marks of either kind, doubled inside; ODBC and JDBC have
/// braces. <https://learn.microsoft.com/dotnet/api/system.data.common.dbconnectionstringbuilder>
struct Reader<'a> {
    s: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Result<(&'a str, Hidden), ()>> {
        let bytes = self.s.as_bytes();
        while bytes
            .get(self.at)
            .is_some_and(|c| *c == b';' || c.is_ascii_whitespace())
        {
            self.at += 1;
        }
        if self.at == bytes.len() {
            return None;
        }
        Some(self.pair())
    }

    /// Whether the key at this place is a password's.
    fn secret(&self) -> bool {
        let key = self.s[self.at..].split('=').next().unwrap_or_default();
        matches!(Key::of(key), Some(Key::Password | Key::Secret))
    }

    fn pair(&mut self) -> Result<(&'a str, Hidden), ()> {
        let rest = &self.s[self.at..];
        let equals = rest
            .find(['=', ';'])
            .filter(|i| rest.as_bytes()[*i] == b'=')
            .ok_or(())?;
        let key = rest[..equals].trim();
        let word = |c: char| c.is_ascii_alphanumeric() || " _-./".contains(c);
        if key.is_empty() || !key.chars().all(word) {
            return Err(());
        }
        let after = &rest[equals + 1..];
        let value = after.trim_start();
        let from = self.at + equals + 1 + (after.len() - value.len());
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '{'));
        if let Some(quote) = quote
            && let Some((text, len)) = quoted(value, quote)
        {
            let tail = value[len..].trim_start();
            if tail.is_empty() || tail.starts_with(';') {
                self.at = self.s.len() - tail.len();
                return Ok((key, text));
            }
            if quote != '{' {
                return Err(());
            }
        } else if quote.is_some_and(|q| q != '{') {
            return Err(());
        }
        let end = value.find(';').unwrap_or(value.len());
        self.at = from + end;
        Ok((key, Hidden::new(value[..end].trim_end().to_owned())))
    }
}

/// The text in quotation marks or braces at the start of `s`, and how long it is with them.
fn quoted(s: &str, quote: char) -> Option<(Hidden, usize)> {
    let close = if quote == '{' { '}' } else { quote };
    let mut out = Hidden::new(String::with_capacity(s.len()));
    let mut chars = s.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c != close {
            out.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == close) {
            out.push(c);
            chars.next();
        } else {
            return Some((out, i + 1));
        }
    }
    None
}
