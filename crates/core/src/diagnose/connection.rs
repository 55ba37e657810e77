//! The last hop, on request: a real connection with the secret's value. This module turns its result into hops;
//! `src/connect` makes the connection.

use super::hop::{Fix, Hop, Status};
use super::hop_result::{HopResult, past};
use super::path::Path;
use crate::model::connection::Connection;

/// What a PostgreSQL server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    /// `version()`.
    pub version: String,
    /// TLS version and cipher, as `pg_stat_ssl` has them; absent where the connection is not encrypted.
    pub tls: Option<(String, String)>,
    /// How far the server's certificate was checked.
    pub checked: CertificateCheck,
    /// `current_user`.
    pub user: String,
    /// Whether that is a superuser.
    pub superuser: bool,
    /// Whether it is a member of `rds_superuser`.
    pub rds_superuser: bool,
    /// `current_database()`.
    pub database: String,
    /// What was found of the extensions that are required.
    pub extensions: Vec<Extension>,
}

/// How far a server's certificate was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateCheck {
    /// Not at all.
    Nothing,
    /// That a given authority signed it.
    Authority,
    /// And that it is for this host.
    Host,
}

/// One extension that the workload needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// The version installed in the database.
    pub installed: Option<String>,
    /// The version that the server could install.
    pub available: Option<String>,
}

/// Why there was no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The value could not be read: why.
    NotRead(String),
    /// What it needs is not there: why, and what to do.
    NotTried(String),
    /// The host's name has no address.
    NoAddress,
    /// Nothing listens on the port.
    Refused,
    /// No answer in time.
    TimedOut,
    /// No path there: what the system says.
    Unreachable(String),
    /// The server does not speak TLS, and `sslmode` wants it.
    NoTls,
    /// The TLS handshake failed: why.
    Tls(String),
    /// The server wants a password, and the secret has none.
    NoPassword,
    /// The server did not take user and password.
    Authentication,
    /// `pg_hba.conf` lets in no such user, database and address, with or without TLS as it was tried.
    NotAdmitted,
    /// There is no such database.
    NoDatabase,
    /// The role may not connect to it.
    NotAllowed,
    /// All connections are taken.
    Full,
    /// It is starting up, shutting down, or recovering.
    NotReady,
    /// Something else: what, without a word of the secret.
    Other(String),
}

/// Where a connection was tried to.
#[derive(Debug, Clone, Copy)]
pub struct ConnectTarget<'a> {
    /// Facts about the connection string; absent where it could not be read.
    pub connection: Option<&'a Connection>,
    /// The name of the secret or parameter.
    pub secret: &'a str,
}

/// Where AWS keeps the certificates of the authorities that sign those of RDS.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html>
pub const RDS_AUTHORITIES: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

/// The hops that a connection, or the attempt at one, adds: `connection`, and `extensions` where some are required.
#[must_use]
pub fn hops(result: &Result<ServerAnswer, Refusal>, target: ConnectTarget<'_>, required: bool) -> Vec<Hop> {
    let first = connection(result, target);
    let second = required.then(|| match first.status {
        Status::Broken => past("connection"),
        _ => extensions(result),
    });
    let second = second.map(|found| found.named("extensions"));
    std::iter::once(first.named("connection")).chain(second).collect()
}

/// The hops of a connection that was not tried, because the path ends before it.
#[must_use]
pub fn not_tried(why: &str, required: bool) -> Vec<Hop> {
    let names = ["connection", "extensions"].into_iter().take(1 + usize::from(required));
    names.map(|name| HopResult::not_reached(why).named(name)).collect()
}

fn connection(result: &Result<ServerAnswer, Refusal>, target: ConnectTarget<'_>) -> HopResult {
    match result {
        Ok(answer) => connected(answer, target),
        Err(refusal) => refused(refusal, target),
    }
}

