//! Hosts and ports.

use std::net::{Ipv4Addr, Ipv6Addr};

use zeroize::Zeroizing;

use super::faults::push;
use super::text::{MAX_NAME, decode, is_plain};
use crate::model::connection::{Fault, HostPort};

/// Hosts in one connection.
pub(super) const MAX_HOSTS: usize = 32;

/// Ports that speak for PostgreSQL or a pooler in front of it, and hardly for a password that is all digits.
const USUAL_PORTS: [u16; 4] = [5432, 5433, 6432, 6543];

fn port_number(s: &str) -> Option<u16> {
    if s.is_empty() || !s.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    s.parse().ok().filter(|p| *p != 0)
}

/// One host of a URL as written.
pub(super) struct Host<'a> {
    raw: &'a str,
    /// As it is kept, if it is: lower case, decoded. It may yet turn out to be a piece of a password.
    pub(super) name: Zeroizing<String>,
    /// In square brackets, or a socket's directory.
    marked: bool,
    /// Whether a `:` follows.
    pub(super) colon: bool,
    /// The port, if one is given and valid.
    pub(super) port: Option<u16>,
    pub(super) bad_port: bool,
}

impl<'a> Host<'a> {
    /// `None` if it is no host at all.
    pub(super) fn parse(chunk: &'a str, faults: &mut Vec<Fault>) -> Option<Self> {
        if chunk.len() > 3 * MAX_NAME {
            return None;
        }
        let (raw, ports, bracket) = split(chunk)?;
        let mut name = if bracket {
            Zeroizing::new(raw.to_owned())
        } else {
            decode(raw)?
        };
        let socket = !bracket && name.starts_with('/') && is_socket(&name);
        let good = if bracket {
            is_bracketed(raw)
        } else {
            socket || is_host_name(&name)
        };
        if !good {
            return None;
        }
        if !socket {
            name.make_ascii_lowercase();
        }
        let marked = bracket || socket;
        let mut host = Self {
            raw,
            name,
            marked,
            colon: ports.is_some(),
            port: None,
            bad_port: false,
        };
        // Without a number it is the default port, for libpq as for Go.
        if let Some(ports) = ports.filter(|p| !p.is_empty()) {
            host.take_ports(ports, faults);
        }
        Some(host)
    }

    /// What follows the `:`: a port, or several if someone gave it twice.
    fn take_ports(&mut self, ports: &str, faults: &mut Vec<Fault>) {
        let first = ports.split(':').next().unwrap_or_default();
        let digits = |p: &str| !p.is_empty() && p.bytes().all(|c| c.is_ascii_digit());
        let twice = first.len() != ports.len();
        self.port = port_number(first);
        self.bad_port = self.port.is_none() || (twice && !ports.split(':').all(digits));
        if self.bad_port {
            push(faults, Fault::BadPort);
        } else if twice {
            push(faults, Fault::PortTwice);
        }
    }

    /// Whether this is certainly a host, or could be a part of a password in the place of a missing host:
    /// `postgres://user:pass@word` and `postgres://user:123/word` both look like a host.
    ///
    /// `after_at` is whether an `@` precedes it, `database` whether `/name` comes after it, `default_port` that of the
    /// engine.
    pub(super) fn credible(&self, after_at: bool, database: bool, default_port: u16) -> bool {
        let suffixes = [
            ".amazonaws.com",
            ".amazonaws.com.cn",
            ".internal",
            ".local",
            ".localhost",
        ];
        let known = |n: &str| n == "localhost" || suffixes.iter().any(|s| n.ends_with(s));
        if self.marked || known(&self.name) || self.raw.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let domain = self.name.rsplit_once('.').is_some_and(|(host, top)| {
            top.len() > 1 && top.bytes().all(|c| c.is_ascii_lowercase()) && host.split('.').all(|l| !l.is_empty())
        });
        let usual = self.port.is_some_and(|p| p == default_port || USUAL_PORTS.contains(&p));
        if !after_at {
            return usual || domain;
        }
        let common = !self.raw.bytes().any(|c| c.is_ascii_uppercase() || c == b'%');
        common && (usual || (domain && (database || self.port.is_some())) || (database && self.port.is_some()))
    }
}

