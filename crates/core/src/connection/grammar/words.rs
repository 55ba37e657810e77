//! The words that names of variables are made of.

use std::borrow::Cow;

use crate::model::store::{Engine, Role};

/// Words for a database of any kind.
#[rustfmt::skip]
const GENERAL: &[&str] = &[
    "DB", "DATABASE", "RDS", "AURORA", "DATASOURCE", "SQL", "JDBC", "SQLALCHEMY", "DBS",
];

/// Words that say the engine as well.
const SPECIFIC: &[(&str, &str)] = &[
    ("PG", "postgres"),
    ("POSTGRES", "postgres"),
    ("POSTGRESQL", "postgres"),
    ("POSTGRESDB", "postgres"),
    ("PGSQL", "postgres"),
    ("PSQL", "postgres"),
    ("POSTGIS", "postgres"),
    ("TIMESCALE", "postgres"),
    ("TIMESCALEDB", "postgres"),
    ("PGBOUNCER", "postgres"),
    ("MYSQL", "mysql"),
    ("MYSQLDB", "mysql"),
    ("MARIADB", "mariadb"),
    ("MONGO", "mongodb"),
    ("MONGODB", "mongodb"),
    ("DOCDB", "mongodb"),
    ("DOCUMENTDB", "mongodb"),
    ("REDIS", "redis"),
    ("VALKEY", "redis"),
    ("ELASTICACHE", "redis"),
    ("MEMCACHED", "memcached"),
    ("MEMCACHE", "memcached"),
    ("MSSQL", "sqlserver"),
    ("SQLSERVER", "sqlserver"),
    ("ORACLE", "oracle"),
    ("CLICKHOUSE", "clickhouse"),
    ("CASSANDRA", "cassandra"),
    ("SCYLLA", "cassandra"),
    ("ELASTICSEARCH", "elasticsearch"),
    ("ELASTIC", "elasticsearch"),
    ("OPENSEARCH", "opensearch"),
    ("RABBITMQ", "rabbitmq"),
    ("AMQP", "rabbitmq"),
    ("INFLUXDB", "influxdb"),
    ("INFLUX", "influxdb"),
    ("NEO4J", "neo4j"),
    ("COUCHDB", "couchdb"),
    ("COUCHBASE", "couchbase"),
    ("REDSHIFT", "redshift"),
    ("SNOWFLAKE", "snowflake"),
    ("COCKROACH", "cockroachdb"),
    ("COCKROACHDB", "cockroachdb"),
    ("DYNAMODB", "dynamodb"),
    ("SQLITE", "built-in SQLite"),
    ("SQLITE3", "built-in SQLite"),
];

/// Stems that are often written as two words.
const IN_TWO: &[(&str, &str)] = &[
    ("DATA", "BASE"),
    ("DATA", "SOURCE"),
    ("SQL", "ALCHEMY"),
    ("MY", "SQL"),
    ("MS", "SQL"),
    ("POSTGRE", "SQL"),
    ("POSTGRES", "QL"),
    ("MARIA", "DB"),
    ("DOC", "DB"),
    ("DOCUMENT", "DB"),
    ("DYNAMO", "DB"),
    ("ELASTIC", "SEARCH"),
    ("ELASTI", "CACHE"),
    ("OPEN", "SEARCH"),
    ("RABBIT", "MQ"),
    ("CLICK", "HOUSE"),
    ("PASS", "WORD"),
];

/// Services and files that are called a database and are none of ours.
const OTHER_DBS: &[&str] = &[
    "TMDB", "IMDB", "TVDB", "OMDB", "GEODB", "GEOIPDB", "USERSDB", "VULNDB", "CVEDB",
];

