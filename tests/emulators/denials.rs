//! What can't be read is unknown, is told with the IAM action to grant, and leaves everything else as it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both;
use crate::test_env::{Kind, TestEnv, binary, list, run, text};
use crate::world::World;

on_both!(
    each_read_denied,
    each_optional_read_denied,
    everything_denied,
    throttled,
    a_denied_correction_is_told,
    cannot_run
);

/// A fault for each rule, and a clean twin.
fn world() -> World {
    let mut world = World::new();
    world
        .stack("shut", json!({"db": {"public": true}}))
        .stack("open", json!({"ingress": [{"cidr": "0.0.0.0/0"}]}))
        .stack("short", json!({"db": {"retention": 1}}))
        .stack(
            "lapsed",
            json!({"db": {"public": true, "tags": {"holdfast:workload": "lapsed", "holdfast:phase": "migrating"}}}),
        )
        .stack(
            "port",
            json!({"secret": "postgres://app:pw12345678@{{endpoint:port-db}}:5432:5432/app"}),
        )
        .stack(
            "lost",
            json!({"secret": "postgres://app:pw12345678@old-db.abc123.us-east-1.rds.amazonaws.com:5432/app"}),
        )
        .stack("bare", json!({"web": {"secrets": null}}))
        .stack(
            "typo",
            json!({"web": {"secrets": {"DATABASE_URL": "{{secret:typo-url}}:url::"}}}),
        )
        .stack(
            "loose",
            json!({"web": {"secrets": {"DATABASE_URL": "{{secret:untagged}}"}}}),
        )
        .stack("twin", json!({}));
    world.patch(json!({"secrets": {"untagged": {"string": "postgres://app:pw12345678@{{endpoint:loose-db}}:{{port:loose-db}}/app"}}}));
    world
}

/// The rules that say that they need an IAM action: these may be unknown without it, and no other.
fn rules_reading(action: &str) -> BTreeSet<&'static str> {
    let metas = holdfast_core::rules::REGISTRY.iter().map(|r| r.meta());
    metas.filter(|m| m.reads.contains(&action)).map(|m| m.id).collect()
}

fn each_read_denied(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let (whole, _) = env.audit(&[]);
    let whole: BTreeSet<String> = env.told(&whole).into_iter().collect();
    assert_eq!(whole.len(), 10, "{whole:#?}");
    for action in [
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkInterfaces",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
    ] {
        // A value may also come by BatchGetSecretValue.
        let call = &action.replace(":GetSecretValue", ":*GetSecretValue");
        let blind = rules_reading(action);
        let gateway = env.gateway(&["--deny", call]);
        let (report, code) = env.audit_at(&gateway.endpoint, &[]);
        let findings = list(&report, "findings");
        let rule_of = |told: &str| told.split(' ').nth(3).unwrap_or_default().to_owned();
        let fails: BTreeSet<String> = env
            .told(&report)
            .into_iter()
            .filter(|t| t.starts_with("fail"))
            .collect();
        let invented: Vec<_> = fails.difference(&whole).collect();
        assert!(invented.is_empty(), "{call} denied makes up {invented:?}");
        for lost in whole.difference(&fails) {
            let rule = rule_of(lost);
            assert!(blind.contains(rule.as_str()), "{call} denied loses {lost}");
            let workload = lost.split(' ').nth(2).unwrap();
            let told = findings.iter().any(|f| {
                f["verdict"] == "unknown"
                    && f["rule"] == rule.as_str()
                    && ["*", workload].contains(&f["workload"].as_str().unwrap())
            });
            assert!(told, "{call} denied loses {lost} without a word: {findings:#?}");
        }
        assert_eq!(code, 1, "{call}");
        assert!(
            list(&report, "errors")
                .iter()
                .any(|e| text(&e["message"]).contains(&format!("IAM action {action}"))),
            "{call}: {:#}",
            report["errors"]
        );
        for unknown in findings.iter().filter(|f| f["verdict"] == "unknown") {
            assert!(
                blind.contains(unknown["rule"].as_str().unwrap()),
                "{call} denied: {unknown:#}"
            );
            assert!(text(&unknown["message"]).contains(action), "{call} denied: {unknown:#}");
            assert_eq!(unknown["remediation"], Value::Null);
        }
        // The clean twin alone: nothing fails, something is unknown.
        let (report, code) = env.audit_at(&gateway.endpoint, &["--workload", "twin"]);
        assert!(
            list(&report, "findings").iter().all(|f| f["verdict"] == "unknown"),
            "{call}: {report:#}"
        );
        assert_eq!(code, 3, "{call}: {report:#}");
    }
    // What another call makes up for: the same verdicts, and nothing unknown.
    for call in [
        "tagging:GetResources",
        "secretsmanager:BatchGetSecretValue",
        "ecs:ListClusters",
    ] {
        let gateway = env.gateway(&["--deny", call]);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        assert_eq!(env.told(&report).into_iter().collect::<BTreeSet<_>>(), whole, "{call}");
        assert_eq!(report["errors"], json!([]), "{call}");
    }
}

