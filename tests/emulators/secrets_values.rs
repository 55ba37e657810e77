//! What is inside of a database secret: `secret-malformed-url`, `secret-wrong-database`, `secret-uses-master-user`,
//! `secret-no-tls`.

use serde_json::json;

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, said};
use crate::world::{World, tags, url, url_as};

on_both!(malformed, wrong_database, untagged_secret, other_secrets, users_and_tls);

const MASTER: &str = "secret-uses-master-user";
const TLS: &str = "secret-no-tls";

fn malformed(kind: Kind) {
    let at = |w: &str| format!("@{{{{endpoint:{w}-db}}}}:{{{{port:{w}-db}}}}");
    let mut world = World::new();
    world
        .stack("twice", json!({"secret": format!("postgres://app:pw12345678{}:5432/app", at("twice"))}))
        .stack("slash", json!({"secret": format!("postgres://app:pw12/345678{}/app", at("slash"))}))
        .stack("hash", json!({"secret": format!("postgres://app:pw12#345678{}/app", at("hash"))}))
        .stack("at", json!({"secret": format!("postgres://app:pw12@345678{}/app", at("at"))}))
        .stack("noscheme", json!({"secret": format!("app:pw12345678{}/app", at("noscheme"))}))
        .stack("mysql", json!({"secret": format!("mysql://app:pw12345678{}/app", at("mysql"))}))
        .stack("newline", json!({"secret": format!("{}\n", url("newline"))}))
        .stack("quoted", json!({"secret": format!("\"{}\"", url("quoted"))}))
        .stack("prose", json!({"secret": "ask Bob for the password"}))
        .stack("badport", json!({"secret": "postgres://app:pw12345678@{{endpoint:badport-db}}:54x2/app"}))
        .stack(
            "inkey",
            json!({"secret": {"json": {"url": format!("postgres://app:pw12345678{}:5432/app", at("inkey"))}},
                   "web": {"secrets": {"DATABASE_URL": "{{secret:inkey-url}}:url::"}}}),
        )
        // What must stay unmentioned.
        .stack("twin", json!({}))
        .stack("nodb", json!({"secret": format!("postgres://app:pw12345678{}", at("nodb"))}))
        .stack("sqlalchemy", json!({"secret": format!("postgresql+psycopg2://app:pw12345678{}/app", at("sqlalchemy"))}))
        .stack("gorm", json!({"secret": "host={{endpoint:gorm-db}} port={{port:gorm-db}} user=app password=pw12345678 dbname=app TimeZone=UTC"}))
        .stack("postgresql", json!({"secret": format!("postgresql://app:p%2Fw%3D%3D{}/app?sslmode=require", at("postgresql"))}))
        .stack("base64", json!({"secret": format!("postgres://app:pw12345678=={}/app", at("base64"))}))
        .stack("keywords", json!({"secret": "host={{endpoint:keywords-db}} port={{port:keywords-db}} dbname=app user=app password='pw 123 456'"}))
        .stack(
            "json",
            json!({"secret": {"json": {"url": url("json"), "note": "hello", "n": 5}},
                   "web": {"secrets": {"DATABASE_URL": "{{secret:json-url}}:url::"}}}),
        );
    let env = TestEnv::new(kind, &world);
    let faulty = [
        "twice", "slash", "hash", "at", "noscheme", "mysql", "newline", "quoted", "prose", "badport", "inkey",
    ];
    let expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} secret-malformed-url {w}-url"))
        .collect();
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let said = |w: &str| {
        let found = list(&report, "findings")
            .iter()
            .find(|f| f["workload"] == w)
            .expect("found");
        found["message"].as_str().unwrap().to_owned()
    };
    for (workload, word) in [
        ("twice", "port stands twice"),
        ("slash", "percent-encoded"),
        ("noscheme", "without its scheme"),
        ("mysql", "mysql"),
        ("newline", "white space"),
        ("quoted", "quotation marks"),
        ("inkey", "under the key `url`"),
    ] {
        assert!(said(workload).contains(word), "{workload}: {}", said(workload));
    }
}

