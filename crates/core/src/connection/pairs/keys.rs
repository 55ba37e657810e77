//! The keys of pairs: what each means, and which engine it tells of.

use super::super::parameters::{is_known, is_secret_key};

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Host,
    Port,
    Database,
    User,
    Password,
    /// Another secret.
    Secret,
    Tls,
    Driver,
}

/// Names by meaning, in lower case and without spaces.
/// <https://www.npgsql.org/doc/connection-string-parameters.html>, <https://mysqlconnector.net/connection-options/>,
/// <https://learn.microsoft.com/dotnet/api/microsoft.data.sqlclient.sqlconnection.connectionstring>,
/// <https://odbc.postgresql.org/docs/config-opt.html>, <https://www.php.net/manual/en/ref.pdo-mysql.connection.php>
#[rustfmt::skip]
const NAMES: &[(&str, Key)] = &[
    ("host", Key::Host), ("server", Key::Host), ("datasource", Key::Host), ("addr", Key::Host), ("address", Key::Host),
    ("networkaddress", Key::Host), ("hostname", Key::Host), ("servername", Key::Host),
    ("port", Key::Port), ("portnumber", Key::Port),
    ("database", Key::Database), ("db", Key::Database), ("dbname", Key::Database), ("initialcatalog", Key::Database),
    ("databasename", Key::Database),
    ("user", Key::User), ("userid", Key::User), ("username", Key::User), ("uid", Key::User),
    ("password", Key::Password), ("pwd", Key::Password), ("pass", Key::Password), ("passwd", Key::Password),
    ("psw", Key::Password),
    ("sslmode", Key::Tls), ("ssl", Key::Tls), ("encrypt", Key::Tls), ("usessl", Key::Tls),
    ("driver", Key::Driver), ("provider", Key::Driver),
];

/// Further keys that a driver documents, in lower case and without spaces.
#[rustfmt::skip]
const FURTHER: &[&str] = &[
    // Npgsql
    "applicationname", "arraynullabilitymode", "autoprepareminusages", "cancellationtimeout", "channelbinding",
    "checkcertificaterevocation", "clientencoding", "commandtimeout", "connectionidlelifetime", "connectionlifetime",
    "connectionpruninginterval", "encoding", "enlist", "gssencryptionmode", "hostrecheckseconds", "includeerrordetail",
    "includerealm", "integratedsecurity", "internalcommandtimeout", "keepalive", "kerberosservicename", "loadbalancehosts",
    "loadtablecomposites", "logparameters", "maxautoprepare", "maxpoolsize", "maximumpoolsize", "minpoolsize", "minimumpoolsize",
    "multiplexing", "noresetonclose", "options", "passfile", "persistsecurityinfo", "pooling", "protocol", "readbuffersize",
    "replicationmode", "requireauth", "rootcertificate", "searchpath", "servercompatibilitymode", "socketreceivebuffersize",
    "socketsendbuffersize", "sslcertificate", "sslkey", "sslnegotiation", "targetsessionattributes", "tcpkeepalive",
    "tcpkeepaliveinterval", "tcpkeepalivetime", "timeout", "timezone", "trustservercertificate", "writebuffersize",
    "writecoalescingbufferthresholdbytes", "usesslstream", "usertablespaces", "preloadreader", "syncnotification",
    "useextendedtypes", "compatible", "clientcertificate", "clientcertificatekey",
    // SQL Server
    "accesstoken", "app", "applicationintent", "asynchronousprocessing", "attachdbfilename", "attestationprotocol",
    "authentication", "columnencryptionsetting", "connectretrycount", "connectretryinterval", "connecttimeout",
    "connectiontimeout", "contextconnection", "currentlanguage", "enclaveattestationurl", "extendedproperties",
    "failoverpartner", "hostnameincertificate", "initialfilename", "ipaddresspreference", "loadbalancetimeout",
    "multipleactiveresultsets", "multisubnetfailover", "net", "network", "networklibrary", "packetsize", "replication",
    "servercertificate", "serverspn", "transactionbinding", "trusted_connection", "trustedconnection", "typesystemversion",
    "userinstance", "workstationid", "wsid", "logintimeout", "sendstringparametersasunicode", "selectmethod", "instancename",
    "isolationlevel", "schema", "connectionlimit", "pooltimeout", "sockettimeout", "trustservercertificateca",
    // MySQL
    "allowbatch", "allowloadlocalinfile", "allowpublickeyretrieval", "allowuservariables", "allowzerodatetime",
    "autoenlist", "cacheserverproperties", "certificatefile", "certificatestorelocation", "characterset", "charset",
    "connectionprotocol", "connectionreset", "convertzerodatetime", "defaultcommandtimeout", "guidformat", "ignoreprepare",
    "interactivesession", "loadbalance", "oldguids", "persistsecurityinfo", "pipelining", "servercompat", "serverrsapublickeyfile",
    "sslca", "sslcert", "tlsversion", "treattinyasboolean", "unixsocket", "useaffectedrows", "usecompression",
    "usexaTransactions", "option", "useprocedurebodies", "ignorecommandtransaction",
    // SQLite, Oracle, psqlODBC
    "cache", "datasourcemode", "defaulttimeout", "foreignkeys", "journalmode", "mode", "recursivetriggers", "version",
    "dbaprivilege", "incrpoolsize", "decrpoolsize", "statementcachesize", "validateconnection", "metadatapooling",
    "selfTuning", "byteaaslongvarbinary", "boolsaschar", "fetch", "maxvarcharsize", "readonly", "usedeclarefetch", "dsn",
    "updatablecursors", "connsettings", "textaslongvarchar", "unknownsaslongvarchar", "lowercaseidentifier", "pqopt",
    "sslrootcert", "appname", "tracefile", "traceon", "connectionpooling", "loginTimeout", "service",
];

