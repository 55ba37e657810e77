//! `iam-policy` is what Holdfast really calls: nothing is called that it does not grant, each grant is called here or in
//! the cases named, and audit grants nothing that changes anything.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both;
use crate::operator::Operator;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::World;

on_both!(
    every_call_is_granted_and_every_grant_is_used,
    what_the_operator_calls_for_itself_is_granted_on_what_it_names,
);

/// Granted, but not called in these runs: what for, or which cases see the call.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "rds:DescribeDBClusterEndpoints",
        "rds_endpoints: a connection that leads through one",
    ),
    (
        "rds:DescribeDBProxies",
        "rds_endpoints: a connection that leads through one",
    ),
    (
        "rds:DescribeDBProxyEndpoints",
        "rds_endpoints: a connection that leads through one",
    ),
    (
        "rds:DescribeDBProxyTargets",
        "rds_endpoints: a connection that leads through one",
    ),
    (
        "rds:DescribeGlobalClusters",
        "rds_endpoints: a connection that leads through one",
    ),
    (
        "kms:Decrypt",
        "Secrets Manager and Parameter Store make it in the caller's name",
    ),
    (
        "iam:PassRole",
        "ECS checks it when a revision names a role; it is no call",
    ),
    (
        "ecs:TagResource",
        "ECS checks it when what is registered carries tags; it is no call",
    ),
    (
        "ec2:AuthorizeSecurityGroupIngress",
        "rds_network: a service that is not let in",
    ),
    (
        "ecs:DeregisterTaskDefinition",
        "ecs_rollouts: a revision that loses data",
    ),
    (
        "ecs:DescribeServiceDeployments",
        "ecs_strategies: a deployment that shifts traffic",
    ),
    ("ecs:DescribeServiceRevisions", "ecs_rollouts: a history of deployments"),
    ("ecs:DescribeTasks", "migrations: runs of migrations"),
    ("ecs:ListServiceDeployments", "ecs_rollouts: a history of deployments"),
    ("ecs:ListTasks", "migrations: runs of migrations"),
    ("ecs:StopServiceDeployment", "ecs_strategies: one that fails"),
    ("ec2:DescribeVpcEndpoints", "ecs_start: tasks that do not get steady"),
    ("iam:GetRole", "ecs_secret_access: a role that is gone"),
    ("kms:DescribeKey", "ecs_secret_access: a key by its alias"),
    ("kms:GetKeyPolicy", "ecs_secret_access: keys of one's own"),
    ("kms:ListGrants", "ecs_secret_access: a key that its policy denies"),
    ("logs:FilterLogEvents", "ecs_logs: containers that log"),
    ("logs:GetLogEvents", "gate: the end of a failed migration's log"),
    ("rds:DescribeDBClusterParameters", "rds_tls: TLS of clusters"),
    ("rds:DescribeDBClusterSnapshots", "checklist: the backups of a cluster"),
    ("rds:DescribeDBParameters", "rds_tls: TLS"),
    ("rds:ListTagsForResource", "rds_tls: TLS"),
    ("rds:ModifyDBCluster", "rds_settings: clusters"),
    ("rds:ModifyDBClusterParameterGroup", "rds_tls: TLS of clusters"),
    ("rds:ModifyDBParameterGroup", "rds_tls: TLS"),
    (
        "secretsmanager:DescribeSecret",
        "secrets_values: a secret that is not tagged",
    ),
    (
        "secretsmanager:RestoreSecret",
        "secrets_access: a deletion that is scheduled",
    ),
    (
        "secretsmanager:ListSecretVersionIds",
        "ecs_start: a secret that changed after a deployment",
    ),
    ("ssm:DescribeParameters", "secrets_parameters: parameters"),
    ("ssm:GetParameters", "secrets_parameters: parameters"),
];

