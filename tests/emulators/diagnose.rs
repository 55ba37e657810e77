//! `diagnose`: the first broken hop, and a real connection.

use serde_json::{Value, json};

use crate::on_both;
use crate::postgres::{Postgres, free_port};
use crate::quirks::Quirk;
use crate::test_env::{Answer, Kind, TestEnv, list, run, text};
use crate::world::{PASSWORD, World, url};

on_both!(
    the_ways_in_which_teams_failed,
    what_can_not_be_read,
    usage,
    a_host_without_an_address
);

/// The diagnosis of one workload, and the exit code.
fn diagnose(env: &TestEnv, arguments: &[&str]) -> (Value, i32) {
    let answer = env.holdfast(&[&["diagnose", "--format", "json"], arguments].concat());
    (parsed(&answer), answer.code)
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", answer.stdout, answer.stderr))
}

/// The only way of a diagnosis.
fn way(diagnosis: &Value) -> &Value {
    let ways = list(&list(diagnosis, "diagnoses")[0], "ways");
    assert_eq!(ways.len(), 1, "{diagnosis:#}");
    &ways[0]
}

fn hop<'v>(way: &'v Value, name: &str) -> &'v Value {
    let found = list(way, "hops").iter().find(|h| h["name"] == name);
    found.unwrap_or_else(|| panic!("no hop {name}: {way:#}"))
}

fn fact(hop: &Value, field: &str) -> Value {
    let found = list(hop, "evidence").iter().find(|e| e["field"] == field);
    found.unwrap_or_else(|| panic!("no fact {field}: {hop:#}"))["observed"].clone()
}

/// Of the seven ways that the teams know, those that an emulator can show; what it can't (a FAILED rollout) is in the
/// tests of `crates/core/src/diagnose`, and what IAM says in those of its reader.
fn the_ways_in_which_teams_failed(kind: Kind) {
    let secrets = |value: &str| json!({"web": {"secrets": {"DATABASE_URL": value}}});
    let at = |w: &str| format!("@{{{{endpoint:{w}-db}}}}:{{{{port:{w}-db}}}}");
    let mut world = World::new();
    world
        .stack("sound", json!({}))
        .stack("missing", json!({"web": {"secrets": null}}))
        .stack(
            "twice",
            json!({"secret": format!("postgres://app:{PASSWORD}{}:5432/app", at("twice"))}),
        )
        .stack(
            "slash",
            json!({"secret": format!("postgres://app:Zq9wXv4m/RtLp7KdB{}/app", at("slash"))}),
        )
        .stack("partial", secrets("{{secret-partial:partial-url}}"))
        .stack("keyed", secrets("{{secret:keyed-url}}:url::"))
        .stack("whole", json!({"secret": {"json": {"url": url("whole")}}}))
        .stack(
            "elsewhere",
            json!({"secret": format!("postgres://app:{PASSWORD}@old-db.abc123.us-east-1.rds.amazonaws.com:5432/app")}),
        )
        .stack(
            "lastyear",
            json!({"secret": format!("postgres://app:{PASSWORD}{}/archive", at("lastyear"))}),
        )
        .stack("closed", json!({}))
        .stack("stopped", json!({"db": {"status": "stopped"}}))
        .stack("idle", json!({"service": {"desired": 0}}));
    // Public once, closed since, and never given a private way: only an office is left in the group.
    world.patch(json!({"security_groups": {"closed-db": {"ingress": [{"cidr": "203.0.113.7/32"}]}}}));
    let env = TestEnv::new(kind, &world);
    let broken = [
        ("missing", "variable", "gets no database secret"),
        ("twice", "url", "the port stands twice"),
        ("slash", "url", "password are not percent-encoded"),
        ("partial", "secret", "six-character suffix"),
        ("keyed", "secret", "is a plain string"),
        ("whole", "secret", "is JSON"),
        (
            "elsewhere",
            "database",
            "its host is old-db.abc123.us-east-1.rds.amazonaws.com",
        ),
        ("closed", "security-group", "port 5432"),
        ("stopped", "database", "stopped"),
        ("idle", "service", "no task"),
    ];
    for (workload, name, said) in broken {
        let (diagnosis, code) = diagnose(&env, &[workload]);
        assert_eq!((code, &diagnosis["status"]), (1, &json!("broken")), "{diagnosis:#}");
        let way = way(&diagnosis);
        let first = list(way, "hops")
            .iter()
            .find(|h| h["status"] == "broken")
            .expect("broken");
        assert_eq!(first["name"], name, "{workload}: {way:#}");
        assert!(text(&first["summary"]).contains(said), "{workload}: {first:#}");
        assert!(!text(&first["fix"]["summary"]).is_empty(), "{workload}: {first:#}");
        let mut hops = list(way, "hops").iter();
        assert!(
            hops.by_ref()
                .take_while(|h| h["name"] != name)
                .all(|h| h["status"] == "proved"),
            "{way:#}"
        );
        assert!(hops.all(|h| h["status"] == "not_reached"), "{way:#}");
    }
    let (diagnosis, code) = diagnose(&env, &["sound"]);
    assert!(code == 0 || code == 3, "{diagnosis:#}");
    let way = way(&diagnosis);
    for name in [
        "service",
        "revision",
        "variable",
        "secret",
        "url",
        "database",
        "security-group",
        "route",
    ] {
        assert_eq!(hop(way, name)["status"], "proved", "{way:#}");
    }
    let settled = if Quirk::EcsNeverSteady.on(kind) {
        "unknown"
    } else {
        "proved"
    };
    assert_eq!(hop(way, "deployment")["status"], settled, "{way:#}");
    let table = env.holdfast(&["diagnose", "twice"]);
    assert_eq!((table.code, table.stderr.as_str()), (1, ""));
    for words in [
        "BROKEN   url",
        "→ by hand: write the value of twice-url anew",
        "not reached: database, security-group",
        "ECS Exec is off",
    ] {
        assert!(table.stdout.contains(words), "no {words:?} in {}", table.stdout);
    }
}

