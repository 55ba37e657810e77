//! Reads the value of a secret and keeps facts about it, never a password nor a piece of one.
//!
//! The difficulty is a password that holds an unescaped `/`, `@`, `?`, `#` or `:`. A parser that goes from left to
//! right then takes the password's tail for host, port, database or query, and would publish it as a fact. So here
//! the end of the credentials is looked for from the right; whatever comes of it is judged by where it stands; and
//! as soon as there is a fault, a host or database is a fact only if it looks like one (see [`Host::credible`]).
//!
//! A password is never copied: it is looked at where the caller keeps it (and will zero it). What [`tokio_postgres`]
//! gets to see, as the last judge, is a copy that holds a placeholder instead.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::model::connection::{Connection, ConnectionForm, Fault, HostPort, SecretShape, UrlPart};

/// What Secrets Manager holds at most, in bytes.
const MAX_VALUE: usize = 64 * 1024;
/// Keys of a JSON object that are looked at.
const MAX_KEYS: usize = 200;
/// Longest key of a JSON object that is kept, in bytes.
const MAX_KEY: usize = 256;
/// Longest host, database or user name that is kept, in bytes. PostgreSQL itself stops at 63 and DNS at 253.
const MAX_NAME: usize = 255;
/// Hosts in one connection.
const MAX_HOSTS: usize = 32;

const DEFAULT_PORT: u16 = 5432;
/// Ports that speak for PostgreSQL or a pooler in front of it, and hardly for a password that is all digits.
const USUAL_PORTS: [u16; 4] = [5432, 5433, 6432, 6543];

/// Schemes that may be named: none of them can be a piece of a password by more than chance.
#[rustfmt::skip]
const KNOWN_SCHEMES: [&str; 27] = [
    "amqp", "amqps", "cassandra", "clickhouse", "cockroachdb", "db2", "file", "ftp", "http", "https", "jdbc", "mariadb",
    "mongodb", "mssql", "mysql", "odbc", "oracle", "prisma", "redis", "rediss", "redshift", "s3", "snowflake", "sqlite",
    "sqlite3", "sqlserver", "ssh",
];

/// `sslmode` as libpq knows it, and node-postgres' `no-verify`. Anything else is not repeated.
#[rustfmt::skip]
const SSL_MODES: [&str; 7] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

/// What libpq takes as keywords, but for passwords.
#[rustfmt::skip]
const KEYWORDS: [&str; 44] = [
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
const CHECKED_KEYWORDS: [&str; 8] = [
    "channel_binding", "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "load_balance_hosts",
    "sslnegotiation", "tcp_user_timeout",
];

/// Reads the value of a secret: a plain string, or a JSON object of them. The caller owns `value` and zeroes it.
#[must_use]
pub fn inspect(value: &str) -> SecretShape {
    if value.len() <= MAX_VALUE
        && let Some(shape) = trim(value).strip_prefix('{').and_then(json)
    {
        return shape;
    }
    SecretShape::Plain(inspect_plain(value))
}

/// Reads a string as a connection: a URL or a keyword string. The caller owns `value` and zeroes it.
#[must_use]
pub fn inspect_plain(value: &str) -> Connection {
    if value.len() > MAX_VALUE {
        return nothing(Fault::NotAConnectionString);
    }
    let mut around = vec![];
    let mut inner = value;
    // Not `while`: of a value that is all quotation marks this takes three pairs, and no more time than that.
    for _ in 0..4 {
        let trimmed = trim(inner);
        if trimmed.len() != inner.len() {
            push(&mut around, Fault::SurroundingWhitespace);
        }
        inner = trimmed;
        let Some(bare) = ['"', '\'', '`'].iter().find_map(|q| inner.strip_prefix(*q)?.strip_suffix(*q)) else {
            break;
        };
        push(&mut around, Fault::Quoted);
        inner = bare;
    }
    if inner.is_empty() {
        return nothing(Fault::Empty);
    }
    // About text that is no connection nothing else is said, not even that it has a space at the end: it may be a
    // password.
    let Some(mut found) = url(inner).or_else(|| keyword_string(inner)) else {
        return nothing(Fault::NotAConnectionString);
    };
    around.append(&mut found.faults);
    found.faults = around;
    found
}

fn nothing(fault: Fault) -> Connection {
    Connection { faults: vec![fault], ..empty(ConnectionForm::Url) }
}

const fn empty(form: ConnectionForm) -> Connection {
    Connection { form, hosts: vec![], database: None, user: None, has_password: false, sslmode: None, faults: vec![] }
}

fn push(faults: &mut Vec<Fault>, fault: Fault) {
    if !faults.contains(&fault) {
        faults.push(fault);
    }
}

/// Without white space around it, or the byte order mark that Windows editors leave.
fn trim(s: &str) -> &str {
    s.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

// ---- percent-encoding ----------------------------------------------------------------------------------------

/// Whether each `%` is followed by two hexadecimal digits that do not make a NUL, which libpq refuses.
fn percents_are_good(s: &str) -> bool {
    let b = s.as_bytes();
    b.iter().enumerate().filter(|(_, c)| **c == b'%').all(|(i, _)| match (b.get(i + 1), b.get(i + 2)) {
        (Some(h), Some(l)) => h.is_ascii_hexdigit() && l.is_ascii_hexdigit() && !(*h == b'0' && *l == b'0'),
        _ => false,
    })
}

/// Decoded; `None` if that can't be done or does not make UTF-8. Never grows its buffer, so nothing is left behind.
fn decode(s: &str) -> Option<Zeroizing<String>> {
    if !percents_are_good(s) {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = Zeroizing::new(Vec::with_capacity(s.len()));
    let mut bytes = s.bytes();
    while let Some(c) = bytes.next() {
        out.push(if c == b'%' { digit(bytes.next()?)? * 16 + digit(bytes.next()?)? } else { c });
    }
    std::str::from_utf8(&out).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// What RFC 3986 lets stand in user and password as it is, but for `:` and `%`. libpq, Go and Node take all of it.
const fn is_plain(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+')
        || matches!(c, b',' | b';' | b'=')
}

/// Checks the encoding of a user name or password; true if there is nothing wrong.
fn encoding(s: &str, part: UrlPart, faults: &mut Vec<Fault>) -> bool {
    let plain = s.bytes().all(|c| is_plain(c) || c == b'%' || (c == b':' && part == UrlPart::Password));
    let percents = percents_are_good(s);
    if !plain {
        push(faults, Fault::UnencodedReserved { part });
    }
    if !percents {
        push(faults, Fault::BadPercentEncoding { part });
    }
    plain && percents
}

// ---- names, hosts and ports ----------------------------------------------------------------------------------

/// A name to be kept: not endless, and not a URL of its own (`dbname` may be one for libpq, password and all).
fn name(s: &str) -> Option<String> {
    let fits = s.len() <= MAX_NAME && !s.contains("://") && !s.chars().any(char::is_control);
    fits.then(|| s.to_owned())
}

fn port_number(s: &str) -> Option<u16> {
    if s.is_empty() || !s.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    s.parse().ok().filter(|p| *p != 0)
}

/// One host as written.
struct Host<'a> {
    raw: &'a str,
    /// As it is kept, if it is: lower case, decoded. It may yet turn out to be a piece of a password.
    name: Zeroizing<String>,
    /// In square brackets, or a socket's directory.
    marked: bool,
    /// Whether a `:` follows.
    colon: bool,
    /// The port, if one is given and valid.
    port: Option<u16>,
    bad_port: bool,
}

impl<'a> Host<'a> {
    /// `None` if it is no host at all.
    fn parse(chunk: &'a str, faults: &mut Vec<Fault>) -> Option<Self> {
        if chunk.len() > 3 * MAX_NAME {
            return None;
        }
        let (raw, rest, bracket) = match chunk.strip_prefix('[') {
            Some(inside) => {
                let (address, after) = inside.split_once(']')?;
                let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
                (address, port, true)
            }
            None => match chunk.split_once(':') {
                Some((host, port)) => (host, Some(port), false),
                None => (chunk, None, false),
            },
        };
        let mut name = if bracket { Zeroizing::new(raw.to_owned()) } else { decode(raw)? };
        let socket = !bracket && name.starts_with('/') && is_socket(&name);
        if bracket {
            let (address, zone) = raw.split_at(raw.find('%').unwrap_or(raw.len()));
            address.parse::<Ipv6Addr>().ok()?;
            if !zone.bytes().all(|c| is_plain(c) || c == b'%') {
                return None;
            }
        } else if !socket && !is_host_name(&name) {
            return None;
        }
        if !socket {
            name.make_ascii_lowercase();
        }
        let marked = bracket || socket;
        let mut host = Self { raw, name, marked, colon: rest.is_some(), port: None, bad_port: false };
        match rest {
            // Without a number it is the default port, for libpq as for Go.
            None | Some("") => {}
            Some(ports) => {
                let first = ports.split(':').next().unwrap_or_default();
                let digits = |p: &str| !p.is_empty() && p.bytes().all(|c| c.is_ascii_digit());
                let twice = first.len() != ports.len();
                host.port = port_number(first);
                host.bad_port = host.port.is_none() || (twice && !ports.split(':').all(digits));
                if host.bad_port {
                    push(faults, Fault::BadPort);
                } else if twice {
                    push(faults, Fault::PortTwice);
                }
            }
        }
        Some(host)
    }

    /// Whether this is a host for certain, or could be a piece of a password that stands where a host is missing:
    /// `postgres://user:pass@word` and `postgres://user:123/word` both look like a host.
    ///
    /// `after_at` is whether an `@` stands before it, `database` whether `/name` comes after it.
    fn credible(&self, after_at: bool, database: bool) -> bool {
        let suffixes = [".amazonaws.com", ".amazonaws.com.cn", ".internal", ".local", ".localhost"];
        let known = |n: &str| n == "localhost" || suffixes.iter().any(|s| n.ends_with(s));
        if self.marked || known(&self.name) || self.raw.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let domain = self.name.rsplit_once('.').is_some_and(|(host, top)| {
            top.len() > 1 && top.bytes().all(|c| c.is_ascii_lowercase()) && host.split('.').all(|l| !l.is_empty())
        });
        let usual = self.port.is_some_and(|p| USUAL_PORTS.contains(&p));
        if !after_at {
            return usual || domain;
        }
        let common = !self.raw.bytes().any(|c| c.is_ascii_uppercase() || c == b'%');
        common && (usual || (domain && (database || self.port.is_some())) || (database && self.port.is_some()))
    }
}

fn is_host_name(s: &str) -> bool {
    !s.is_empty() && s.len() <= MAX_NAME && s.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}

fn is_socket(s: &str) -> bool {
    s.len() <= MAX_NAME && s.bytes().all(|c| c.is_ascii_alphanumeric() || b"/._-:".contains(&c))
}

/// Hosts as they stand in a keyword, in a URL's query or in JSON, with the ports from beside them.
fn hosts_of(hosts: &str, ports: Option<&str>, faults: &mut Vec<Fault>) -> Vec<HostPort> {
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
            None | Some("") => Some(DEFAULT_PORT),
            Some(p) => port_number(p),
        };
        if port.is_none() {
            push(faults, Fault::BadPort);
        }
        let address = host.parse::<Ipv6Addr>().is_ok();
        let socket = host.starts_with('/') && is_socket(host);
        if address || socket || is_host_name(host) {
            let host = if socket { host.to_owned() } else { host.to_ascii_lowercase() };
            out.extend(port.map(|port| HostPort { host, port }));
        } else if let Some((host, inner)) = host.split_once(':').filter(|(h, _)| is_host_name(h)) {
            // `host: "db.example.com:5432"`: as a rule next to `port`.
            push(faults, if ports.is_some() { Fault::PortTwice } else { Fault::Unparsable });
            let host = host.to_ascii_lowercase();
            out.extend(port_number(inner).map(|port| HostPort { host, port }));
        } else {
            // The list may be torn: `host=a;password=b,c` names no host `c`.
            push(faults, Fault::Unparsable);
            return vec![];
        }
    }
    out
}

fn ssl_mode(value: &str) -> Option<String> {
    SSL_MODES.contains(&value).then(|| value.to_owned())
}

// ---- URLs ----------------------------------------------------------------------------------------------------

/// `None` if it is no URL.
fn url(s: &str) -> Option<Connection> {
    let fault = |fault| Some(Connection { faults: vec![fault], ..empty(ConnectionForm::Url) });
    if s.get(..5).is_some_and(|p| p.eq_ignore_ascii_case("jdbc:")) {
        return fault(Fault::WrongScheme { found: Some("jdbc".to_owned()) });
    }
    let scheme_end = s.bytes().position(|c| !(c.is_ascii_alphanumeric() || b"+-.".contains(&c)));
    let (scheme, after) = s.split_at(scheme_end?);
    let (base, dialect) = scheme.split_once('+').map_or((scheme, None), |(base, dialect)| (base, Some(dialect)));
    let ours = ["postgres", "postgresql"].iter().any(|p| base.eq_ignore_ascii_case(p));
    match after.strip_prefix("://") {
        Some(rest) if ours && dialect.is_none_or(|d| !d.is_empty()) => Some(postgres_url(rest)),
        Some(rest) if !rest.is_empty() => {
            let found = KNOWN_SCHEMES.iter().find(|k| base.eq_ignore_ascii_case(k)).map(|k| (*k).to_owned());
            // An unknown scheme without credentials can be anything, a password too.
            let meant = found.is_some() || (base.len() > 1 && rest.contains('@'));
            if meant { fault(Fault::WrongScheme { found }) } else { None }
        }
        // `postgres:/...`, `DATABASE_URL=postgres://...`, `"postgres://...`: meant, but nothing can read it.
        _ if (ours && after.starts_with(':')) || mentions_postgres(s) => fault(Fault::Unparsable),
        _ => None,
    }
}

fn mentions_postgres(s: &str) -> bool {
    s.match_indices("://").any(|(i, _)| {
        let ends =
            |p: &str| i.checked_sub(p.len()).and_then(|f| s.get(f..i)).is_some_and(|t| t.eq_ignore_ascii_case(p));
        ends("postgres") || ends("postgresql")
    })
}

/// The parameters that a query gives.
#[derive(Default)]
struct Query<'a> {
    host: Option<Zeroizing<String>>,
    port: Option<Zeroizing<String>>,
    user: Option<Zeroizing<String>>,
    database: Option<Zeroizing<String>>,
    sslmode: Option<String>,
    has_password: Option<bool>,
    /// For `tokio_postgres`.
    checked: Vec<(&'a str, &'a str)>,
}

