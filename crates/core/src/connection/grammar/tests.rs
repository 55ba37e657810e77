//! Names as they are in real task definitions, with what they hold.

use super::*;

use Role::{Database, Host, Password, Port, Tls, Url, User};

/// Name, role, group, and what it says of the engine.
#[rustfmt::skip]
const ROLES: &[(&str, Role, &str, &str)] = &[
    // The common ones.
    ("DATABASE_URL", Url, "DB", ""),
    ("DATABASE_URI", Url, "DB", ""),
    ("DB_URL", Url, "DB", ""),
    ("DB_URI", Url, "DB", ""),
    ("DB_DSN", Url, "DB", ""),
    ("DB_CONN", Url, "DB", ""),
    ("DB_CONNECTION_STRING", Url, "DB", ""),
    ("DATABASE_CONNECTION_STRING", Url, "DB", ""),
    ("DATABASE_CONNECTION_URL", Url, "DB", ""),
    ("DB_HOST", Host, "DB", ""),
    ("DB_HOSTNAME", Host, "DB", ""),
    ("DB_HOST_NAME", Host, "DB", ""),
    ("DB_SERVER", Host, "DB", ""),
    ("DB_ENDPOINT", Host, "DB", ""),
    ("DB_ADDR", Host, "DB", ""),
    ("DB_ADDRESS", Host, "DB", ""),
    ("DB_PORT", Port, "DB", ""),
    ("DB_NAME", Database, "DB", ""),
    ("DB_DATABASE", Database, "DB", ""),
    ("DATABASE_NAME", Database, "DB", ""),
    ("DATABASE_HOST", Host, "DB", ""),
    ("DB_USER", User, "DB", ""),
    ("DB_USERNAME", User, "DB", ""),
    ("DB_LOGIN", User, "DB", ""),
    ("DB_PASSWORD", Password, "DB", ""),
    ("DB_PASS", Password, "DB", ""),
    ("DB_PASSWD", Password, "DB", ""),
    ("DB_PWD", Password, "DB", ""),
    ("DB_USER_PASSWORD", Password, "DB", ""),
    ("DB_ROOT_PASSWORD", Password, "DB", ""),
    ("DB_SSLMODE", Tls, "DB", ""),
    ("DB_SSL_MODE", Tls, "DB", ""),
    ("DB_SSL", Tls, "DB", ""),
    ("DB_USE_SSL", Tls, "DB", ""),
    // A prefix of its own.
    ("APP_DB_HOST", Host, "APP_DB", ""),
    ("KEYCLOAK_DATABASE_PASSWORD", Password, "KEYCLOAK_DB", ""),
    ("MY_APP_DB_NAME", Database, "MY_APP_DB", ""),
    ("ORDERSDB_PASSWORD", Password, "ORDERSDB", ""),
    ("SHADOW_DATABASE_URL", Url, "SHADOW_DB", ""),
    ("SQLALCHEMY_DATABASE_URI", Url, "SQLALCHEMY", ""),
    ("SQLALCHEMY_DATABASE_URL", Url, "SQLALCHEMY", ""),
    ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", Url, "AIRFLOW_DB", ""),
    ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", Url, "AIRFLOW_CORE_SQLALCHEMY", ""),
    // Beanstalk's, and the like.
    ("RDS_HOSTNAME", Host, "RDS", ""),
    ("RDS_PORT", Port, "RDS", ""),
    ("RDS_DB_NAME", Database, "RDS", ""),
    ("RDS_USERNAME", User, "RDS", ""),
    ("RDS_PASSWORD", Password, "RDS", ""),
    ("RDS_ENDPOINT", Host, "RDS", ""),
    ("RDS_CLUSTER_ENDPOINT", Host, "RDS", ""),
    ("RDS_PROXY_ENDPOINT", Host, "RDS", ""),
    ("AURORA_ENDPOINT", Host, "AURORA", ""),
    ("AURORA_CLUSTER_HOST", Host, "AURORA", ""),
    // PostgreSQL.
    ("PGHOST", Host, "PG", "postgres"),
    ("PGPORT", Port, "PG", "postgres"),
    ("PGUSER", User, "PG", "postgres"),
    ("PGPASSWORD", Password, "PG", "postgres"),
    ("PGDATABASE", Database, "PG", "postgres"),
    ("PGSSLMODE", Tls, "PG", "postgres"),
    ("PG_HOST", Host, "PG", "postgres"),
    ("PG_CONNECTION_STRING", Url, "PG", "postgres"),
    ("POSTGRES_URL", Url, "POSTGRES", "postgres"),
    ("POSTGRES_PRISMA_URL", Url, "POSTGRES_PRISMA", "postgres"),
    ("POSTGRES_HOST", Host, "POSTGRES", "postgres"),
    ("POSTGRES_DB", Database, "POSTGRES", "postgres"),
    ("POSTGRES_DB_NAME", Database, "POSTGRES", "postgres"),
    ("POSTGRES_DATABASE", Database, "POSTGRES", "postgres"),
    ("POSTGRES_USER", User, "POSTGRES", "postgres"),
    ("POSTGRES_PASSWORD", Password, "POSTGRES", "postgres"),
    ("POSTGRESQL_HOST", Host, "POSTGRES", "postgres"),
    ("PSQL_URI", Url, "POSTGRES", "postgres"),
    ("APP_POSTGRES_DSN", Url, "APP_POSTGRES", "postgres"),
    ("DB_POSTGRESDB_HOST", Host, "DB_POSTGRESDB", "postgres"),
    ("POSTGRES_SERVICE_HOST", Host, "POSTGRES", "postgres"),
    ("POSTGRES_SERVER", Host, "POSTGRES", "postgres"),
    // Other engines.
    ("MYSQL_HOST", Host, "MYSQL", "mysql"),
    ("MYSQL_DB_HOST", Host, "MYSQL", "mysql"),
    ("MYSQL_DATABASE", Database, "MYSQL", "mysql"),
    ("MYSQL_ROOT_PASSWORD", Password, "MYSQL", "mysql"),
    ("MYSQLHOST", Host, "MYSQL", "mysql"),
    ("MY_SQL_PASSWORD", Password, "MYSQL", "mysql"),
    ("MARIADB_USER", User, "MARIADB", "mariadb"),
    ("MONGO_URI", Url, "MONGO", "mongodb"),
    ("MONGODB_URI", Url, "MONGO", "mongodb"),
    ("MONGO_DB_HOST", Host, "MONGO", "mongodb"),
    ("MONGO_DB", Database, "MONGO", "mongodb"),
    ("SPRING_DATA_MONGODB_URI", Url, "SPRING_DATA_MONGO", "mongodb"),
    ("REDIS_URL", Url, "REDIS", "redis"),
    ("REDIS_TLS_URL", Url, "REDIS_TLS", "redis"),
    ("REDIS_HOST", Host, "REDIS", "redis"),
    ("REDIS_ADDR", Host, "REDIS", "redis"),
    ("REDIS_AUTH_TOKEN", Password, "REDIS", "redis"),
    ("SPRING_REDIS_HOST", Host, "SPRING_REDIS", "redis"),
    ("ELASTICSEARCH_HOSTS", Host, "ELASTICSEARCH", "elasticsearch"),
    ("ELASTICSEARCH_URL", Url, "ELASTICSEARCH", "elasticsearch"),
    ("RABBITMQ_PASSWORD", Password, "RABBITMQ", "rabbitmq"),
    ("MSSQL_CONNECTION_STRING", Url, "MSSQL", "sqlserver"),
    ("CLICKHOUSE_URL", Url, "CLICKHOUSE", "clickhouse"),
    ("INFLUXDB_URL", Url, "INFLUXDB", "influxdb"),
    ("SQLITE_DATABASE", Database, "SQLITE", "built-in SQLite"),
    // Ways of writing.
    ("databaseUrl", Url, "DB", ""),
    ("dbHost", Host, "DB", ""),
    ("DBHost", Host, "DB", ""),
    ("Db__Host", Host, "DB", ""),
    ("DB__PASSWORD", Password, "DB", ""),
    ("database__connection__host", Host, "DB", ""),
    ("spring.datasource.url", Url, "SPRING_DATASOURCE", ""),
    ("SPRING_DATASOURCE_USERNAME", User, "SPRING_DATASOURCE", ""),
    ("QUARKUS_DATASOURCE_JDBC_URL", Url, "QUARKUS_DATASOURCE", ""),
    ("QUARKUS_DATASOURCE_PASSWORD", Password, "QUARKUS_DATASOURCE", ""),
    ("DATA_SOURCE_URL", Url, "DATASOURCE", ""),
    ("JDBC_URL", Url, "JDBC", ""),
    ("JDBC_DATABASE_URL", Url, "JDBC", ""),
    ("DBHOST", Host, "DB", ""),
    ("DBNAME", Database, "DB", ""),
    ("RDS_DBNAME", Database, "RDS", ""),
    ("DBUSER", User, "DB", ""),
    ("DBPASS", Password, "DB", ""),
    ("DB-PASSWORD", Password, "DB", ""),
    ("app.db.password", Password, "APP_DB", ""),
    ("SQL_HOST", Host, "SQL", ""),
    ("SQL_DSN", Url, "SQL", ""),
    ("KC_DB_URL_HOST", Host, "KC_DB", ""),
    ("KC_DB_URL_DATABASE", Database, "KC_DB", ""),
    ("PASSWORD_DB", Password, "DB", ""),
    ("URL_DATABASE", Url, "DB", ""),
    // Which of several.
    ("DB_MASTER_HOST", Host, "DB", ""),
    ("DB_WRITER_ENDPOINT", Host, "DB", ""),
    ("DB_MASTER_USERNAME", User, "DB", ""),
    ("DB1_HOST", Host, "DB1", ""),
    ("DB_HOST_2", Host, "DB_2", ""),
    ("DATABASE_URL_PROD", Url, "DB_PROD", ""),
    ("POSTGRES_URL_NON_POOLING", Url, "POSTGRES_NON_POOLING", "postgres"),
    ("DB_ORDERS_PASSWORD", Password, "DB_ORDERS", ""),
    ("DB_MIGRATION_USER", User, "DB", ""),
    ("DATABASE_CONN_URL", Url, "DB", ""),
    ("db_root_password", Password, "DB", ""),
];

