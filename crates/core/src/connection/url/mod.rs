//! A URL: `postgres://user:password@host:port/database?parameters`.

mod address;
mod credentials;
mod password;
mod query;

use self::address::Address;
use self::credentials::{Credentials, End};
pub(super) use self::password::password;
use self::query::Query;
use super::client::{is_text, takes_address, takes_parameter};
use super::faults::{empty, push};
use super::text::{decode, name};
use crate::model::connection::{Connection, ConnectionForm, Fault, UrlPart};

/// Schemes that may be named: none of them can be a piece of a password by more than chance.
#[rustfmt::skip]
const KNOWN_SCHEMES: [&str; 27] = [
    "amqp", "amqps", "cassandra", "clickhouse", "cockroachdb", "db2", "file", "ftp", "http", "https", "jdbc", "mariadb",
    "mongodb", "mssql", "mysql", "odbc", "oracle", "prisma", "redis", "rediss", "redshift", "s3", "snowflake", "sqlite",
    "sqlite3", "sqlserver", "ssh",
];

/// `None` if it is no URL.
pub(super) fn url(s: &str) -> Option<Connection> {
    let fault = |fault| {
        Some(Connection {
            faults: vec![fault],
            ..empty(ConnectionForm::Url)
        })
    };
    if s.get(..5).is_some_and(|p| p.eq_ignore_ascii_case("jdbc:")) {
        return fault(Fault::WrongScheme {
            found: Some("jdbc".to_owned()),
        });
    }
    let scheme_end = s
        .bytes()
        .position(|c| !(c.is_ascii_alphanumeric() || b"+-.".contains(&c)));
    let (scheme, after) = s.split_at(scheme_end?);
    let (base, dialect) = scheme
        .split_once('+')
        .map_or((scheme, None), |(base, dialect)| (base, Some(dialect)));
    let ours = ["postgres", "postgresql"].iter().any(|p| base.eq_ignore_ascii_case(p));
    match after.strip_prefix("://") {
        Some(rest) if ours && dialect.is_none_or(|d| !d.is_empty()) => Some(postgres_url(rest)),
        Some(rest) if !rest.is_empty() => {
            let found = KNOWN_SCHEMES
                .iter()
                .find(|k| base.eq_ignore_ascii_case(k))
                .map(|k| (*k).to_owned());
            // An unknown scheme without credentials can be anything, a password too.
            let meant = found.is_some() || (base.len() > 1 && rest.contains('@'));
            if meant {
                fault(Fault::WrongScheme { found })
            } else {
                None
            }
        }
        // `postgres:/...`, `DATABASE_URL=postgres://...`, `"postgres://...`: meant, but nothing can read it.
        _ if (ours && after.starts_with(':')) || mentions_postgres(s) => fault(Fault::Unparsable),
        _ => None,
    }
}

fn mentions_postgres(s: &str) -> bool {
    s.match_indices("://").any(|(i, _)| {
        let ends = |p: &str| {
            i.checked_sub(p.len())
                .and_then(|f| s.get(f..i))
                .is_some_and(|t| t.eq_ignore_ascii_case(p))
        };
        ends("postgres") || ends("postgresql")
    })
}

/// `rest` is what comes after `://`.
fn postgres_url(rest: &str) -> Connection {
    let mut faults = vec![];
    let End { at, lost } = End::find(rest);
    let (userinfo, tail) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
    let mut credentials = userinfo.map(|userinfo| Credentials::parse(userinfo, &mut faults));
    let (before, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut query = Query::parse(query, &mut faults);
    if at.is_none() && rest.contains('@') {
        // In the query's password, where libpq takes it for the end of credentials if there is no other.
        push(
            &mut faults,
            Fault::UnencodedReserved {
                part: UrlPart::Password,
            },
        );
    }
    let address = Address::parse(before, at.is_some(), &mut query, &mut faults);

    let mut found = empty(ConnectionForm::Url);
    let given = credentials.as_ref().is_some_and(|c| c.has_password);
    found.has_password = query.has_password.unwrap_or(given);
    if address.is_fact(&query, lost, &mut faults) {
        found.hosts = address.hosts(&query, &mut faults);
        found.database = address.database.as_deref().and_then(|d| name(d));
    }
    let user = credentials.as_mut().and_then(|c| c.user.take()).filter(|_| !lost);
    found.user = query
        .user
        .take()
        .or(user)
        .filter(|u| !u.is_empty())
        .and_then(|u| name(&u));
    found.sslmode = query.sslmode.take();

    let complete = found.database.is_some() && !found.hosts.is_empty();
    let user_raw = credentials.as_ref().map(|c| c.user_raw);
    if faults.is_empty() && !(complete && client_takes(user_raw, before, &query)) {
        push(&mut faults, Fault::Unparsable);
    }
    found.faults = faults;
    found
}

/// Whether a client accepts the URL. `before` is the part between the `@` and the `?`.
fn client_takes(user_raw: Option<&str>, before: &str, query: &Query<'_>) -> bool {
    user_raw.is_none_or(is_text)
        && takes_address(before)
        && query
            .checked
            .iter()
            .all(|(key, value)| decode(value).is_some_and(|value| takes_parameter(key, &value)))
}