fn is_password_key(key: &str) -> bool {
    PASSWORD_KEYWORDS.iter().any(|p| key.eq_ignore_ascii_case(p))
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|p| !p.is_empty())
}

impl<'a> Query<'a> {
    fn parse(query: &'a str, faults: &mut Vec<Fault>) -> Self {
        let mut out = Self::default();
        let password = pairs(query).any(|p| p.split_once('=').is_some_and(|(k, _)| is_password_key(k)));
        // A query that holds a password may be torn by it.
        let torn = if password { Fault::UnencodedReserved { part: UrlPart::Password } } else { Fault::Unparsable };
        for pair in pairs(query) {
            let Some((key, value)) = pair.split_once('=') else {
                push(faults, torn.clone());
                continue;
            };
            if is_password_key(key) {
                if key.eq_ignore_ascii_case("password") {
                    out.has_password = Some(!value.is_empty());
                }
                // What RFC 3986 lets stand in a query; a second `=` is too much for libpq.
                let good = value.bytes().all(|c| (is_plain(c) && c != b'=') || b"%:@/?".contains(&c));
                if !good {
                    push(faults, torn.clone());
                }
                if !percents_are_good(value) {
                    push(faults, Fault::BadPercentEncoding { part: UrlPart::Password });
                }
                continue;
            }
            let key_good = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c));
            let kept = ["host", "port", "user", "dbname"].contains(&key);
            // A second `=` is too much for libpq. Others take it, and where nothing is kept of it, it does no harm.
            let value_good =
                percents_are_good(value) && !value.chars().any(|c| c.is_control() || c == '#' || (kept && c == '='));
            if !key_good || !value_good {
                push(faults, torn.clone());
                continue;
            }
            match key {
                "host" => out.host = decode(value),
                "port" => out.port = decode(value),
                "user" => out.user = decode(value),
                "dbname" => out.database = decode(value),
                "sslmode" => match ssl_mode(value) {
                    Some(mode) => out.sslmode = Some(mode),
                    None => push(faults, Fault::Unparsable),
                },
                // JDBC's and asyncpg's way to say it; libpq knows the first.
                "ssl" if out.sslmode.is_none() => {
                    out.sslmode = if value == "true" { ssl_mode("require") } else { ssl_mode(value) };
                }
                _ if CHECKED_KEYWORDS.contains(&key) => out.checked.push((key, value)),
                _ => {}
            }
        }
        out
    }
}

/// Where the credentials end: the position of the `@`, if there is one.
struct Credentials {
    at: Option<usize>,
    /// There is a `password=` that is not a parameter: nothing is safe.
    lost: bool,
}

impl Credentials {
    fn find(rest: &str) -> Self {
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        if pairs(query).any(|p| p.split_once('=').is_some_and(|(k, _)| is_password_key(k))) {
            // The password may hold `@` itself, which RFC 3986 allows in a query.
            return Self { at: before.rfind('@'), lost: false };
        }
        let lost = rest.as_bytes().windows(9).any(|w| w.eq_ignore_ascii_case(b"password="));
        let end = rest.rfind('@');
        let strict = authority.rfind('@');
        // `@` in the value of a known parameter (`?application_name=me@there`) is no end of credentials, if there
        // were some before and what follows it is no address.
        if let (Some(last), Some(strict)) = (end, strict)
            && last > before.len()
            && !rest[..before.len()][strict + 1..].contains('@')
            && !rest[last..].split('&').next().unwrap_or_default().contains(['/', ':'])
            && !authority[..strict].contains('@')
            && pairs(query).all(|p| p.split_once('=').is_some_and(|(k, _)| KEYWORDS.contains(&k)))
        {
            return Self { at: Some(strict), lost };
        }
        Self { at: end, lost }
    }
}