fn plain(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

impl Key {
    /// What a key means, if it is one of those that are read.
    pub(super) fn of(key: &str) -> Option<Self> {
        if key.len() > 64 {
            return None;
        }
        let word = plain(key);
        let named = NAMES.iter().find(|(name, _)| *name == word).map(|(_, key)| *key);
        named.or_else(|| is_secret_key(&word).then_some(Self::Secret))
    }
}

/// Whether a key is one that is read or documented.
pub(super) fn is_pair_key(key: &str) -> bool {
    Key::of(key).is_some_and(|k| k != Key::Secret) || is_known_pair(key)
}

/// Whether a key is documented, though nothing of it is kept.
pub(super) fn is_known_pair(key: &str) -> bool {
    if key.len() > 64 {
        return false;
    }
    let word = plain(key);
    FURTHER.iter().any(|f| word.eq_ignore_ascii_case(f)) || is_known(key.trim())
}

/// Keys that one engine's driver has and the others have not.
#[rustfmt::skip]
const MARKERS: &[(&str, &str)] = &[
    ("initialcatalog", "sqlserver"), ("multipleactiveresultsets", "sqlserver"), ("attachdbfilename", "sqlserver"),
    ("multisubnetfailover", "sqlserver"), ("columnencryptionsetting", "sqlserver"), ("applicationintent", "sqlserver"),
    ("trustedconnection", "sqlserver"), ("encrypt", "sqlserver"), ("workstationid", "sqlserver"), ("packetsize", "sqlserver"),
    ("allowuservariables", "mysql"), ("allowpublickeyretrieval", "mysql"), ("convertzerodatetime", "mysql"),
    ("allowzerodatetime", "mysql"), ("treattinyasboolean", "mysql"), ("charset", "mysql"), ("characterset", "mysql"),
    ("guidformat", "mysql"), ("oldguids", "mysql"), ("defaultcommandtimeout", "mysql"),
    ("host", "host"), ("datasource", "datasource"), ("searchpath", "postgres"),
    ("includeerrordetail", "postgres"), ("maxautoprepare", "postgres"), ("noresetonclose", "postgres"),
    ("targetsessionattributes", "postgres"), ("rootcertificate", "postgres"), ("dbaprivilege", "oracle"),
];

/// What a key says about the engine.
pub(super) fn marker(key: &str) -> Option<&'static str> {
    let word = plain(key);
    MARKERS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, marker)| *marker)
}
