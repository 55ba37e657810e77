//! JDBC and R2DBC URLs.

use std::borrow::Cow;

use super::faults::push;
use super::file;
use super::found::{Found, Hidden};
use super::host::hosts_of;
use super::pairs;
use super::scheme::{self, Scheme};
use super::text::{decode, name};
use super::url;
use crate::model::connection::{ConnectionForm, Fault, Note};
use crate::model::store::{Dialect, Engine};

/// Drivers that hand the rest of the URL to another driver.
///
/// <https://github.com/aws/aws-advanced-jdbc-wrapper/blob/main/docs/using-the-jdbc-driver/UsingTheJdbcDriver.md>,
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_jdbc.html>,
/// <https://github.com/open-telemetry/opentelemetry-java-instrumentation/tree/main/instrumentation/jdbc/library>,
/// <https://p6spy.readthedocs.io/en/latest/install.html>, <https://java.testcontainers.org/modules/databases/jdbc/>
#[rustfmt::skip]
const WRAPPERS: &[&str] = &[
    "aws-wrapper", "secretsmanager", "otel", "opentelemetry", "p6spy", "log4jdbc", "tracing", "tc", "jdbc", "pool", "proxy",
    "datadog", "jtds", "wrap-jdbc",
];

/// What may come between the name of a database and the `//`: `mysql:replication://`, `r2dbc:postgresql:failover://`.
#[rustfmt::skip]
const MODES: &[&str] = &[
    "replication", "loadbalance", "aurora", "sequential", "failover", "load-balance-read", "thin", "oci", "iam", "pool",
];

/// A JDBC URL; `None` if it is none.
pub(super) fn jdbc(s: &str) -> Option<Found> {
    let (prefix, mut rest) = s.split_once(':')?;
    if !["jdbc", "jdbc-secretsmanager"]
        .iter()
        .any(|p| prefix.eq_ignore_ascii_case(p))
    {
        return None;
    }
    let mut wrapper = None;
    // A wrapper around a wrapper is as deep as it gets.
    for _ in 0..3 {
        let (word, after) = rest.split_once(':').unwrap_or((rest, ""));
        let Some(known) = WRAPPERS.iter().find(|w| word.eq_ignore_ascii_case(w)) else {
            break;
        };
        wrapper = Some(*known);
        rest = after;
    }
    let (database, after) = rest.split_once(':').unwrap_or((rest, ""));
    let database = database.to_ascii_lowercase();
    // Spring and Quarkus fill in `${DB_HOST}` from other settings.
    // https://docs.spring.io/spring-boot/reference/features/external-config.html#features.external-config.files.property-placeholders
    let mut found = match scheme::database(&database) {
        Some(known) if after.contains("${") => {
            let mut found = opaque_at(&jdbc_of(&known.name, known.engine, known.port), after);
            found.connection.notes.push(Note::UnclearAddress);
            found
        }
        _ => of_database(&database, after, wrapper),
    };
    found.connection.dialect = Some(Dialect::Jdbc);
    let written = &s[..s.len() - after.len()];
    found.form = Hidden::new(written.to_ascii_lowercase());
    Some(found)
}

fn of_database(database: &str, after: &str, wrapper: Option<&str>) -> Found {
    // Testcontainers: `jdbc:tc:postgresql:15:///database`
    let after = match wrapper {
        Some("tc") => after.find("//").map_or(after, |i| &after[i..]),
        _ => after,
    };
    match database {
        "postgresql" | "pgsql" => {
            let scheme = jdbc_of("postgresql", Engine::Postgres, scheme::DEFAULT_PORT);
            if let Some(rest) = after.strip_prefix("//") {
                return url::parse(database, rest, &scheme);
            }
            // `jdbc:postgresql:database`
            let path = Hidden::new(format!("/{}", after.trim_start_matches('/')));
            url::parse(database, &path, &scheme)
        }
        // A common slip: no driver takes this name.
        "postgres" => Found::fault(Fault::WrongScheme {
            found: Some("jdbc:postgres".to_owned()),
        }),
        "sqlserver" => {
            let scheme = pairs::jdbc_scheme("jdbc:sqlserver", "sqlserver");
            match after.strip_prefix("//") {
                Some(rest) => pairs::after_address("jdbc:sqlserver", rest, &scheme),
                None => opaque(&scheme),
            }
        }
        "oracle" => oracle(after),
        "db2" => {
            let scheme = pairs::jdbc_scheme("jdbc:db2", "db2");
            match after.strip_prefix("//") {
                // `//host:50000/DATABASE:user=...;password=...;`
                Some(rest) => {
                    let pairs_at = rest
                        .split_once('/')
                        .and_then(|(_, path)| path.find(':').map(|i| rest.len() - path.len() + i));
                    let rest = Hidden::new(match pairs_at {
                        Some(at) => format!("{};{}", &rest[..at], &rest[at + 1..]),
                        None => format!("{rest};"),
                    });
                    pairs::after_address("jdbc:db2", &rest, &scheme)
                }
                None => opaque(&scheme),
            }
        }
        "h2" | "hsqldb" | "derby" | "sqlite" | "duckdb" => file::jdbc(database, after),
        _ => of_any(database, after),
    }
}

