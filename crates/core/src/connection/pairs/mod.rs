//! Pairs between semicolons: ADO.NET and ODBC (`Host=...;Username=...;Password=...`), PDO (`pgsql:host=...;dbname=...`),
//! and what JDBC and Prisma put after the address of SQL Server.

mod engine;
mod keys;
mod reader;

use std::borrow::Cow;

use self::engine::engine_of;
use self::keys::is_pair_key;
use self::reader::{Given, segments};
use super::faults::push;
use super::found::{Found, Hidden};
use super::host::hosts_of;
use super::scheme::{self, Scheme, port_of};
use super::text::name;
use super::{file, keywords};
use crate::model::connection::{ConnectionForm, Fault, Note};
use crate::model::store::{Dialect, Engine};

/// A connection string of ADO.NET or ODBC; `None` if it is none: at least two of its keys must be known, or one that
/// nothing else has.
pub(super) fn pairs(s: &str) -> Option<Found> {
    let first = segments(s).next()?;
    // `host=h user=u password=a;b` is a keyword string.
    let (key, value) = first.split_once('=')?;
    if !is_pair_key(key) {
        return None;
    }
    let value = value.trim_start();
    let quoted = value.starts_with(['"', '\'', '{']);
    if !quoted && value.contains('=') && value.contains(char::is_whitespace) {
        return None;
    }
    let known = segments(s)
        .filter_map(|segment| segment.split_once('='))
        .filter(|(key, _)| is_pair_key(key))
        .take(2)
        .count();
    let mut found = Found::new(ConnectionForm::Pairs);
    found.connection.dialect = Some(Dialect::Ado);
    let found = read(s, found, None);
    // `Data Source=app.db`
    let is_file = matches!(found.connection.engine, Engine::Builtin(_));
    (known == 2 || is_file).then_some(found)
}