/// Everything that can be switched on, corrections included.
fn all_on() -> String {
    let rules = holdfast_core::rules::ids();
    let lines: Vec<String> = rules
        .iter()
        .map(|id| format!("  {id}: {{enabled: true, correct: true}}\n"))
        .collect();
    format!(
        "safety: {{allow_risk: [none, brief, outage]}}\nrules:\n{}",
        lines.concat()
    )
}

/// IAM actions that a policy grants.
fn granted(env: &TestEnv, mode: &str) -> BTreeSet<String> {
    let answer = env.holdfast(&["iam-policy", "--mode", mode]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let policy: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let statements = list(&policy, "Statement").iter();
    statements.flat_map(|s| list(s, "Action").iter().map(text)).collect()
}

/// IAM actions of the calls that were made. `sts:GetCallerIdentity` needs no grant.
fn made(calls: Vec<String>) -> BTreeSet<String> {
    let iam = |call: String| call.replace("tagging:", "tag:").replace("monitoring:", "cloudwatch:");
    calls.into_iter().map(iam).filter(|c| !c.starts_with("sts:")).collect()
}

fn changes(action: &str) -> bool {
    let verb = action.split(':').nth(1).unwrap_or_default();
    let reads = ["Describe", "List", "Get", "BatchGet", "Filter", "Simulate", "Decrypt"];
    !reads.iter().any(|r| verb.starts_with(r))
}

fn every_call_is_granted_and_every_grant_is_used(kind: Kind) {
    let mut world = World::new();
    crate::policy::everything_wrong(&mut world);
    let mut env = TestEnv::new(kind, &world);
    env.configure(&all_on());

    let (audit, enforce) = (granted(&env, "audit"), granted(&env, "enforce"));
    let hands: Vec<&String> = audit.iter().filter(|a| changes(a)).collect();
    assert!(hands.is_empty(), "audit has no hands: {hands:?}");
    assert!(audit.is_subset(&enforce));

    let gateway = env.gateway(&[]);
    env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(gateway.mutations(), Vec::<String>::new());
    let mut seen = made(gateway.calls());
    // What is asked only where the tagging API and the batch are refused.
    let refusing = env.gateway(&["--deny", "tagging:*", "--deny", "secretsmanager:BatchGetSecretValue"]);
    env.audit_at(&refusing.endpoint, &[]);
    seen.extend(made(refusing.calls()));
    // What is asked on demand alone.
    let asking = env.gateway(&[]);
    crate::test_env::run(env.command(&asking.endpoint, &["checklist", "twin"]));
    assert_eq!(asking.mutations(), Vec::<String>::new());
    seen.extend(made(asking.calls()));
    let more: Vec<&String> = seen.difference(&audit).collect();
    assert!(more.is_empty(), "audit calls what its policy does not grant: {more:?}");

    let gateway = env.gateway(&[]);
    let arguments = ["apply", "--yes", "--wait", "5s"];
    crate::test_env::run(env.command(&gateway.endpoint, &arguments));
    let acted = made(gateway.calls());
    let more: Vec<&String> = acted.difference(&enforce).collect();
    assert!(
        more.is_empty(),
        "enforce calls what its policy does not grant: {more:?}"
    );
    seen.extend(acted);
    assert!(seen.iter().any(|a| changes(a)), "it did correct something");

    let excused = |a: &String| ELSEWHERE.iter().any(|(action, _)| a == action);
    let idle: Vec<&String> = enforce.difference(&seen).filter(|a| !excused(a)).collect();
    assert!(idle.is_empty(), "{kind:?}: granted and never used here: {idle:?}");
}

/// Calls that have no permission of their own, and the permissions that they need in its place.
const PARTS: &[(&str, &[&str])] = &[
    (
        "dynamodb:TransactWriteItems",
        &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    ),
    ("sqs:DeleteMessageBatch", &["sqs:DeleteMessage"]),
    ("sqs:ChangeMessageVisibilityBatch", &["sqs:ChangeMessageVisibility"]),
];

/// Which calls are about the operator's own things.
const OWN: &[&str] = &["sqs:", "events:", "dynamodb:", "ssm:GetParameter"];

/// Granted to the operator, but not called in this run.
const OWN_ELSEWHERE: &[(&str, &str)] = &[
    ("dynamodb:BatchWriteItem", "leases: a mailbox that is emptied"),
    ("sqs:ChangeMessageVisibility", "operator: a message that takes long"),
];

fn what_the_operator_calls_for_itself_is_granted_on_what_it_names(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({"db": {"public": true}}));
    world.patch(json!({"queues": {"signals": {}}}));
    let mut env = TestEnv::new(kind, &world);
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    // Two, since transactions and other writes of one table get mixed up: quirks::Quirk::TransactionsMix.
    for table in ["memory", "shares"] {
        let keys = json!({"TableName": table, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
                          "AttributeDefinitions": [attribute("pk"), attribute("sk")]});
        env.call("dynamodb", "create_table", keys);
    }
    env.call("events", "create_event_bus", json!({"Name": "security"}));
    let switch = json!({"Name": "/holdfast/pause", "Value": "false", "Type": "String"});
    env.call("ssm", "put_parameter", switch);
    let queue = env.id("queues", "signals");
    env.about(&["rds-public-access"]);
    env.configure(&format!(
        "mode: enforce\nevents: {{queue_url: \"{queue}\"}}\nsafety: {{pause: {{ssm_parameter: /holdfast/pause}}, max_failing_percent: 100}}\n\
         report_to: {{event_bus: security}}\nledger: {{kind: dynamodb, table: memory}}\nlease: {{kind: dynamodb, table: shares}}\n"
    ));
    let answer = env.holdfast(&["--region", "us-east-1", "iam-policy", "--for", "operator"]);
    let policy: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
    let mut granted = BTreeSet::new();
    for statement in list(&policy, "Statement") {
        let resource = text(&statement["Resource"]);
        assert!(
            ["signals", "security", "memory", "shares", "holdfast/pause"]
                .iter()
                .any(|n| resource.ends_with(n)),
            "bound to what the configuration names: {statement}"
        );
        granted.extend(list(statement, "Action").iter().map(text));
    }
    let of = |bearer: &str| text(&env.holdfast(&["iam-policy", "--for", bearer]).stdout.into());
    assert!(!of("target").contains("dynamodb:") && of("all").contains("dynamodb:PutItem"));

    let gateway = env.gateway(&[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    operator.until("a correction that is proved and told", || {
        operator.metric("holdfast_actions_total", &["outcome=\"verified\""]) >= 1.0
            && gateway.calls().iter().filter(|c| *c == "events:PutEvents").count() >= 3
    });
    crate::operator::send(&mut env, "{\"source\": \"somebody\", \"detail-type\": \"Something\"}");
    operator.until("an event that is none of ours is deleted", || {
        gateway.calls().iter().any(|c| c == "sqs:DeleteMessageBatch")
    });
    assert_eq!(operator.stop(), 0);
    let mut seen = BTreeSet::new();
    for call in made(gateway.calls())
        .into_iter()
        .filter(|c| OWN.iter().any(|own| c.starts_with(own)))
    {
        match PARTS.iter().find(|(whole, _)| *whole == call) {
            // Not each of them need be in every transaction, but each is there for one.
            Some((_, parts)) => seen.extend(parts.iter().map(|p| (*p).to_owned())),
            None if call == "ssm:GetParameters" => {}
            None => drop(seen.insert(call)),
        }
    }
    let more: Vec<&String> = seen.difference(&granted).collect();
    assert!(
        more.is_empty(),
        "it calls for itself what its policy does not grant: {more:?}"
    );
    let excused = |a: &String| OWN_ELSEWHERE.iter().any(|(action, _)| a == action);
    let idle: Vec<&String> = granted.difference(&seen).filter(|a| !excused(a)).collect();
    assert!(
        idle.is_empty(),
        "{kind:?}: granted to the operator and never used: {idle:?}"
    );
}