fn connected(a: &ServerAnswer, target: ConnectTarget<'_>) -> HopResult {
    let encrypted = match &a.tls {
        Some((version, _)) => format!("encrypted ({version})"),
        None => "not encrypted".to_owned(),
    };
    let may = if a.superuser {
        "a superuser"
    } else if a.rds_superuser {
        "a member of rds_superuser"
    } else {
        "no superuser"
    };
    let sslmode = target.connection.and_then(|c| c.sslmode.as_deref());
    let server = a.version.split(" on ").next().unwrap_or(&a.version);
    let found = HopResult::proved(format!(
        "{server} answers from here: database {}, {encrypted}, as {}, {may}",
        a.database, a.user
    ))
    .fact("version", a.version.as_str())
    .fact("current_database", a.database.as_str())
    .fact("current_user", a.user.as_str())
    .fact("superuser", a.superuser)
    .fact("rds_superuser", a.rds_superuser)
    .fact("sslmode", sslmode.unwrap_or("(none: prefer)"));
    match &a.tls {
        Some((version, cipher)) => found
            .fact("pg_stat_ssl.version", version.as_str())
            .fact("pg_stat_ssl.cipher", cipher.as_str())
            .fact(
                "certificate",
                match a.checked {
                    CertificateCheck::Nothing => "not checked",
                    CertificateCheck::Authority => "signed by a given authority; host not checked",
                    CertificateCheck::Host => "signed by a given authority, for this host",
                },
            ),
        None => found.fact("pg_stat_ssl.ssl", false),
    }
}

#[allow(clippy::too_many_lines, reason = "one arm for each kind of refusal")]
fn refused(refusal: &Refusal, target: ConnectTarget<'_>) -> HopResult {
    let first = target.connection.and_then(|c| c.hosts.first());
    let (host, port) = first.map_or(("the host", 0), |h| (h.host.as_str(), h.port));
    let user = target.connection.and_then(|c| c.user.as_deref()).unwrap_or("(none)");
    let database = target
        .connection
        .and_then(|c| c.database.as_deref())
        .unwrap_or("(none)");
    let secret = target.secret;
    let anew = |what: &str| format!("write the value of {secret} anew {what}, then restart the service");
    let (summary, fix) = match refusal {
        Refusal::NotRead(why) => return HopResult::unknown(format!("the value of {secret} could not be read: {why}")),
        Refusal::NotTried(why) => return HopResult::unknown(why.as_str()),
        Refusal::NoAddress => (
            format!("{host} has no address here: DNS does not know it"),
            Fix::by_hand(
                "if the database is there, run this where its name resolves (inside of the VPC, with DNS on); else \
                 correct the host in the secret",
                vec![format!("getent hosts {host}")],
            ),
        ),
        Refusal::Refused => (
            format!("{host} refuses connections on port {port}: nothing listens there"),
            Fix::by_hand("start the database, or correct the port in the secret", vec![]),
        ),
        Refusal::TimedOut => (
            format!(
                "{host} does not answer on port {port}: a security group, a network ACL or a missing route drops it"
            ),
            Fix::by_hand(
                "from outside of the VPC that is as it should be for a private database: run this inside; else let this \
                 machine in by the database's security group, and look at the routes of both subnets",
                vec![],
            ),
        ),
        Refusal::Unreachable(why) => (
            format!("there is no way from here to {host}, port {port}: {why}"),
            Fix::by_hand("look at the routes of this machine and of its subnet", vec![]),
        ),
        Refusal::NoTls => (
            format!("{host} does not speak TLS, and the secret's sslmode wants it"),
            Fix::by_hand("switch TLS on at the server, or correct sslmode in the secret", vec![]),
        ),
        Refusal::Tls(why) => (
            format!("the TLS handshake with {host} failed: {why}"),
            Fix::by_hand(
                format!(
                    "give `--ca-file` the authorities that signed the server's certificate (of RDS: {RDS_AUTHORITIES}), \
                     and use the host name that the certificate is for"
                ),
                vec![],
            ),
        ),
        Refusal::NoPassword => (
            format!("{host} wants a password for {user}, and {secret} has none"),
            Fix::by_hand(anew("with the password"), vec![]),
        ),
        Refusal::Authentication => (
            format!("{host} does not take the password of {user}"),
            Fix::by_hand(
                anew("with the password that the database has"),
                vec![format!(
                    "psql -h {host} -p {port} -U {user} -d {database} -c 'select 1'"
                )],
            ),
        ),
        Refusal::NotAdmitted => (
            format!(
                "{host} lets {user} into {database} neither from here nor in this way: pg_hba.conf has no entry for it"
            ),
            Fix::by_hand(
                "use sslmode=require in the secret if the server forces TLS (rds.force_ssl); else look at pg_hba.conf",
                vec![],
            ),
        ),
        Refusal::NoDatabase => (
            format!("{host} has no database {database}"),
            Fix::by_hand(
                format!("create it, or correct the name in {secret}"),
                vec![format!("createdb -h {host} -p {port} -U {user} {database}")],
            ),
        ),
        Refusal::NotAllowed => (
            format!("{user} may not connect to {database} on {host}"),
            Fix::by_hand(
                format!("GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\""),
                vec![],
            ),
        ),
        Refusal::Full => (
            format!("{host} takes no more connections: all are in use"),
            Fix::by_hand("close idle ones, pool them, or raise max_connections", vec![]),
        ),
        Refusal::NotReady => (
            format!("{host} is not ready: it starts, stops or recovers"),
            Fix::by_hand(
                "wait until it is up, and look at its log if it does not come up",
                vec![],
            ),
        ),
        Refusal::Other(what) => (
            format!("{host} ended the attempt: {what}"),
            Fix::by_hand("look at the database's log at that instant", vec![]),
        ),
    };
    HopResult::broken(summary, fix)
        .fact("host", format!("{host}:{port}"))
        .fact("tried from", "the machine that runs holdfast")
}