fn of_any(database: &str, after: &str) -> Found {
    let mut rest = after;
    for _ in 0..2 {
        match rest.split_once(':') {
            Some((mode, after)) if MODES.iter().any(|m| mode.eq_ignore_ascii_case(m)) => rest = after,
            _ => break,
        }
    }
    let Some(known) = scheme::database(database) else {
        // A driver that is not known here; what reads it is, and that is all.
        let mut found = Found::new(ConnectionForm::Url);
        found.address = Hidden::new(rest.to_owned());
        return found;
    };
    let scheme = jdbc_of(&known.name, known.engine, known.port);
    let Some(rest) = rest.strip_prefix("//") else {
        return opaque(&scheme);
    };
    let end = rest.find(['/', '?', ';', '(']).unwrap_or(rest.len());
    match rest[end..].chars().next() {
        // `address=(host=...)(port=...)`
        Some('(') => opaque_at(&scheme, rest),
        Some(';') => {
            let mut found = pairs::after_address(&scheme.name, rest, &scheme);
            // What looks like the name of a parameter may be a piece of a password before an `@`.
            if rest.contains('@') {
                for note in &mut found.connection.notes {
                    if let Note::UnknownParameter { name } = note {
                        *name = None;
                    }
                }
            }
            found
        }
        Some('/') if rest[end..].contains(';') && !rest.contains(['?', '@']) => {
            pairs::after_address(&scheme.name, rest, &scheme)
        }
        _ => url::parse(&scheme.name, rest, &scheme),
    }
}

fn jdbc_of(name: &str, engine: Engine, port: u16) -> Scheme {
    Scheme {
        name: format!("jdbc:{name}"),
        engine,
        dialect: Some(Dialect::Jdbc),
        port,
    }
}

/// A connection of which only the kind of database is known.
fn opaque(scheme: &Scheme) -> Found {
    opaque_at(scheme, "")
}

fn opaque_at(scheme: &Scheme, rest: &str) -> Found {
    let mut found = Found::new(ConnectionForm::Url);
    found.connection.engine = scheme.engine.clone();
    found.connection.scheme = Some(scheme.name.clone());
    found.connection.dialect = scheme.dialect;
    found.address = Hidden::new(rest.to_owned());
    found
}

/// `thin:@//host:1521/service`, `thin:@host:1521:SID`, `thin:user/password@host:1521/service`, `thin:@tcps://host/service`,
/// `thin:@(DESCRIPTION=...)`, `thin:@alias`.
/// <https://docs.oracle.com/en/database/oracle/oracle-database/23/jjdbc/data-sources-and-URLs.html>
fn oracle(after: &str) -> Found {
    let scheme = pairs::jdbc_scheme("jdbc:oracle", "oracle");
    let mut found = opaque_at(&scheme, after);
    let rest = after.split_once(':').map_or(after, |(_, rest)| rest);
    let Some((credentials, target)) = rest.rsplit_once('@') else {
        return found;
    };
    found.connection.has_password = credentials
        .split_once('/')
        .is_some_and(|(_, password)| !password.is_empty());
    let target = target.split_once("://").map_or(target, |(_, t)| t);
    let target = target.strip_prefix("//").unwrap_or(target);
    let end = target.find(['/', '?']).unwrap_or(target.len());
    let mut parts = target[..end].split(':');
    let (host, port) = (parts.next().unwrap_or_default(), parts.next());
    // Nothing of it is certain with credentials that may hold an `@`, but for what has a port.
    let number = port.is_some_and(|p| !p.is_empty() && p.bytes().all(|c| c.is_ascii_digit()));
    if credentials.is_empty() && number && !host.contains('(') {
        let mut faults = vec![];
        found.connection.hosts = hosts_of(host, port, scheme.port, false, &mut faults);
    }
    found
}

