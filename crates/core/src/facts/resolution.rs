//! Which database a connection leads to.

use std::sync::Arc;

use super::database::Database;
use super::hosts::normal;
use super::leads::{HostLead, home_of, lead, not_known};
use super::workload::Workload;
use crate::model::connection::{Connection, HostPort};
use crate::model::snapshot::ReadError;

/// How a connection relates to the workload's databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It leads to one of them.
    OwnDatabase,
    /// It leads to one of them, but names another database than was created with it: observed, created. There may be such
    /// a one: only the database knows.
    OtherName(String, String),
    /// It leads elsewhere: field, observed, expected.
    Elsewhere(&'static str, String, String),
    /// It is unknown, for this reason.
    Unclear(Arc<ReadError>),
}

impl Resolution {
    /// Whether it leads to one of the workload's databases, by whatever database name.
    #[must_use]
    pub fn leads_home(&self) -> bool {
        matches!(self, Self::OwnDatabase | Self::OtherName(..))
    }
}

/// A database that a host may lead to, and what of the connection must fit.
struct Candidate<'d, 'a> {
    database: &'d Database<'a>,
    /// Whether the host is the database's own endpoint, so that the port is its own too.
    direct: bool,
    /// Whether the name of the database passes through: a pooler may have names of its own.
    named: bool,
}

/// Where a connection leads.
#[must_use]
pub fn resolves_to<'a>(w: &Workload<'a>, connection: &Connection, databases: &[Database<'a>]) -> Resolution {
    match candidates(w, connection, databases) {
        Ok(candidates) => compare(connection, &candidates),
        Err(resolution) => resolution,
    }
}

/// The database of `databases` that a connection leads to, if one is known.
#[must_use]
pub fn led_to<'d, 'a>(
    w: &Workload<'a>,
    connection: &Connection,
    databases: &'d [Database<'a>],
) -> Option<&'d Database<'a>> {
    let all = candidates(w, connection, databases).ok()?;
    let first = all.first()?;
    // Several may share a host (on an emulator); then port and name tell.
    let fits = |c: &&Candidate<'_, '_>| fits_port(c, connection.hosts.first()) && fits_name(c, connection);
    first.iter().find(fits).or(first.first()).map(|c| c.database)
}

/// For each host of the connection, the databases that it may lead to; or what is wrong or unknown of one of them.
fn candidates<'d, 'a>(
    w: &Workload<'a>,
    connection: &Connection,
    databases: &'d [Database<'a>],
) -> Result<Vec<Vec<Candidate<'d, 'a>>>, Resolution> {
    if databases.is_empty() || connection.hosts.is_empty() {
        return Err(Resolution::Unclear(not_known(
            w.name,
            "there is nothing to compare".into(),
        )));
    }
    let mut all = vec![];
    let mut unknown = None;
    for host in &connection.hosts {
        match candidates_of(w, host, databases) {
            Ok(found) => all.push(found),
            // What is known to be wrong is said, whatever else is not known.
            Err(Resolution::Unclear(e)) => _ = unknown.get_or_insert(e),
            Err(elsewhere) => return Err(elsewhere),
        }
    }
    unknown.map_or(Ok(all), |e| Err(Resolution::Unclear(e)))
}

fn candidates_of<'d, 'a>(
    w: &Workload<'a>,
    host: &HostPort,
    databases: &'d [Database<'a>],
) -> Result<Vec<Candidate<'d, 'a>>, Resolution> {
    let name = normal(&host.host);
    let own: Vec<&Database<'a>> = databases.iter().filter(|d| d.has_host(&name)).collect();
    let (found, direct) = if own.is_empty() {
        match lead(w, &name) {
            HostLead::Alias => {
                let pooled = |database| Candidate {
                    database,
                    direct: false,
                    named: false,
                };
                return Ok(databases.iter().map(pooled).collect());
            }
            HostLead::Unknown(e) => return Err(Resolution::Unclear(e)),
            HostLead::Elsewhere(called) => return Err(elsewhere(called, databases)),
            HostLead::Databases(found) => {
                let own: Vec<_> = found.iter().filter_map(|r| home_of(w, databases, *r)).collect();
                if own.is_empty() {
                    let ids: Vec<&str> = found.iter().map(|r| r.id()).collect();
                    return Err(elsewhere(format!("{name} ({})", ids.join(", ")), databases));
                }
                (own, false)
            }
        }
    } else {
        (own, true)
    };
    if let Some(current) = found
        .iter()
        .find_map(|d| databases.iter().find(|other| d.is_former(other)))
    {
        let called = format!("{name}, which a blue/green switchover left of {}", current.id);
        return Err(elsewhere(called, std::slice::from_ref(current)));
    }
    let candidate = |database| Candidate {
        database,
        direct,
        named: true,
    };
    Ok(found.into_iter().map(candidate).collect())
}

fn elsewhere(observed: String, databases: &[Database<'_>]) -> Resolution {
    if let Some(creating) = databases.iter().find(|d| d.hosts.is_empty()) {
        return Resolution::Unclear(not_known(creating.id, format!("{} has no endpoint yet", creating.id)));
    }
    let expected: Vec<&str> = databases.iter().filter_map(|d| d.hosts.first().copied()).collect();
    Resolution::Elsewhere("host", observed, expected.join(" or "))
}

fn fits_port(candidate: &Candidate<'_, '_>, host: Option<&HostPort>) -> bool {
    let own = candidate.database.port.filter(|_| candidate.direct);
    own.zip(host).is_none_or(|(port, host)| host.port == port)
}

fn fits_name(candidate: &Candidate<'_, '_>, connection: &Connection) -> bool {
    let created = candidate.database.name.filter(|_| candidate.named);
    let names = created.zip(connection.database.as_deref());
    names.is_none_or(|(created, name)| created == name)
}

fn compare(connection: &Connection, all: &[Vec<Candidate<'_, '_>>]) -> Resolution {
    let mut other_name = None;
    for (host, candidates) in connection.hosts.iter().zip(all) {
        let reachable: Vec<_> = candidates.iter().filter(|c| fits_port(c, Some(host))).collect();
        if reachable.is_empty() && connection.is_well_formed() {
            let ports: Vec<String> = candidates
                .iter()
                .filter_map(|c| Some(c.database.port?.to_string()))
                .collect();
            return Resolution::Elsewhere("port", host.port.to_string(), ports.join(" or "));
        }
        if !reachable.iter().any(|c| fits_name(c, connection)) {
            other_name = other_name.or_else(|| {
                let created = reachable.iter().find_map(|c| c.database.name)?;
                Some((connection.database.clone()?, created.to_owned()))
            });
        }
    }
    other_name.map_or(Resolution::OwnDatabase, |(name, created)| {
        Resolution::OtherName(name, created)
    })
}
