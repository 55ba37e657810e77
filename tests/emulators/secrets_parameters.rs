//! Parameters of Parameter Store, which are evaluated like secrets, and told of the service that refers to them.

use serde_json::json;

use crate::on_both;
use crate::test_env::{Kind, TestEnv, list, run, said, text};
use crate::world::{World, url, url_as, uses};

on_both!(parameters, parameters_below_value, no_password_is_shown);

const MALFORMED: &str = "secret-malformed-url";
const WRONG: &str = "secret-wrong-database";
const MASTER: &str = "secret-uses-master-user";
const TLS: &str = "secret-no-tls";
const DELETION: &str = "secret-deletion-scheduled";
const BROAD: &str = "secret-broad-access";
const UNROTATED: &str = "secret-unrotated";
const MISMATCH: &str = "ecs-secret-reference-mismatch";
const UNREADABLE: &str = "ecs-secret-unreadable";
const PLAINTEXT: &str = "ecs-plaintext-database-url";

/// Parameters are evaluated like secrets, and told of the service that refers to them.
fn parameters(kind: Kind) {
    let value = |string: String| json!({"string": string});
    let mut world = World::new();
    world
        .stack("named", uses("/named/url"))
        .stack("flat", uses("flat-url-parameter"))
        .stack("byarn", uses("arn:aws:ssm:us-east-1:{{account}}:parameter/byarn/url"))
        .stack("abroad", uses("arn:aws:ssm:eu-west-1:{{account}}:parameter/abroad/url"))
        .stack("open", uses("open-url"))
        .stack("broken", uses("/broken/url"))
        .stack("lost", uses("/lost/url"))
        .stack("loose", uses("/loose/url"))
        .stack("gone", uses("/gone/url"))
        .stack("object", uses("/object/url"))
        .stack("other", uses("arn:aws:s3:::other"))
        // A dozen, which no single call takes.
        .stack("many", json!({"revision": {"containers": {"web": {"secrets": {"DATABASE_URL": "/many/0"}}, "side": {
            "essential": false, "secrets": {"DATABASE_URL": "/many/1", "CODER_POSTGRES_URL": "/many/2", "CODER_PG_CONNECTION_URL": "/many/3"}}}}}));
    world.patch(json!({"parameters": {
        "/named/url": value(url("named")),
        "flat-url-parameter": {"string": url("flat"), "type": "String"},
        "/byarn/url": value(url("byarn")),
        // A parameter with the very name of a secret: ECS reads the parameter.
        "open-url": value(url("open")),
        "/broken/url": value(format!("postgres://app:pw12/345678@{}/app", "{{endpoint:broken-db}}")),
        "/lost/url": value("postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com/app?sslmode=require".into()),
        "/loose/url": value(url_as("postgres", "loose", "")),
        "/object/url": {"json": {"url": url("object")}},
        "/many/0": value(url("many")), "/many/1": value(url("many")), "/many/2": value(url("many")),
        "/many/3": value(url_as("postgres", "many", "?sslmode=require")),
    }}));
    world
        .scope("eu-west-1", None)
        .patch(json!({"parameters": {"/abroad/url": value(url("abroad").replace("-db}}", "-db@us-east-1}}"))}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[MALFORMED, WRONG, MISMATCH, MASTER, TLS]);
    env.configure("safety: {max_failing_percent: 100}\n");
    let expected = [
        "fail critical broken secret-malformed-url main/broken",
        "fail critical gone ecs-secret-reference-mismatch main/gone",
        "fail critical lost secret-wrong-database main/lost",
        "fail critical object ecs-secret-reference-mismatch main/object",
        "fail critical other ecs-secret-reference-mismatch main/other",
        "fail low loose secret-no-tls main/loose",
        "fail medium loose secret-uses-master-user main/loose",
        "fail medium many secret-uses-master-user main/many",
    ];
    let report = env.expect(&expected);
    assert_eq!(
        report["stats"]["api_calls"]["ssm:GetParameters"], 3,
        "ten a call, each region by itself"
    );
    let message = said(&report, "broken", "/message");
    assert!(
        message.contains("/broken/url: reserved characters in the password are not percent-encoded"),
        "{message}"
    );
    let message = said(&report, "many", "/message");
    assert!(message.contains("/many/3") && !message.contains("/many/0"), "{message}");
    // In place of one that is not there comes the workload's secret.
    let plan = env.plan();
    for w in ["gone", "object", "other"] {
        let action = list(&plan, "actions").iter().find(|a| a["workload"] == w);
        let action = action.unwrap_or_else(|| panic!("{w} is planned: {plan:#}"));
        let after = &action["calls"][0]["parameters"]["changes"][0]["after"];
        assert_eq!(*after, env.id("secrets", &format!("{w}-url")), "{w}");
    }
    // What can't be read is unknown, and says what to grant.
    let gateway = env.gateway(&["--deny", "ssm:GetParameters"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &["--workload", "loose", "--workload", "gone"]);
    assert_eq!(code, 3, "{report:#}");
    for finding in list(&report, "findings") {
        let message = text(&finding["message"]);
        assert!(
            finding["verdict"] == "unknown" && message.contains("grant the IAM action ssm:GetParameters"),
            "{message}"
        );
    }
    // And one that may not be read hides no other: they are asked for one by one.
    assert!(gateway.calls().iter().filter(|c| *c == "ssm:GetParameters").count() > 3);
}

fn parameters_below_value(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", uses("/shop/url"));
    world.patch(json!({"parameters": {"/shop/url": {"string": url_as("postgres", "shop", "")}}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[MALFORMED, WRONG, MISMATCH, MASTER, TLS]);
    for inspect in ["metadata", "off"] {
        env.configure(&format!("secrets: {{inspect: {inspect}}}\n"));
        let gateway = env.gateway(&[]);
        let (report, code) = env.audit_at(&gateway.endpoint, &[]);
        assert_eq!(code, 3, "{inspect}: {report:#}");
        let about_service = list(&report, "findings")
            .iter()
            .filter(|f| f["resource"]["id"] == "main/shop");
        let rules: Vec<String> = about_service.map(|f| text(&f["rule"])).collect();
        assert_eq!(rules.len(), 5, "{inspect}: {report:#}");
        let read = gateway.calls();
        assert!(
            !read
                .iter()
                .any(|c| c.starts_with("ssm:") || c.contains("GetSecretValue")),
            "{inspect}: {read:?}"
        );
    }
}

/// Planted passwords in parameters and plain variables appear nowhere.
fn no_password_is_shown(kind: Kind) {
    let planted = ["Kp7wZx2mQv9d", "Jr4tBn8cLs1f", "Yh6gVe3kDa5u"];
    let mut world = World::new();
    world
        .stack("good", uses("/good/url"))
        .stack("broken", uses("/broken/url"))
        .stack("plain", json!({"web": {"environment": {"REPORT_URL": format!("postgres://app:{}@db.example.com/app", planted[2]), "PGPASSWORD": planted[2]}}}));
    world.patch(json!({"parameters": {
        "/good/url": {"string": format!("postgres://postgres:{}@{{{{endpoint:good-db}}}}:{{{{port:good-db}}}}/app", planted[0])},
        "/broken/url": {"string": format!("postgres://app:x/{}@y:5432:5432/app", planted[1])},
    }}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[
        MALFORMED, WRONG, MISMATCH, MASTER, TLS, DELETION, BROAD, UNROTATED, UNREADABLE, PLAINTEXT,
    ]);
    let mut told = String::new();
    for arguments in [
        &["audit", "--format", "json", "-vv"][..],
        &["plan", "-vv"],
        &["plan", "--format", "json"],
    ] {
        let mut command = env.command(&env.endpoint, arguments);
        command.env("HOLDFAST_LOG", "trace").env("RUST_LOG", "trace");
        let answer = run(command);
        assert_ne!(answer.code, 2, "{answer:?}");
        told.push_str(&answer.stdout);
        told.push_str(&answer.stderr);
    }
    assert!(
        told.contains("/broken/url") && told.contains("REPORT_URL"),
        "there was something to leak"
    );
    let told = told.to_lowercase();
    for password in planted {
        for piece in password.to_lowercase().as_bytes().windows(6) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            assert!(!told.contains(piece), "{piece} of {password} is shown");
        }
    }
}
