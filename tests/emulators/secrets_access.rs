//! Who may read a secret, and for how long: `secret-deletion-scheduled`, `secret-broad-access`, `secret-unrotated`.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, reason, run, said};
use crate::world::{World, tags, url, uses};

on_both!(deletion, broad_access, rotation, what_is_well_is_remembered);

const TLS: &str = "secret-no-tls";
const DELETION: &str = "secret-deletion-scheduled";
const BROAD: &str = "secret-broad-access";
const UNROTATED: &str = "secret-unrotated";
const UNREADABLE: &str = "ecs-secret-unreadable";

fn deletion(kind: Kind) {
    let binned = |w: &str| json!({"string": url(w), "deletion_in_days": 7});
    let mut world = World::new();
    world
        .stack("binned", json!({"secret": binned("binned")}))
        .stack(
            "apikey",
            json!({"web": {"secrets": {"API_KEY": "{{secret:apikey-api}}:key::"}}}),
        )
        .stack("idle", json!({}))
        .stack("loose", uses("{{secret:stray}}"))
        .stack("twin", json!({}));
    world.patch(json!({"secrets": {
        "apikey-api": {"json": {"key": "sk-0123456789"}, "deletion_in_days": 7, "tags": tags("apikey")},
        "idle-old": {"string": url("idle"), "deletion_in_days": 7, "tags": tags("idle")},
        "stray": {"string": url("loose"), "deletion_in_days": 7},
    }}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[DELETION, BROAD]);
    let expected = [
        "fail critical apikey secret-deletion-scheduled apikey-api",
        "fail critical binned secret-deletion-scheduled binned-url",
        "fail critical loose secret-deletion-scheduled stray",
    ];
    let report = env.expect(&expected);
    let message = said(&report, "binned", "/message");
    assert!(message.contains("which main/binned runs with"), "{message}");
    let plan = env.plan();
    assert_eq!(list(&plan, "actions").len(), 2, "{plan:#}");
    assert!(list(&plan, "actions").iter().all(|a| a["risk"] == "none"), "{plan:#}");
    assert!(
        reason(&plan, "loose").contains("does not carry holdfast:workload=loose"),
        "{plan:#}"
    );
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["secretsmanager:RestoreSecret"; 2]);
    env.expect(&expected[2..]);
    // What nobody refers to stays where it was thrown.
    let old = env.call("secretsmanager", "describe_secret", json!({"SecretId": "idle-old"}));
    assert!(!old["DeletedDate"].is_null(), "{old}");
}

fn broad_access(kind: Kind) {
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    let let_in = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "secretsmanager:GetSecretValue", "Resource": "*"});
    let with = |w: &str, policy: Value| json!({"secret": {"string": url(w), "policy": policy}});
    let mut bound = let_in(json!("*"));
    bound["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}});
    let fence = json!({"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*",
                       "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "{{account}}"}}});
    let foreign = json!({"AWS": ["arn:aws:iam::999999999999:root", "arn:aws:iam::{{account}}:root"]});
    let own = json!({"AWS": "arn:aws:iam::{{account}}:role/ecs-execution"});
    let mut world = World::new();
    world
        .stack("open", with("open", policy(json!([let_in(json!("*"))]))))
        .stack("foreign", with("foreign", policy(json!([let_in(foreign)]))))
        .stack("own", with("own", policy(json!([let_in(own)]))))
        .stack(
            "service",
            with(
                "service",
                policy(json!([let_in(json!({"Service": "lambda.amazonaws.com"}))])),
            ),
        )
        .stack("bound", with("bound", policy(json!([bound]))))
        .stack(
            "fenced",
            with("fenced", policy(json!([let_in(json!({"AWS": "*"})), fence]))),
        )
        .stack("garbled", with("garbled", json!("anyone may read this")))
        .stack("twin", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[BROAD]);
    let (report, code) = env.audit(&[]);
    assert_eq!(
        env.told(&report),
        [
            "fail high foreign secret-broad-access foreign-url",
            "fail high open secret-broad-access open-url",
            "unknown high garbled secret-broad-access garbled-url",
        ],
        "{report:#}"
    );
    assert_eq!(code, 1);
    let found = list(&report, "findings");
    let foreign = found.iter().find(|f| f["workload"] == "foreign").expect("found");
    assert_eq!(
        foreign["evidence"][0]["observed"],
        json!(["arn:aws:iam::999999999999:root"])
    );
    assert!(said(&report, "garbled", "/message").contains("get-resource-policy"));
    let gateway = env.gateway(&["--deny", "secretsmanager:GetResourcePolicy"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(list(&report, "findings").len(), 8);
    let message = said(&report, "twin", "/message");
    assert!(
        message.contains("grant the IAM action secretsmanager:GetResourcePolicy"),
        "{message}"
    );
    // Switched off, it asks nothing.
    let gateway = env.gateway(&[]);
    env.about(&[TLS]);
    env.audit_at(&gateway.endpoint, &[]);
    assert!(!gateway.calls().contains(&"secretsmanager:GetResourcePolicy".to_owned()));
}

/// Off by default.
fn rotation(kind: Kind) {
    let mut world = World::new();
    world
        .stack("still", json!({}))
        .stack("twin", json!({"secret": {"string": url("twin")}}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("rules: {ecs-secret-unreadable: {enabled: false}}\n");
    let (report, _) = env.audit(&[]);
    assert!(!report["findings"].to_string().contains(UNROTATED), "{report:#}");
    env.about(&[UNROTATED]);
    env.expect(&[
        "fail low still secret-unrotated still-url",
        "fail low twin secret-unrotated twin-url",
    ]);
    env.configure("workloads: {still: {rotation_age: 30d}}\n");
    let (report, _) = env.audit(&[]);
    assert_eq!(said(&report, "still", "/evidence/1/expected"), "within 720h");
    assert_eq!(said(&report, "twin", "/evidence/1/expected"), "within 2160h");
}

/// A sweep asks again for what was wrong, and not for what was well.
fn what_is_well_is_remembered(kind: Kind) {
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]});
    let mut world = World::new();
    world
        .stack("well", json!({}))
        .stack("open", json!({"secret": {"string": url("open"), "policy": open}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[BROAD, UNREADABLE]);
    env.configure("sweep: {interval: 1s}\n");
    let gateway = env.gateway(&[]);
    let mut command = env.command(&gateway.endpoint, &["run", "--listen", "127.0.0.1:0"]);
    let null = std::process::Stdio::null;
    let mut operator = command
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .spawn()
        .expect("run");
    let count = |call: &str| gateway.calls().iter().filter(|c| *c == call).count();
    let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while count("secretsmanager:ListSecrets") < 5 && std::time::Instant::now() < end {
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    let _ = operator.kill();
    let _ = operator.wait();
    let (sweeps, policies) = (
        count("secretsmanager:ListSecrets"),
        count("secretsmanager:GetResourcePolicy"),
    );
    assert!(sweeps >= 5, "{sweeps} sweeps");
    // Two at first, then the open one alone. The last sweep may not have come so far.
    assert!(
        policies > 2 && policies <= sweeps + 1,
        "{policies} policies in {sweeps} sweeps"
    );
    if !Quirk::NoSimulator.on(kind) {
        // Both secrets are allowed to one role. ministack takes two calls for two resources.
        assert_eq!(count("iam:SimulatePrincipalPolicy"), 2);
    }
}
