//! `ecs-no-path-to-secrets` and `ecs-stale-secret`: what a task reaches at start, and what it was given then.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, said};
use crate::world::{World, url};

on_both!(paths_to_what_a_task_needs, secrets_that_changed_since);

const NO_PATH: &str = "ecs-no-path-to-secrets";
const STALE: &str = "ecs-stale-secret";

/// Services of which no task runs yet: with a NAT gateway, with none, with an endpoint, with a closed one.
fn paths_to_what_a_task_needs(kind: Kind) {
    let cut_off = |group: &str| json!({"service": {"subnets": ["cut-off"], "security_groups": [group]}});
    let elsewhere = |group: &str| json!({"service": {"subnets": ["served"], "security_groups": [group]}});
    let mut world = World::new();
    world
        .stack("routed", json!({}))
        .stack("cut", cut_off("outside"))
        .stack("served", elsewhere("tasks"))
        .stack("shut", elsewhere("strangers"))
        .stack("onec2", {
            let mut on_ec2 = cut_off("outside");
            on_ec2["service"]["launch"] = json!("EC2");
            on_ec2
        });
    world.patch(json!({
        "vpcs": {
            "lonely": {"cidr": "10.8.0.0/16", "subnets": {"cut-off": {"cidr": "10.8.1.0/24"}}},
            "endpoints": {"cidr": "10.9.0.0/16", "subnets": {"served": {"cidr": "10.9.1.0/24"}}},
        },
        "security_groups": {
            "outside": {"vpc": "lonely"}, "tasks": {"vpc": "endpoints"}, "strangers": {"vpc": "endpoints"},
            "endpoint": {"vpc": "endpoints", "ingress": [{"group": "tasks", "port": 443}]},
        },
    }));
    // With three VPCs, each group names its own.
    for w in ["routed", "cut", "served", "shut", "onec2"] {
        world.patch(
            json!({"security_groups": {format!("{w}-app"): {"vpc": "main"}, format!("{w}-db"): {"vpc": "main"}}}),
        );
    }
    let mut env = TestEnv::new(kind, &world);
    let endpoint = json!({
        "VpcId": env.id("vpcs", "endpoints"), "ServiceName": "com.amazonaws.us-east-1.secretsmanager",
        "VpcEndpointType": "Interface", "PrivateDnsEnabled": true, "SubnetIds": [env.id("subnets", "served")],
        "SecurityGroupIds": [env.id("security_groups", "endpoint")],
    });
    env.call("ec2", "create_vpc_endpoint", endpoint);
    env.about(&[NO_PATH]);
    // No emulator knows a service that is about to start: one runs tasks at once, one never does.
    let starting = [
        "ecs:DescribeServices:services.*.runningCount=0",
        "ecs:DescribeServices:services.*.deployments.*.runningCount=0",
        "ecs:DescribeServices:services.*.deployments.*.rolloutState=\"IN_PROGRESS\"",
    ];
    let options: Vec<&str> = starting.iter().flat_map(|r| ["--rewrite", r]).collect();
    let gateway = env.gateway(&options);
    let (report, _) = env.audit_at(&gateway.endpoint, &[]);
    let expected: &[&str] = if Quirk::PrivateDnsLost.on(kind) {
        &[
            "fail high cut ecs-no-path-to-secrets main/cut",
            "unknown high served ecs-no-path-to-secrets main/served",
            "unknown high shut ecs-no-path-to-secrets main/shut",
        ]
    } else {
        &[
            "fail high cut ecs-no-path-to-secrets main/cut",
            "fail high shut ecs-no-path-to-secrets main/shut",
        ]
    };
    assert_eq!(env.told(&report), expected, "{report:#}");
    assert!(said(&report, "cut", "/message").contains("no path to Secrets Manager"));
    if !Quirk::PrivateDnsLost.on(kind) {
        assert!(said(&report, "shut", "/message").contains("lets the tasks in on port 443"));
    }
    let asked = gateway
        .calls()
        .iter()
        .filter(|c| *c == "ec2:DescribeVpcEndpoints")
        .count();
    assert_eq!(asked, 1, "one call for all VPCs");
    // Without the permission it is unknown, and says which.
    let denying: Vec<&str> = options
        .iter()
        .copied()
        .chain(["--deny", "ec2:DescribeVpcEndpoints"])
        .collect();
    let gateway = env.gateway(&denying);
    let (report, code) = env.audit_at(&gateway.endpoint, &["--workload", "cut"]);
    assert_eq!(code, 3, "{report:#}");
    assert!(said(&report, "cut", "/message").contains("ec2:DescribeVpcEndpoints"));
    // Where tasks run, nothing is asked.
    if !Quirk::EcsNeverSteady.on(kind) {
        let gateway = env.gateway(&[]);
        let (report, code) = env.audit_at(&gateway.endpoint, &[]);
        assert_eq!(code, 0, "{report:#}");
        assert!(!gateway.calls().iter().any(|c| c == "ec2:DescribeVpcEndpoints"));
    }
}

/// A password that changed after the tasks had started; a tag that did; a version that is pinned.
fn secrets_that_changed_since(kind: Kind) {
    let mut world = World::new();
    for w in ["rotated", "tagged", "same"] {
        world.stack(w, json!({}));
    }
    let mut env = TestEnv::new(kind, &world);
    env.about(&[STALE]);
    // Emulators count in seconds.
    std::thread::sleep(Duration::from_millis(1_200));
    let value = env.call("secretsmanager", "get_secret_value", json!({"SecretId": "rotated-url"}));
    let old = value["SecretString"].as_str().unwrap_or_default().to_owned();
    assert!(!old.is_empty() && old != url("rotated"));
    let new = old.replace("app:", "app:x");
    env.call(
        "secretsmanager",
        "put_secret_value",
        json!({"SecretId": "rotated-url", "SecretString": new}),
    );
    let tag = json!({"SecretId": "tagged-url", "Tags": [{"Key": "team", "Value": "shop"}]});
    env.call("secretsmanager", "tag_resource", tag);
    let gateway = env.gateway(&[]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    let asked = |operation: &str| gateway.calls().iter().filter(|c| *c == operation).count();
    if Quirk::EcsNeverSteady.on(kind) {
        assert_eq!(
            env.told(&report),
            Vec::<String>::new(),
            "no task runs, so none holds anything"
        );
        assert_eq!(code, 0);
        assert_eq!(asked("secretsmanager:ListSecretVersionIds"), 0);
        return;
    }
    assert_eq!(
        env.told(&report),
        ["fail high rotated ecs-stale-secret main/rotated"],
        "{report:#}"
    );
    assert!(said(&report, "rotated", "/message").contains("1 of 1 started before rotated-url got its current version"));
    // One question about each secret that changed in any way, and the tasks of those alone that may be older.
    assert!(asked("secretsmanager:ListSecretVersionIds") <= 2);
    assert_eq!((asked("ecs:ListTasks"), asked("ecs:DescribeTasks")), (1, 1));
    // Only where that is asked for, the tasks are replaced.
    let plan = env.plan();
    assert_eq!(plan["actions"].as_array().map(Vec::len), Some(0), "{plan:#}");
    env.configure("rules: {ecs-stale-secret: {correct: true}}\nsafety: {max_failing_percent: 100}\n");
    let plan: Value = env.plan();
    assert_eq!(
        plan["actions"][0]["calls"][0]["parameters"]["forceNewDeployment"], true,
        "{plan:#}"
    );
    env.apply();
    env.expect(&[]);
}
