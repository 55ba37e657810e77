//! How a container gets its URL: `ecs-missing-database-secret`, `ecs-secret-reference-mismatch`,
//! `ecs-plaintext-database-url`.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, said, text};
use crate::world::{PASSWORD, World, url, url_as};

on_both!(missing_secret, references, versions, plaintext);

const MISSING: &str = "ecs-missing-database-secret";
const PLAINTEXT: &str = "ecs-plaintext-database-url";

/// What `ecs-missing-database-secret` finds, `ecs-ephemeral-storage` finds too, unless a volume is durable.
fn missing_secret(kind: Kind) {
    let mut world = World::new();
    world
        .stack("none", json!({"web": {"secrets": null}}))
        .stack("othervar", json!({"web": {"secrets": {"DATABASE_URL": null, "API_KEY": "{{secret:othervar-url}}"}}}))
        .stack(
            "efs",
            json!({"web": {"secrets": null, "mounts": {"data": "/home/coder"}}, "revision": {"volumes": {"data": {"efs": "fs-01234567"}}}}),
        )
        .stack("plain", json!({"web": {"secrets": null, "environment": {"DATABASE_URL": "postgres://app:pw12345678@db.example.com/app"}}}))
        .stack("parameter", json!({"web": {"secrets": {"DATABASE_URL": "/parameter/url"}}}))
        .stack("alias", json!({"web": {"secrets": {"DATABASE_URL": null, "CODER_PG_CONNECTION_URL": "{{secret:alias-url}}"}}}))
        .stack("twin", json!({}));
    world.patch(json!({"parameters": {"/parameter/url": {"string": url("parameter")}}}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    env.expect(&[
        "fail critical none ecs-ephemeral-storage main/none",
        "fail critical none ecs-missing-database-secret main/none",
        "fail critical othervar ecs-ephemeral-storage main/othervar",
        "fail critical othervar ecs-missing-database-secret main/othervar",
    ]);
    // One rollout for both rules.
    let plan = env.plan();
    let of = |w: &str| {
        list(&plan, "actions")
            .iter()
            .filter(|a| a["workload"] == w)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("none").len(), 1, "{plan:#}");
    assert_eq!(
        of("none")[0]["rules"],
        json!(["ecs-ephemeral-storage", "ecs-missing-database-secret"])
    );
    assert_eq!(
        of("none")[0]["calls"][0]["parameters"]["changes"][0]["after"],
        env.id("secrets", "none-url")
    );
}

fn references(kind: Kind) {
    let json_secret = |w: &str| json!({"json": {"url": url(w), "other": "x"}});
    let uses = |reference: &str| json!({"secrets": {"DATABASE_URL": reference}});
    let mut world = World::new();
    world
        .stack("twin", json!({}))
        .stack(
            "keyed",
            json!({"secret": json_secret("keyed"), "web": uses("{{secret:keyed-url}}:url::")}),
        )
        .stack(
            "wrongkey",
            json!({"secret": json_secret("wrongkey"), "web": uses("{{secret:wrongkey-url}}:uri::")}),
        )
        .stack(
            "whole",
            json!({"secret": json_secret("whole"), "web": uses("{{secret:whole-url}}")}),
        )
        .stack("onplain", json!({"web": uses("{{secret:onplain-url}}:url::")}))
        .stack("partial", json!({"web": uses("{{secret-partial:partial-url}}")}))
        .stack("barename", json!({"web": uses("barename-url")}))
        .stack(
            "nowhere",
            json!({"web": uses("arn:aws:secretsmanager:us-east-1:{{account}}:secret:gone-AbCdEf")}),
        )
        .stack(
            "abroad",
            json!({"web": uses("arn:aws:secretsmanager:eu-west-1:{{account}}:secret:abroad-url-AbCdEf")}),
        )
        .stack(
            "remade",
            json!({"web": uses("arn:aws:secretsmanager:us-east-1:{{account}}:secret:remade-url-AbCdEf")}),
        );
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let faulty = [
        "wrongkey", "whole", "onplain", "barename", "nowhere", "abroad", "remade",
    ];
    let mut expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} ecs-secret-reference-mismatch main/{w}"))
        .collect();
    // AWS resolves it today.
    expected.push("fail medium partial ecs-secret-reference-mismatch main/partial".into());
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = env.plan();
    for w in faulty {
        let action = list(&plan, "actions").iter().find(|a| a["workload"] == w);
        let action = action.unwrap_or_else(|| panic!("{w} is planned: {plan:#}"));
        let whole = env.id("secrets", &format!("{w}-url"));
        let right = if ["wrongkey", "whole"].contains(&w) {
            format!("{whole}:url::")
        } else {
            whole
        };
        assert_eq!(action["calls"][0]["parameters"]["changes"][0]["after"], right, "{w}");
    }
    let said = |w: &str| text(&list(&report, "findings").iter().find(|f| f["workload"] == w).unwrap()["message"]);
    assert!(said("partial").contains("suffix"), "{}", said("partial"));
    assert!(said("onplain").contains("plain string"), "{}", said("onplain"));
    assert!(said("barename").contains("Parameter Store"), "{}", said("barename"));
}

/// References that pin a stage or a version.
fn versions(kind: Kind) {
    let uses = |reference: &str| json!({"web": {"secrets": {"DATABASE_URL": reference}}});
    let mut world = World::new();
    world
        .stack("previous", uses("{{secret:previous-url}}::AWSPREVIOUS:"))
        .stack("noprevious", uses("{{secret:noprevious-url}}::AWSPREVIOUS:"))
        .stack("nostage", uses("{{secret:nostage-url}}::BLUE:"))
        .stack(
            "noversion",
            uses("{{secret:noversion-url}}:::00000000-0000-0000-0000-000000000000"),
        )
        .stack("current", uses("{{secret:current-url}}::AWSCURRENT:"));
    let mut env = TestEnv::new(kind, &world);
    let declared = url("previous").replace(
        "{{endpoint:previous-db}}:{{port:previous-db}}",
        &env.id("endpoints", "previous-db"),
    );
    let id = env.id("secrets", "previous-url");
    env.call(
        "secretsmanager",
        "put_secret_value",
        json!({"SecretId": id, "SecretString": declared}),
    );
    env.expect(&[
        "fail critical noprevious ecs-secret-reference-mismatch main/noprevious",
        "fail critical nostage ecs-secret-reference-mismatch main/nostage",
        "fail critical noversion ecs-secret-reference-mismatch main/noversion",
    ]);
}

/// A plain URL like the one in the secret is moved there; whatever differs, or is a password by itself, is not.
fn plaintext(kind: Kind) {
    let plain = |variables: Value| json!({"web": {"secrets": null, "environment": variables}});
    let mut world = World::new();
    world
        .stack("same", plain(json!({"DATABASE_URL": url("same"), "LEVEL": "info"})))
        .stack("other", plain(json!({"DATABASE_URL": url_as("root", "other", "?sslmode=require")})))
        .stack("elsewhere", plain(json!({"DATABASE_URL": "postgres://app:pw12345678@db.example.com/app"})))
        .stack("beside", json!({"web": {"environment": {"REPORT_URL": url("beside")}}}))
        .stack("password", json!({"web": {"environment": {"PGPASSWORD": PASSWORD, "APP_DB_PASSWORD": PASSWORD}}}))
        .stack(
            "sidecar",
            json!({"revision": {"containers": {"store": {"environment": {"POSTGRES_PASSWORD": PASSWORD}, "essential": false}}}}),
        )
        // What must stay unmentioned.
        .stack("passwordless", json!({"web": {"environment": {"READ_URL": "postgres://app@db.example.com/app", "PGHOST": "db.example.com", "PGPASSWORD": ""}}}))
        .stack("twin", json!({"web": {"environment": {"PASSWORD_LENGTH": "12", "SITE": "https://user:pw@example.com/"}}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[PLAINTEXT, MISSING]);
    env.configure("safety: {max_failing_percent: 100}\n");
    let fails = ["beside", "elsewhere", "other", "password", "same", "sidecar"];
    let expected: Vec<String> = fails
        .iter()
        .map(|w| format!("fail high {w} ecs-plaintext-database-url main/{w}"))
        .collect();
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let message = said(&report, "password", "/message");
    assert!(
        message.contains("PGPASSWORD in web") && message.contains("APP_DB_PASSWORD in web"),
        "{message}"
    );
    let plan = env.plan();
    let of = |w: &str| list(&plan, "actions").iter().find(|a| a["workload"] == w);
    let same = of("same").expect("planned");
    assert_eq!(same["rules"], json!([PLAINTEXT]));
    assert_eq!(list(&same["calls"][0]["parameters"], "changes").len(), 1, "{same:#}");
    let change = &of("beside").expect("planned")["calls"][0]["parameters"]["changes"][0];
    assert_eq!(
        (&change["variable"], &change["before"]),
        (&json!("REPORT_URL"), &Value::Null)
    );
    let held = |w: &str| {
        let held = list(&plan, "held")
            .iter()
            .find(|h| h["workload"] == w && h["rule"] == PLAINTEXT);
        text(&held.unwrap_or_else(|| panic!("{w}: {plan:#}"))["reason"])
    };
    assert!(held("other").contains("differ in their user"), "{}", held("other"));
    assert!(
        held("elsewhere").contains("differ in their host"),
        "{}",
        held("elsewhere")
    );
    for w in ["password", "sidecar"] {
        assert!(held(w).contains("needs a person"), "{}", held(w));
    }
    if Quirk::EcsNeverSteady.on(kind) {
        return;
    }
    let answer = env.holdfast(&[
        "apply",
        "--yes",
        "--workload",
        "same",
        "--workload",
        "beside",
        "--wait",
        "30s",
    ]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let state = env.state();
    let web = |family: &str| state["us-east-1"]["task_definitions"][family]["containerDefinitions"][0].clone();
    assert_eq!(
        web("same:2")["environment"],
        json!([{"name": "LEVEL", "value": "info"}])
    );
    let right = env.id("secrets", "same-url");
    assert_eq!(
        web("same:2")["secrets"],
        json!([{"name": "DATABASE_URL", "valueFrom": right}])
    );
    let (report, code) = env.audit(&["--workload", "same", "--workload", "beside"]);
    assert_eq!((code, env.told(&report)), (0, vec![]));
}