/// `rest` is what comes after `://`.
fn postgres_url(rest: &str) -> Connection {
    let mut found = empty(ConnectionForm::Url);
    let mut faults = vec![];
    let Credentials { at, lost } = Credentials::find(rest);
    let (userinfo, tail) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));

    // Credentials.
    let mut user = None;
    let mut user_raw = "";
    if let Some(userinfo) = userinfo {
        let (name_raw, password) = userinfo.split_once(':').map_or((userinfo, None), |(u, p)| (u, Some(p)));
        user_raw = name_raw;
        if encoding(name_raw, UrlPart::User, &mut faults) {
            user = decode(name_raw);
            if user.is_none() {
                push(&mut faults, Fault::Unparsable);
            }
            // `user%3Apassword@`: someone encoded too much.
            if password.is_none() && user.as_ref().is_some_and(|u| u.contains(':')) {
                user = None;
            }
        }
        if let Some(password) = password {
            encoding(password, UrlPart::Password, &mut faults);
            found.has_password = !password.is_empty();
        }
    }

    // Address.
    let (before, query_raw) = tail.split_once('?').map_or((tail, None), |(b, q)| (b, Some(q)));
    let (authority, path) = before.split_once('/').map_or((before, None), |(a, p)| (a, Some(p)));
    let query = Query::parse(query_raw.unwrap_or_default(), &mut faults);
    found.has_password = query.has_password.unwrap_or(found.has_password);
    if at.is_none() && rest.contains('@') {
        // In the query's password, where libpq takes it for the end of credentials if there is no other.
        push(&mut faults, Fault::UnencodedReserved { part: UrlPart::Password });
    }
    let segment = path.filter(|p| !p.is_empty());
    let decoded = segment.and_then(|p| {
        let clean = p.chars().all(|c| match u8::try_from(c) {
            Ok(b) if b.is_ascii() => is_plain(b) || b == b':' || b == b'%',
            _ => c.is_alphanumeric(),
        });
        clean.then(|| decode(p)).flatten()
    });
    let unreadable_path = segment.is_some() && decoded.is_none();
    if unreadable_path {
        push(&mut faults, Fault::Unparsable);
    }
    let database = query.database.or(decoded).filter(|d| !d.is_empty());
    let many = authority.split(',').count() > MAX_HOSTS;
    let mut hosts = vec![];
    if authority.is_empty() {
        if query.host.is_none() {
            push(&mut faults, Fault::NoHost);
        }
    } else if many {
        push(&mut faults, Fault::Unparsable);
    } else {
        for chunk in authority.split(',') {
            if let Some(host) = Host::parse(chunk, &mut faults) {
                hosts.push(host);
            } else {
                let port = at.is_none() && chunk.contains(':');
                push(&mut faults, if port { Fault::BadPort } else { Fault::Unparsable });
                // Of a list that is torn nothing is certain.
                hosts.clear();
                break;
            }
        }
    }
    if database.is_none() && !unreadable_path {
        push(&mut faults, Fault::NoDatabase);
    }

    // Which of it is a fact.
    let has_database = database.is_some();
    let all_credible = |after_at| !hosts.is_empty() && hosts.iter().all(|h| h.credible(after_at, has_database));
    let mut address = true;
    if at.is_none() && hosts.iter().any(|h| h.colon) {
        // `postgres://user:12345/...`: user and password of a URL that has no host?
        let bad_port = hosts.iter().any(|h| h.bad_port);
        if !bad_port && !all_credible(false) {
            push(&mut faults, Fault::NoHost);
        }
        address = !bad_port && all_credible(false);
    }
    if lost {
        push(&mut faults, Fault::Unparsable);
        address = false;
        user = None;
    }
    let given_host = authority.is_empty() && (query.host.is_some() || at.is_none());
    if !faults.is_empty() && !given_host {
        address &= all_credible(at.is_some());
    }
    if address {
        if let Some(host) = &query.host {
            let beside: Vec<_> = hosts.iter().map(|h| h.port.map(|p| p.to_string()).unwrap_or_default()).collect();
            let port = query.port.as_ref().map_or_else(|| beside.join(","), |p| p.to_string());
            found.hosts = hosts_of(host, Some(&port), &mut faults);
        } else if let Some(ports) = &query.port {
            let names: Vec<&str> = hosts.iter().map(|h| h.name.as_str()).collect();
            found.hosts = hosts_of(&names.join(","), Some(ports), &mut faults);
        } else {
            found.hosts = hosts
                .iter()
                .filter(|h| h.port.is_some() || !h.bad_port)
                .map(|h| HostPort { host: h.name.to_string(), port: h.port.unwrap_or(DEFAULT_PORT) })
                .collect();
        }
        found.database = database.as_deref().and_then(|d| name(d));
    }
    found.user = query.user.or(user).filter(|u| !u.is_empty()).and_then(|u| name(&u));
    found.sslmode = query.sslmode;
    if faults.is_empty() && (found.database.is_none() || found.hosts.is_empty()) {
        push(&mut faults, Fault::Unparsable);
    }

    // The last judge.
    if faults.is_empty() {
        let mut copy = Zeroizing::new(String::with_capacity(rest.len() + 64));
        copy.push_str("postgres://");
        if userinfo.is_some() {
            copy.push_str(user_raw);
            copy.push_str(if found.has_password { ":x@" } else { "@" });
        }
        copy.push_str(before);
        for (i, (key, value)) in query.checked.iter().enumerate() {
            copy.push(if i == 0 { '?' } else { '&' });
            copy.push_str(key);
            copy.push('=');
            copy.push_str(value);
        }
        if copy.parse::<tokio_postgres::Config>().is_err() {
            push(&mut faults, Fault::Unparsable);
        }
    }
    found.faults = faults;
    found
}

// ---- keyword strings -----------------------------------------------------------------------------------------

const fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Goes through `key = value` pairs as libpq does.
struct Keywords<'a> {
    s: &'a str,
    at: usize,
}

impl<'a> Keywords<'a> {
    fn skip_space(&mut self) {
        while self.s.as_bytes().get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Up to and with the `=`; `Err` if there is none, `Ok(None)` at the end.
    fn key(&mut self) -> Result<Option<&'a str>, ()> {
        self.skip_space();
        let from = self.at;
        let bytes = self.s.as_bytes();
        if from == bytes.len() {
            return Ok(None);
        }
        while bytes.get(self.at).is_some_and(|c| *c != b'=' && !is_space(*c)) {
            self.at += 1;
        }
        let key = &self.s[from..self.at];
        self.skip_space();
        if key.is_empty() || bytes.get(self.at) != Some(&b'=') {
            return Err(());
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// The value as written, without quotes but with its backslashes; `Err` if the quote does not end.
    fn value(&mut self) -> Result<&'a str, ()> {
        self.skip_space();
        let bytes = self.s.as_bytes();
        let quoted = bytes.get(self.at) == Some(&b'\'');
        self.at += usize::from(quoted);
        let from = self.at;
        loop {
            match bytes.get(self.at) {
                None if quoted => return Err(()),
                None => break,
                Some(b'\'') if quoted => break,
                Some(c) if !quoted && is_space(*c) => break,
                // Whatever follows, a byte of it at least: the rest of a character is none of those above.
                Some(b'\\') if self.at + 1 < bytes.len() => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        let value = &self.s[from..self.at];
        self.at += usize::from(quoted);
        Ok(value)
    }
}

/// Without backslashes. For what is no password.
fn unescape(value: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(value.len()));
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
        } else if let Some(c) = chars.next() {
            out.push(c);
        }
    }
    out
}

#[derive(Default, Clone)]
struct Given<'a> {
    host: Option<Zeroizing<String>>,
    address: Option<Zeroizing<String>>,
    port: Option<Zeroizing<String>>,
    user: Option<Zeroizing<String>>,
    database: Option<Zeroizing<String>>,
    sslmode: Option<Zeroizing<String>>,
    checked: Vec<(&'a str, &'a str)>,
}

