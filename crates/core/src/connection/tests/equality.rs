//! Whether two values are the same connection, and in what they differ; and what a value is worth in its role.

use super::*;
use crate::model::connection::{Difference, ValueInRole};
use crate::model::store::Role;

fn differences(a: &str, b: &str) -> Option<String> {
    let found = inspect_plain(a).differences(&inspect_plain(b))?;
    Some(found.iter().map(Difference::to_string).collect::<Vec<_>>().join(" "))
}

#[test]
fn of_two_connections() {
    let base = "postgres://u:p%40x@h.example.com:5432/d?sslmode=require&application_name=a";
    for (other, expected) in [
        (base, Some("")),
        (
            "postgres://u:p%40x@H.example.com/d?application_name=a&sslmode=require",
            Some(""),
        ),
        (
            "postgres://%75:p%40%78@h.example.com/%64?application_name=a&sslmode=require",
            Some(""),
        ),
        (
            "postgres://h.example.com/d?user=u&password=p%40x&application_name=a&sslmode=require",
            Some(""),
        ),
        (
            "postgresql://u:p%40x@h.example.com/d?application_name=a&sslmode=require",
            Some("form"),
        ),
        (
            "postgres://u:p%40y@h.example.com/d?application_name=a&sslmode=require",
            Some("password"),
        ),
        (
            "postgres://u@h.example.com/d?application_name=a&sslmode=require",
            Some("password"),
        ),
        (
            "postgres://v:p%40x@h.example.com/d?application_name=a&sslmode=require",
            Some("user"),
        ),
        (
            "postgres://u:p%40x@h.example.com/e?application_name=a&sslmode=require",
            Some("database"),
        ),
        (
            "postgres://u:p%40x@g.example.com/d?application_name=a&sslmode=require",
            Some("address"),
        ),
        (
            "postgres://u:p%40x@h.example.com:5433/d?application_name=a&sslmode=require",
            Some("address"),
        ),
        (
            "postgres://u:p%40x@h.example.com/d?application_name=a",
            Some("parameters"),
        ),
        (
            "postgres://u:p%40x@h.example.com/d?application_name=b&sslmode=require",
            Some("parameters"),
        ),
        (
            "postgres://u:p%40x@h.example.com/d?application_name=a&sslmode=require&schema=s",
            Some("parameters"),
        ),
        (
            "postgres://u:p%40x@h.example.com/d?application_name=a&sslmode=require&sslpassword=s",
            Some("parameters"),
        ),
        (
            "postgres://u:p@x@h.example.com/d?application_name=a&sslmode=require",
            None,
        ),
        (
            "jdbc:postgresql://h.example.com/d?user=u&password=p%40x&application_name=a&sslmode=require",
            Some("form"),
        ),
    ] {
        assert_eq!(differences(base, other).as_deref(), expected, "{other}");
        assert_eq!(
            inspect_plain(base).same_as(&inspect_plain(other)),
            expected == Some(""),
            "{other}"
        );
    }
    for (a, b) in [
        (
            "host=h user=u password='p w' dbname=d",
            "dbname=d  password=p\\ w user=u port=5432 host=h",
        ),
        (
            "Host=h;Username=u;Password=\"a;b\";Database=d;SSL Mode=Require",
            "database=d;ssl mode=Require;password='a;b';username=u;host=h;",
        ),
        (
            "jdbc:postgresql://h/d?user=u&password=a+b",
            "jdbc:postgresql://h:5432/d?password=a%20b&user=u",
        ),
    ] {
        assert_eq!(differences(a, b).as_deref(), Some(""), "{a} {b}");
    }
}

#[test]
fn by_role() {
    let shape = inspect(
        r#"{"username":"app","password":"postgres://not a url#@","engine":"postgres","host":"h.example.com","port":5432,
            "dbname":"d","blank":"","db_password":"x\n","DATABASE_URL":"postgres://u:p@h/d","list":[1]}"#,
    );
    let of = |role, key: &str| match shape.value_for(role, Some(key)) {
        ValueInRole::Text {
            faults,
            rather,
            connection,
            ..
        } => {
            let host = connection
                .and_then(|c| c.hosts.first())
                .map_or(String::new(), |h| format!(" {}:{}", h.host, h.port));
            format!("{faults:?} {rather:?}{host}")
        }
        other => format!("{other:?}"),
    };
    for (role, key, expected) in [
        (Role::Password, "password", "[] None"),
        (Role::Password, "blank", "[Empty] None"),
        (Role::Password, "db_password", "[SurroundingWhitespace] None"),
        (Role::Password, "DATABASE_URL", "[] Some(Url)"),
        (Role::Password, "list", "[Unparsable] None"),
        (Role::User, "username", "[] None"),
        (Role::User, "password", "[] Some(Password)"),
        (Role::Host, "host", "[] None h.example.com:5432"),
        (Role::Host, "DATABASE_URL", "[] Some(Url) h:5432"),
        (Role::Port, "port", "[] None"),
        (Role::Port, "username", "[BadPort] Some(User)"),
        (Role::Database, "dbname", "[] None"),
        (Role::Url, "DATABASE_URL", "[] None h:5432"),
        (Role::Url, "password", "[NotAConnectionString] Some(Password)"),
        (Role::Url, "host", "[] Some(Host) h.example.com:5432"),
        (Role::Url, "nothing", "NoKey"),
    ] {
        assert_eq!(of(role, key), expected, "{role} {key}");
    }
    let ValueInRole::Object(roles) = shape.value_for(Role::Url, None) else {
        panic!()
    };
    let all = [
        Role::Url,
        Role::Host,
        Role::Port,
        Role::Database,
        Role::User,
        Role::Password,
    ];
    assert!(all.iter().all(|r| roles.contains(r)), "{roles:?}");

    // What RDS manages: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    let managed = inspect(r#"{"username":"postgres","password":"a/b@c:d#e"}"#);
    assert!(managed.has_user_and_password());
    assert!(!inspect(r#"{"username":"postgres"}"#).has_user_and_password());
    assert!(!inspect(r#"{"username":"postgres","password":""}"#).has_user_and_password());

    // A plain value: compared, never kept.
    let plain = inspect("app.abc.us-east-1.rds.amazonaws.com\n");
    let ValueInRole::Text {
        faults,
        text,
        connection,
        ..
    } = plain.value_for(Role::Host, None)
    else {
        panic!()
    };
    assert_eq!(faults, [Fault::SurroundingWhitespace]);
    assert!(text.unwrap().is_host("APP.abc.us-east-1.rds.amazonaws.com"));
    assert!(connection.is_some());
    let plain = inspect("postgres");
    let ValueInRole::Text { faults, text, .. } = plain.value_for(Role::User, None) else {
        panic!()
    };
    assert!(faults.is_empty() && text.unwrap().is("postgres") && !text.unwrap().is("app"));
    assert_eq!(inspect("x").value_for(Role::User, Some("k")), ValueInRole::NotJson);
    // A password in plain text is that of a URL, and that of a JSON secret.
    let url = inspect_plain("postgres://u:a%2Fb@h/d").fingerprints.unwrap().password;
    assert_eq!(url, inspect_plain("a/b").text.unwrap().exact);
}