/// `host\instance:1433;database=...;user=...;password=...`, which comes after `sqlserver://`.
///
/// <https://learn.microsoft.com/sql/connect/jdbc/building-the-connection-url>,
/// <https://www.prisma.io/docs/orm/overview/databases/sql-server>
pub(super) fn after_address(written: &str, rest: &str, scheme: &Scheme) -> Found {
    let (address, tail) = rest.split_once(';').unwrap_or((rest, ""));
    let mut found = Found::new(ConnectionForm::Pairs);
    found.form.push_str(&written.to_ascii_lowercase());
    found.connection.scheme = Some(scheme.name.clone());
    found.connection.engine = scheme.engine.clone();
    found.connection.dialect = scheme.dialect;
    // jTDS and DB2 have a path.
    let (address, path) = address.split_once('/').unwrap_or((address, ""));
    let address = address.split_once('\\').map_or_else(
        || Cow::Borrowed(address),
        |(host, instance)| {
            let port = instance.split_once(':').map(|(_, port)| port);
            Cow::Owned(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        },
    );
    // Without pairs that are known, it may be anything.
    let known = segments(tail)
        .filter_map(|s| s.split_once('='))
        .any(|(key, _)| is_pair_key(key));
    found = read(tail, found, Some((&address, path)));
    // `user:789;word@host` may be credentials.
    if !known || !found.connection.faults.is_empty() {
        found.connection.hosts.clear();
        found.connection.database = None;
    }
    found
}

/// PDO and Perl's DBI: <https://www.php.net/manual/en/ref.pdo-pgsql.connection.php>,
/// <https://metacpan.org/pod/DBD::Pg#connect>
pub(super) fn pdo(s: &str) -> Option<Found> {
    let lower = s.get(..s.len().min(16)).unwrap_or(s).to_ascii_lowercase();
    let rest_of = |prefix: &str| lower.starts_with(prefix).then(|| &s[prefix.len()..]);
    let (scheme, rest) = [
        ("pgsql:", "pgsql"),
        ("dbi:pg:", "dbi:pg"),
        ("mysql:", "mysql"),
        ("dbi:mysql:", "dbi:mysql"),
        ("dbi:mariadb:", "dbi:mariadb"),
        ("sqlsrv:", "sqlsrv"),
    ]
    .iter()
    .find_map(|(prefix, name)| Some((*name, rest_of(prefix)?)))?;
    let first = segments(rest).next()?;
    let (key, _) = first.split_once('=')?;
    if !is_pair_key(key) && !key.trim().eq_ignore_ascii_case("unix_socket") {
        return None;
    }
    let engine = scheme.rsplit(':').next().unwrap_or_default();
    let engine = match engine {
        "pg" | "pgsql" => Engine::Postgres,
        "sqlsrv" => Engine::Other(Cow::Borrowed("sqlserver")),
        "mariadb" => Engine::Other(Cow::Borrowed("mariadb")),
        _ => Engine::Other(Cow::Borrowed("mysql")),
    };
    let mut found = match &engine {
        // PDO hands it to libpq.
        Engine::Postgres if !rest.contains(';') => keywords::keyword_string(rest)?,
        _ => {
            let mut found = Found::new(ConnectionForm::Pairs);
            found.connection.engine = engine.clone();
            read(rest, found, None)
        }
    };
    found.connection.engine = engine;
    found.connection.dialect = Some(Dialect::Pdo);
    found.connection.scheme = Some(scheme.to_owned());
    found.form = Hidden::new(scheme.to_owned());
    Some(found)
}

/// Reads the pairs of `s` into `found`, which already says what is known of the engine. `address`: host and port, and
/// path, that came before the pairs.
fn read(s: &str, mut found: Found, address: Option<(&str, &str)>) -> Found {
    let mut faults = vec![];
    let given = Given::read(s, &mut found.parameters, &mut faults);
    let facts = &mut found.connection;
    if facts.engine == Engine::Unknown {
        facts.engine = engine_of(&given);
    }
    facts.has_password = given.has_password;
    facts.sslmode = given.tls.map(|(mode, _)| mode.to_owned());
    if let (Engine::Builtin(_), Some(path)) = (&facts.engine, &given.host) {
        facts.database = file::path(path);
        facts.faults = faults;
        found.database = given.host;
        found.password = given.password;
        return found;
    }
    let keep = |text: &Option<Hidden>| {
        let text = text.as_ref().filter(|t| !t.is_empty())?;
        let torn = text.chars().any(|c| matches!(c, '=' | ';' | '\'' | '"' | '{' | '}'));
        if torn { None } else { name(text) }
    };
    facts.user = keep(&given.user);
    let database = given
        .database
        .or_else(|| address.map(|(_, path)| Hidden::new(path.to_owned())))
        .filter(|d| !d.is_empty());
    facts.database = keep(&database);
    for text in [&given.user, &database] {
        if keep(text).is_none() && text.as_ref().is_some_and(|t| !t.is_empty()) {
            push(&mut faults, Fault::Unparsable);
        }
    }
    let default_port = port_of(&facts.engine);
    let host = given.host.as_ref().map(|h| h.as_str());
    let host = host.or(address.map(|(a, _)| a)).unwrap_or_default();
    match server(host) {
        Server::Named(host, own_port) => {
            let port = own_port.or(given.port.as_ref().map(|p| p.as_str()));
            let hosts = hosts_of(host, port, default_port, own_port.is_none(), &mut faults);
            facts.hosts = hosts;
        }
        Server::None => facts.notes.push(Note::NoHost),
        Server::Opaque => {}
    }
    if database.is_none() && facts.engine == Engine::Postgres {
        facts.notes.push(Note::NoDatabase);
    }
    facts.faults = faults;
    found.address = Hidden::new(host.to_owned());
    found.database = database;
    found.user = given.user;
    found.password = given.password;
    found
}

/// What names a server.
enum Server<'a> {
    /// A host, or several, and the port of SQL Server's `host,1433`.
    Named(&'a str, Option<&'a str>),
    /// Something that names no host here: `(localdb)`, a TNS name, a descriptor.
    Opaque,
    None,
}

fn server(text: &str) -> Server<'_> {
    let text = text.trim();
    let text = ["tcp:", "TCP:", "Tcp:"]
        .iter()
        .find_map(|p| text.strip_prefix(p))
        .unwrap_or(text);
    let text = text.split_once('\\').map_or(text, |(host, _)| host);
    match text {
        "" => Server::None,
        "." | "(local)" => Server::Named("localhost", None),
        _ if text.starts_with('(') || text.contains("://") || text.starts_with("//") || text.contains('|') => {
            Server::Opaque
        }
        _ => match text.rsplit_once(',') {
            Some((host, port)) if is_number(port.trim()) && !host.contains(',') => {
                Server::Named(host.trim(), Some(port.trim()))
            }
            _ => Server::Named(text, None),
        },
    }
}

fn is_number(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit())
}

/// The scheme of a JDBC URL whose parameters are pairs.
pub(super) fn jdbc_scheme(name: &str, engine: &'static str) -> Scheme {
    let engine = Engine::Other(Cow::Borrowed(engine));
    scheme::Scheme {
        name: name.to_owned(),
        port: port_of(&engine),
        engine,
        dialect: Some(Dialect::Jdbc),
    }
}