/// What a role is called, longer ones first.
#[rustfmt::skip]
const PHRASES: &[(&[&str], Role)] = &[
    (&["CONNECTION", "STRING"], Role::Url),
    (&["CONNECT", "STRING"], Role::Url),
    (&["CONN", "STRING"], Role::Url),
    (&["CONN", "STR"], Role::Url),
    (&["CONNECTION", "STR"], Role::Url),
    (&["CONNECTION", "URL"], Role::Url),
    (&["CONNECTION", "URI"], Role::Url),
    (&["CONNECTION", "DSN"], Role::Url),
    (&["CONN", "URL"], Role::Url),
    (&["CONN", "URI"], Role::Url),
    (&["JDBC", "URL"], Role::Url),
    (&["HOST", "NAME"], Role::Host),
    (&["SERVER", "NAME"], Role::Host),
    (&["SERVER", "ADDRESS"], Role::Host),
    (&["ENDPOINT", "ADDRESS"], Role::Host),
    (&["ENDPOINT", "PORT"], Role::Port),
    (&["PORT", "NUMBER"], Role::Port),
    (&["DATABASE", "NAME"], Role::Database),
    (&["DB", "NAME"], Role::Database),
    (&["INITIAL", "CATALOG"], Role::Database),
    (&["USER", "NAME"], Role::User),
    (&["USER", "ID"], Role::User),
    (&["AUTH", "TOKEN"], Role::Password),
    (&["SSL", "MODE"], Role::Tls),
    (&["TLS", "MODE"], Role::Tls),
    (&["USE", "SSL"], Role::Tls),
    (&["USE", "TLS"], Role::Tls),
    (&["SSL", "ENABLED"], Role::Tls),
    (&["TLS", "ENABLED"], Role::Tls),
    (&["SSL", "REQUIRED"], Role::Tls),
    (&["TLS", "REQUIRED"], Role::Tls),
    (&["ENABLE", "SSL"], Role::Tls),
    (&["ENABLE", "TLS"], Role::Tls),
    (&["REQUIRE", "SSL"], Role::Tls),
    (&["REQUIRE", "TLS"], Role::Tls),
    (&["URL"], Role::Url),
    (&["URI"], Role::Url),
    (&["DSN"], Role::Url),
    (&["CONN"], Role::Url),
    (&["CONNSTR"], Role::Url),
    (&["CONNECTIONSTRING"], Role::Url),
    (&["CONNSTRING"], Role::Url),
    (&["HOST"], Role::Host),
    (&["HOSTNAME"], Role::Host),
    (&["HOSTS"], Role::Host),
    (&["HOSTADDR"], Role::Host),
    (&["SERVER"], Role::Host),
    (&["SERVERNAME"], Role::Host),
    (&["ENDPOINT"], Role::Host),
    (&["ADDR"], Role::Host),
    (&["ADDRS"], Role::Host),
    (&["ADDRESS"], Role::Host),
    (&["FQDN"], Role::Host),
    (&["IP"], Role::Host),
    (&["PORT"], Role::Port),
    (&["NAME"], Role::Database),
    (&["DATABASE"], Role::Database),
    (&["DB"], Role::Database),
    (&["USER"], Role::User),
    (&["USERNAME"], Role::User),
    (&["LOGIN"], Role::User),
    (&["USR"], Role::User),
    (&["PASSWORD"], Role::Password),
    (&["PASS"], Role::Password),
    (&["PASSWD"], Role::Password),
    (&["PWD"], Role::Password),
    (&["PSWD"], Role::Password),
    (&["PW"], Role::Password),
    (&["SSLMODE"], Role::Tls),
    (&["SSL"], Role::Tls),
    (&["TLS"], Role::Tls),
];