/// As [`ROLES`], of a read replica.
const READERS: &[(&str, Role, &str)] = &[
    ("DB_READ_HOST", Host, "DB"),
    ("DB_READER_ENDPOINT", Host, "DB"),
    ("DB_REPLICA_URL", Url, "DB"),
    ("DB_HOST_READ", Host, "DB"),
    ("DB_HOST_READ_ONLY", Host, "DB"),
    ("DATABASE_URL_RO", Url, "DB"),
    ("READ_DB_HOST", Host, "DB"),
    ("READONLY_DATABASE_URL", Url, "DB"),
    ("DATABASE_READ_REPLICA_HOST", Host, "DB"),
];

/// Names that hold nothing of a connection.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "", "_", "HOST", "PORT", "PASSWORD", "USER", "USERNAME", "NAME", "URL", "DSN", "DB", "DATABASE", "POSTGRES", "CONNECTION_STRING",
    "DB_POOL_SIZE", "DB_POOL_NAME", "DB_TIMEOUT", "DB_CONNECTION_LIMIT", "DB_CONNECTION", "DB_TYPE", "DB_ENGINE", "DB_SCHEMA",
    "DATABASE_LOG_LEVEL", "DATABASE_LOG_URL", "DATABASE_API_URL", "DATABASE_SERVICE_URL", "DATABASE_DOCS_URL", "DATABASE_MIGRATION_URL_PREFIX",
    "DBUS_SESSION_BUS_ADDRESS", "SQLALCHEMY_POOL_SIZE", "SQLALCHEMY_ECHO", "PGADMIN_DEFAULT_PASSWORD", "PGADMIN_DEFAULT_EMAIL",
    "RDS_CA_BUNDLE", "RDS_REGION", "RDS_INSTANCE_NAME", "RDS_CLUSTER_NAME", "DB_INSTANCE_NAME", "DB_CLUSTER_IDENTIFIER", "DB_CLUSTER_ARN",
    "DB_CLUSTER_PASSWORD_ROTATION_DAYS", "DB_PASSWORD_SECRET_ARN", "DB_PASSWORD_SECRET_NAME", "DB_SECRET_NAME", "DB_SECRET", "DB_SECRET_ARN",
    "DATABASE_URL_SECRET_NAME", "DB_PASSWORD_PARAMETER", "DB_PASSWORD_KEY", "DB_ENCRYPTION_KEY", "DB_TABLE_NAME", "DB_BUCKET_NAME",
    "DB_BACKUP_BUCKET_NAME", "DB_APPLICATION_NAME", "DB_SERVICE_NAME", "DB_SSL_CA", "DB_SSL_CERT", "DB_SSL_KEY_PASSWORD", "DB_READ_ONLY",
    "DB_SSH_HOST", "DB_SSH_USER", "DB_TUNNEL_HOST", "DB_BASTION_HOST", "DB_METRICS_PORT", "DB_HEALTH_PORT", "PGDATA", "PGPASSFILE",
    "PGAPPNAME", "PGOPTIONS", "POSTGRES_INITDB_ARGS", "POSTGRES_HOST_AUTH_METHOD", "POSTGRES_EXPORTER_URL", "POSTGRES_EXPORTER_PASSWORD",
    "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD", "MONGO_EXPRESS_PASSWORD", "REDIS_COMMANDER_PASSWORD", "REDIS_KEY_PREFIX",
    "REDIS_CLUSTER_NAME", "REDIS_TTL", "REDIRECT_URL", "SENTRY_DSN", "APPLICATIONINSIGHTS_CONNECTION_STRING", "ELASTIC_APM_SERVER_URL",
    "ELASTIC_APM_SERVICE_NAME", "ELASTIC_APM_SECRET_TOKEN", "ORACLE_HOME", "ORACLE_SID", "DYNAMODB_TABLE_NAME", "DYNAMODB_TABLE",
    "SMTP_HOST", "SMTP_PASSWORD", "API_URL", "BASE_URL", "APP_NAME", "SERVICE_NAME", "SERVER_PORT", "CELERY_BROKER_URL", "BROKER_URL",
    "CACHE_URL", "QUEUE_URL", "S3_ENDPOINT", "KAFKA_BROKERS", "TMDB_URL", "SKIP_DB_URL", "USE_DATABASE_URL", "CHECK_DB_HOST",
    "DB_HOST_HEADER", "DB_PASSWORD_POLICY", "DB_MIGRATE", "RUN_DB_MIGRATIONS", "AUTO_MIGRATE_DB", "DB_SEED", "DB_LOGGING", "DB_FILE",
    "SSM_KEY_DB_ENDPOINT", "SSM_KEY_DB_PASSWORD", "AWS_RDS_SECRET_NAME", "DATABASE_TABLE", "MYSQL_USERS", "DB_TLS_NAME", "MYSQL_VERSION",
    "DATABASE_FILE", "DATABASE_PATH", "SQLITE_PATH", "ADMIN_PASSWORD", "JWT_SECRET", "DATADOG_API_KEY", "DB_AUTH_METHOD", "DB_IAM_AUTH",
    "GITHUB_DATABASE_BACKUP_BUCKET", "DB_LDAP_PASSWORD", "DB_ADMIN_EMAIL", "DB_DRIVER", "DB_CHARSET", "DB_TIMEZONE", "DB_PREFIX",
];