fn what_can_not_be_read(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shop", json!({}))
        .stack("short", json!({"db": {"retention": 1}}));
    let env = TestEnv::new(kind, &world);
    for (denied, open) in [
        ("secretsmanager:*GetSecretValue", &["secret", "url", "database"][..]),
        ("rds:DescribeDBInstances", &["database", "security-group", "route"]),
        ("ec2:DescribeSecurityGroups", &["security-group"]),
        ("ec2:DescribeRouteTables", &["route"]),
        (
            "ecs:DescribeTaskDefinition",
            &["revision", "variable", "secret", "url", "database"],
        ),
    ] {
        let gateway = env.gateway(&["--deny", denied]);
        let answer = run(env.command(&gateway.endpoint, &["diagnose", "shop", "--format", "json"]));
        assert_eq!(answer.code, 3, "{denied}: {answer:?}");
        let diagnosis = parsed(&answer);
        let way = way(&diagnosis);
        for hop in list(way, "hops") {
            let name = text(&hop["name"]);
            assert_ne!(hop["status"], "broken", "{denied}: {hop:#}");
            if open.contains(&name.as_str()) {
                assert_ne!(hop["status"], "proved", "{denied}: {hop:#}");
            }
        }
        let first = list(way, "hops")
            .iter()
            .find(|h| h["status"] == "unknown")
            .expect("unknown");
        let action = denied.replace('*', "");
        assert!(
            text(&first["summary"]).contains(&action),
            "the IAM action to grant: {first:#}"
        );
    }
    // Of the others no more is read than it takes to find the one.
    let gateway = env.gateway(&[]);
    run(env.command(&gateway.endpoint, &["diagnose", "shop"]));
    let calls = gateway.calls();
    let values = calls.iter().filter(|c| c.ends_with("GetSecretValue")).count();
    assert_eq!(values, 1, "{calls:?}");
}