/// `None` if it is no keyword string: its first word must be a keyword.
fn keyword_string(s: &str) -> Option<Connection> {
    let mut reader = Keywords { s, at: 0 };
    let first = reader.key().ok()??;
    if !KEYWORDS.contains(&first) && !is_password_key(first) {
        return None;
    }
    reader.at = 0;
    let mut found = empty(ConnectionForm::Keywords);
    let mut faults = vec![];
    let mut given = Given::default();
    // What was given before the first password: all that holds if the string is torn after it.
    let mut before: Option<Given<'_>> = None;
    loop {
        let pair = match reader.key() {
            Ok(None) => break,
            Ok(Some(key)) => reader.value().map(|value| (key, value)),
            Err(()) => Err(()),
        };
        let known = pair.ok().filter(|(k, _)| KEYWORDS.contains(k) || is_password_key(k));
        let Some((key, value)) = known else {
            if let Some(before) = before.take() {
                push(&mut faults, Fault::UnencodedReserved { part: UrlPart::Password });
                given = before;
            } else {
                push(&mut faults, Fault::Unparsable);
                // An unknown word where no password was yet: what follows may still be read.
                if pair.is_ok_and(|(k, _)| k.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')) {
                    continue;
                }
            }
            break;
        };
        if is_password_key(key) {
            if key.eq_ignore_ascii_case("password") {
                found.has_password = !matches!(value, "" | "\\");
            }
            before.get_or_insert_with(|| given.clone());
            continue;
        }
        match key {
            "host" => given.host = Some(unescape(value)),
            "hostaddr" => given.address = Some(unescape(value)),
            "port" => given.port = Some(unescape(value)),
            "user" => given.user = Some(unescape(value)),
            "dbname" => given.database = Some(unescape(value)),
            "sslmode" => given.sslmode = Some(unescape(value)),
            _ if CHECKED_KEYWORDS.contains(&key) => given.checked.push((key, value)),
            _ => {}
        }
    }
    // An unclosed quote, or `;` between the pairs, makes one value of many, the password's among them.
    let whole = |value: Option<Zeroizing<String>>, faults: &mut Vec<Fault>| {
        let value = value.filter(|v| !v.is_empty())?;
        let torn = value.chars().any(|c| c.is_whitespace() || matches!(c, '=' | ';' | '\'' | '"'));
        let kept = if torn { None } else { name(&value) };
        if kept.is_none() {
            push(faults, Fault::Unparsable);
        }
        Some(kept)
    };
    found.user = whole(given.user, &mut faults).flatten();
    let database = whole(given.database, &mut faults);
    if database.is_none() {
        push(&mut faults, Fault::NoDatabase);
    }
    found.database = database.flatten();
    if given.address.as_ref().is_some_and(|a| a.split(',').any(|a| !a.is_empty() && a.parse::<IpAddr>().is_err())) {
        push(&mut faults, Fault::Unparsable);
    }
    match given.host.filter(|h| !h.is_empty()).or(given.address).filter(|h| !h.is_empty()) {
        Some(host) => found.hosts = hosts_of(&host, given.port.as_ref().map(|p| p.as_str()), &mut faults),
        None => push(&mut faults, Fault::NoHost),
    }
    if let Some(mode) = given.sslmode {
        found.sslmode = ssl_mode(&mode);
        if found.sslmode.is_none() {
            push(&mut faults, Fault::Unparsable);
        }
    }
    if faults.is_empty() && !client_takes(&found, &given.checked) {
        push(&mut faults, Fault::Unparsable);
    }
    found.faults = faults;
    Some(found)
}

/// Whether `tokio_postgres` takes the facts, with a placeholder for the password, as a keyword string. `checked` are
/// more keywords with their values as written.
fn client_takes(found: &Connection, checked: &[(&str, &str)]) -> bool {
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

// ---- JSON ----------------------------------------------------------------------------------------------------

/// Takes the JSON value at the start of `s` (after white space) and returns it as written, with what follows.
///
/// `serde_json` skips it without decoding it: decoded strings would lie in its buffer, which is not zeroed.
fn json_value(s: &str) -> Option<(&str, &str)> {
    let s = s.trim_start();
    let mut stream = serde_json::Deserializer::from_str(s).into_iter::<IgnoredAny>();
    stream.next()?.ok()?;
    let end = stream.byte_offset();
    Some((s.get(..end)?, s.get(end..)?.trim_start()))
}

/// A string that may be a password: where it stands, or decoded and zeroed after.
enum Text<'a> {
    Here(&'a str),
    Decoded(Zeroizing<String>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Here(s) => s,
            Self::Decoded(s) => s,
        }
    }
}

/// The text of a JSON string, given as written. `None` if it is none, or holds half of a surrogate pair.
fn json_text(raw: &str) -> Option<Text<'_>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Text::Here(inner));
    }
    // No escape is shorter than what it stands for, so this never grows and leaves nothing behind.
    let mut out = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let kind = *escape.as_bytes().first()?;
        rest = escape.get(1..)?;
        out.push(match kind {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let first = utf16_unit(&mut rest)?;
                let second = if (0xd800..0xdc00).contains(&first) {
                    rest = rest.strip_prefix("\\u")?;
                    Some(utf16_unit(&mut rest)?)
                } else {
                    None
                };
                char::decode_utf16(std::iter::once(first).chain(second)).next()?.ok()?
            }
            itself => char::from(itself),
        });
    }
    out.push_str(rest);
    Some(Text::Decoded(out))
}

fn utf16_unit(rest: &mut &str) -> Option<u16> {
    let (hex, after) = rest.split_at_checked(4)?;
    *rest = after;
    u16::from_str_radix(hex, 16).ok()
}

