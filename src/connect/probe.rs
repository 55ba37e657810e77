//! One connection, step by step, so that a failure has a name: host name, port, TLS, login, queries.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use holdfast_core::diagnose::connection::{CertificateCheck, Extension, RDS_AUTHORITIES, Refusal, ServerAnswer};
use holdfast_core::model::connection::{Connection, HostPort};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use super::tls::{Authorities, Mode, client};

/// The time limit of each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// The application name, which the server's views show.
const NAME: &str = "holdfast diagnose";

/// Connects to the first host that accepts a connection, and queries it.
pub(super) async fn probe(
    facts: &Connection,
    password: Option<Zeroizing<String>>,
    authorities: Option<&Authorities>,
    extensions: &[String],
) -> Result<ServerAnswer, Refusal> {
    let mode = Mode::of(facts.sslmode.as_deref(), authorities.is_some());
    let tls = match client(mode, authorities) {
        Ok(Some(tls)) => tls,
        Ok(None) => {
            return Err(Refusal::NotTried(format!(
                "sslmode={} checks the server's certificate: name the authorities with --ca-file FILE; those of RDS \
                 are at {RDS_AUTHORITIES}",
                facts.sslmode.as_deref().unwrap_or_default()
            )));
        }
        Err(e) => return Err(Refusal::NotTried(format!("TLS can't be set up here: {e}"))),
    };
    if facts.user.is_none() {
        let why = "the connection string names no user: the container's own would be taken, which is not known here";
        return Err(Refusal::NotTried(why.to_owned()));
    }
    let mut refusal = Refusal::NoAddress;
    for host in &facts.hosts {
        let attempt = Attempt {
            host,
            facts,
            password: password.as_ref(),
            tls: &tls,
        };
        match attempt.connect(mode).await {
            Ok((client, driver)) => {
                let answer = timeout(STEP_TIMEOUT * 2, ask(&client, mode, extensions)).await;
                drop(client);
                driver.abort();
                return answer.unwrap_or(Err(Refusal::TimedOut)).map_err(|e| match e {
                    Refusal::TimedOut => Refusal::Other("it took the connection, and then did not answer".to_owned()),
                    other => other,
                });
            }
            // The next host can help only if the network failed: the login would be the same.
            Err(r @ (Refusal::NoAddress | Refusal::Refused | Refusal::TimedOut | Refusal::Unreachable(_))) => {
                refusal = r;
            }
            Err(r) => return Err(r),
        }
    }
    Err(refusal)
}

struct Attempt<'a> {
    host: &'a HostPort,
    facts: &'a Connection,
    password: Option<&'a Zeroizing<String>>,
    tls: &'a ClientConfig,
}

type Connected = (Client, tokio::task::JoinHandle<()>);

impl Attempt<'_> {
    async fn connect(&self, mode: Mode) -> Result<Connected, Refusal> {
        let ssl = match mode {
            Mode::Plain => SslMode::Disable,
            Mode::IfOffered => SslMode::Prefer,
            Mode::Encrypted | Mode::Authority | Mode::Host => SslMode::Require,
        };
        match self.log_in(ssl).await {
            // Like libpq, retries without TLS if TLS is only preferred.
            Err(Refusal::Tls(_) | Refusal::NotAdmitted) if mode == Mode::IfOffered => {
                self.log_in(SslMode::Disable).await
            }
            other => other,
        }
    }

    async fn log_in(&self, ssl: SslMode) -> Result<Connected, Refusal> {
        let stream = open(self.host).await?;
        let mut config = Config::new();
        config.ssl_mode(ssl).application_name(NAME);
        if let Some(user) = &self.facts.user {
            config.user(user);
        }
        if let Some(database) = &self.facts.database {
            config.dbname(database);
        }
        if let Some(password) = self.password {
            config.password(password.as_bytes());
        }
        let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(
            &mut MakeRustlsConnect::new(self.tls.clone()),
            &self.host.host,
        )
        .map_err(|_| Refusal::Tls("its host name is none that a certificate could be for".to_owned()))?;
        let (client, connection) = timeout(STEP_TIMEOUT, config.connect_raw(stream, tls))
            .await
            .map_err(|_| Refusal::Other("it took the connection, and then did not answer".to_owned()))?
            .map_err(|e| refusal(&e, self.password.is_some()))?;
        // The client gets its error too.
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok((client, driver))
    }
}

