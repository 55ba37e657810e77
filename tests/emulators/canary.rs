//! Planted passwords appear in no output, log or error.

use serde_json::json;

use crate::on_both;
use crate::test_env::{Kind, TestEnv, run};
use crate::world::{PASSWORD, World};

on_both!(no_password_is_shown);

/// One for each place in which a password can stand.
const PLANTED: &[&str] = &[
    PASSWORD,
    "hJ3kQz8nVw2c",
    "T6yGbN1sXe9u",
    "Rf5mCd0oLaWi",
    "Bx7Up4EhKj8t",
    "Vn2qZs6rYg9o",
    "Dw1tMk5iCx3l",
    "Lq8eSv4bPz7h",
    "Gu6jWn0fTm2a",
    "Xo9cRk3dHy5v",
];

fn no_password_is_shown(kind: Kind) {
    let at = |w: &str| format!("@{{{{endpoint:{w}-db}}}}:{{{{port:{w}-db}}}}");
    let p = PLANTED;
    let mut world = World::new();
    world
        .stack("good", json!({}))
        .stack("twice", json!({"secret": format!("postgres://app:{}{}:5432/app", p[1], at("twice"))}))
        .stack("slash", json!({"secret": format!("postgres://app:ab/{}@#?{}{}/app", p[2], p[2], at("slash"))}))
        .stack("keywords", json!({"secret": format!("host=db.example.com password={} dbname=app oops", p[3])}))
        .stack("noscheme", json!({"secret": format!("app:{}{}", p[4], at("noscheme"))}))
        .stack("keyed", json!({"secret": {"json": {"url": format!("postgres://app:{}{}", p[5], at("keyed")), p[6]: "x", "password": p[6]}}}))
        .stack("plain", json!({"web": {"secrets": null, "environment": {
            "DATABASE_URL": format!("postgres://app:{}@db.example.com/app", p[7]), "PGPASSWORD": p[7]}}}))
        .stack("bare", json!({"secret": p[8]}))
        .stack("short", json!({"db": {"retention": 1, "password": p[9]}}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let mut said = String::new();
    let denied = env.gateway(&[
        "--deny",
        "secretsmanager:*GetSecretValue",
        "--deny",
        "rds:ModifyDBInstance",
    ]);
    for endpoint in [&env.endpoint, &denied.endpoint] {
        for arguments in [
            &["audit"][..],
            &["audit", "--format", "json", "-vv"],
            &["-vv", "--log-format", "json", "audit"],
            &["plan", "-vv"],
            &["plan", "--format", "json"],
            &["apply", "--yes", "--wait", "1s", "-vv"],
        ] {
            let mut command = env.command(endpoint, arguments);
            command
                .env("HOLDFAST_LOG", "trace")
                .env("RUST_LOG", "trace")
                .env("RUST_BACKTRACE", "1");
            let answer = run(command);
            assert_ne!(answer.code, 2, "{answer:?}");
            said.push_str(&answer.stdout);
            said.push_str(&answer.stderr);
        }
    }
    assert!(
        said.contains("twice-url") && said.contains("secret-malformed-url"),
        "there was something to leak"
    );
    let said = said.to_lowercase();
    for password in p {
        for window in password.as_bytes().windows(6) {
            let piece = std::str::from_utf8(window).unwrap().to_lowercase();
            if let Some(found) = said.find(&piece) {
                let around: String = said
                    .chars()
                    .skip(said[..found].chars().count().saturating_sub(200))
                    .take(400)
                    .collect();
                panic!("{piece} of {password} is shown: {around}");
            }
        }
    }
}