/// An R2DBC URL; `None` if it is none. <https://r2dbc.io/spec/1.0.0.RELEASE/spec/html/#overview.connection.url>
pub(super) fn r2dbc(s: &str) -> Option<Found> {
    let (prefix, rest) = s.split_once(':')?;
    let secure = prefix.eq_ignore_ascii_case("r2dbcs");
    if !secure && !prefix.eq_ignore_ascii_case("r2dbc") {
        return None;
    }
    let Some((drivers, rest)) = rest.split_once("://") else {
        // `r2dbc:h2:mem:///name`, or nothing.
        let built_in = rest.get(..3).is_some_and(|p| p.eq_ignore_ascii_case("h2:"));
        return Some(if built_in {
            file::jdbc("h2", &rest[3..])
        } else {
            Found::fault(Fault::Unparsable)
        });
    };
    let mut known = None;
    for driver in drivers.split(':').take(4) {
        if driver.eq_ignore_ascii_case("h2") {
            let mut found = file::jdbc("h2", &drivers[drivers.len().min(3)..]);
            found.connection.dialect = Some(Dialect::R2dbc);
            return Some(found);
        }
        known = known.or_else(|| scheme::database(driver));
    }
    let Some(known) = known else {
        return Some(Found::fault(Fault::WrongScheme {
            found: Some("r2dbc".to_owned()),
        }));
    };
    let scheme = Scheme {
        name: format!("r2dbc:{}", known.name),
        dialect: Some(Dialect::R2dbc),
        ..known
    };
    let mut found = url::parse(drivers, rest, &scheme);
    found.form = Hidden::new(s[..s.len() - rest.len()].to_ascii_lowercase());
    if secure && found.connection.sslmode.is_none() {
        found.connection.sslmode = Some("require".to_owned());
    }
    Some(found)
}

/// Networks of Go's MySQL driver. <https://github.com/go-sql-driver/mysql#dsn-data-source-name>
const NETWORKS: [&str; 6] = ["tcp", "tcp4", "tcp6", "unix", "cloudsql", "mysql"];

/// `user:password@tcp(host:3306)/database?parseTime=true`; `None` if it is no such string.
pub(super) fn go_mysql(s: &str) -> Option<Found> {
    let network = NETWORKS.iter().find_map(|network| {
        let at = s.rfind(&format!("{network}("))?;
        let alone = at == 0 || s[..at].ends_with('@');
        alone.then_some((at, *network))
    });
    let mut found = Found::new(ConnectionForm::Dsn);
    found.connection.dialect = Some(Dialect::GoMysql);
    found.connection.engine = Engine::Other(Cow::Borrowed("mysql"));
    let Some((at, network)) = network else {
        // `user:password@/database`: nothing of it is certain.
        let (credentials, rest) = s.rsplit_once('@')?;
        let shaped = credentials.contains(':') && rest.starts_with('/') && !s.contains("://");
        found.connection.has_password = true;
        found.connection.notes.push(Note::NoHost);
        found.address = Hidden::new(s.to_owned());
        return shaped.then_some(found);
    };
    let credentials = s[..at].strip_suffix('@').unwrap_or_default();
    let inside = &s[at + network.len() + 1..];
    let (address, after) = inside.split_once(')')?;
    let mut faults = vec![];
    if let Some(tail) = after.strip_prefix('/') {
        let (database, query) = tail.split_once('?').unwrap_or((tail, ""));
        let mut tls = None;
        for (key, value) in query.split('&').filter_map(|p| p.split_once('=')) {
            if key == "tls" {
                tls = Some(match value {
                    "false" => "disable",
                    "preferred" => "prefer",
                    "skip-verify" => "no-verify",
                    _ => "require",
                });
            }
            let value = decode(value).unwrap_or_else(|| Hidden::new(value.to_owned()));
            found.parameters.push(key, value);
        }
        found.connection.sslmode = tls.map(str::to_owned);
        let clean = database
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_-.%$".contains(&c));
        found.connection.database = decode(database)
            .filter(|d| clean && !d.is_empty())
            .and_then(|d| name(&d));
        found.database = Some(Hidden::new(database.to_owned()));
    } else {
        // "invalid DSN: missing the slash separating the database name"
        push(&mut faults, Fault::NoDatabase);
    }
    let (user, password) = credentials
        .split_once(':')
        .map_or((credentials, None), |(u, p)| (u, Some(p)));
    let plain = user.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c));
    found.connection.user = (plain && !user.is_empty()).then(|| name(user)).flatten();
    found.user = Some(Hidden::new(user.to_owned()));
    found.password = password.map(|p| Hidden::new(p.to_owned()));
    found.address = Hidden::new(format!("{network}({address})"));
    match address.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((host, port)) => {
            let port = port.strip_prefix(':');
            found.connection.hosts = hosts_of(host, port, 3306, false, &mut faults);
        }
        None if address.is_empty() => found.connection.notes.push(Note::NoHost),
        None if network == "cloudsql" => {}
        None => found.connection.hosts = hosts_of(address, None, 3306, true, &mut faults),
    }
    found.connection.faults = faults;
    Some(found)
}
