//! The rules about what is inside of a database secret.

use serde_json::json;

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{Kind, Stage, list};
use crate::world::{World, url};

on_both!(malformed, wrong_database, untagged_secret, other_secrets);

fn malformed(kind: Kind) {
    let at = |w: &str| format!("@{{{{endpoint:{w}-db}}}}:{{{{port:{w}-db}}}}");
    let mut world = World::new();
    world
        .stack("twice", json!({"secret": format!("postgres://app:pw12345678{}:5432/app", at("twice"))}))
        .stack("slash", json!({"secret": format!("postgres://app:pw12/345678{}/app", at("slash"))}))
        .stack("hash", json!({"secret": format!("postgres://app:pw12#345678{}/app", at("hash"))}))
        .stack("at", json!({"secret": format!("postgres://app:pw12@345678{}/app", at("at"))}))
        .stack("nodb", json!({"secret": format!("postgres://app:pw12345678{}", at("nodb"))}))
        .stack("mysql", json!({"secret": format!("mysql://app:pw12345678{}/app", at("mysql"))}))
        .stack("newline", json!({"secret": format!("{}\n", url("newline"))}))
        .stack("quoted", json!({"secret": format!("\"{}\"", url("quoted"))}))
        .stack("prose", json!({"secret": "ask Bob for the password"}))
        .stack("badport", json!({"secret": "postgres://app:pw12345678@{{endpoint:badport-db}}:54x2/app"}))
        .stack(
            "inkey",
            json!({"secret": {"json": {"url": format!("postgres://app:pw12345678{}", at("inkey"))}},
                   "web": {"secrets": {"DATABASE_URL": "{{secret:inkey-url}}:url::"}}}),
        )
        // What must stay unmentioned.
        .stack("twin", json!({}))
        .stack("postgresql", json!({"secret": format!("postgresql://app:p%2Fw%3D%3D{}/app?sslmode=require", at("postgresql"))}))
        .stack("base64", json!({"secret": format!("postgres://app:pw12345678=={}/app", at("base64"))}))
        .stack("keywords", json!({"secret": "host={{endpoint:keywords-db}} port={{port:keywords-db}} dbname=app user=app password='pw 123 456'"}))
        .stack(
            "json",
            json!({"secret": {"json": {"url": url("json"), "note": "hello", "n": 5}},
                   "web": {"secrets": {"DATABASE_URL": "{{secret:json-url}}:url::"}}}),
        );
    let stage = Stage::new(kind, &world);
    let faulty = [
        "twice", "slash", "hash", "at", "nodb", "mysql", "newline", "quoted", "prose", "badport", "inkey",
    ];
    let expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} secret-malformed-url {w}-url"))
        .collect();
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
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
        ("nodb", "no database"),
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
            json!({"secret": "postgres://app:pw12345678@old.cluster.example.com:5432/app"}),
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
    let stage = Stage::new(kind, &world);
    let mut expected = vec![
        "fail critical elsewhere secret-wrong-database elsewhere-url",
        "fail critical lastyear secret-wrong-database lastyear-url",
        "fail critical offport secret-wrong-database offport-url",
        "fail critical neighbour secret-wrong-database neighbour-url",
    ];
    if Lie::OneEndpointForAll.on(kind) {
        expected.pop();
    }
    let report = stage.expect(&expected);
    let found = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "elsewhere")
        .unwrap();
    assert_eq!(found["evidence"][0]["field"], "host");
    assert_eq!(found["evidence"][0]["observed"], "old.cluster.example.com");
}

/// A secret without the tag is judged where a tagged service refers to it.
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
    let stage = Stage::new(kind, &world);
    stage.expect(&["fail critical shop secret-malformed-url loose"]);
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
    let stage = Stage::new(kind, &world);
    stage.expect(&[]);
}
