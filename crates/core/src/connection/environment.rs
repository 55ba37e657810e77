//! Reads facts about the database from the plain environment variables of a container.

use zeroize::Zeroizing;

use super::plain::inspect_plain;
use crate::model::resources::PlainDatabase;

/// Variables that PostgreSQL clients and images commonly take a host from.
const HOST_VARIABLES: &[&str] = &["PGHOST", "DB_HOST", "DATABASE_HOST", "POSTGRES_HOST"];

/// What the plain variable `variable` says about a database. `sidecars` are the names of the task's containers.
#[must_use]
pub fn plain_database(variable: String, value: &str, sidecars: &[String]) -> Option<PlainDatabase> {
    let leaves_the_task = |host: &str| {
        let host = host.trim_matches(['[', ']']).to_lowercase();
        let local = host.is_empty()
            || host == "localhost"
            || host.starts_with('/')
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
        !local && !sidecars.contains(&host)
    };
    if HOST_VARIABLES.contains(&variable.as_str()) {
        return Some(PlainDatabase {
            external: leaves_the_task(value),
            variable,
            connection: None,
        });
    }
    let scheme = value
        .trim_start()
        .split("://")
        .next()
        .unwrap_or_default()
        .to_lowercase();
    if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) || !value.contains("://") {
        return None;
    }
    let connection = inspect_plain(value);
    let hosts = &connection.hosts;
    let external = !hosts.is_empty() && hosts.iter().all(|h| leaves_the_task(&h.host));
    Some(PlainDatabase {
        variable,
        external,
        connection: Some(connection),
    })
}

/// Whether a variable of this name holds a database's password: what PostgreSQL's clients and images read, and names
/// like them.
#[must_use]
pub fn is_password_variable(name: &str) -> bool {
    const STEMS: &[&str] = &["PG", "DB", "DATABASE", "POSTGRES", "POSTGRESQL", "RDS"];
    const ENDS: &[&str] = &["PASSWORD", "_PASSWORD", "PASS", "_PASS", "_PASSWD"];
    let name = name.to_uppercase();
    let parts: Vec<&str> = name.split('_').collect();
    // A prefix such as CODER_ or APP_ may stand before it.
    (0..parts.len()).any(|n| {
        let rest = parts[n..].join("_");
        STEMS
            .iter()
            .any(|stem| ENDS.iter().any(|end| rest == format!("{stem}{end}")))
    })
}

/// What plain environment variables, by name and value, say about databases; and the names of those that hold a
/// password by itself. For task definitions that come from elsewhere than AWS.
pub fn plain_environment(
    variables: impl Iterator<Item = (String, Zeroizing<String>)>,
    sidecars: &[String],
) -> (Vec<PlainDatabase>, Vec<String>) {
    let (mut databases, mut passwords) = (vec![], vec![]);
    for (name, value) in variables {
        if !value.is_empty() && is_password_variable(&name) {
            passwords.push(name.clone());
        }
        databases.extend(plain_database(name, &value, sidecars));
    }
    (databases, passwords)
}
