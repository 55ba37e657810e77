//! A URL's query.

use zeroize::Zeroizing;

use super::super::faults::push;
use super::super::parameters::{CHECKED_KEYWORDS, is_password_key, ssl_mode};
use super::super::text::{decode, is_plain, percents_are_good};
use crate::model::connection::{Fault, UrlPart};

/// The parameters of a query.
#[derive(Default)]
pub(super) struct Query<'a> {
    pub(super) host: Option<Zeroizing<String>>,
    pub(super) port: Option<Zeroizing<String>>,
    pub(super) user: Option<Zeroizing<String>>,
    pub(super) database: Option<Zeroizing<String>>,
    pub(super) sslmode: Option<String>,
    pub(super) has_password: Option<bool>,
    /// For `tokio_postgres`.
    pub(super) checked: Vec<(&'a str, &'a str)>,
}

pub(super) fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|p| !p.is_empty())
}

/// Whether the query has a password, which may hold any character.
pub(super) fn gives_password(query: &str) -> bool {
    pairs(query).any(|p| p.split_once('=').is_some_and(|(k, _)| is_password_key(k)))
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str, faults: &mut Vec<Fault>) -> Self {
        let mut out = Self::default();
        // A query that holds a password may be torn by it.
        let torn = if gives_password(query) {
            Fault::UnencodedReserved {
                part: UrlPart::Password,
            }
        } else {
            Fault::Unparsable
        };
        for pair in pairs(query) {
            match pair.split_once('=') {
                Some((key, value)) if is_password_key(key) => out.take_password(key, value, &torn, faults),
                Some((key, value)) if is_whole(key, value) => out.take(key, value, faults),
                _ => push(faults, torn.clone()),
            }
        }
        out
    }

    fn take_password(&mut self, key: &str, value: &str, torn: &Fault, faults: &mut Vec<Fault>) {
        if key.eq_ignore_ascii_case("password") {
            self.has_password = Some(!value.is_empty());
        }
        // What RFC 3986 lets stand in a query; a second `=` is too much for libpq.
        let good = value
            .bytes()
            .all(|c| (is_plain(c) && c != b'=') || b"%:@/?".contains(&c));
        if !good {
            push(faults, torn.clone());
        }
        if !percents_are_good(value) {
            push(
                faults,
                Fault::BadPercentEncoding {
                    part: UrlPart::Password,
                },
            );
        }
    }

    fn take(&mut self, key: &'a str, value: &'a str, faults: &mut Vec<Fault>) {
        match key {
            "host" => self.host = decode(value),
            "port" => self.port = decode(value),
            "user" => self.user = decode(value),
            "dbname" => self.database = decode(value),
            "sslmode" => match ssl_mode(value) {
                Some(mode) => self.sslmode = Some(mode),
                None => push(faults, Fault::Unparsable),
            },
            // JDBC's and asyncpg's way to say it; libpq knows the first.
            "ssl" if self.sslmode.is_none() => {
                self.sslmode = if value == "true" {
                    ssl_mode("require")
                } else {
                    ssl_mode(value)
                };
            }
            _ if CHECKED_KEYWORDS.contains(&key) => self.checked.push((key, value)),
            _ => {}
        }
    }
}

/// Whether a parameter that is no password looks like one that nothing has torn.
fn is_whole(key: &str, value: &str) -> bool {
    let kept = ["host", "port", "user", "dbname"].contains(&key);
    // A second `=` is too much for libpq. Others take it, and where nothing is kept of it, it does no harm.
    let value_good =
        percents_are_good(value) && !value.chars().any(|c| c.is_control() || c == '#' || (kept && c == '='));
    !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c)) && value_good
}
