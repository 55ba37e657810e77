//! What is known of a client's parameters, which a URL's query and a keyword string share.

use zeroize::Zeroizing;

use crate::model::connection::{Connection, HostPort};

/// `sslmode` as libpq knows it, and node-postgres' `no-verify`. Anything else is not repeated.
pub(super) const SSL_MODES: [&str; 7] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
    "no-verify",
];

/// What libpq takes as keywords, but for passwords.
#[rustfmt::skip]
pub(super) const KEYWORDS: [&str; 44] = [
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname", "fallback_application_name",
    "gssdelegation", "gssencmode", "gsslib", "host", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle",
    "keepalives_interval", "keepalives_retries", "krbsrvname", "load_balance_hosts", "options", "passfile", "port",
    "replication", "require_auth", "requirepeer", "requiressl", "service", "servicefile", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl", "sslcrldir", "sslkey", "sslmode",
    "sslnegotiation", "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout", "user",
    "min_protocol_version", "max_protocol_version",
];

/// Keywords whose value is secret.
const PASSWORD_KEYWORDS: [&str; 4] = ["password", "sslpassword", "scram_client_key", "scram_server_key"];

/// Keywords whose value `tokio_postgres` checks as libpq does. The free-form ones can't be wrong, and those of which
/// it knows fewer values than libpq (`sslmode`, `target_session_attrs`) are not its to judge.
#[rustfmt::skip]
pub(super) const CHECKED_KEYWORDS: [&str; 8] = [
    "channel_binding", "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "load_balance_hosts",
    "sslnegotiation", "tcp_user_timeout",
];

pub(super) fn ssl_mode(value: &str) -> Option<String> {
    SSL_MODES.contains(&value).then(|| value.to_owned())
}

pub(super) fn is_password_key(key: &str) -> bool {
    PASSWORD_KEYWORDS.iter().any(|p| key.eq_ignore_ascii_case(p))
}

/// Whether `tokio_postgres` takes the facts, with a placeholder for the password, as a keyword string. `checked` are
/// more keywords with their values as written.
pub(super) fn client_takes(found: &Connection, checked: &[(&str, &str)]) -> bool {
    let mut copy = Zeroizing::new(String::new());
    let mut add = |key: &str, value: &str, escape: bool| {
        copy.push_str(key);
        copy.push_str("='");
        for c in value.chars() {
            if escape && matches!(c, '\'' | '\\') {
                copy.push('\\');
            }
            copy.push(c);
        }
        copy.push_str("' ");
    };
    let join = |f: fn(&HostPort) -> String| found.hosts.iter().map(f).collect::<Vec<_>>().join(",");
    add("host", &join(|h| h.host.clone()), true);
    add("port", &join(|h| h.port.to_string()), true);
    for (key, value) in [("user", &found.user), ("dbname", &found.database)] {
        if let Some(value) = value {
            add(key, value, true);
        }
    }
    if found.has_password {
        add("password", "x", true);
    }
    for (key, value) in checked {
        // As it was written, but one that had no quotes may hold one.
        if value.contains('\'') {
            return false;
        }
        add(key, value, false);
    }
    copy.parse::<tokio_postgres::Config>().is_ok()
}