/// The host, the text after its `:` if there is one, and whether the host was in square brackets.
fn split(chunk: &str) -> Option<(&str, Option<&str>, bool)> {
    let Some(inside) = chunk.strip_prefix('[') else {
        let (host, ports) = chunk
            .split_once(':')
            .map_or((chunk, None), |(host, ports)| (host, Some(ports)));
        return Some((host, ports, false));
    };
    let (address, after) = inside.split_once(']')?;
    let ports = if after.is_empty() {
        None
    } else {
        Some(after.strip_prefix(':')?)
    };
    Some((address, ports, true))
}

/// Whether this is an address that may be in square brackets, with or without a zone.
fn is_bracketed(raw: &str) -> bool {
    let (address, zone) = raw.split_at(raw.find('%').unwrap_or(raw.len()));
    address.parse::<Ipv6Addr>().is_ok() && zone.bytes().all(|c| is_plain(c) || c == b'%')
}

fn is_host_name(s: &str) -> bool {
    !s.is_empty() && s.len() <= MAX_NAME && s.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}

fn is_socket(s: &str) -> bool {
    s.len() <= MAX_NAME && s.bytes().all(|c| c.is_ascii_alphanumeric() || b"/._-:".contains(&c))
}

/// Reads the hosts of a keyword, a URL's query, JSON or pairs, with their ports. `inline`: a host may have its port
/// after a `:`.
pub(super) fn hosts_of(
    hosts: &str,
    ports: Option<&str>,
    default_port: u16,
    inline: bool,
    faults: &mut Vec<Fault>,
) -> Vec<HostPort> {
    let mut out: Vec<HostPort> = vec![];
    let ports = ports.filter(|p| !p.is_empty());
    let count = hosts.split(',').count();
    let ports_count = ports.map_or(1, |p| p.split(',').count());
    if count > MAX_HOSTS || ports_count > MAX_HOSTS {
        push(faults, Fault::Unparsable);
        return vec![];
    }
    if ports_count != 1 && ports_count != count {
        push(faults, Fault::BadPort);
        return vec![];
    }
    let beside = |i: usize| ports.and_then(|p| p.split(',').nth(if ports_count == 1 { 0 } else { i }));
    for (i, host) in hosts.split(',').enumerate() {
        let port = match beside(i) {
            None | Some("") => Some(default_port),
            Some(p) => port_number(p),
        };
        if port.is_none() {
            push(faults, Fault::BadPort);
        }
        let address = host.parse::<Ipv6Addr>().is_ok();
        let socket = host.starts_with('/') && is_socket(host);
        if address || socket || is_host_name(host) {
            let host = if socket {
                host.to_owned()
            } else {
                host.to_ascii_lowercase()
            };
            out.extend(port.map(|port| HostPort { host, port }));
        } else if let Some((host, inner)) = host.split_once(':').filter(|(h, _)| is_host_name(h)) {
            // `host: "db.example.com:5432"`
            let number = port_number(inner);
            if !inline {
                push(
                    faults,
                    if ports.is_some() {
                        Fault::PortTwice
                    } else {
                        Fault::Unparsable
                    },
                );
            } else if number.is_none() {
                let digits = inner.bytes().all(|c| c.is_ascii_digit() || c == b':');
                let fault = match inner.contains(':') {
                    true if digits => Fault::PortTwice,
                    false if digits => Fault::BadPort,
                    _ => Fault::Unparsable,
                };
                push(faults, fault);
            }
            let host = host.to_ascii_lowercase();
            out.extend(number.map(|port| HostPort { host, port }));
        } else {
            // The list may be torn: `host=a;password=b,c` names no host `c`.
            push(faults, Fault::Unparsable);
            return vec![];
        }
    }
    out
}