/// What is read for single rules: without it those are unknown, and every other verdict is what it was.
fn each_optional_read_denied(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    env.about_all();
    let whole: BTreeSet<String> = env.told(&env.audit(&[]).0).into_iter().collect();
    let rule_of = |told: &str| told.split(' ').nth(3).unwrap_or_default().to_owned();
    for action in [
        "secretsmanager:GetResourcePolicy",
        "iam:SimulatePrincipalPolicy",
        "logs:FilterLogEvents",
        "ecs:ListServiceDeployments",
        "rds:DescribeDBParameters",
    ] {
        let blind = rules_reading(action);
        assert!(!blind.is_empty(), "no rule reads {action}");
        let gateway = env.gateway(&["--deny", action]);
        let told = env.told(&env.audit_at(&gateway.endpoint, &[]).0);
        let seen = |all: &BTreeSet<String>| -> BTreeSet<String> {
            all.iter()
                .filter(|t| !blind.contains(rule_of(t).as_str()))
                .cloned()
                .collect()
        };
        let told: BTreeSet<String> = told.into_iter().collect();
        assert_eq!(seen(&told), seen(&whole), "{action}");
        for line in told.difference(&whole) {
            assert!(line.starts_with("unknown"), "{action} denied makes up {line}");
        }
    }
}

fn everything_denied(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let options = [
        "--deny",
        "rds:*",
        "--deny",
        "ec2:*",
        "--deny",
        "ecs:*",
        "--deny",
        "secretsmanager:*",
        "--deny",
        "tagging:*",
    ];
    for options in [&options[..], &["--deny", "*:*"]] {
        let gateway = env.gateway(options);
        for command in ["audit", "plan", "apply"] {
            let answer = run(env.command(&gateway.endpoint, &[command]));
            assert_eq!(answer.code, 2, "{command}: {answer:?}");
            assert_eq!(answer.stdout, "");
            assert!(answer.stderr.contains("holdfast: "), "{}", answer.stderr);
        }
    }
}

fn throttled(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let gateway = env.gateway(&["--throttle", "ecs:DescribeServices"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &["--workload", "twin"]);
    assert_eq!(code, 3);
    assert!(list(&report, "findings").iter().all(|f| f["verdict"] == "unknown"));
    assert!(report["stats"]["throttled"].as_u64().unwrap() > 0);
    let message = text(&report["errors"][0]["message"]);
    assert!(
        message.contains("throttled") && message.contains("ecs:DescribeServices"),
        "{message}"
    );
}

fn a_denied_correction_is_told(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shut", json!({"db": {"public": true}}))
        .stack("open", json!({"ingress": [{"cidr": "0.0.0.0/0"}]}));
    let env = TestEnv::new(kind, &world);
    let gateway = env.gateway(&["--deny", "rds:ModifyDBInstance"]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stdout.contains("grant the IAM action rds:ModifyDBInstance"),
        "{}",
        answer.stdout
    );
    env.expect(&["fail critical shut rds-public-access shut-db"]);
}

fn cannot_run(kind: Kind) {
    let mut world = World::new();
    world.stack("twin", json!({}));
    let env = TestEnv::new(kind, &world);
    let asks = |arguments: &[&str], environment: &[(&str, &str)], word: &str| {
        let mut command = binary();
        command.args(arguments).arg("audit").envs(environment.iter().copied());
        let answer = run(command);
        assert_eq!(answer.code, 2, "{arguments:?}: {answer:?}");
        assert_eq!(answer.stdout, "");
        assert!(
            answer.stderr.contains(word),
            "{arguments:?}: no {word:?} in {}",
            answer.stderr
        );
    };
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let here = ["--endpoint-url", env.endpoint.as_str()];
    asks(
        &["--endpoint-url", &env.endpoint, "--region", "us-east-1"],
        &[],
        "AWS_PROFILE",
    );
    asks(
        &["--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1"],
        &keys,
        "--endpoint-url",
    );
    asks(&here, &keys, "AWS_REGION");
    asks(
        &["--region", "us-east-1", "--config", "/nonexistent/holdfast.yaml"],
        &keys,
        "/nonexistent/holdfast.yaml",
    );
    let answer = env.holdfast(&["audit", "--workload", "nosuch"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("nosuch"), "{}", answer.stderr);
    let answer = env.holdfast(&["audit", "--fail-on", "worst"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    let mut env = env;
    env.configure("mode: enforced\nsweeps: {interval: 5m}\n");
    let answer = env.holdfast(&["audit"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.stderr.contains("holdfast.yaml:1:") && answer.stderr.contains("holdfast.yaml:2:"),
        "{}",
        answer.stderr
    );
}