/// The object whose `{` stands before `rest`; `None` if it is no valid JSON.
fn json(rest: &str) -> Option<SecretShape> {
    let mut entries: Vec<(String, &str)> = vec![];
    let mut rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('}') {
        rest = after;
    } else {
        loop {
            let (key, after) = json_value(rest)?;
            if !key.starts_with('"') {
                return None;
            }
            let (value, after) = json_value(after.strip_prefix(':')?)?;
            if entries.len() < MAX_KEYS
                && let Some(key) = json_text(key).filter(|k| k.len() <= MAX_KEY)
            {
                entries.push((key.to_owned(), value));
            }
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',')?;
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let parts = parts(&entries);
    let keys: BTreeMap<_, _> = entries
        .into_iter()
        .map(|(key, raw)| {
            // A key that says that it holds a password is believed: nothing else is then worth knowing.
            let password = is_one_of(&key, &["password", "pass", "passwd", "pwd"]);
            let value = raw.starts_with('"').then(|| match json_text(raw) {
                Some(text) if text.is_empty() => nothing(Fault::Empty),
                Some(text) if !password => inspect_plain(&text),
                _ => nothing(Fault::NotAConnectionString),
            });
            (key, value)
        })
        .collect();
    Some(SecretShape::Json { keys, parts })
}

fn is_one_of(key: &str, names: &[&str]) -> bool {
    names.iter().any(|n| key.eq_ignore_ascii_case(n))
}

/// The connection that the entries of an object make together. As for most readers of JSON the last of several
/// entries with the same key holds.
fn parts(entries: &[(String, &str)]) -> Option<Connection> {
    let raw = |names: &[&str]| entries.iter().rev().find(|(k, _)| is_one_of(k, names)).map(|(_, v)| *v);
    let text = |names: &[&str]| raw(names).and_then(json_text).filter(|t| !t.is_empty());
    let mut found = empty(ConnectionForm::Parts);
    let mut faults = vec![];

    raw(&["host", "hostname"])?;
    let padded = |s: &str, faults: &mut Vec<Fault>| {
        if trim(s).len() != s.len() {
            push(faults, Fault::SurroundingWhitespace);
        }
    };
    if let Some(engine) = text(&["engine"]) {
        let other = ["mysql", "mariadb", "mssql", "mongodb", "oracle", "sqlserver", "redshift", "db2"];
        if let Some(other) = other.iter().find(|k| engine.eq_ignore_ascii_case(k)) {
            push(&mut faults, Fault::WrongScheme { found: Some((*other).to_owned()) });
        }
    }
    let port = raw(&["port"]).filter(|p| !matches!(*p, "null" | "\"\""));
    // A number stands there as it is.
    let port = port.map(|p| json_text(p).unwrap_or(Text::Here(p)));
    if let Some(port) = &port {
        padded(port, &mut faults);
    }
    match text(&["host", "hostname"]) {
        Some(host) if !trim(&host).is_empty() => {
            padded(&host, &mut faults);
            found.hosts = hosts_of(trim(&host), port.as_deref().map(trim), &mut faults);
        }
        _ => push(&mut faults, Fault::NoHost),
    }
    match text(&["dbname", "database"]) {
        Some(database) if !trim(&database).is_empty() => {
            padded(&database, &mut faults);
            found.database = name(trim(&database));
            if found.database.is_none() {
                push(&mut faults, Fault::Unparsable);
            }
        }
        _ => push(&mut faults, Fault::NoDatabase),
    }
    if let Some(user) = text(&["username", "user"]) {
        padded(&user, &mut faults);
        found.user = name(trim(&user)).filter(|u| !u.is_empty());
    }
    if let Some(password) = text(&["password"]) {
        found.has_password = true;
        // A space may belong to it; a line break is what an editor left.
        if password.ends_with(['\n', '\r']) {
            push(&mut faults, Fault::SurroundingWhitespace);
        }
    }
    found.sslmode = text(&["sslmode"]).and_then(|m| ssl_mode(&m));
    if faults.is_empty() && !client_takes(&found, &[]) {
        push(&mut faults, Fault::Unparsable);
    }
    found.faults = faults;
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A connection on one line: `form user[:*]@host:port,.../database?sslmode !fault fault`, `-` for what is absent.
    fn line(c: &Connection) -> String {
        let form = match c.form {
            ConnectionForm::Url => "url",
            ConnectionForm::Keywords => "kw",
            ConnectionForm::Parts => "parts",
        };
        let hosts: Vec<_> = c.hosts.iter().map(|h| format!("{}:{}", h.host, h.port)).collect();
        let or = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".into());
        let mode = c.sslmode.as_ref().map(|m| format!("?{m}")).unwrap_or_default();
        let password = if c.has_password { ":*" } else { "" };
        let hosts = if hosts.is_empty() { "-".to_owned() } else { hosts.join(",") };
        let mut out = format!("{form} {}{password}@{hosts}/{}{mode}", or(&c.user), or(&c.database));
        for fault in &c.faults {
            let name = match fault {
                Fault::WrongScheme { found } => format!("WrongScheme({})", or(found)),
                Fault::UnencodedReserved { part } => format!("Unencoded({part:?})"),
                Fault::BadPercentEncoding { part } => format!("BadPercent({part:?})"),
                other => format!("{other:?}"),
            };
            out.push_str(" !");
            out.push_str(&name);
        }
        out
    }

    const NOT: &str = "url -@-/- !NotAConnectionString";

    #[test]
    fn plain_values() {
        let rds = "coder.cluster-abc.us-east-1.rds.amazonaws.com";
        let long_db = format!("postgres://u:p@h/{}", "d".repeat(300));
        let long_url = format!("url coder:*@{rds}:5432/coder?require");
        let many = format!("postgres://u:p@{}/d", vec!["h"; 40].join(","));
        let cases: Vec<(String, &str)> = vec![
            // Well formed.
            ("postgres://u:p@h/d".into(), "url u:*@h:5432/d"),
            ("postgresql://u:p@h:5433/d".into(), "url u:*@h:5433/d"),
            ("PostgreSQL://u:p@DB.Example.COM/Data".into(), "url u:*@db.example.com:5432/Data"),
            ("postgresql+asyncpg://u:p@h/d".into(), "url u:*@h:5432/d"),
            ("postgresql+psycopg2://u:p@h/d".into(), "url u:*@h:5432/d"),
            (format!("postgres://coder:pw@{rds}:5432/coder?sslmode=require"), &long_url),
            ("postgres://u@h/d".into(), "url u@h:5432/d"),
            ("postgres://u:@h/d".into(), "url u@h:5432/d"),
            ("postgres://:p@h/d".into(), "url -:*@h:5432/d"),
            ("postgres://h/d".into(), "url -@h:5432/d"),
            ("postgres://localhost:15432/d".into(), "url -@localhost:15432/d"),
            ("postgres://db.example.com:15432/d".into(), "url -@db.example.com:15432/d"),
            ("postgres://db:5432/d".into(), "url -@db:5432/d"),
            ("postgres://u:p@h:/d".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h1:5432,h2:5433/d".into(), "url u:*@h1:5432,h2:5433/d"),
            ("postgres://u:p@h1,h2/d?target_session_attrs=primary".into(), "url u:*@h1:5432,h2:5432/d"),
            ("postgres://u:p@[::1]:5433/d".into(), "url u:*@::1:5433/d"),
            ("postgres://u:p@[fe80::1%25eth0]/d".into(), "url u:*@fe80::1%25eth0:5432/d"),
            ("postgres://u:p@10.0.0.7:5432/d".into(), "url u:*@10.0.0.7:5432/d"),
            ("postgres://u:p@%2Fvar%2Frun%2Fpostgresql/d".into(), "url u:*@/var/run/postgresql:5432/d"),
            ("postgres:///d?host=/var/run/postgresql&user=u".into(), "url u@/var/run/postgresql:5432/d"),
            ("postgres://u:p@/d?host=h&port=6000".into(), "url u:*@h:6000/d"),
            ("postgres://u:p@a,b:6000/d?host=q,r".into(), "url u:*@q:5432,r:6000/d"),
            ("postgres://A.example.com:6000/d".into(), "url -@a.example.com:6000/d"),
            ("postgres://u:p@h/d?application_name=a@b&sslrootcert=/x".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/d?password=".into(), "url u@h:5432/d"),
            ("postgres://u:p@h.internal/d%?dbname=e".into(), "url u:*@h.internal:5432/e !Unparsable"),
            ("postgres://u:p@h?dbname=d".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/?dbname=d".into(), "url u:*@h:5432/d"),
            ("postgres://u@h/d?password=p".into(), "url u:*@h:5432/d"),
            ("postgres://u@h/d?password=p%40x/y@z&sslmode=require".into(), "url u:*@h:5432/d?require"),
            ("postgres://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/rds.pem".into(), "url u:*@h:5432/d?verify-full"),
            ("postgres://u:p@h/d?sslmode=no-verify".into(), "url u:*@h:5432/d?no-verify"),
            ("postgres://u:p@h/d?ssl=true".into(), "url u:*@h:5432/d?require"),
            ("postgres://u:p@h/d?schema=public&connection_limit=5&pgbouncer=true".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/d?".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/d?application_name=me@there".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/d?connect_timeout=10&options=-c%20geqo%3Doff".into(), "url u:*@h:5432/d"),
            ("postgres://u%40x:p%2F%40@h/d%20b".into(), "url u@x:*@h:5432/d b"),
            ("postgres://u:p:q@h/d".into(), "url u:*@h:5432/d"),
            ("postgres://u:p@h/données".into(), "url u:*@h:5432/données"),
            // The password's sub-delims are allowed as they are.
            (
                "postgres://coder:aB=x@h.rds.amazonaws.com:5432/coder".into(),
                "url coder:*@h.rds.amazonaws.com:5432/coder",
            ),
            ("postgres://u:!$&'()*+,;=-._~@h/d".into(), "url u:*@h:5432/d"),
            // Coder's history.
            (
                "postgres://coder:pw@h.rds.amazonaws.com:5432:5432/coder".into(),
                "url coder:*@h.rds.amazonaws.com:5432/coder !PortTwice",
            ),
            (
                "postgres://coder:a/b=c@h.rds.amazonaws.com:5432/coder".into(),
                "url coder:*@h.rds.amazonaws.com:5432/coder !Unencoded(Password)",
            ),
            (
                "postgres://coder:a/b=c@h.rds.amazonaws.com:5432:5432/coder?sslmode=require\n".into(),
                "url coder:*@h.rds.amazonaws.com:5432/coder?require !SurroundingWhitespace !Unencoded(Password) \
                 !PortTwice",
            ),
            // Reserved characters in the credentials.
            ("postgres://u:a@b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a?b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a#b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a[b]@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:aéb@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a\"b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !Unencoded(Password)"),
            ("postgres://u:a|b@db:5432/d".into(), "url u:*@db:5432/d !Unencoded(Password)"),
            ("postgres://u:1/a@db:5432/d".into(), "url u:*@db:5432/d !Unencoded(Password)"),
            ("postgres://u:a@b/c@db:15432/d".into(), "url u:*@db:15432/d !Unencoded(Password)"),
            ("postgres://u:a@b?c=d@db:15432/d".into(), "url u:*@db:15432/d !Unencoded(Password)"),
            ("postgres://u/v:p@db.example.com/d".into(), "url -:*@db.example.com:5432/d !Unencoded(User)"),
            ("postgres://u@t:p@db.example.com/d".into(), "url -:*@db.example.com:5432/d !Unencoded(User)"),
            ("postgres://u/v@db.example.com/d".into(), "url -@db.example.com:5432/d !Unencoded(User)"),
            ("postgres://u:a%b@db.example.com/d".into(), "url u:*@db.example.com:5432/d !BadPercent(Password)"),
            ("postgres://u%4:p@db.example.com/d".into(), "url -:*@db.example.com:5432/d !BadPercent(User)"),
            ("postgres://u:a%00@db.example.com/d".into(), "url u:*@db.example.com:5432/d !BadPercent(Password)"),
            (
                "postgres://u:%/@db.example.com/d".into(),
                "url u:*@db.example.com:5432/d !Unencoded(Password) !BadPercent(Password)",
            ),
            // A host, port or database that may be a piece of the password is left out.
            ("postgres://u:a/b@h/d".into(), "url u:*@-/- !Unencoded(Password)"),
            ("postgres://u:a@b".into(), "url u:*@-/- !NoDatabase"),
            ("postgres://u:pass".into(), "url -@-/- !BadPort !NoDatabase"),
            ("postgres://u:789/word".into(), "url -@-/- !NoHost"),
            ("postgres://u:pa/ss".into(), "url -@-/- !BadPort"),
            ("postgres://u:p#s?x=y".into(), "url -@-/- !BadPort !NoDatabase"),
            ("postgres://u:pa/s@s".into(), "url u:*@-/- !Unencoded(Password) !NoDatabase"),
            ("postgres://u%3Apass@h/d".into(), "url -@h:5432/d"),
            ("postgres://h:5432/d?user=u&password=a@b".into(), "url u:*@h:5432/d !Unencoded(Password)"),
            ("postgres://u@h/d?password=a&b#c".into(), "url u:*@-/- !Unencoded(Password)"),
            ("postgres://u@h/d?x?password=a@b:1/c".into(), "url -@-/- !Unencoded(User) !Unparsable"),
            // Addresses.
            ("postgres://u:p@h:5432:abc/d".into(), "url u:*@h:5432/d !BadPort"),
            ("postgres://u:p@h.internal:0/d".into(), "url u:*@-/d !BadPort"),
            ("postgres://u:p@db.example.com:65536/d".into(), "url u:*@-/d !BadPort"),
            ("postgres://u:p@db.example.com:x/d".into(), "url u:*@-/d !BadPort"),
            ("postgres://u:p@h!/d".into(), "url u:*@-/- !Unparsable"),
            ("postgres://u:p@[::1/d".into(), "url u:*@-/- !Unparsable"),
            ("postgres://u:p@h1,,h2/d".into(), "url u:*@-/- !Unparsable"),
            ("postgres://u:p@/d".into(), "url u:*@-/- !NoHost"),
            ("postgres:///d".into(), "url -@-/d !NoHost"),
            ("postgres://".into(), "url -@-/- !NoHost !NoDatabase"),
            ("postgres://u:p@db.internal:5432".into(), "url u:*@db.internal:5432/- !NoDatabase"),
            ("postgres://u:p@db.internal:5432/".into(), "url u:*@db.internal:5432/- !NoDatabase"),
            ("postgres://u:p@db:5432/?sslmode=require".into(), "url u:*@db:5432/-?require !NoDatabase"),
            ("postgres://u:p@db.internal/a/b".into(), "url u:*@db.internal:5432/- !Unparsable"),
            ("postgres://u:p@db.internal/d#x".into(), "url u:*@db.internal:5432/- !Unparsable"),
            ("postgres://u:p@db.internal/d?sslmode=x9".into(), "url u:*@db.internal:5432/d !Unparsable"),
            ("postgres://u:p@db.internal/d?connect_timeout=x".into(), "url u:*@db.internal:5432/d !Unparsable"),
            ("postgres://u:p@db.internal?dbname=a=b".into(), "url u:*@db.internal:5432/- !Unparsable !NoDatabase"),
            ("postgres://u:p@db.internal/d?novalue".into(), "url u:*@db.internal:5432/d !Unparsable"),
            (long_db, "url u:*@h:5432/- !Unparsable"),
            (many, "url u:*@-/- !Unparsable"),
            // Other schemes, and what stands around.
            ("mysql://u:p@h/d".into(), "url -@-/- !WrongScheme(mysql)"),
            ("mysql+pymysql://u:p@h/d".into(), "url -@-/- !WrongScheme(mysql)"),
            ("mongodb+srv://u:p@h/d".into(), "url -@-/- !WrongScheme(mongodb)"),
            ("HTTPS://hooks.example.com/T0/B0/XYZ".into(), "url -@-/- !WrongScheme(https)"),
            ("jdbc:postgresql://h/d?user=u&password=p".into(), "url -@-/- !WrongScheme(jdbc)"),
            ("postgress://u:p@h/d".into(), "url -@-/- !WrongScheme(-)"),
            ("postgres:/u:p@h/d".into(), "url -@-/- !Unparsable"),
            ("DATABASE_URL=postgres://u:p@h/d".into(), "url -@-/- !Unparsable"),
            ("\"postgres://u:p@h/d".into(), "url -@-/- !Unparsable"),
            (" postgres://u:p@h/d".into(), "url u:*@h:5432/d !SurroundingWhitespace"),
            ("\u{feff}postgres://u:p@h/d".into(), "url u:*@h:5432/d !SurroundingWhitespace"),
            ("postgres://u:p@h/d\r\n".into(), "url u:*@h:5432/d !SurroundingWhitespace"),
            ("\"postgres://u:p@h/d\"".into(), "url u:*@h:5432/d !Quoted"),
            ("'postgres://u:p@h/d'\n".into(), "url u:*@h:5432/d !SurroundingWhitespace !Quoted"),
            // Keywords.
            ("host=h port=5433 user=u password=p dbname=d sslmode=require".into(), "kw u:*@h:5433/d?require"),
            (r"host = h user=u password='it\'s \\ x' dbname = 'd'".into(), "kw u:*@h:5432/d"),
            ("password=a/b@c:d#e?f=g host=h dbname=d user=u".into(), "kw u:*@h:5432/d"),
            ("host=h1,h2 port=5432,5433 dbname=d".into(), "kw -@h1:5432,h2:5433/d"),
            ("host=::1 dbname=d".into(), "kw -@::1:5432/d"),
            ("hostaddr=10.0.0.1 dbname=d".into(), "kw -@10.0.0.1:5432/d"),
            ("hostaddr=db.example.com dbname=d".into(), "kw -@db.example.com:5432/d !Unparsable"),
            ("host=/run/pg dbname=d".into(), "kw -@/run/pg:5432/d"),
            ("host=h dbname=d password=''".into(), "kw -@h:5432/d"),
            ("host=h dbname=d sslmode=verify-full connect_timeout='5'".into(), "kw -@h:5432/d?verify-full"),
            ("user=u password=p dbname=d".into(), "kw u:*@-/d !NoHost"),
            ("host=h user=u password=p".into(), "kw u:*@h:5432/- !NoDatabase"),
            ("host=h:5432 port=5432 dbname=d".into(), "kw -@h:5432/d !PortTwice"),
            ("host=h port=x dbname=d".into(), "kw -@-/d !BadPort"),
            ("host=h1,h2,h3 port=1,2 dbname=d".into(), "kw -@-/d !BadPort"),
            ("host=h user=u password=a b dbname=d".into(), "kw u:*@h:5432/- !Unencoded(Password) !NoDatabase"),
            ("host=h dbname=d password='it''s x' user=u".into(), "kw -:*@h:5432/d !Unencoded(Password)"),
            ("host=h dbname=d password='a".into(), "kw -@h:5432/d !Unparsable"),
            ("host=h;port=5432;user=u;password=p;dbname=d".into(), "kw -@-/- !NoDatabase !Unparsable"),
            ("host=h username=u password=p dbname=d".into(), "kw -:*@h:5432/d !Unparsable"),
            ("host=h user='u password=p dbname=' dbname=d".into(), "kw -@h:5432/d !Unparsable"),
            ("dbname=postgres://u:p@h/d".into(), "url -@-/- !Unparsable"),
            ("host=h dbname=d connect_timeout=x".into(), "kw -@h:5432/d !Unparsable"),
            // Neither.
            (String::new(), "url -@-/- !Empty"),
            (" \n".into(), "url -@-/- !Empty"),
            ("\"\"".into(), "url -@-/- !Empty"),
            ("hello".into(), NOT),
            ("'hello' ".into(), NOT),
            ("sk-ant-abc/def+ghi==".into(), NOT),
            ("abc=def".into(), NOT),
            ("QX://789".into(), NOT),
            ("user:pw@host:5432/db".into(), NOT),
            ("Server=h;Database=d;User Id=u;Password=p;".into(), NOT),
            ("[1,2]".into(), NOT),
            ("12".into(), NOT),
            ("{not json".into(), NOT),
            ("{} x".into(), NOT),
            ("-----BEGIN PRIVATE KEY-----\nabc=\n".into(), NOT),
            ("日本語".into(), NOT),
        ];
        let mut wrong = vec![];
        for (value, expected) in &cases {
            let found = inspect_plain(value);
            if line(&found) != *expected {
                wrong.push(format!("{value:?}\n  is       {}\n  not      {expected}", line(&found)));
            }
            assert_eq!(inspect(value), SecretShape::Plain(found.clone()), "{value:?}");
            assert_eq!(found.looks_intended(), *expected != NOT && !expected.ends_with("!Empty"), "{value:?}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn json_lines(value: &str) -> Vec<String> {
        let SecretShape::Json { keys, parts } = inspect(value) else { panic!("no JSON: {value}") };
        let mut out: Vec<_> = parts.iter().map(|p| format!("= {}", line(p))).collect();
        out.extend(keys.iter().map(|(k, c)| format!("{k}: {}", c.as_ref().map_or_else(|| "-".into(), line))));
        out
    }

    #[test]
    fn json_values() {
        let not = |k: &str| format!("{k}: {NOT}");
        assert_eq!(json_lines("{}"), Vec::<String>::new());
        assert_eq!(json_lines(" {\"a\" : 1 , \"b\":[{\"c\":\"}\"}],\"d\":null} \n"), ["a: -", "b: -", "d: -"]);
        assert_eq!(
            json_lines(r#"{"url":"postgres:\/\/u:p\u0040@db.internal/d","key":"x"}"#),
            [not("key"), "url: url u:*@db.internal:5432/d !Unencoded(Password)".into()]
        );
        assert_eq!(
            json_lines(
                r#"{"username":"u","password":"a/b\"@:#","engine":"postgres","host":"DB.internal","port":5432,
                    "dbname":"d","dbInstanceIdentifier":"i","sslmode":"require"}"#
            )[0],
            "= parts u:*@db.internal:5432/d?require"
        );
        let parts = |json: &str| json_lines(json).into_iter().next().filter(|l| l.starts_with('='));
        for (value, expected) in [
            (r#"{"Host":"h","PORT":"6000","User":"u","Database":"d"}"#, Some("= parts u@h:6000/d")),
            (r#"{"hostname":"h","dbName":"d"}"#, Some("= parts -@h:5432/d")),
            (r#"{"host":"h","port":null,"dbname":"d"}"#, Some("= parts -@h:5432/d")),
            (r#"{"host":"h","port":"","dbname":"d","password":""}"#, Some("= parts -@h:5432/d")),
            (r#"{"host":"h:5432","port":5432,"dbname":"d"}"#, Some("= parts -@h:5432/d !PortTwice")),
            (r#"{"host":"h:5432","dbname":"d"}"#, Some("= parts -@h:5432/d !Unparsable")),
            (r#"{"host":"h","port":70000,"dbname":"d"}"#, Some("= parts -@-/d !BadPort")),
            (r#"{"host":"h","port":5432.5,"dbname":"d"}"#, Some("= parts -@-/d !BadPort")),
            (r#"{"host":"h","port":true}"#, Some("= parts -@-/- !BadPort !NoDatabase")),
            (r#"{"host":null,"dbname":"d"}"#, Some("= parts -@-/d !NoHost")),
            (r#"{"host":" ","dbname":"d"}"#, Some("= parts -@-/d !NoHost")),
            (r#"{"host":"h\n","dbname":"d"}"#, Some("= parts -@h:5432/d !SurroundingWhitespace")),
            (r#"{"host":"h","dbname":"d","password":"x\n"}"#, Some("= parts -:*@h:5432/d !SurroundingWhitespace")),
            (r#"{"host":"postgres://u:p@h/d","dbname":"d"}"#, Some("= parts -@-/d !Unparsable")),
            (r#"{"host":"h","dbname":"d","engine":"mysql"}"#, Some("= parts -@h:5432/d !WrongScheme(mysql)")),
            (r#"{"host":"a","host":"b","dbname":"d"}"#, Some("= parts -@b:5432/d")),
            (r#"{"username":"u","password":"p"}"#, None),
        ] {
            assert_eq!(parts(value).as_deref(), expected, "{value}");
        }
        // The password is not looked at, whatever it resembles; nor is text.
        assert_eq!(
            json_lines(r#"{"password":"postgres://u:p@h/d","x":"","y":"http","z":"a\ud800"}"#),
            [not("password"), "x: url -@-/- !Empty".into(), not("y"), not("z")]
        );
        for broken in [
            r#"{"a":1"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            "{1:2}",
            r#"{"a":"\x"}"#,
            "{,}",
            "{",
            r#"{"a":1}}"#,
            r#"{"a":01}"#,
            "{\"a\":\"\n\"}",
        ] {
            assert_eq!(inspect(broken), SecretShape::Plain(nothing(Fault::NotAConnectionString)), "{broken}");
        }
    }

    #[test]
    fn bounds() {
        let many: Vec<_> = (0..1000).map(|i| format!("\"k{i}\":\"v\"")).collect();
        let SecretShape::Json { keys, .. } = inspect(&format!("{{{}}}", many.join(","))) else { panic!() };
        assert_eq!(keys.len(), MAX_KEYS);
        assert!(json_lines(&format!("{{\"{}\":1}}", "k".repeat(MAX_KEY + 1))).is_empty());
        assert!(!inspect_plain(&"x".repeat(MAX_VALUE + 1)).looks_intended());

        // Nothing that grows with the square of the length: each of these is 64 KiB.
        let full = |prefix: &str, unit: &str| {
            let mut s = prefix.to_owned();
            while s.len() + unit.len() <= MAX_VALUE {
                s.push_str(unit);
            }
            s
        };
        let start = std::time::Instant::now();
        let mut all = vec![];
        for unit in [
            "@",
            ":",
            "/",
            "?",
            "#",
            "&",
            "=",
            ",",
            "%",
            "[",
            "]",
            "'",
            "\"",
            "\\",
            " ",
            "a=",
            "a,",
            "h:1,",
            "a=b&",
            "://",
            "postgres://",
            "password=",
            "password='",
            "host=h ",
            "é",
            "{",
            "[",
            "\\u",
            "?a=b@",
            "&a=b@",
            "@h/",
        ] {
            for prefix in
                ["", "postgres://", "postgres://u:p@h/d?", "host=h dbname='", "{\"a\":\"", "{\"a\":", "\"", "{"]
            {
                all.push(full(prefix, unit));
            }
        }
        for value in &all {
            let _ = inspect(value);
        }
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    /// Each character but letters and digits, or each character.
    fn percent(s: &str, all: bool) -> String {
        s.bytes()
            .map(|b| if b.is_ascii_alphanumeric() && !all { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect()
    }

    fn escaped(s: &str) -> String {
        format!("'{}'", s.replace('\\', "\\\\").replace('\'', "\\'"))
    }

    /// Whether what is kept of a value shows four characters of the password in a row, at least one of them of those
    /// that nothing else holds. Upper and lower case are the same, since hosts are kept in lower case.
    fn shows(shape: &SecretShape, password: &str) -> Option<String> {
        let kept = format!("{shape:?}{}", serde_json::to_string(shape).unwrap()).to_lowercase();
        // Words of ours that hold those letters.
        let kept = kept.replace("amazonaws", "").replace("quoted", "");
        let chars: Vec<char> = password.to_lowercase().chars().collect();
        chars
            .windows(4)
            .filter(|w| w.iter().any(|c| "qxz789é".contains(*c)))
            .map(|w| w.iter().collect::<String>())
            .find(|w| kept.contains(w))
    }

    /// The same, but for one character: nothing kept may hold any of these.
    fn shows_any(shape: &SecretShape) -> bool {
        let kept = format!("{shape:?}{}", serde_json::to_string(shape).unwrap()).replace("amazonaws", "");
        kept.contains(['X', 'Z', 'x', 'z', '7', '8', '9'])
    }

    fn password() -> impl Strategy<Value = String> {
        proptest::string::string_regex(r#"[QXZ789é/@?#:\[\]=!$&'()*+,;%"<>\\^`{|}~_.\- ]{4,24}"#).unwrap()
    }

    /// Passwords in the likeness of what follows a host.
    fn devious() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "@", "/", "?", "#", ":", "&", "=", "XZ", "789", "X7", "Z", ".", "XX=ZZ", ",", "[", "]", "%", "%58", "\\",
            "'", "\"", " ", "://", "X:7", "@X:789/Z", "{", "}", ";",
        ]);
        prop::collection::vec(pieces, 2..9).prop_map(|p| p.concat()).prop_filter("short", |p| p.len() >= 4)
    }

    fn values_with(pw: &str) -> Vec<String> {
        let (pct, all) = (percent(pw, false), percent(pw, true));
        let json = |s: &str| serde_json::to_string(s).unwrap();
        let mut urls = vec![];
        for p in [pw, &pct, &all] {
            for scheme in ["postgres", "postgresql+asyncpg", "POSTGRES", "postgress", "mysql", "jdbc:postgresql"] {
                for tail in [
                    "bca:1231/cab",
                    "bca.cab.amazonaws.com:5432/cab",
                    "bca:5432:5432/cab",
                    "bca",
                    "bca/",
                    "bca/cab",
                    "bca:1231",
                    "bca:5432",
                    "bca:ab/cab",
                    "/cab",
                    "",
                    "bca:1231,cba:1232/cab?sslmode=require",
                    "[::1]:1231/cab",
                    "bca/cab?application_name=a@b",
                    "bca/cab/bca",
                    "?host=bca&dbname=cab",
                    "bca:1231/cab#a",
                    "bca:0/cab",
                ] {
                    urls.push(format!("{scheme}://abc:{p}@{tail}"));
                }
            }
            // The password in the query.
            for tail in ["", "&sslmode=require", "&host=bca"] {
                urls.push(format!("postgres://abc@bca:1231/cab?password={p}{tail}"));
                urls.push(format!("postgres://bca:1231/cab?user=abc&password={p}{tail}"));
                urls.push(format!("postgres:///cab?user=abc&password={p}{tail}"));
            }
            // No host at all. A raw password that holds `@` then makes a URL that is as good as any other.
            if !p.contains('@') {
                urls.push(format!("postgres://abc:{p}"));
                urls.push(format!("postgres://abc:{p}/cab"));
                urls.push(format!("postgres:abc:{p}"));
            }
            urls.push(format!("abc:{p}@bca:1231/cab"));
            urls.push(format!("DATABASE_URL=postgres://abc:{p}@bca:1231/cab"));
        }
        let mut all = vec![pw.to_owned(), pct, all];
        for p in [pw.to_owned(), escaped(pw), format!("'{pw}'")] {
            all.push(format!("host=bca port=1231 user=abc password={p} dbname=cab"));
            all.push(format!("host=bca user=abc dbname=cab password={p}"));
            all.push(format!("password={p} host=bca user=abc dbname=cab"));
            all.push(format!("password = {p}\nhost = bca\nport=1:1"));
            all.push(format!("user='abc password={p} host=bca dbname=cab"));
            all.push(format!("host=bca;user=abc;password={p};dbname=cab"));
            all.push(format!("host=bca,cba port=1231,1232 user=abc pwd={p} dbname=cab"));
            all.push(format!("password={p}"));
        }
        all.extend(urls);
        let around: Vec<_> =
            all.iter().step_by(7).flat_map(|v| [format!(" {v}\n"), format!("\"{v}\""), format!("'{v}' ")]).collect();
        all.extend(around);
        let inside: Vec<_> = all
            .iter()
            .map(|v| {
                format!(
                    r#"{{"a":{0},"Password":{1},"host":"bca","b":{{"c":{1}}},"user":"abc","dbname":"cab","port":1231}}"#,
                    json(v),
                    json(pw)
                )
            })
            .collect();
        all.extend(inside);
        all.push(format!(r#"{{"host":{0},"password":"{pw}"}}"#, json(pw)).replace("\"host\"", "\"token\""));
        all.push(format!(r#"{{"host":"bca","password":"{pw}","dbname":"cab"}}"#));
        all.push(json(pw));
        all
    }

    /// Looks at every fourth of the values, from `from` on.
    fn leaks(pw: &str, from: usize) -> Result<(), TestCaseError> {
        for value in values_with(pw).into_iter().skip(from).step_by(4) {
            let shape = inspect(&value);
            if let Some(window) = shows(&shape, pw) {
                return Err(TestCaseError::fail(format!("{window:?} of {value:?} in {shape:?}")));
            }
            if shows_any(&shape) {
                return Err(TestCaseError::fail(format!("a character of {value:?} in {shape:?}")));
            }
        }
        Ok(())
    }

    /// `cases`, or what `PROPTEST_CASES` says.
    fn config(cases: u32) -> ProptestConfig {
        let said = std::env::var("PROPTEST_CASES").is_ok();
        let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        if said { default } else { ProptestConfig { cases, ..default } }
    }

    /// Letters for what is no password.
    fn name_of() -> impl Strategy<Value = String> {
        proptest::string::string_regex(r#"[abcé123/@?#:\[\]=!$&'()*+,;%"<> \\^`{|}~_.-]{1,20}"#)
            .unwrap()
            .prop_filter("a URL", |s| !s.contains("://"))
    }

    fn host_of() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[a-c][a-c0-3-]{0,8}(\\.[a-c1-3]{1,5}){0,3}").unwrap()
    }

    proptest! {
        #![proptest_config(config(100))]

        #[test]
        fn no_password_is_shown(pw in password(), from in 0..4_usize) {
            leaks(&pw, from)?;
        }

        #[test]
        fn no_devious_password_is_shown(pw in devious(), from in 0..4_usize) {
            leaks(&pw, from)?;
        }
    }

    proptest! {
        #![proptest_config(config(400))]

        #[test]
        fn round_trip_url(
            user in name_of(), pw in password(), host in host_of(), port in 1_u16.., db in name_of(), explicit: bool,
            all: bool, mode in prop::option::of(prop::sample::select(SSL_MODES.to_vec())),
        ) {
            let port_part = if explicit { format!(":{port}") } else { String::new() };
            let query = mode.map(|m| format!("?sslmode={m}")).unwrap_or_default();
            let value = format!(
                "postgres://{}:{}@{host}{port_part}/{}{query}", percent(&user, all), percent(&pw, all), percent(&db, all)
            );
            let found = inspect_plain(&value);
            let expected = Connection {
                form: ConnectionForm::Url,
                hosts: vec![HostPort { host, port: if explicit { port } else { DEFAULT_PORT } }],
                database: Some(db),
                user: Some(user),
                has_password: true,
                sslmode: mode.map(str::to_owned),
                faults: vec![],
            };
            prop_assert_eq!(&found, &expected, "{}", value);
            // A client that gets the real value comes to the same.
            let client: tokio_postgres::Config = value.split('?').next().unwrap().parse().unwrap();
            prop_assert_eq!(client.get_password(), Some(pw.as_bytes()));
            prop_assert_eq!(client.get_user(), expected.user.as_deref());
            prop_assert_eq!(client.get_dbname(), expected.database.as_deref());
            prop_assert_eq!(client.get_ports(), &[expected.hosts[0].port]);
        }

        #[test]
        fn round_trip_keywords_and_parts(
            user in "[abc_.@-]{1,9}", pw in password(), host in host_of(), port in 1_u16.., db in "[abc_.-]{1,9}",
        ) {
            let value = format!("password={} user={user} host={host}\tport = '{port}' dbname={db}", escaped(&pw));
            let mut expected = Connection {
                form: ConnectionForm::Keywords,
                hosts: vec![HostPort { host: host.clone(), port }],
                database: Some(db.clone()),
                user: Some(user.clone()),
                has_password: true,
                sslmode: None,
                faults: vec![],
            };
            prop_assert_eq!(&inspect_plain(&value), &expected, "{}", value);
            let client: tokio_postgres::Config = value.parse().unwrap();
            prop_assert_eq!(client.get_password(), Some(pw.as_bytes()));
            expected.form = ConnectionForm::Parts;
            let value = serde_json::json!({
                "username": user, "password": pw, "host": host, "port": port, "dbname": db,
            }).to_string();
            let SecretShape::Json { parts, .. } = inspect(&value) else { panic!("{value}") };
            prop_assert_eq!(parts, Some(expected));
        }

        /// What stands at the right place is found, however raw the password is.
        #[test]
        fn raw_passwords_do_not_hide_the_address(pw in password()) {
            let found = inspect_plain(&format!("postgres://abc:{pw}@bca.amazonaws.com:5432/cab"));
            prop_assert_eq!(found.user.as_deref(), Some("abc"));
            prop_assert_eq!(found.hosts.first().map(|h| h.host.as_str()), Some("bca.amazonaws.com"));
            prop_assert_eq!(found.database.as_deref(), Some("cab"));
            let reserved = pw.chars().any(|c| !c.is_ascii() || " /?#[]@\"<>\\^`{|}".contains(c));
            let fault = Fault::UnencodedReserved { part: UrlPart::Password };
            prop_assert_eq!(found.faults.contains(&fault), reserved);
        }

        #[test]
        fn json_is_read_as_serde_json_reads_it(text in any::<String>(), key in "[a-z\"\\\\\u{e9}]{0,9}", ascii: bool) {
            let mut value = serde_json::to_string(&text).unwrap();
            if ascii {
                value = value.chars().map(|c| {
                    let mut units = [0; 2];
                    if c.is_ascii() { c.to_string() } else {
                        c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04x}")).collect()
                    }
                }).collect();
            }
            let read = json_text(&value);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            let value = serde_json::json!({ key.clone(): text }).to_string();
            let SecretShape::Json { keys, .. } = inspect(&value) else { panic!("{value}") };
            prop_assert!(keys.contains_key(&key));
        }

        #[test]
        fn anything_goes(
            value in any::<String>(),
            likely in "(postgres://|host=|\\{\"|\"|jdbc:|)[a-zé😀@:/?#&=%,'\"\\\\\\[\\]{} 0-9.]{0,40}",
        ) {
            for v in [&value, &likely] {
                let _ = inspect(v);
                let _ = inspect(&format!("postgres://{v}"));
                let _ = inspect(&format!("host=h {v}"));
                let _ = inspect(&format!("{{\"a\":\"{v}\"}}"));
                let _ = inspect(&format!("{{{v}}}"));
            }
        }

        /// JSON is taken if and only if serde_json takes it as an object.
        #[test]
        fn objects_are_those_of_serde_json(v in "\\{?(\"a\":|1|,|\\{|\\}|\"\\\\u12|\"|null|\\[|\\]| ){0,9}\\}?") {
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&v).is_ok();
            prop_assert_eq!(matches!(inspect(&v), SecretShape::Json { .. }), theirs, "{}", v);
        }
    }
}
