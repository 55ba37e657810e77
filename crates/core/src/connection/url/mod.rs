//! A URL: `postgres://user:password@host:port/database?parameters`, and its like for other drivers and databases.

mod address;
mod credentials;
mod query;
mod rules;

use self::address::Address;
use self::credentials::{Credentials, End};
use self::query::Query;
use self::rules::Rules;
use super::client::{is_text, takes_address, takes_parameter};
use super::faults::push;
use super::found::{Found, Hidden};
use super::pairs;
use super::scheme::{self, Scheme};
use super::text::{decode, name};
use crate::model::connection::{ConnectionForm, Fault, Note, UrlPart};
use crate::model::store::Engine;

/// `None` if it is no URL.
pub(super) fn url(s: &str) -> Option<Found> {
    let scheme_end = s
        .bytes()
        .position(|c| !(c.is_ascii_alphanumeric() || b"+-._".contains(&c)));
    let (written, after) = s.split_at(scheme_end?);
    let known = scheme::database(written);
    if let Some(rest) = after.strip_prefix("://") {
        if let Some(known) = known {
            return Some(database_url(written, rest, &known));
        }
        if rest.is_empty() {
            return None;
        }
        let found = scheme::of_something_else(written).map(str::to_owned);
        // An unknown scheme without credentials can be anything, a password too.
        let base = written.split('+').next().unwrap_or_default();
        let meant = found.is_some() || (base.len() > 1 && rest.contains('@'));
        return meant.then(|| Found::fault(Fault::WrongScheme { found }));
    }
    // `postgres:/...`, `DATABASE_URL=postgres://...`, `"postgres://...`: meant, but nothing can read it.
    let ours = known.is_some_and(|k| k.engine == Engine::Postgres && k.name.starts_with("postgres"));
    ((ours && after.starts_with(':')) || mentions_postgres(s)).then(|| Found::fault(Fault::Unparsable))
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

fn database_url(written: &str, rest: &str, scheme: &Scheme) -> Found {
    // Prisma's URL of SQL Server has pairs: https://www.prisma.io/docs/orm/overview/databases/sql-server
    let first = &rest[..rest.find(['@', '?', '/']).unwrap_or(rest.len())];
    if first.contains(';') && matches!(&scheme.engine, Engine::Other(name) if name == "sqlserver") {
        return pairs::after_address(written, rest, scheme);
    }
    parse(written, rest, scheme)
}

/// `written` is the scheme as written, `rest` what comes after `://`.
pub(super) fn parse(written: &str, rest: &str, scheme: &Scheme) -> Found {
    let rules = Rules::of(scheme);
    let mut found = Found::new(ConnectionForm::Url);
    let mut faults = vec![];
    let End { at, lost } = End::find(rest);
    let (userinfo, tail) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
    let mut credentials = userinfo.map(|userinfo| Credentials::parse(userinfo, &mut faults));
    if userinfo.is_some() && !rules.credentials {
        push(&mut faults, Fault::CredentialsInAddress);
    }
    let (before, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut query = Query::parse(query, &rules, &mut faults, &mut found.parameters);
    if at.is_none() && rest.contains('@') && rules.libpq {
        // In the query's password, where libpq takes it for the end of credentials if there is no other.
        push(
            &mut faults,
            Fault::UnencodedReserved {
                part: UrlPart::Password,
            },
        );
    }
    let address = Address::parse(before, at.is_some(), scheme, &mut query, &mut faults);

    let facts = &mut found.connection;
    facts.engine = scheme.engine.clone();
    facts.scheme = Some(scheme.name.clone());
    facts.dialect = query.dialect(scheme);
    let given = credentials.as_ref().is_some_and(|c| c.has_password);
    facts.has_password = query.has_password.unwrap_or(given);
    let mut kept_database = address.database.as_deref().map(|d| Hidden::new(d.clone()));
    if address.is_fact(&query, given, lost, &mut faults) {
        facts.hosts = address.hosts(&query, rules.inline_ports, &mut faults);
        facts.database = address.database.as_deref().and_then(|d| name(d));
    } else if faults.is_empty() {
        facts.notes.push(Note::UnclearAddress);
        kept_database = None;
    }
    let user = credentials.as_mut().and_then(|c| c.user.take()).filter(|_| !lost);
    let user = query.user.take().or(user).filter(|u| !u.is_empty());
    facts.user = user.as_ref().and_then(|u| name(u));
    facts.sslmode = query.sslmode.take();
    if facts.notes.is_empty() {
        if !address.has_host(&query) {
            facts.notes.push(Note::NoHost);
        }
        if address.database.is_none() && scheme.engine == Engine::Postgres {
            facts.notes.push(Note::NoDatabase);
        }
    }
    let user_raw = credentials.as_ref().map(|c| c.user_raw);
    if faults.is_empty() && rules.libpq && !client_takes(user_raw, before, &query) {
        push(&mut faults, Fault::Unparsable);
    }
    facts.faults = faults;
    found.form.push_str(&written.to_ascii_lowercase());
    let host = query.host.as_ref().map_or("", |h| h);
    let port = query.port.as_ref().map_or("", |p| p);
    found.address = Hidden::new([before, host, port].join("\n"));
    found.database = kept_database;
    found.user = user;
    found.password = query.password.take().or_else(|| credentials.and_then(|c| c.password));
    found
}

/// Whether libpq accepts the URL. `before` is the part between the `@` and the `?`.
fn client_takes(user_raw: Option<&str>, before: &str, query: &Query<'_>) -> bool {
    user_raw.is_none_or(is_text)
        && takes_address(before)
        && query
            .checked
            .iter()
            .all(|(key, value)| decode(value).is_some_and(|value| takes_parameter(key, &value)))
}
