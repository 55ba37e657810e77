//! The hosts, ports and database of a URL, and whether they are facts.

use zeroize::Zeroizing;

use super::super::faults::push;
use super::super::host::{Host, MAX_HOSTS, hosts_of};
use super::super::scheme::Scheme;
use super::super::text::{decode, is_plain};
use super::query::Query;
use crate::model::connection::{Fault, HostPort};
use crate::model::store::{Dialect, Engine};

/// The part between the `@` and the `?`, and what the query overrides.
pub(super) struct Address<'a> {
    authority: &'a str,
    /// Whether an `@` precedes it.
    after_at: bool,
    /// Whether its dialect has no user and password before the host.
    bare_dialect: bool,
    /// The port where none is given.
    default_port: u16,
    hosts: Vec<Host<'a>>,
    pub(super) database: Option<Zeroizing<String>>,
}

impl<'a> Address<'a> {
    /// Takes the database out of the query.
    pub(super) fn parse(
        before: &'a str,
        after_at: bool,
        scheme: &Scheme,
        query: &mut Query<'_>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        // Other databases have paths of their own: `trino://host/catalog/schema`.
        let path = match scheme.engine {
            Engine::Postgres => path,
            _ => path.split('/').next().unwrap_or_default(),
        };
        let in_path = path_name(path);
        if !path.is_empty() && in_path.is_none() {
            push(faults, Fault::Unparsable);
        }
        let database = query.database.take().or(in_path).filter(|d| !d.is_empty());
        let hosts = if authority.is_empty() {
            vec![]
        } else {
            listed(authority, after_at, faults)
        };
        Self {
            authority,
            after_at,
            bare_dialect: scheme.dialect == Some(Dialect::Jdbc),
            default_port: scheme.port,
            hosts,
            database,
        }
    }

    /// Whether a host is given, be it one that can be kept or not.
    pub(super) fn has_host(&self, query: &Query<'_>) -> bool {
        !self.authority.is_empty() || query.host.is_some()
    }

    /// Whether all of it is an address for certain, and none of it a piece of a password.
    /// `with_password` is whether one precedes it.
    pub(super) fn is_fact(&self, query: &Query<'_>, with_password: bool, lost: bool, faults: &mut Vec<Fault>) -> bool {
        let mut fact = true;
        if !self.after_at && !self.bare_dialect && self.hosts.iter().any(|h| h.colon) {
            // `postgres://user:12345/...`: user and password of a URL that has no host?
            let bad_port = self.hosts.iter().any(|h| h.bad_port);
            fact = !bad_port && self.credible();
        }
        if lost {
            push(faults, Fault::Unparsable);
            fact = false;
        }
        let given_host = self.authority.is_empty() && (query.host.is_some() || !self.after_at);
        // `postgres://user:pass@word`
        let bare = with_password && self.database.is_none() && !self.hosts.is_empty();
        if (bare || !faults.is_empty()) && !given_host {
            fact &= self.credible();
        }
        fact
    }

    fn credible(&self) -> bool {
        !self.hosts.is_empty()
            && self
                .hosts
                .iter()
                .all(|h| h.credible(self.after_at, self.database.is_some(), self.default_port))
    }

    /// The hosts to be kept, once it is known that they are facts.
    pub(super) fn hosts(&self, query: &Query<'_>, inline_ports: bool, faults: &mut Vec<Fault>) -> Vec<HostPort> {
        if let Some(host) = &query.host {
            let beside: Vec<_> = self
                .hosts
                .iter()
                .map(|h| h.port.map(|p| p.to_string()).unwrap_or_default())
                .collect();
            let port = query.port.as_ref().map_or_else(|| beside.join(","), |p| p.to_string());
            return hosts_of(host, Some(&port), self.default_port, inline_ports, faults);
        }
        if let Some(ports) = &query.port {
            let names: Vec<&str> = self.hosts.iter().map(|h| h.name.as_str()).collect();
            return hosts_of(&names.join(","), Some(ports), self.default_port, false, faults);
        }
        self.hosts
            .iter()
            .filter(|h| h.port.is_some() || !h.bad_port)
            .map(|h| HostPort {
                host: h.name.to_string(),
                port: h.port.unwrap_or(self.default_port),
            })
            .collect()
    }
}

/// The database that a path names; `None` if it names none, or more than one.
fn path_name(path: &str) -> Option<Zeroizing<String>> {
    let clean = path.chars().all(|c| match u8::try_from(c) {
        Ok(b) if b.is_ascii() => is_plain(b) || b == b':' || b == b'%',
        _ => c.is_alphanumeric(),
    });
    if path.is_empty() || !clean { None } else { decode(path) }
}

fn listed<'a>(authority: &'a str, after_at: bool, faults: &mut Vec<Fault>) -> Vec<Host<'a>> {
    let mut hosts = vec![];
    if authority.split(',').count() > MAX_HOSTS {
        push(faults, Fault::Unparsable);
        return hosts;
    }
    for chunk in authority.split(',') {
        // A variable that was empty when the URL was made.
        if after_at
            && chunk
                .strip_prefix(':')
                .is_some_and(|p| p.bytes().all(|c| c.is_ascii_digit()))
        {
            push(faults, Fault::NoHost);
            return vec![];
        }
        let Some(host) = Host::parse(chunk, faults) else {
            let port = !after_at && chunk.contains(':');
            push(faults, if port { Fault::BadPort } else { Fault::Unparsable });
            // Of a list that is torn nothing is certain.
            return vec![];
        };
        hosts.push(host);
    }
    hosts
}