/// Words for a replica that is only read from.
const READERS: &[&str] = &["READ", "READER", "READONLY", "REPLICA", "RO", "SLAVE", "ONLY"];
/// Words for the one that is written to.
const WRITERS: &[&str] = &["WRITE", "WRITER", "MASTER", "PRIMARY", "RW"];
/// Words between a stem and a role that leave the meaning of both as it is.
#[rustfmt::skip]
const BETWEEN: &[&str] = &[
    "MAIN", "DEFAULT", "CONNECTION", "CONN", "DIRECT", "POOLED", "PRIVATE", "INTERNAL", "PROD", "DEV", "STAGING",
    "TEST",
];
/// The same, but not before `NAME`, since `DB_CLUSTER_NAME` is no database's name, nor before `URL`.
#[rustfmt::skip]
const BETWEEN_UNLESS_NAME: &[&str] = &[
    "CLUSTER", "INSTANCE", "PROXY", "ADMIN", "ROOT", "SUPERUSER", "APP", "APPLICATION", "SERVICE", "SERVER", "USER",
    "OWNER", "MIGRATION", "MIGRATIONS", "MIGRATOR", "URL", "URI", "HOST", "AUTH", "ACCESS", "CLIENT", "ENDPOINT",
    "SVC",
];
/// Only before `URL`.
#[rustfmt::skip]
const BETWEEN_IF_URL: &[&str] = &[
    "PRISMA", "ASYNC", "SYNC", "TLS", "SSL", "CLUSTER", "ADMIN", "PROXY", "MIGRATION", "MIGRATIONS", "APP", "PUBLIC",
    "SHADOW",
];
/// Words that may come after a role, and say which of several.
#[rustfmt::skip]
const TRAILING: &[&str] = &[
    "PROD", "PRODUCTION", "DEV", "DEVELOPMENT", "STAGING", "STAGE", "TEST", "TESTING", "QA", "UAT", "LOCAL", "MAIN",
    "DEFAULT", "DIRECT", "POOLED", "UNPOOLED", "NON", "POOLING", "POOLER", "SYNC", "ASYNC", "INTERNAL", "SECONDARY",
];
/// Words between a stem and a role that make it something else: of a tool beside the database, or of a thing in it.
#[rustfmt::skip]
const DENIED: &[&str] = &[
    "ALLOW", "API", "ARN", "BACKUP", "BASTION", "BUCKET", "CA", "CERT", "CHANGE", "COMMANDER", "CONSOLE", "DASHBOARD",
    "DATADOG", "DIR", "EMAIL", "EMPTY", "ENCRYPTION", "EXPORTER", "EXPRESS", "FILE", "FORCE", "GENERATE", "HEALTH",
    "HEALTHCHECK", "HTTP", "HTTPS", "INDEX", "JUMP", "KEY", "KMS", "LDAP", "LOCK", "LOG", "LOGGING", "LOGS", "MAIL",
    "METRICS", "MONITOR", "MONITORING", "NEW", "OLD", "PARAM", "PARAMETER", "PATH", "POOL", "PROMETHEUS", "QUEUE",
    "RANDOM", "REGION", "RESET", "RETRY", "ROTATE", "S3", "SCHEMA", "SECRET", "SECRETS", "SMTP", "SSH", "SSM",
    "STATSD", "STREAM", "STREAMS", "TABLE", "TIMEOUT", "TOKEN", "TOPIC", "TUNNEL", "UI", "VAULT", "WEB",
];
/// Words that begin the name of a switch.
const VERBS: &[&str] = &[
    "CHECK", "DISABLE", "ENABLE", "HAS", "IGNORE", "IS", "NO", "SKIP", "USE", "VALIDATE", "VERIFY",
];

/// Words that make a name that of a reference, wherever they are: `SSM_KEY_DB_ENDPOINT`.
const REFERENCES: &[&str] = &["SSM", "PARAM", "PARAMETER", "ARN"];

/// A word of a name, in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As written.
    pub text: String,
    /// Without a number at its end, if that makes it a word we know.
    pub key: String,
}

impl Word {
    fn new(text: &str) -> Self {
        let text = text.to_uppercase();
        let plain = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let numbered = !is_known(&text) && !plain.is_empty() && is_known(plain);
        let key = if numbered { plain.to_owned() } else { text.clone() };
        Self { text, key }
    }

    pub(super) fn has_number(&self) -> bool {
        self.text != self.key
    }

    /// One name for what has several.
    pub(super) fn canonical(&self) -> String {
        let one = match self.key.as_str() {
            "DATABASE" => "DB",
            "POSTGRESQL" | "PGSQL" | "PSQL" => "POSTGRES",
            "MONGODB" => "MONGO",
            other => other,
        };
        format!("{one}{}", &self.text[self.key.len()..])
    }
}

/// The words of a name: parted by signs, by capitals, and where a stem and a role are written as one (`PGHOST`).
pub(super) fn split(name: &str) -> Vec<Word> {
    let mut words: Vec<Word> = vec![];
    let parts = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|p| !p.is_empty());
    for part in parts {
        if is_known(&Word::new(part).key) || glued(part).is_some() {
            words.extend(glue_parted(part));
        } else {
            words.extend(by_capitals(part).into_iter().flat_map(glue_parted));
        }
    }
    let mut joined: Vec<Word> = vec![];
    for word in words {
        match joined.last_mut() {
            Some(last) if IN_TWO.contains(&(last.key.as_str(), word.key.as_str())) => {
                *last = Word::new(&format!("{}{}", last.text, word.text));
            }
            _ => joined.push(word),
        }
    }
    joined
}

