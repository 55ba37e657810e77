use super::*;

#[test]
fn json_values() {
    let not = |k: &str| format!("{k}: {NOT}");
    assert_eq!(json_lines("{}"), Vec::<String>::new());
    assert_eq!(
        json_lines(" {\"a\" : 1 , \"b\":[{\"c\":\"}\"}],\"d\":null} \n"),
        [not("a"), "b: -".into(), "d: -".into()]
    );
    assert_eq!(
        json_lines(r#"{"url":"postgres:\/\/u:p\u0040@db.internal/d","key":"x"}"#),
        [
            not("key"),
            "url: url u:*@db.internal:5432/d !Unencoded(Password)".into()
        ]
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
        (
            r#"{"Host":"h","PORT":"6000","User":"u","Database":"d"}"#,
            Some("= parts u@h:6000/d"),
        ),
        (r#"{"hostname":"h","dbName":"d"}"#, Some("= parts -@h:5432/d")),
        (r#"{"host":"h","port":null,"dbname":"d"}"#, Some("= parts -@h:5432/d")),
        (
            r#"{"host":"h","port":"","dbname":"d","password":""}"#,
            Some("= parts -@h:5432/d"),
        ),
        (
            r#"{"host":"h:5432","port":5432,"dbname":"d"}"#,
            Some("= parts -@h:5432/d !PortTwice"),
        ),
        (r#"{"host":"h:5432","dbname":"d"}"#, Some("= parts -@h:5432/d")),
        (
            r#"{"host":"h","port":70000,"dbname":"d"}"#,
            Some("= parts -@-/d !BadPort"),
        ),
        (
            r#"{"host":"h","port":5432.5,"dbname":"d"}"#,
            Some("= parts -@-/d !BadPort"),
        ),
        (r#"{"host":"h","port":true}"#, Some("= parts -@-/- !BadPort")),
        (r#"{"host":null,"dbname":"d"}"#, Some("= parts -@-/d !NoHost")),
        (r#"{"host":" ","dbname":"d"}"#, Some("= parts -@-/d !NoHost")),
        (
            r#"{"host":"h\n","dbname":"d"}"#,
            Some("= parts -@h:5432/d !SurroundingWhitespace"),
        ),
        (
            r#"{"host":"h","dbname":"d","password":"x\n"}"#,
            Some("= parts -:*@h:5432/d !SurroundingWhitespace"),
        ),
        (
            r#"{"host":"postgres://u:p@h/d","dbname":"d"}"#,
            Some("= parts -@-/d !Unparsable"),
        ),
        (
            r#"{"host":"h","dbname":"d","engine":"mysql"}"#,
            Some("= parts -@h:3306/d"),
        ),
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
        let SecretShape::Plain(found) = inspect(broken) else {
            panic!("{broken}")
        };
        assert_eq!(line(&found), NOT, "{broken}");
    }
}

/// A URL of another service is none of ours to evaluate, but for a key that may be meant for the database.
#[test]
fn other_services_in_json() {
    let line_of = |key: &str, value: &str| json_lines(&format!("{{\"{key}\":\"{value}\"}}")).remove(0);
    for (value, scheme) in [
        ("https://hooks.example.com/T0/B0/XYZ", "https"),
        ("HTTP://u:p@h/d", "http"),
        ("ldaps://h", "ldaps"),
        ("amqp://u:p@h:5672", "amqp"),
        (" amqps://u:p@h:5671\\n", "amqps"),
    ] {
        for key in ["webhook", "cache", "broker", "Host_Name", ""] {
            assert_eq!(line_of(key, value), format!("{key}: {NOT}"), "{value}");
        }
        for key in [
            "DATABASE",
            "CODER_PG_CONNECTION_URL",
            "jdbcUrl",
            "my_dsn",
            "Postgres-Primary",
        ] {
            let found = line_of(key, value);
            assert!(found.starts_with(&format!("{key}: url -@-/- ")), "{found}");
            assert!(found.ends_with(&format!("!WrongScheme({scheme})")), "{found}");
        }
        // A secret that is nothing else is evaluated.
        assert!(inspect_plain(&value.replace("\\n", "\n")).looks_intended(), "{value}");
    }
    for value in ["redis://:p@h:6379/0", "rediss://:p@h:6379/0", "mongodb+srv://u:p@h/d"] {
        assert_eq!(line_of("cache", value), format!("cache: {NOT}"), "{value}");
        assert!(!line_of("CACHE_URL", value).contains('!'), "{value}");
    }
    // What has an unknown scheme and credentials may be a slip.
    assert_eq!(line_of("a", "mysql://u:p@h/d"), "a: url u:*@h:3306/d");
    assert_eq!(line_of("a", "postgress://u:p@h/d"), "a: url -@-/- !WrongScheme(-)");
    assert_eq!(line_of("a", "postgres://u:p@h/d"), "a: url u:*@h:5432/d");
}
