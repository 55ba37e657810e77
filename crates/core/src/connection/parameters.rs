//! The parameters of clients, which URLs and keyword strings share.

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

/// Keywords whose value is checked as clients check it ([`super::client`]). The free-form ones can't be wrong.
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