fn glue_parted(part: &str) -> Vec<Word> {
    match glued(part) {
        Some((stem, role)) => vec![Word::new(stem), Word::new(role)],
        None => vec![Word::new(part)],
    }
}

/// The stem and the role that are written as one word.
fn glued(part: &str) -> Option<(&str, &str)> {
    let upper = part.to_uppercase();
    if is_known(&upper) || !part.is_ascii() {
        return None;
    }
    let stems = GENERAL.iter().copied().chain(SPECIFIC.iter().map(|(stem, _)| *stem));
    let role_after = |stem: &&str| {
        let role = upper.strip_prefix(stem).unwrap_or_default();
        PHRASES.iter().any(|(phrase, _)| **phrase == [role])
    };
    let stem = stems.filter(role_after).max_by_key(|stem| stem.len())?;
    Some(part.split_at(stem.len()))
}

/// `databaseUrl` is `database` and `Url`, `DBHost` is `DB` and `Host`.
fn by_capitals(part: &str) -> Vec<&str> {
    let bytes = part.as_bytes();
    let begins = |at: usize| {
        let capital = bytes[at].is_ascii_uppercase();
        let after_small = bytes[at - 1].is_ascii_lowercase() || bytes[at - 1].is_ascii_digit();
        let before_small = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        capital && (after_small || before_small)
    };
    let mut parts = vec![];
    let mut start = 0;
    for at in 1..bytes.len() {
        if begins(at) {
            parts.push(&part[start..at]);
            start = at;
        }
    }
    parts.push(&part[start..]);
    parts
}

fn is_known(word: &str) -> bool {
    is_general(word) || specific(word).is_some() || PHRASES.iter().any(|(phrase, _)| phrase.contains(&word))
}

fn specific(word: &str) -> Option<&'static str> {
    SPECIFIC
        .iter()
        .find(|(stem, _)| *stem == word)
        .map(|(_, engine)| *engine)
}

pub(super) fn is_general(word: &str) -> bool {
    GENERAL.contains(&word)
}

/// Whether the word is one for a database: a known one, or one that ends with `DB`, as `ORDERSDB` does.
pub(super) fn is_stem(word: &Word) -> bool {
    let of_somebody = |end: &str| word.key.len() > end.len() && word.key.ends_with(end);
    let own_name = (of_somebody("DB") || of_somebody("DATABASE")) && !OTHER_DBS.contains(&word.key.as_str());
    is_general(&word.key) || specific(&word.key).is_some() || own_name
}

/// The engine that a word names.
pub(super) fn engine_of(word: &Word) -> Option<Engine> {
    let name = specific(&word.key)?;
    Some(match name.strip_prefix("built-in ") {
        Some(store) => Engine::Builtin(Cow::Borrowed(store)),
        None if name == "postgres" => Engine::Postgres,
        None => Engine::Other(Cow::Borrowed(name)),
    })
}

pub(super) fn phrases() -> impl Iterator<Item = (&'static [&'static str], Role)> {
    PHRASES.iter().copied()
}

/// Whether the word may be between a stem and the role, which keeps its meaning.
pub(super) fn is_between(word: &str, role: Role) -> bool {
    let number = word.bytes().all(|b| b.is_ascii_digit());
    let by_role = match role {
        Role::Database => &["URL"][..],
        Role::Url => BETWEEN_IF_URL,
        _ => BETWEEN_UNLESS_NAME,
    };
    number || is_reader(word) || is_writer(word) || BETWEEN.contains(&word) || by_role.contains(&word)
}

/// Whether the word gives the role another meaning.
pub(super) fn is_denied(word: &str) -> bool {
    DENIED.contains(&word)
}

/// Whether a name with the word says where a value is, not what it is.
pub(super) fn is_reference(word: &str) -> bool {
    REFERENCES.contains(&word)
}

/// Whether a name that begins with the word is that of a switch.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.contains(&word)
}

/// Whether the word may come after the role.
pub(super) fn is_trailing(word: &str) -> bool {
    let number = word.bytes().all(|b| b.is_ascii_digit());
    number || is_reader(word) || is_writer(word) || TRAILING.contains(&word)
}

/// Whether the word says that this is about a replica.
pub(super) fn is_reader(word: &str) -> bool {
    READERS.contains(&word)
}

/// Whether the word says that this is about the writer.
pub(super) fn is_writer(word: &str) -> bool {
    WRITERS.contains(&word)
}
