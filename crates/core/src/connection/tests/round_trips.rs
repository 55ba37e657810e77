//! What is well formed is read as a client reads it; what is not never panics.

use proptest::prelude::*;

use super::super::json_text::json_text;
use super::super::parameters::SSL_MODES;
use super::super::scheme::DEFAULT_PORT;
use super::passwords::{config, escaped, password, percent};
use super::*;
use crate::model::connection::{HostPort, UrlPart};
use crate::model::store::{Dialect, Engine};

/// Letters for what is no password.
fn name_of() -> impl Strategy<Value = String> {
    proptest::string::string_regex(r#"[abcé123/@?#:\[\]=!$&'()*+,;%"<> \\^`{|}~_.-]{1,20}"#)
        .unwrap()
        .prop_filter("a URL", |s| !s.contains("://"))
}

fn host_of() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-c][a-c0-3-]{0,8}(\\.[a-c1-3]{1,5}){0,3}").unwrap()
}

/// The facts without what is there for comparison.
fn bare(c: Connection) -> Connection {
    Connection {
        text: None,
        fingerprints: None,
        ..c
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
        let found = bare(inspect_plain(&value));
        let expected = Connection {
            form: ConnectionForm::Url,
            dialect: Some(Dialect::Libpq),
            engine: Engine::Postgres,
            scheme: Some("postgres".into()),
            hosts: vec![HostPort { host, port: if explicit { port } else { DEFAULT_PORT } }],
            database: Some(db),
            user: Some(user),
            has_password: true,
            sslmode: mode.map(str::to_owned),
            ..Connection::default()
        };
        prop_assert_eq!(&found, &expected, "{}", value);
    }

    #[test]
    fn round_trip_keywords_and_parts(
        user in "[abc_.@-]{1,9}", pw in password(), host in host_of(), port in 1_u16.., db in "[abc_.-]{1,9}",
    ) {
        let value = format!("password={} user={user} host={host}\tport = '{port}' dbname={db}", escaped(&pw));
        let mut expected = Connection {
            form: ConnectionForm::Keywords,
            dialect: Some(Dialect::Libpq),
            engine: Engine::Postgres,
            hosts: vec![HostPort { host: host.clone(), port }],
            database: Some(db.clone()),
            user: Some(user.clone()),
            has_password: true,
            sslmode: None,
            ..Connection::default()
        };
        prop_assert_eq!(&bare(inspect_plain(&value)), &expected, "{}", value);
        (expected.form, expected.dialect, expected.engine) = (ConnectionForm::Parts, None, Engine::Unknown);
        let value = serde_json::json!({
            "username": user, "password": pw, "host": host, "port": port, "dbname": db,
        }).to_string();
        let SecretShape::Json { parts, .. } = inspect(&value) else { panic!("{value}") };
        prop_assert_eq!(parts.map(bare), Some(expected));
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
            for prefix in ["host=h ", "jdbc:", "jdbc:postgresql:", "jdbc:sqlserver://h;", "jdbc:oracle:thin:", "jdbc:db2://", "r2dbc:",
                "Host=h;Password=", "Server=", "pgsql:host=", "u:p@tcp(", "u@", "sqlite:", "file:", "db+postgresql://", "jdbc:h2:"]
            {
                let _ = inspect(&format!("{prefix}{v}"));
            }
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
