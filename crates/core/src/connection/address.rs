//! An address alone, and a URL that lost its scheme.

use super::found::{Found, Hidden};
use super::host::{Host, MAX_HOSTS, hosts_of};
use super::scheme::DEFAULT_PORT;
use super::text::{MAX_NAME, decode};
use crate::model::connection::{ConnectionForm, Fault};

/// Ports of databases, which make `name:port` an address.
const DATABASE_PORTS: [&str; 13] = [
    "5432", "5433", "6432", "6543", "3306", "33060", "1433", "1521", "27017", "6379", "5439", "26257", "9042",
];

/// `host:5432`, or several, or the endpoint of an RDS database. A single name may be a password, and is none.
pub(super) fn alone(s: &str) -> Option<Found> {
    if s.len() > MAX_NAME || s.split(',').count() > MAX_HOSTS {
        return None;
    }
    let certain = |chunk: &str| {
        let mut faults = vec![];
        let host = Host::parse(chunk, &mut faults).filter(|_| faults.is_empty())?;
        let port = chunk
            .rsplit_once(':')
            .is_some_and(|(_, port)| DATABASE_PORTS.contains(&port));
        let known = is_rds_endpoint(&host.name);
        (!host.name.starts_with('/') && (known || port)).then_some(())
    };
    s.split(',').try_for_each(certain)?;
    named(s)
}

/// Whether this is the name of an RDS or Aurora endpoint, of a proxy too.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html>
fn is_rds_endpoint(host: &str) -> bool {
    host.ends_with(".rds.amazonaws.com") || host.ends_with(".rds.amazonaws.com.cn")
}

/// An address of which it is known from elsewhere that it is one: the value under a key such as `host`.
pub(super) fn named(s: &str) -> Option<Found> {
    let mut found = Found::new(ConnectionForm::Address);
    let mut faults: Vec<Fault> = vec![];
    found.connection.hosts = hosts_of(s, None, DEFAULT_PORT, true, &mut faults);
    found.address = Hidden::new(s.to_ascii_lowercase());
    (faults.is_empty() && !found.connection.hosts.is_empty()).then_some(found)
}

/// `user:password@host:5432/database`: a URL without its scheme. Nothing of it is kept.
pub(super) fn without_scheme(s: &str) -> Option<Found> {
    let (credentials, rest) = s.rsplit_once('@')?;
    let (host, database) = rest.split_once('/')?;
    let user = credentials.split_once(':')?.0;
    let mut faults = vec![];
    let host = Host::parse(host, &mut faults)?;
    let shaped = !user.is_empty()
        && user.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.%".contains(&c))
        && !database.is_empty()
        && decode(database).is_some()
        && !database.contains(char::is_whitespace)
        && host.credible(true, true, DEFAULT_PORT);
    shaped.then(|| Found::fault(Fault::NoScheme))
}
