//! What a sweep of `run` costs once everything was read, and how long its credentials last.

use std::collections::BTreeMap;

use serde_json::json;

use crate::on_both;
use crate::operator::{Operator, configure, send};
use crate::quirks::Quirk;
use crate::test_env::{Gateway, Kind, TestEnv};
use crate::world::World;

on_both!(
    a_steady_sweep_reads_only_what_may_have_changed,
    a_changed_value_is_read_again,
    a_session_is_renewed_before_it_ends,
);

const CLUSTERS: usize = 4;
const WORKLOADS: usize = 40;

/// `count` stacks in turn in so many clusters.
fn fleet(count: usize, clusters: usize) -> World {
    let mut world = World::new();
    for n in 0..count {
        let name = format!("shop-{n:02}");
        world.stack(&name, json!({}));
        let cluster = format!("cluster-{}", n % clusters);
        world.patch(json!({"clusters": {&cluster: {}}}));
        let mut declared = world.declared();
        let service = declared["scopes"][0]["services"][format!("main/{name}")].take();
        world.patch(json!({"services": {format!("main/{name}"): null, format!("{cluster}/{name}"): service}}));
    }
    world.patch(json!({"queues": {"signals": {}}}));
    world
}

/// What many workloads may rest on has changed: the whole scope is swept, now.
fn ask_for_a_sweep(env: &mut TestEnv) {
    let event = json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2", "account": "123456789012", "time": "2026-11-21T08:00:00Z", "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "ReplaceRoute",
            "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
            "requestParameters": {"routeTableId": "rtb-0123456789abcdef0"}, "responseElements": {"_return": true},
        },
    });
    send(env, &event.to_string());
}

fn swept(operator: &Operator) -> f64 {
    operator.metric("holdfast_sweep_duration_seconds_count", &[])
}

/// The calls of a sweep that is asked for now, by operation; those to the queue left out.
fn calls_of_a_sweep(env: &mut TestEnv, operator: &Operator, gateway: &Gateway) -> BTreeMap<String, usize> {
    let (sweeps, before) = (swept(operator), gateway.calls().len());
    ask_for_a_sweep(env);
    operator.until("the sweep", || swept(operator) > sweeps);
    let mut calls = BTreeMap::new();
    for call in gateway
        .calls()
        .split_off(before)
        .into_iter()
        .filter(|c| !c.starts_with("sqs:"))
    {
        *calls.entry(call).or_default() += 1;
    }
    calls
}

fn a_steady_sweep_reads_only_what_may_have_changed(kind: Kind) {
    let mut env = TestEnv::new(kind, &fleet(WORKLOADS, CLUSTERS));
    env.about_all();
    // No emulator simulates policies as AWS does.
    configure(&mut env, "rules: {ecs-secret-unreadable: {enabled: false}}");
    let gateway = env.gateway(&[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &["--mode", "audit"]);
    let first = gateway.calls();
    let of = |operation: &str| first.iter().filter(|c| *c == operation).count();
    assert_eq!(of("ecs:DescribeTaskDefinition"), WORKLOADS);
    assert_eq!(of("secretsmanager:BatchGetSecretValue"), WORKLOADS / 20);
    assert_eq!(of("secretsmanager:GetResourcePolicy"), WORKLOADS);

    let steady = calls_of_a_sweep(&mut env, &operator, &gateway);
    let expected = [
        ("ec2:DescribeRouteTables", 1),
        ("ec2:DescribeSecurityGroupRules", 1),
        ("ec2:DescribeSecurityGroups", 1),
        ("ec2:DescribeSubnets", 1),
        ("ecs:DescribeServices", CLUSTERS),
        ("rds:DescribeDBClusters", 1),
        ("rds:DescribeDBInstances", 1),
        ("secretsmanager:ListSecrets", 1),
        // Services, and families that run migrations.
        ("tagging:GetResources", 2),
    ];
    let mut expected: BTreeMap<String, usize> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    if Quirk::EcsNeverSteady.on(kind) {
        // Whether services that do not get steady have a path: one call for all of them.
        expected.insert("ec2:DescribeVpcEndpoints".into(), 1);
    }
    assert_eq!(steady, expected);
    assert_eq!(operator.stop(), 0);
}

fn a_changed_value_is_read_again(kind: Kind) {
    let mut env = TestEnv::new(kind, &fleet(2, 1));
    env.about(&["secret-malformed-url"]);
    configure(&mut env, "");
    let gateway = env.gateway(&[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &["--mode", "audit"]);
    let malformed = ["rule=\"secret-malformed-url\"", "verdict=\"fail\""];
    let read = |calls: &BTreeMap<String, usize>| calls.get("secretsmanager:BatchGetSecretValue").copied();
    assert_eq!(read(&calls_of_a_sweep(&mut env, &operator, &gateway)), None);
    for (value, failing) in [
        ("postgres://app:pw@db:5432:5432/app", 1.0),
        ("postgres://app:pw@db:5432/app", 0.0),
    ] {
        let id = env.id("secrets", "shop-00-url");
        env.call(
            "secretsmanager",
            "put_secret_value",
            json!({"SecretId": id, "SecretString": value}),
        );
        assert_eq!(read(&calls_of_a_sweep(&mut env, &operator, &gateway)), Some(1));
        let now = operator.metric("holdfast_findings", &malformed);
        assert!((now - failing).abs() < f64::EPSILON, "{value}: {now}");
        assert_eq!(read(&calls_of_a_sweep(&mut env, &operator, &gateway)), None);
    }
    assert_eq!(operator.stop(), 0);
}

/// Sessions of 12 s, which the gateway refuses afterwards. The SDK renews them some seconds before their end.
fn a_session_is_renewed_before_it_ends(kind: Kind) {
    let account = "222222222222";
    let mut world = World::new();
    world.scope("us-east-1", Some(account)).stack("shop", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.configure(&format!(
        "targets: [{{account: \"{account}\", role_arn: \"arn:aws:iam::{account}:role/holdfast\", regions: [us-east-1]}}]\n\
         sweep: {{interval: 1s, jitter: 0%}}\n"
    ));
    let gateway = env.gateway(&["--session-seconds", "12"]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &["--mode", "audit"]);
    let assumed = || gateway.calls().iter().filter(|c| *c == "sts:AssumeRole").count();
    let once = assumed();
    operator.until("the third session", || assumed() >= 3);
    assert_eq!(once, 1, "one session serves every client of the target");
    let sweeps = swept(&operator);
    operator.until("two more sweeps", || swept(&operator) >= sweeps + 2.0);
    let refused = operator.metric("holdfast_aws_requests_total", &["code=\"Expired"]);
    assert!(refused < 1.0, "{refused} calls with credentials that had ended");
    let (_, workloads) = operator.get("/api/v1/workloads");
    assert!(workloads.contains("\"shop\""), "{workloads}");
    let log = operator.log.lock().expect("log").clone();
    assert!(!log.contains("could not read"), "{log}");
    assert_eq!(operator.stop(), 0);
}
