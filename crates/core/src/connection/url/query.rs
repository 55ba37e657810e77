//! A URL's query.

use zeroize::Zeroizing;

use super::super::faults::push;
use super::super::found::{Hidden, Parameters};
use super::super::parameters::{CHECKED_KEYWORDS, is_known, is_password_key, is_secret_key, ssl_mode, tls_setting};
use super::super::scheme::Scheme;
use super::super::text::{decode, is_plain, percents_are_good};
use super::rules::Rules;
use crate::model::connection::{Fault, UrlPart};
use crate::model::store::{Dialect, Engine};

/// The parameters of a query.
#[derive(Default)]
pub(super) struct Query<'a> {
    pub(super) host: Option<Hidden>,
    pub(super) port: Option<Hidden>,
    pub(super) user: Option<Hidden>,
    pub(super) database: Option<Hidden>,
    pub(super) sslmode: Option<String>,
    /// Whether `sslmode` comes from a parameter that names a mode, not from one that says yes or no.
    exact: bool,
    pub(super) has_password: Option<bool>,
    /// The password, decoded.
    pub(super) password: Option<Hidden>,
    /// A parameter that only Prisma takes.
    prisma: bool,
    /// For `tokio_postgres`.
    pub(super) checked: Vec<(&'a str, &'a str)>,
}

pub(super) fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|p| !p.is_empty())
}

/// Whether the query has a password, which may hold any character.
pub(super) fn gives_password(query: &str) -> bool {
    pairs(query).any(|p| p.split_once('=').is_some_and(|(k, _)| is_secret_key(k)))
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str, rules: &Rules, faults: &mut Vec<Fault>, parameters: &mut Parameters) -> Self {
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
                Some((key, value)) if is_secret_key(key) => {
                    out.take_password(key, value, rules, &torn, faults, parameters);
                }
                Some((key, value)) if is_whole(key, value) => out.take(key, value, rules, faults, parameters),
                // `?user=fred&ssl`: https://jdbc.postgresql.org/documentation/use/
                None if !rules.libpq && (is_known(pair) || !gives_password(query)) && is_whole(pair, "") => {
                    out.take(pair, "", rules, faults, parameters);
                }
                _ => push(faults, torn.clone()),
            }
        }
        out
    }

    fn take_password(
        &mut self,
        key: &str,
        value: &str,
        rules: &Rules,
        torn: &Fault,
        faults: &mut Vec<Fault>,
        parameters: &mut Parameters,
    ) {
        parameters.secret_seen();
        if key.eq_ignore_ascii_case("password") || (!rules.libpq && is_password_key(key)) {
            self.has_password = Some(!value.is_empty());
            let spaced = Zeroizing::new(if rules.java {
                value.replace('+', " ")
            } else {
                String::new()
            });
            self.password = decode(if rules.java { &spaced } else { value });
        } else {
            parameters.push_secret(key, value);
        }
        // What RFC 3986 lets stand in a query; a second `=` is too much for libpq.
        let good = rules.java
            || value
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

    fn take(
        &mut self,
        key: &'a str,
        value: &'a str,
        rules: &Rules,
        faults: &mut Vec<Fault>,
        parameters: &mut Parameters,
    ) {
        let text = || decode(value).unwrap_or_else(|| Hidden::new(value.to_owned()));
        match key {
            "host" => {
                self.host = match (self.host.take(), decode(value)) {
                    // SQLAlchemy: `?host=a:5432&host=b:5432`
                    (Some(before), Some(host)) if rules.inline_ports => {
                        Some(Hidden::new([before.as_str(), host.as_str()].join(",")))
                    }
                    (_, host) => host,
                }
            }
            "hostaddr" if self.host.is_none() => {
                self.host = decode(value);
                parameters.push(key, text());
            }
            "port" => self.port = decode(value),
            "user" => self.user = decode(value),
            "username" if !rules.libpq => self.user = decode(value),
            "dbname" => self.database = decode(value),
            "database" | "databaseName" if !rules.libpq => self.database = decode(value),
            _ => {
                self.prisma |= PRISMA.contains(&key);
                if CHECKED_KEYWORDS.contains(&key) {
                    self.checked.push((key, value));
                }
                self.take_tls(key, value, rules, faults);
                parameters.push(key, text());
            }
        }
    }

    fn take_tls(&mut self, key: &str, value: &str, rules: &Rules, faults: &mut Vec<Fault>) {
        if key == "sslmode" && rules.libpq {
            match ssl_mode(value) {
                Some(mode) => (self.sslmode, self.exact) = (Some(mode), true),
                None => push(faults, Fault::Unparsable),
            }
        } else if key == "sslrootcert" && value == "system" && self.sslmode.is_none() {
            // https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT
            self.sslmode = ssl_mode("verify-full");
        } else if let Some((mode, exact)) = tls_setting(key, value).filter(|(_, exact)| *exact || !self.exact) {
            self.sslmode = ssl_mode(mode);
            self.exact = exact;
        }
    }

    /// The dialect of the scheme, or Prisma's where its parameters are.
    pub(super) fn dialect(&self, scheme: &Scheme) -> Option<Dialect> {
        let prisma = self.prisma && scheme.engine == Engine::Postgres && scheme.dialect == Some(Dialect::Libpq);
        if prisma { Some(Dialect::Prisma) } else { scheme.dialect }
    }
}

/// Parameters that only Prisma takes.
/// <https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments>
const PRISMA: [&str; 7] = [
    "connection_limit",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
];

/// Whether a parameter that is no password looks like one that nothing has torn.
fn is_whole(key: &str, value: &str) -> bool {
    let kept = ["host", "port", "user", "dbname", "username", "database"].contains(&key);
    // A second `=` is too much for libpq. Others take it, and where nothing is kept of it, it does no harm.
    let value_good =
        percents_are_good(value) && !value.chars().any(|c| c.is_control() || c == '#' || (kept && c == '='));
    !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.+%".contains(&c)) && value_good
}
