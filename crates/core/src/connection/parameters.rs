//! The parameters of drivers, which URLs, keyword strings and pairs share.

use std::collections::HashSet;
use std::sync::LazyLock;

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
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>
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

/// What drivers take beside it, in lower case. One that is missing here makes a note and nothing else.
///
/// lib/pq, pgx and GORM (run-time parameters of the server such as `search_path` and `timezone` too):
/// <https://pkg.go.dev/github.com/lib/pq>, <https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig>,
/// <https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#ParseConfig>; Prisma:
/// <https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments>; pgjdbc:
/// <https://jdbc.postgresql.org/documentation/use/#connection-parameters>; R2DBC:
/// <https://github.com/pgjdbc/r2dbc-postgresql>; Rails: <https://guides.rubyonrails.org/configuring.html>; asyncpg,
/// Doctrine, node-postgres, postgres.js, Ecto, MongoDB and MySQL drivers: their pages of connection options.
#[rustfmt::skip]
const DRIVER_PARAMETERS: &[&str] = &[
    // lib/pq, pgx, GORM, run-time parameters
    "binary_parameters", "datestyle", "default_query_exec_mode", "description_cache_capacity", "disable_prepared_binary_result",
    "extra_float_digits", "fallback_application_name", "idle_in_transaction_session_timeout", "intervalstyle", "krbspn",
    "lock_timeout", "pool_health_check_period", "pool_max_conn_idle_time", "pool_max_conn_lifetime",
    "pool_max_conn_lifetime_jitter", "pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "prefer_simple_protocol",
    "search_path", "sslinline", "statement_cache_capacity", "statement_cache_mode", "statement_timeout", "timezone",
    "x-migrations-table", "x-migrations-table-quoted", "x-multi-statement", "x-statement-timeout",
    // Prisma, pgbouncer, Node
    "connection_limit", "idle_timeout", "max", "max_lifetime", "pgbouncer", "pool_timeout", "schema", "single_use_connections",
    "socket_timeout", "sslaccept", "sslidentity", "statement_cache_size", "uselibpqcompat", "encoding", "family", "query_timeout",
    // SQLAlchemy, asyncpg, psycopg, Rails, Django, Doctrine, Ecto
    "async_fallback", "charset", "check_same_thread", "checkout_timeout", "collation", "command_timeout", "conn_health_checks",
    "conn_max_age", "connection_class", "default_isolation_level", "direct_tls", "driver", "engine", "isolation_level", "adapter",
    "max_cached_statement_lifetime", "max_inactive_connection_lifetime", "max_size", "min_messages", "min_size", "pool",
    "pool_recycle", "pool_size", "prepare", "prepare_threshold", "prepared_statements", "preparedthreshold", "reaping_frequency",
    "reconnect", "record_class", "schema_search_path", "server_settings", "serverversion", "ssl", "ssl_ca", "ssl_cert",
    "ssl_check_hostname", "ssl_key", "ssl_mode", "ssl_verify_cert", "timeout", "unix_socket", "variables", "sslmode_require",
    // pgjdbc, AWS' wrapper, R2DBC
    "adaptivefetch", "allowencodingchanges", "applicationname", "assumeminserverversion", "authenticationpluginclassname",
    "autocommit", "autosave", "binarytransfer", "binarytransferdisable", "binarytransferenable", "cancelsignaltimeout",
    "cleanupsavepoints", "clusterid", "connecttimeout", "currentschema", "databasemetadatacachefields",
    "databasemetadatacachefieldsmib", "defaultrowfetchsize", "disablecolumnsanitiser", "escapesyntaxcallmode",
    "failovermode", "forcebinary", "group_startup_parameters", "gssencmode", "gssresponsetimeout", "gssusedefaultcreds",
    "hiddenprivileges", "hideunprivilegedobjects", "hostrecheckseconds", "iamregion", "jaasapplicationname", "jaaslogin",
    "kerberosservername", "loadbalancehosts", "localsocketaddress", "loggerfile", "loggerlevel", "logintimeout",
    "logunclosedconnections", "maxresultbuffer", "maxsendbuffersize", "monitoring-connecttimeout", "networktimeout",
    "preferquerymode", "preparethreshold", "preparedstatementcachequeries", "preparedstatementcachesizemib", "protocolversion",
    "querytimeout", "quotereturningidentifiers", "readonly", "readonlymode", "receivebuffersize", "rewritebatchedinserts",
    "sendbuffersize", "service", "socketfactory", "socketfactoryarg", "sockettimeout", "sslfactory", "sslfactoryarg",
    "sslhostnameverifier", "sslpasswordcallback", "sslresponsetimeout", "sspiserviceclass", "stringtype", "targetservertype",
    "tcpkeepalive", "tcpnodelay", "unknownlength", "usespnego", "wrapperdialect", "wrapperplugins", "wrapperprofilename",
    "xmlfactoryfactory", "initialsize", "maxsize", "maxidletime", "acquireretry", "preparedstatementcachequeries",
    "autodetectextensions", "compatibilitymode", "fetchsize", "noticeloglevel", "errorresponseloglevel", "socket", "sslsni",
    // MySQL, MariaDB, MongoDB, Redis, SQL Server, SQLite
    "allowmultiqueries", "allownativepasswords", "allowpublickeyretrieval", "appname", "authmechanism", "authsource", "busy_timeout",
    "cache", "characterencoding", "clientfoundrows", "columnswithalias", "connection timeout", "createdatabaseifnotexist", "database",
    "databasename", "db", "directconnection", "encrypt", "interpolateparams", "journal_mode", "loc", "maxidletimems",
    "maxpoolsize", "minpoolsize", "mode", "multistatements", "nullcatalogmeanscurrent", "parsetime", "protocol", "readconcernlevel",
    "readpreference", "readtimeout", "replicaset", "requiressl", "retryreads", "retrywrites", "rejectreadonly",
    "servertimezone", "serverselectiontimeoutms", "sslca", "tls", "tlscafile", "tlsallowinvalidcertificates",
    "trustservercertificate", "useaffectedrows", "uselegacydatetimecode", "usessl", "useunicode", "verifyservercertificate",
    "w", "writetimeout", "zerodatetimebehavior", "tlsinsecure", "connecttimeoutms", "sockettimeoutms", "ssl_cert_reqs",
    "health_check_interval", "virtual_host", "_busy_timeout", "_journal_mode", "_fk", "_foreign_keys", "_pragma", "_txlock",
];