fn usage(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({}));
    world.patch(json!({"services": {"main/worker": {
        "task_definition": "shop:1", "subnets": ["private-a"], "security_groups": ["shop-app"],
        "tags": {"holdfast:workload": "shop"},
    }}}));
    let env = TestEnv::new(kind, &world);
    let services = |arguments: &[&str]| -> Vec<String> {
        let (diagnosis, _) = diagnose(&env, arguments);
        list(&list(&diagnosis, "diagnoses")[0], "ways")
            .iter()
            .map(|w| text(&w["service"]))
            .collect()
    };
    assert_eq!(services(&["shop"]), ["main/shop", "main/worker"]);
    assert_eq!(services(&["shop", "--service", "worker"]), ["main/worker"]);
    assert_eq!(services(&["shop", "--service", "main/shop"]), ["main/shop"]);
    for (arguments, said) in [
        (
            &["diagnose", "nosuch"][..],
            "no resource carries holdfast:workload=nosuch",
        ),
        (
            &["diagnose", "shop", "--service", "nosuch"],
            "there is: main/shop, main/worker",
        ),
        (&["diagnose", "shop", "--ca-file", "/x"], "--connect"),
        (
            &["diagnose", "shop", "--connect", "--ca-file", "/nosuch.pem"],
            "truststore.pki.rds.amazonaws.com",
        ),
        (
            &["diagnose", "shop", "--connect", "--ca-file", "/dev/null"],
            "holds no certificate",
        ),
    ] {
        let answer = env.holdfast(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains(said), "{answer:?}");
    }
}

