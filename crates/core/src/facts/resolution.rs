//! Which database a connection leads to.

use super::database::{DEFAULT_PORT, Database};
use crate::model::connection::Connection;

/// How a connection relates to the workload's databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It leads to one of them.
    OwnDatabase,
    /// It leads elsewhere: field, observed, expected.
    Elsewhere(&'static str, String, String),
    /// It is unknown, for this reason.
    Unclear(String),
}

/// Where a connection leads.
#[must_use]
pub fn resolves_to(connection: &Connection, databases: &[Database<'_>]) -> Resolution {
    if databases.is_empty() || connection.hosts.is_empty() {
        return Resolution::Unclear("there is nothing to compare".into());
    }
    let well_formed = connection.is_well_formed();
    let mut nearest: Option<Resolution> = None;
    for database in databases {
        let Some(strange) = connection
            .hosts
            .iter()
            .find(|h| !database.hosts.contains(&h.host.as_str()))
        else {
            let port = database.port.unwrap_or(DEFAULT_PORT);
            let wrong_port = connection.hosts.iter().find(|h| h.port != port).filter(|_| well_formed);
            match (wrong_port, &connection.database, database.name) {
                (Some(h), _, _) => {
                    nearest = Some(Resolution::Elsewhere("port", h.port.to_string(), port.to_string()));
                }
                (None, Some(name), Some(expected)) if name != expected => {
                    nearest = Some(Resolution::Elsewhere("database", name.clone(), expected.to_owned()));
                }
                _ => return Resolution::OwnDatabase,
            }
            continue;
        };
        if nearest.is_none() && strange.host.contains(".proxy-") {
            nearest = Some(Resolution::Unclear(format!(
                "{} is an RDS Proxy, and Holdfast does not read what a proxy leads to",
                strange.host
            )));
        }
    }
    if let Some(found) = nearest {
        return found;
    }
    if let Some(creating) = databases.iter().find(|d| d.hosts.is_empty()) {
        return Resolution::Unclear(format!("{} has no endpoint yet", creating.id));
    }
    let expected: Vec<&str> = databases.iter().filter_map(|d| d.hosts.first().copied()).collect();
    let strange = connection
        .hosts
        .iter()
        .find(|h| !databases.iter().any(|d| d.hosts.contains(&h.host.as_str())));
    let observed = strange
        .or(connection.hosts.first())
        .map(|h| h.host.clone())
        .unwrap_or_default();
    Resolution::Elsewhere("host", observed, expected.join(" or "))
}
