//! Checks whether a client accepts a connection string: the parameters that libpq and `tokio_postgres` check, and the
//! address of a URL. Tests in `src/connect` compare the same strings with `tokio_postgres` itself.

use super::text::decode;

/// Whether a client takes this value of a parameter that it checks.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>
pub(super) fn takes_parameter(key: &str, value: &str) -> bool {
    match key {
        "connect_timeout" | "tcp_user_timeout" | "keepalives_idle" | "keepalives_interval" => {
            value.parse::<i64>().is_ok()
        }
        "keepalives" => value.parse::<u64>().is_ok(),
        "sslnegotiation" => ["postgres", "direct"].contains(&value),
        "channel_binding" => ["disable", "prefer", "require"].contains(&value),
        "load_balance_hosts" => ["disable", "random"].contains(&value),
        _ => true,
    }
}

/// Whether a client accepts `address`, the part of a URL between the `@` and the `?`.
pub(super) fn takes_address(address: &str) -> bool {
    let (hosts, database) = address.split_once('/').unwrap_or((address, ""));
    let takes = |host: &str, port: &str| {
        is_text(host) && decode(port).is_some_and(|p| p.is_empty() || p.split(',').all(|p| p.parse::<u16>().is_ok()))
    };
    let takes_host = |chunk: &str| {
        let Some(rest) = chunk.strip_prefix('[') else {
            let (host, port) = chunk.split_once(':').unwrap_or((chunk, ""));
            return takes(host, port);
        };
        match rest.split_once(']') {
            Some((host, "")) => is_text(host),
            Some((host, after)) => after.strip_prefix(':').is_some_and(|port| takes(host, port)),
            None => false,
        }
    };
    (hosts.is_empty() || hosts.split(',').all(takes_host)) && is_text(database)
}

/// Whether percent-encoded text is UTF-8.
pub(super) fn is_text(encoded: &str) -> bool {
    decode(encoded).is_some()
}