/// moto's endpoints are names that look like RDS's and have no address; ministack's is `localhost`.
fn a_host_without_an_address(kind: Kind) {
    let mut world = World::new();
    let secret = format!("postgres://app:{PASSWORD}@old-db.abc123.us-east-1.rds.amazonaws.com:5432/app");
    world.stack("shop", json!({"secret": secret}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("rules: {secret-wrong-database: {severity: low}}\n");
    let (diagnosis, code) = diagnose(&env, &["shop", "--connect"]);
    assert_eq!(code, 1);
    let connection = hop(way(&diagnosis), "connection");
    assert_eq!(
        connection["status"], "not_reached",
        "past a broken hop nothing is tried: {connection:#}"
    );
    if Quirk::OneEndpointForAll.on(kind) {
        return;
    }
    let mut world = World::new();
    world.stack("shop", json!({}));
    let env = TestEnv::new(kind, &world);
    let (diagnosis, code) = diagnose(&env, &["shop", "--connect"]);
    assert_eq!(code, 1);
    let connection = hop(way(&diagnosis), "connection");
    assert!(
        text(&connection["summary"]).contains("has no address here"),
        "{connection:#}"
    );
}

/// A password with everything in it that a URL must not hold as it is.
const ODD: &str = "p@ss/w:r d%?#&=é";
const ODD_ENCODED: &str = "p%40ss%2Fw%3Ar%20d%25%3F%23%26%3D%C3%A9";

/// A stack whose database is at `port`, where a real one listens: ministack's endpoint is `localhost` and that port.
fn at(world: &mut World, name: &str, port: u16, secret: Value, but: Value) {
    let mut patch = json!({
        "db": {"port": port}, "secret": secret,
        "ingress": [{"group": format!("{name}-app"), "port": port}],
    });
    crate::world::merge(&mut patch, but);
    world.stack(name, patch);
}

/// Row "RDS endpoint" of EMULATORS.md: on moto no endpoint leads anywhere, so real connections are made on ministack.
#[test]
fn real_connections() {
    let server = Postgres::start(&format!(
        "CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE root LOGIN SUPERUSER PASSWORD '{PASSWORD}'; \
         CREATE ROLE odd LOGIN PASSWORD '{ODD}'; CREATE ROLE rds_superuser; \
         CREATE ROLE master LOGIN PASSWORD '{PASSWORD}' IN ROLE rds_superuser; \
         CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'; REVOKE CONNECT ON DATABASE app FROM PUBLIC; \
         GRANT CONNECT ON DATABASE app TO app, odd, master; CREATE EXTENSION pg_trgm"
    ));
    let (port, closed) = (server.port, free_port());
    let to =
        |user: &str, password: &str, end: &str| json!(format!("postgres://{user}:{password}@localhost:{port}/{end}"));
    let mut world = World::new();
    for (name, secret) in [
        ("plain", to("app", PASSWORD, "app")),
        ("super", to("root", PASSWORD, "app")),
        ("master", to("master", PASSWORD, "app")),
        ("odd", to("odd", ODD_ENCODED, "app")),
        ("wrong", to("app", "hJ3kQz8nVw2c", "app")),
        ("stranger", to("stranger", PASSWORD, "app")),
        ("disable", to("app", PASSWORD, "app?sslmode=disable")),
        ("require", to("app", PASSWORD, "app?sslmode=require")),
        ("full", to("app", PASSWORD, "app?sslmode=verify-full")),
        ("ca", to("app", PASSWORD, "app?sslmode=verify-ca")),
        (
            "keywords",
            json!(format!(
                "host=localhost port={port} user=odd password='{ODD}' dbname=app sslmode=require"
            )),
        ),
        ("installed", to("app", PASSWORD, "app")),
        ("available", to("app", PASSWORD, "app")),
        ("lacking", to("app", PASSWORD, "app")),
    ] {
        at(&mut world, name, port, secret, json!({}));
    }
    at(
        &mut world,
        "gone",
        port,
        to("app", PASSWORD, "gone"),
        json!({"db": {"database": "gone"}}),
    );
    at(
        &mut world,
        "ip",
        port,
        to("app", PASSWORD, "app?sslmode=verify-full"),
        json!({}),
    );
    at(
        &mut world,
        "keyed",
        port,
        json!({"json": {"url": to("app", PASSWORD, "app"), "note": "x"}}),
        json!({"web": {"secrets": {"DATABASE_URL": "{{secret:keyed-url}}:url::"}}}),
    );
    at(
        &mut world,
        "refused",
        closed,
        json!(format!("postgres://app:{PASSWORD}@localhost:{closed}/app")),
        json!({}),
    );
    let mut env = TestEnv::new(Kind::Ministack, &world);
    env.configure(
        "workloads:\n  installed: {required_extensions: [pg_trgm]}\n  available: {required_extensions: [pg_trgm, pgcrypto]}\n  \
         lacking: {required_extensions: [vector_of_nobody]}\n",
    );
    let connected = |workload: &str, more: &[&str]| -> Value {
        let (diagnosis, code) = diagnose(&env, &[&[workload, "--connect"], more].concat());
        let connection = hop(way(&diagnosis), "connection").clone();
        assert_eq!(connection["status"], "proved", "{workload}: {:#}", way(&diagnosis));
        assert!(code == 0 || code == 3, "{workload}: {code}");
        connection
    };
    let plain = connected("plain", &[]);
    assert!(text(&fact(&plain, "version")).starts_with("PostgreSQL "), "{plain:#}");
    let facts = |c: &Value| ["current_user", "current_database", "superuser", "rds_superuser"].map(|f| fact(c, f));
    assert_eq!(facts(&plain), [json!("app"), json!("app"), json!(false), json!(false)]);
    assert!(
        text(&fact(&plain, "pg_stat_ssl.version")).starts_with("TLSv1."),
        "preferred and offered: {plain:#}"
    );
    assert_eq!(fact(&plain, "certificate"), "not checked");
    assert_eq!(
        facts(&connected("super", &[]))[2..],
        [json!(true), json!(true)],
        "a superuser is a member of all"
    );
    assert_eq!(facts(&connected("master", &[]))[2..], [json!(false), json!(true)]);
    assert_eq!(fact(&connected("disable", &[]), "pg_stat_ssl.ssl"), false);
    for workload in ["odd", "keywords", "keyed", "require"] {
        connected(workload, &[]);
    }
    let (authority, stranger) = (server.authority.to_str().unwrap(), server.stranger.to_str().unwrap());
    let checked = |workload: &str| text(&fact(&connected(workload, &["--ca-file", authority]), "certificate"));
    assert_eq!(checked("full"), "signed by a given authority, for this host");
    assert_eq!(checked("ca"), "signed by a given authority; host not checked");
    assert_eq!(
        checked("require"),
        "signed by a given authority; host not checked",
        "as libpq does"
    );

    let refused = |workload: &str, more: &[&str], status: &str, said: &str| {
        let (diagnosis, code) = diagnose(&env, &[&[workload, "--connect"], more].concat());
        let connection = hop(way(&diagnosis), "connection");
        assert_eq!(connection["status"], status, "{workload}: {:#}", way(&diagnosis));
        assert_eq!(code, if status == "broken" { 1 } else { 3 });
        assert!(
            text(&connection["summary"]).contains(said),
            "{workload}: {connection:#}"
        );
        assert_eq!(connection["fix"].is_object(), status == "broken", "{connection:#}");
    };
    refused("wrong", &[], "broken", "does not take the password of app");
    refused("gone", &[], "broken", "has no database gone");
    refused("stranger", &[], "broken", "stranger may not connect to app");
    refused("refused", &[], "broken", "refuses connections on port");
    refused("full", &[], "unknown", "--ca-file");
    refused("ca", &[], "unknown", "truststore.pki.rds.amazonaws.com");
    refused("full", &["--ca-file", stranger], "broken", "no given authority signed");
    refused("ca", &["--ca-file", stranger], "broken", "no given authority signed");

    let extensions = |workload: &str, status: &str, said: &str| {
        let (diagnosis, _) = diagnose(&env, &[workload, "--connect"]);
        let found = hop(way(&diagnosis), "extensions");
        assert_eq!(found["status"], status, "{found:#}");
        assert!(found.to_string().contains(said), "{found:#}");
    };
    extensions("installed", "proved", "pg_trgm");
    extensions("available", "broken", "CREATE EXTENSION");
    extensions("lacking", "broken", "does not have vector_of_nobody");

    server.without_tls();
    assert_eq!(
        fact(&connected("plain", &[]), "pg_stat_ssl.ssl"),
        false,
        "preferred, but not offered"
    );
    refused("require", &[], "broken", "does not speak TLS");
    refused("full", &["--ca-file", authority], "broken", "does not speak TLS");
}

/// No password is shown, whatever the connection comes to and however much is logged.
#[test]
fn connections_show_no_password() {
    let server = Postgres::start(&format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'"));
    let port = server.port;
    let mut world = World::new();
    let wrong = "hJ3kQz8nVw2c";
    at(
        &mut world,
        "right",
        port,
        json!(format!("postgres://app:{PASSWORD}@localhost:{port}/app")),
        json!({}),
    );
    at(
        &mut world,
        "wrong",
        port,
        json!(format!("postgres://app:{wrong}@localhost:{port}/app?sslmode=require")),
        json!({}),
    );
    at(
        &mut world,
        "words",
        port,
        json!(format!(
            "host=localhost port={port} user=nobody password={wrong} dbname=app"
        )),
        json!({}),
    );
    let env = TestEnv::new(Kind::Ministack, &world);
    let mut said = String::new();
    for workload in ["right", "wrong", "words"] {
        for format in ["table", "json"] {
            let mut command = env.command(
                &env.endpoint,
                &["-vv", "diagnose", workload, "--connect", "--format", format],
            );
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
        said.contains("PostgreSQL 1") && said.contains("does not take the password"),
        "{said}"
    );
    for password in [PASSWORD, wrong] {
        for window in password.as_bytes().windows(6) {
            let piece = std::str::from_utf8(window).unwrap();
            assert!(!said.contains(piece), "{piece} is shown");
        }
    }
}