fn wrong_database(kind: Kind) {
    let mut world = World::new();
    world
        .stack(
            "elsewhere",
            json!({"secret": "postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com:5432/app"}),
        )
        .stack(
            "lastyear",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:lastyear-db}}:{{port:lastyear-db}}/archive"}),
        )
        .stack(
            "offport",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:offport-db}}:6432/app"}),
        )
        .stack(
            "neighbour",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:twin-db}}:{{port:twin-db}}/app"}),
        )
        .stack("twin", json!({}))
        .stack(
            "noport",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:noport-db}}/app"}),
        )
        .stack(
            "upper",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:upper-db}}:{{port:upper-db}}/app"}),
        );
    let env = TestEnv::new(kind, &world);
    let mut expected = vec![
        "fail critical elsewhere secret-wrong-database elsewhere-url",
        "fail low lastyear secret-wrong-database lastyear-url",
        "fail critical offport secret-wrong-database offport-url",
        "fail critical neighbour secret-wrong-database neighbour-url",
    ];
    if Quirk::OneEndpointForAll.on(kind) {
        expected.pop();
    }
    let report = env.expect(&expected);
    let found = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "elsewhere")
        .unwrap();
    assert_eq!(found["evidence"][0]["field"], "host");
    assert_eq!(
        found["evidence"][0]["observed"],
        "old-db.abc123.us-east-1.rds.amazonaws.com"
    );
}

/// A secret without the tag is evaluated where a tagged service refers to it.
fn untagged_secret(kind: Kind) {
    let mut world = World::new();
    world.stack(
        "shop",
        json!({"web": {"secrets": {"DATABASE_URL": "{{secret:loose}}"}}}),
    );
    world.patch(json!({"secrets": {
        "loose": {"string": "postgres://app:pw12345678@{{endpoint:shop-db}}:{{port:shop-db}}:5432/app"},
        "unrelated": {"string": "postgres://nobody@"},
    }}));
    let env = TestEnv::new(kind, &world);
    env.expect(&["fail critical shop secret-malformed-url loose"]);
}

/// A tagged secret that is no connection is nobody's business, unless a container takes it for one.
fn other_secrets(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    let tags = json!({"holdfast:workload": "shop"});
    world.patch(json!({"secrets": {
        "shop-api-key": {"string": "sk-0123456789abcdef", "tags": tags},
        "shop-settings": {"json": {"theme": "dark", "level": 3}, "tags": tags},
        "shop-webhook": {"string": "https://user:pw@hooks.example.com/x", "tags": tags},
    }}));
    let env = TestEnv::new(kind, &world);
    env.expect(&[]);
}

fn users_and_tls(kind: Kind) {
    let both = |w: &str| json!({"json": {"url": url(w), "admin": url_as("postgres", w, "")}});
    let mut world = World::new();
    world
        .stack("master", json!({"secret": url_as("postgres", "master", "?sslmode=require")}))
        .stack("bare", json!({"secret": url_as("app", "bare", "")}))
        .stack("prefers", json!({"secret": url_as("app", "prefers", "?sslmode=prefer")}))
        .stack(
            "words",
            json!({"secret": "host={{endpoint:words-db}} port={{port:words-db}} dbname=app user=postgres password=pw123456"}),
        )
        .stack("admin", json!({"secret": both("admin"), "web": {"secrets": {"DATABASE_URL": "{{secret:admin-url}}:admin::"}}}))
        // What must stay unmentioned: another key is used, the database is someone else's, the value is broken.
        .stack("keyed", json!({"secret": both("keyed"), "web": {"secrets": {"DATABASE_URL": "{{secret:keyed-url}}:url::"}}}))
        .stack("verified", json!({"secret": url_as("app", "verified", "?sslmode=verify-full")}))
        .stack("broken", json!({"secret": "postgres://postgres:pw12345678@{{endpoint:broken-db}}:{{port:broken-db}}:5432/app"}))
        .stack("twin", json!({}))
        // Nobody refers to the second secret yet; it leads to the database all the same.
        .stack("spare", json!({}));
    world.patch(json!({"secrets": {
        "spare-admin": {"string": url_as("postgres", "spare", "?sslmode=require"), "tags": tags("spare")},
        "spare-elsewhere": {"string": "postgres://postgres:pw12345678@db.example.com/app", "tags": tags("spare")},
        "spare-api": {"string": "sk-0123456789abcdef", "tags": tags("spare")},
    }}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[MASTER, TLS]);
    let report = env.expect(&[
        "fail low admin secret-no-tls admin-url",
        "fail low bare secret-no-tls bare-url",
        "fail low prefers secret-no-tls prefers-url",
        "fail low words secret-no-tls words-url",
        "fail medium admin secret-uses-master-user admin-url",
        "fail medium master secret-uses-master-user master-url",
        "fail medium spare secret-uses-master-user spare-admin",
        "fail medium words secret-uses-master-user words-url",
    ]);
    let message = said(&report, "master", "/message");
    assert!(message.contains("postgres, the master user of master-db"), "{message}");
    assert_eq!(said(&report, "bare", "/evidence/0/observed"), "no sslmode");
    assert_eq!(env.plan()["actions"], json!([]));
}