static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| KEYWORDS.iter().chain(DRIVER_PARAMETERS).copied().collect());

/// Whether a parameter is one that some driver documents.
pub(super) fn is_known(key: &str) -> bool {
    key.len() <= 64 && KNOWN.contains(key.to_ascii_lowercase().as_str())
}

/// libpq's keywords whose value is secret.
pub(super) const PASSWORD_KEYWORDS: [&str; 4] = ["password", "sslpassword", "scram_client_key", "scram_server_key"];

/// Pieces of the names of secret parameters.
#[rustfmt::skip]
const SECRET_PIECES: [&str; 12] = [
    "password", "passwd", "passphrase", "pwd", "scram_client_key", "scram_server_key", "secret", "token", "api_key",
    "apikey", "odbc_connect", "accountkey",
];

/// Keywords whose value is checked as clients check it ([`super::client`]). The free-form ones can't be wrong.
#[rustfmt::skip]
pub(super) const CHECKED_KEYWORDS: [&str; 8] = [
    "channel_binding", "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "load_balance_hosts",
    "sslnegotiation", "tcp_user_timeout",
];

pub(super) fn ssl_mode(value: &str) -> Option<String> {
    SSL_MODES.contains(&value).then(|| value.to_owned())
}

/// Whether the value of this parameter is secret: the password, or another.
pub(super) fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    SECRET_PIECES.iter().any(|p| lower.contains(p)) || lower == "pass"
}

/// Whether this parameter is the password that one logs in with.
pub(super) fn is_password_key(key: &str) -> bool {
    ["password", "pwd", "pass", "passwd"]
        .iter()
        .any(|p| key.eq_ignore_ascii_case(p))
}

/// What a parameter says of encryption, in the words of `sslmode`: the mode, and whether the parameter is an exact one
/// (which goes before one that only says yes or no).
///
/// pgjdbc, R2DBC and MariaDB `sslMode`, MySQL `sslMode=VERIFY_IDENTITY`, `useSSL`, Go's MySQL driver `tls=skip-verify`,
/// SQL Server `encrypt`, Npgsql `SSL Mode=VerifyFull`, asyncpg and node-postgres `ssl`, MongoDB `tls`.
pub(super) fn tls_setting(key: &str, value: &str) -> Option<(&'static str, bool)> {
    let plain = |s: &str| {
        s.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect::<String>()
    };
    if key.len() > 16 || value.len() > 32 {
        return None;
    }
    let (key, value) = (plain(key), plain(value));
    let exact = match key.as_str() {
        "sslmode" | "encrypt" | "tls" | "tlsmode" => true,
        "ssl" | "usessl" | "requiressl" => false,
        _ => return None,
    };
    let mode = match value.as_str() {
        "disable" | "disabled" | "none" => "disable",
        "false" | "no" | "0" | "off" if key != "requiressl" => "disable",
        "allow" => "allow",
        "prefer" | "preferred" | "optional" => "prefer",
        "require" | "required" | "true" | "yes" | "1" | "on" | "mandatory" | "strict" | "tunnel" | "" => "require",
        "verifyca" => "verify-ca",
        "verifyfull" | "verifyidentity" => "verify-full",
        "noverify" | "skipverify" => "no-verify",
        _ => return None,
    };
    Some((mode, exact))
}
