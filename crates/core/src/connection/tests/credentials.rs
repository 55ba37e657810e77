//! The password that one connects with is the one that libpq would take.

use super::super::credentials;

fn password(value: &str, key: Option<&str>) -> Option<String> {
    credentials(value, key)?.1.map(|p| p.to_string())
}

#[test]
fn of_each_form() {
    let cases: &[(&str, Option<&str>, Option<&str>)] = &[
        ("postgres://app:pw@db.example.com:5432/app", None, Some("pw")),
        (
            "postgres://app:p%40w%2F%25:x@db.example.com/app?sslmode=verify-full",
            None,
            Some("p@w/%:x"),
        ),
        ("postgres://app@db.example.com/app", None, None),
        ("postgres://app:@db.example.com/app", None, None),
        (
            "postgres://app:old@db.example.com/app?password=n%20w",
            None,
            Some("n w"),
        ),
        (
            "postgres://db.example.com/app?user=app&password=a%40b",
            None,
            Some("a@b"),
        ),
        (
            "host=db.example.com user=app password='p w\\' x' dbname=app",
            None,
            Some("p w' x"),
        ),
        (
            "host=db.example.com user=app password=a password=b dbname=app",
            None,
            Some("b"),
        ),
        ("host=db.example.com user=app dbname=app", None, None),
        (
            "jdbc:postgresql://db.example.com/app?user=app&password=p%40w+x",
            None,
            Some("p@w x"),
        ),
        (
            "jdbc:postgresql://db.example.com/app?user=app&password=p#w =é",
            None,
            Some("p#w =é"),
        ),
        (
            "jdbc:aws-wrapper:postgresql://db.example.com:5432/app?user=app&password=pw",
            None,
            Some("pw"),
        ),
        (
            "r2dbc:pool:postgresql://app:p%40w@db.example.com/app",
            None,
            Some("p@w"),
        ),
        (
            "postgresql+asyncpg://app:p%40w@db.example.com/app?ssl=require",
            None,
            Some("p@w"),
        ),
        ("db+postgresql://app:pw@db.example.com/app", None, Some("pw")),
        ("postgis://app:pw@db.example.com/app", None, Some("pw")),
        (
            "Host=db.example.com;Username=app;Password=\"p;\"\"w\";Database=app",
            None,
            Some("p;\"w"),
        ),
        (
            "Server=db.example.com;Port=5432;User Id=app;Password=p'w ;Database=app",
            None,
            Some("p'w"),
        ),
        (
            "Driver={PostgreSQL Unicode};Server=h;Uid=app;Pwd={p;}}w};Database=app",
            None,
            Some("p;}w"),
        ),
        ("pgsql:host=h;dbname=app;user=app;password=pw", None, Some("pw")),
        (
            r#"{"url": "postgres://app:p\u0077@db.example.com/app"}"#,
            Some("url"),
            Some("pw"),
        ),
    ];
    for (value, key, expected) in cases {
        assert!(credentials(value, *key).is_some(), "{value}");
        assert_eq!(password(value, *key).as_deref(), *expected, "{value}");
    }
}

#[test]
fn of_nothing_that_is_malformed_or_elsewhere() {
    for (value, key) in [
        ("postgres://app:p/w@db.example.com/app", None),
        ("postgres://app:pw@db.example.com:5432:5432/app", None),
        ("not a connection", None),
        ("mysql://app:pw@db.example.com/app", None),
        ("jdbc:mysql://db.example.com/app?user=app&password=pw", None),
        ("sqlite:///app.db", None),
        ("db.example.com:5432", None),
        (r#"{"url": "postgres://app:pw@db.example.com/app"}"#, None),
        (r#"{"url": "postgres://app:pw@db.example.com/app"}"#, Some("other")),
        (r#"{"password": "postgres"}"#, Some("password")),
        ("postgres://app:pw@db.example.com/app", Some("url")),
    ] {
        assert!(credentials(value, key).is_none(), "{value}");
    }
}