/// Opens a TCP connection to one of the addresses of a host.
async fn open(host: &HostPort) -> Result<TcpStream, Refusal> {
    if host.host.starts_with('/') {
        return Err(Refusal::NotTried(
            "the host is a Unix socket inside of the container".to_owned(),
        ));
    }
    let addresses: Vec<SocketAddr> =
        match timeout(STEP_TIMEOUT, tokio::net::lookup_host((&*host.host, host.port))).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(_)) | Err(_) => return Err(Refusal::NoAddress),
        };
    let mut refusal = Refusal::NoAddress;
    for address in addresses {
        refusal = match timeout(STEP_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => Refusal::Refused,
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::TimedOut => Refusal::TimedOut,
            Ok(Err(e)) => Refusal::Unreachable(e.kind().to_string()),
            Err(_) => Refusal::TimedOut,
        };
    }
    Err(refusal)
}

/// The meaning of an error. Of the texts of the server and of libraries only SQLSTATE and the reason of a failed
/// handshake are repeated: neither can contain the password.
fn refusal(error: &Error, has_password: bool) -> Refusal {
    if let Some(code) = error.code() {
        return match code {
            c if *c == SqlState::INVALID_PASSWORD => Refusal::Authentication,
            // RDS also answers this if `pg_hba.conf` does not admit the role, its address, or a connection without TLS.
            c if *c == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Refusal::NotAdmitted,
            c if *c == SqlState::INVALID_CATALOG_NAME => Refusal::NoDatabase,
            c if *c == SqlState::INSUFFICIENT_PRIVILEGE => Refusal::NotAllowed,
            c if *c == SqlState::TOO_MANY_CONNECTIONS => Refusal::Full,
            c if *c == SqlState::CANNOT_CONNECT_NOW => Refusal::NotReady,
            other => Refusal::Other(format!("SQLSTATE {}", other.code())),
        };
    }
    match error.to_string().as_str() {
        "error performing TLS handshake" => match handshake(error) {
            Some(HandshakeError::NotOffered) => Refusal::NoTls,
            Some(HandshakeError::Failed(why)) => Refusal::Tls(why),
            None => Refusal::Tls("the server ended it".to_owned()),
        },
        "invalid configuration" if !has_password => Refusal::NoPassword,
        "authentication error" => Refusal::Other("it asks for a way to log in that Holdfast does not know".to_owned()),
        _ if error.is_closed() => Refusal::Other("it closed the connection without a word".to_owned()),
        other => Refusal::Other(other.to_owned()),
    }
}

enum HandshakeError {
    NotOffered,
    Failed(String),
}

/// Why a handshake failed.
fn handshake(error: &Error) -> Option<HandshakeError> {
    let cause = std::error::Error::source(error)?;
    let Some(io) = cause.downcast_ref::<std::io::Error>() else {
        // An error of tokio-postgres itself: the server answered that it has no TLS.
        return Some(HandshakeError::NotOffered);
    };
    let tls = io.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(HandshakeError::Failed(match tls {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "no given authority signed the server's certificate".to_owned()
        }
        other => other.to_string(),
    }))
}

const WHO: &str = "SELECT version(), current_user::text, current_database()::text, \
    COALESCE((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false), \
    EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = 'rds_superuser' \
            AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER'))";
const TLS: &str = "SELECT ssl, version, cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";
const EXTENSION: &str =
    "SELECT installed_version, default_version FROM pg_catalog.pg_available_extensions WHERE name = $1";

/// Asks the server about itself, our role and the extensions.
async fn ask(client: &Client, mode: Mode, extensions: &[String]) -> Result<ServerAnswer, Refusal> {
    let failed = |e: Error| refusal(&e, true);
    let who = client.query_one(WHO, &[]).await.map_err(failed)?;
    let tls = client.query_opt(TLS, &[]).await.map_err(failed)?;
    let tls = tls.and_then(|row| {
        let encrypted: Option<bool> = row.try_get(0).ok()?;
        let text = |i| row.try_get::<_, Option<String>>(i).ok().flatten().unwrap_or_default();
        (encrypted == Some(true)).then(|| (text(1), text(2)))
    });
    let found = stream::iter(extensions)
        .then(|name| async move {
            let row = client.query_opt(EXTENSION, &[name]).await?;
            let version = |i| {
                row.as_ref()
                    .and_then(|r| r.try_get::<_, Option<String>>(i).ok().flatten())
            };
            Ok::<_, Error>(Extension {
                name: name.clone(),
                installed: version(0),
                available: version(1),
            })
        })
        .collect::<Vec<_>>()
        .await;
    let extensions: Result<Vec<Extension>, Error> = found.into_iter().collect();
    Ok(ServerAnswer {
        version: who.try_get(0).map_err(failed)?,
        user: who.try_get(1).map_err(failed)?,
        database: who.try_get(2).map_err(failed)?,
        superuser: who.try_get(3).map_err(failed)?,
        rds_superuser: who.try_get(4).map_err(failed)?,
        checked: tls.as_ref().map_or(CertificateCheck::Nothing, |_| mode.checked()),
        tls,
        extensions: extensions.map_err(failed)?,
    })
}
