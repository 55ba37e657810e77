//! The schemes of connection URLs: which database each leads to, and what reads it.

use std::borrow::Cow;

use crate::model::store::{Dialect, Engine};

/// What a scheme says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheme {
    /// Its name, to be kept.
    pub(super) name: String,
    pub(super) engine: Engine,
    pub(super) dialect: Option<Dialect>,
    /// The port of the engine.
    pub(super) port: u16,
}

/// The port of PostgreSQL.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// Schemes that lead to PostgreSQL, with their reader where there is only one kind.
///
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>,
/// <https://github.com/jazzband/dj-database-url#url-schema>,
/// <https://django-environ.readthedocs.io/en/latest/types.html#environ-env-db-url>,
/// <https://guides.rubyonrails.org/configuring.html#configuring-a-database>,
/// <https://www.doctrine-project.org/projects/doctrine-dbal/en/current/reference/configuration.html>,
/// <https://github.com/golang-migrate/migrate/tree/master/database>
const POSTGRES: &[(&str, Option<Dialect>)] = &[
    ("postgres", Some(Dialect::Libpq)),
    ("postgresql", Some(Dialect::Libpq)),
    ("pgsql", Some(Dialect::Django)),
    ("psql", Some(Dialect::Django)),
    ("pg", Some(Dialect::Django)),
    ("timescale", Some(Dialect::Django)),
    ("timescalegis", Some(Dialect::Django)),
    ("timescaledb", Some(Dialect::Django)),
    ("postgis", Some(Dialect::Rails)),
    ("pdo-pgsql", Some(Dialect::Pdo)),
    ("pdo_pgsql", Some(Dialect::Pdo)),
    ("postgresql2", None),
    ("postgresql_psycopg2", Some(Dialect::Django)),
    ("pgx", None),
    ("pgx4", None),
    ("pgx5", None),
];

/// Schemes of other databases, with the engine and its port.
#[rustfmt::skip]
const OTHERS: &[(&str, &str, u16)] = &[
    ("arangodb", "arangodb", 8529), ("athena", "athena", 443), ("awsathena", "athena", 443), ("azuresql", "sqlserver", 1433),
    ("bigquery", "bigquery", 443), ("bolt", "neo4j", 7687), ("cassandra", "cassandra", 9042), ("ch", "clickhouse", 8123),
    ("clickhouse", "clickhouse", 9000), ("clickhousedb", "clickhouse", 8123), ("cloudspanner", "spanner", 443),
    ("cockroach", "cockroachdb", 26257), ("cockroachdb", "cockroachdb", 26257), ("couchbase", "couchbase", 11210),
    ("couchbases", "couchbase", 11207), ("couchdb", "couchdb", 5984), ("crdb-postgres", "cockroachdb", 26257),
    ("databricks", "databricks", 443), ("db2", "db2", 50000), ("documentdb", "mongodb", 27017),
    ("elasticsearch", "elasticsearch", 9200), ("firebird", "firebird", 3050), ("firebirdsql", "firebird", 3050),
    ("hive", "hive", 10000), ("hive2", "hive", 10000), ("ibm_db_sa", "db2", 50000), ("influxdb", "influxdb", 8086),
    ("libsql", "libsql", 443), ("mariadb", "mariadb", 3306), ("memcached", "memcached", 11211),
    ("mongodb", "mongodb", 27017), ("mssql", "sqlserver", 1433), ("mssqlms", "sqlserver", 1433),
    ("mysql", "mysql", 3306), ("mysql2", "mysql", 3306), ("mysqlgis", "mysql", 3306), ("mysqls", "mysql", 3306),
    ("mysqlx", "mysql", 33060), ("mysql-connector", "mysql", 3306), ("neo4j", "neo4j", 7687), ("neo4js", "neo4j", 7687),
    ("oci8", "oracle", 1521), ("opensearch", "opensearch", 9200), ("oracle", "oracle", 1521),
    ("oraclegis", "oracle", 1521), ("pdo-mysql", "mysql", 3306), ("pdo_mysql", "mysql", 3306), ("presto", "presto", 8080),
    ("redis", "redis", 6379), ("rediscache", "redis", 6379), ("rediss", "redis", 6379), ("redis-cluster", "redis", 6379),
    ("redis-sentinel", "redis", 26379), ("redshift", "redshift", 5439), ("sap", "hana", 30015), ("scylla", "cassandra", 9042),
    ("singlestore", "singlestore", 3306), ("snowflake", "snowflake", 443), ("spanner", "spanner", 443),
    ("sqlserver", "sqlserver", 1433), ("sqlsrv", "sqlserver", 1433), ("surrealdb", "surrealdb", 8000),
    ("teradata", "teradata", 1025), ("teradatasql", "teradata", 1025), ("tidb", "mysql", 4000), ("trilogy", "mysql", 3306),
    ("trino", "trino", 8080), ("valkey", "valkey", 6379), ("valkeys", "valkey", 6379), ("vertica", "vertica", 5433),
    ("yugabytedb", "yugabytedb", 5433),
];

/// Schemes that belong to no database and may be named: none of them can be a piece of a password by more than chance.
#[rustfmt::skip]
const NO_DATABASE: &[&str] = &[
    "amqp", "amqps", "file", "ftp", "ftps", "git", "http", "https", "imap", "imaps", "kafka", "ldap", "ldaps", "mqtt",
    "mqtts", "nats", "odbc", "s3", "sentry", "sftp", "smtp", "smtps", "ssh", "stomp", "tcp", "udp", "ws", "wss",
];