fn engine(name: &str) -> Engine {
    match name {
        "" => Engine::Unknown,
        "postgres" => Engine::Postgres,
        "built-in SQLite" => Engine::Builtin("SQLite".into()),
        other => Engine::Other(other.to_owned().into()),
    }
}

#[test]
fn names_with_a_role() {
    let mut wrong = vec![];
    for &(name, role, group, hint) in ROLES {
        let expected = NamedRole {
            group: group.into(),
            role,
            engine: engine(hint),
            reader: false,
            in_file: false,
        };
        let found = role_of(name);
        if found.as_ref() != Some(&expected) {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    for &(name, role, group) in READERS {
        let found = role_of(name).map(|f| (f.role, f.group, f.reader));
        if found != Some((role, group.to_owned(), true)) {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn false_friends() {
    let wrong: Vec<_> = OTHERS.iter().filter_map(|name| Some((*name, role_of(name)?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(ROLES.len() + READERS.len() + OTHERS.len() > 250);
}

/// The file with a value is told from the value, and from a file that is a database.
#[test]
fn values_in_files() {
    for (name, role) in [
        ("DB_PASSWORD_FILE", Password),
        ("POSTGRES_PASSWORD_FILE", Password),
        ("DATABASE_URL_FILE", Url),
    ] {
        let found = role_of(name);
        assert!(
            found.as_ref().is_some_and(|f| f.role == role && f.in_file),
            "{name}: {found:?}"
        );
    }
    for name in [
        "DB_FILE",
        "DATABASE_PATH",
        "SQLITE_PATH",
        "APP_DB_PATH",
        "databaseFile",
        "DATABASE_FILENAME",
    ] {
        assert!(names_a_database_file(name), "{name}");
    }
    for name in ["DB_PASSWORD_FILE", "LOG_FILE", "PATH", "DATABASE_URL", "DB_CONFIG_PATH"] {
        assert!(!names_a_database_file(name), "{name}");
    }
}

#[test]
fn selectors() {
    for (name, group) in [
        ("DB_TYPE", "DB"),
        ("DB_CONNECTION", "DB"),
        ("DATABASE_CLIENT", "DB"),
        ("APP_DB_ENGINE", "APP_DB"),
        ("SPRING_DATASOURCE_DRIVER_CLASS_NAME", "SPRING_DATASOURCE"),
        ("spring.datasource.driverClassName", "SPRING_DATASOURCE"),
    ] {
        assert_eq!(selector_of(name).as_deref(), Some(group), "{name}");
    }
    for name in ["TYPE", "DB_POOL_TYPE", "SEARCH_ENGINE", "HTTP_CLIENT", "DB_HOST"] {
        assert_eq!(selector_of(name), None, "{name}");
    }
}

#[test]
fn whole_credentials() {
    for name in [
        "DB_SECRET",
        "RDS_CREDENTIALS",
        "DATABASE_CREDS",
        "APP_DB_CONFIG",
        "DB_MASTER_SECRET",
        "ORDERSDB_SECRET",
    ] {
        assert!(names_whole_credentials(name), "{name}");
    }
    for name in ["JWT_SECRET", "SECRET", "APP_CONFIG", "DB_SECRET_ARN", "DB_PASSWORD"] {
        assert!(!names_whole_credentials(name), "{name}");
    }
}

proptest::proptest! {
    /// No name makes it panic, and only a group that isn't empty is told.
    #[test]
    fn any_name(name in "[A-Za-z0-9_.ß -]{0,40}", stem in "(DB|pg|Sql|)", role in "(HOST|Url|_NAME|)") {
        for name in [format!("{name}{stem}{role}"), format!("{stem}{name}{role}"), name] {
            if let Some(found) = role_of(&name) {
                assert!(!found.group.is_empty(), "{name}");
            }
            let _ = (selector_of(&name), names_a_database_file(&name), names_whole_credentials(&name));
        }
    }
}
