//! The engine that a word names: the value of a selector such as `DB_TYPE`, a driver's class, the scheme of a URL.

use std::borrow::Cow;

use crate::model::store::Engine;

/// The engine that `value` names; unknown if it is none of the words that drivers and frameworks use. Django's
/// `django.db.backends.postgresql`, JDBC's `org.postgresql.Driver`, Knex's `pg` and Laravel's `pgsql` are all PostgreSQL.
#[must_use]
pub fn named(value: &str) -> Engine {
    // The whole value first: parts of it such as `sql` mean nothing.
    let value = value.trim().to_lowercase();
    let parts = value
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|p| !p.is_empty());
    parts.rev().find_map(word).unwrap_or_default()
}

fn word(word: &str) -> Option<Engine> {
    // `postgres12` of Temporal, `mysql8`, `sqlite3`, `mysql2` of Rails.
    let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let other = |name: &'static str| Some(Engine::Other(Cow::Borrowed(name)));
    let builtin = |name: &'static str| Some(Engine::Builtin(Cow::Borrowed(name)));
    match if word == "db2" || word == "h2" || word == "neo4j" {
        word
    } else {
        plain
    } {
        "postgres" | "postgresql" | "postgre" | "pg" | "pgsql" | "pgx" | "psycopg" | "asyncpg" | "npgsql"
        | "postgis" | "aurorapostgresql" | "timescaledb" => Some(Engine::Postgres),
        "mysql" | "mysqli" | "pymysql" | "aurora" => other("mysql"),
        "mariadb" => other("mariadb"),
        "mssql" | "sqlserver" | "sqlsrv" | "dblib" => other("sqlserver"),
        "oracle" | "oracledb" => other("oracle"),
        "db2" => other("db2"),
        "mongodb" | "mongo" => other("mongodb"),
        "redis" | "rediss" | "valkey" => other("redis"),
        "cockroachdb" | "cockroach" => other("cockroachdb"),
        "clickhouse" => other("clickhouse"),
        "cassandra" | "scylla" => other("cassandra"),
        "elasticsearch" => other("elasticsearch"),
        "opensearch" => other("opensearch"),
        "dynamodb" => other("dynamodb"),
        "redshift" => other("redshift"),
        "snowflake" => other("snowflake"),
        "amqp" | "amqps" => other("rabbitmq"),
        "neo4j" => other("neo4j"),
        "sqlite" => builtin("SQLite"),
        "h2" => builtin("H2"),
        "hsqldb" => builtin("HSQLDB"),
        "derby" => builtin("Derby"),
        "duckdb" => builtin("DuckDB"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_drivers_and_frameworks() {
        for value in [
            "postgres",
            "PostgreSQL",
            "pgsql",
            "pg",
            "postgres12",
            "django.db.backends.postgresql",
            "org.postgresql.Driver",
            "postgresql+psycopg2",
            "django.contrib.gis.db.backends.postgis",
            "aurora-postgresql",
            "org.hibernate.dialect.PostgreSQL",
        ] {
            assert_eq!(named(value), Engine::Postgres, "{value}");
        }
        for (value, engine) in [
            ("mysql", "mysql"),
            ("mysql8", "mysql"),
            ("mysql2", "mysql"),
            ("com.mysql.cj.jdbc.Driver", "mysql"),
            ("aurora-mysql", "mysql"),
            ("MariaDB", "mariadb"),
            ("sqlsrv", "sqlserver"),
            ("oracle.jdbc.OracleDriver", "oracle"),
            ("db2", "db2"),
            ("mongodb+srv", "mongodb"),
        ] {
            assert_eq!(named(value), Engine::Other(engine.into()), "{value}");
        }
        for (value, store) in [
            ("sqlite3", "SQLite"),
            ("better-sqlite3", "SQLite"),
            ("org.h2.Driver", "H2"),
            ("H2", "H2"),
        ] {
            assert_eq!(named(value), Engine::Builtin(store.into()), "{value}");
        }
        for value in ["", "sql", "default", "prod", "true", "com.example.Driver", "12"] {
            assert_eq!(named(value), Engine::Unknown, "{value}");
        }
    }
}