/// Drivers that a scheme may name after its `+`, and that are kept.
/// <https://docs.sqlalchemy.org/en/20/dialects/>
#[rustfmt::skip]
const DRIVERS: &[&str] = &[
    "aiomysql", "aioodbc", "asyncmy", "asyncpg", "mysqlconnector", "mysqldb", "native", "oracledb", "pg8000", "postgres",
    "psycopg", "psycopg2", "psycopg2cffi", "psycopg_async", "pymssql", "pymysql", "pyodbc", "pygresql", "srv", "ssl",
    "sentinel", "cluster", "socket", "unix", "cx_oracle", "aiosqlite", "pysqlite", "gis",
];

/// What a prefix such as Celery's `db+` stands before a scheme of SQLAlchemy.
/// <https://docs.celeryq.dev/en/stable/userguide/configuration.html#database-backend-settings>
const PREFIXES: &[&str] = &["db", "sqla", "sqlalchemy"];

/// The scheme `written`, with its driver; `None` if it is no known database's.
pub(super) fn database(written: &str) -> Option<Scheme> {
    let lower = written.to_ascii_lowercase();
    let (prefix, rest) = lower
        .split_once('+')
        .filter(|(p, _)| PREFIXES.contains(p))
        .map_or((None, lower.as_str()), |(p, rest)| (Some(p), rest));
    let (base, driver) = rest.split_once('+').map_or((rest, None), |(b, d)| (b, Some(d)));
    if driver == Some("") {
        return None;
    }
    let mut scheme = of_base(base)?;
    if let Some(driver) = driver.filter(|d| DRIVERS.contains(d)) {
        scheme.name = format!("{}+{driver}", scheme.name);
    }
    if let Some(prefix) = prefix {
        scheme.name = format!("{prefix}+{}", scheme.name);
    }
    let sqlalchemy = prefix.is_some() || (driver.is_some() && scheme.engine == Engine::Postgres);
    if sqlalchemy && !matches!(driver, Some("unix" | "ssl" | "socket")) {
        scheme.dialect = Some(Dialect::Sqlalchemy);
    }
    // Prisma Accelerate: which database is behind it is not said.
    // https://www.prisma.io/docs/accelerate/getting-started
    if base == "prisma" {
        scheme.dialect = Some(Dialect::Prisma);
    }
    Some(scheme)
}

fn of_base(base: &str) -> Option<Scheme> {
    if let Some((name, dialect)) = POSTGRES.iter().find(|(name, _)| *name == base) {
        return Some(Scheme {
            name: (*name).to_owned(),
            engine: Engine::Postgres,
            dialect: *dialect,
            port: DEFAULT_PORT,
        });
    }
    // Ecto leaves the database to the adapter: https://hexdocs.pm/ecto/Ecto.Repo.html#module-urls
    let unsaid = [("prisma", Some(Dialect::Prisma), 443), ("ecto", None, DEFAULT_PORT)];
    if let Some((_, dialect, port)) = unsaid.into_iter().find(|(name, ..)| *name == base) {
        return Some(Scheme {
            name: base.to_owned(),
            engine: Engine::Unknown,
            dialect,
            port,
        });
    }
    let (name, engine, port) = OTHERS.iter().find(|(name, ..)| *name == base)?;
    Some(Scheme {
        name: (*name).to_owned(),
        engine: Engine::Other(Cow::Borrowed(engine)),
        dialect: None,
        port: *port,
    })
}

/// The name of a scheme that belongs to no database.
pub(super) fn of_something_else(written: &str) -> Option<&'static str> {
    let base = written.split('+').next().unwrap_or_default();
    NO_DATABASE.iter().find(|n| base.eq_ignore_ascii_case(n)).copied()
}

/// The usual name and port of an engine, as RDS, ODBC drivers and others call it: `postgres`, `aurora-postgresql`,
/// `sqlserver-ex`.
pub(super) fn engine(name: &str) -> Option<Engine> {
    let name = name.to_ascii_lowercase();
    let has = |piece: &str| name.contains(piece);
    let other = |name: &'static str| Some(Engine::Other(Cow::Borrowed(name)));
    match () {
        () if has("postgres") || has("psql") || name == "pgsql" => Some(Engine::Postgres),
        () if has("mariadb") => other("mariadb"),
        () if has("mysql") || name == "aurora" => other("mysql"),
        () if has("sqlserver") || has("sql server") || has("mssql") || has("freetds") => other("sqlserver"),
        () if has("oracle") => other("oracle"),
        () if has("mongo") || has("docdb") => other("mongodb"),
        () if has("redshift") => other("redshift"),
        () if has("redis") => other("redis"),
        () if has("db2") => other("db2"),
        () if has("sqlite") => Some(Engine::Builtin(Cow::Borrowed("SQLite"))),
        () => None,
    }
}

/// The port of an engine; where it is not known, that of PostgreSQL.
pub(super) fn port_of(engine: &Engine) -> u16 {
    let Engine::Other(name) = engine else {
        return DEFAULT_PORT;
    };
    OTHERS
        .iter()
        .find(|(_, engine, _)| engine == name)
        .map_or(DEFAULT_PORT, |(scheme, engine, port)| {
            // The first of a name's schemes is not always the plain one.
            if scheme == engine {
                *port
            } else {
                of_base(engine).map_or(*port, |s| s.port)
            }
        })
}