fn extensions(result: &Result<ServerAnswer, Refusal>) -> HopResult {
    let Ok(answer) = result else {
        return HopResult::not_reached("there was no connection");
    };
    let list = |these: Vec<&Extension>| these.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", ");
    let missing: Vec<&Extension> = answer.extensions.iter().filter(|e| e.available.is_none()).collect();
    let waiting: Vec<&Extension> = answer
        .extensions
        .iter()
        .filter(|e| e.installed.is_none() && e.available.is_some())
        .collect();
    let mut found = if !missing.is_empty() {
        HopResult::broken(
            format!("the server does not have {}", list(missing)),
            Fix::by_hand(
                "move to an engine version that has it: \
                 https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html",
                vec![],
            ),
        )
    } else if !waiting.is_empty() {
        let commands = waiting
            .iter()
            .map(|e| format!("psql -d {} -c 'CREATE EXTENSION \"{}\"'", answer.database, e.name))
            .collect();
        HopResult::broken(
            format!(
                "the server has {}, but the database {} has not installed it",
                list(waiting),
                answer.database
            ),
            Fix::by_hand(
                "create it, as a role that may (on RDS a member of rds_superuser)",
                commands,
            ),
        )
    } else {
        HopResult::proved(format!("{} installed", list(answer.extensions.iter().collect())))
    };
    for e in &answer.extensions {
        let state = match (&e.installed, &e.available) {
            (Some(version), _) => format!("installed {version}"),
            (None, Some(version)) => format!("available {version}, not installed"),
            (None, None) => "missing".to_owned(),
        };
        found = found.fact(format!("extension {}", e.name), state);
    }
    found
}

/// Whether a connection should be tried on this path: it was not stopped before.
#[must_use]
pub fn why_not(path: &Path) -> Option<String> {
    if let Some(broken) = path.broken() {
        return Some(format!("the way ends at {}", broken.name));
    }
    let open = ["variable", "secret", "url"]
        .into_iter()
        .find(|name| path.hop(name).is_none_or(|h| h.status != Status::Proved));
    open.map(|name| format!("{name} is not proved"))
}
