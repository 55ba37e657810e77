//! `iam-policy` is what Holdfast really calls: nothing is called that it does not grant, each grant is called here or in
//! the cases named, and audit grants nothing that changes anything.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::on_both;
use crate::stage::{Kind, Stage, list, text};
use crate::world::World;

on_both!(every_call_is_granted_and_every_grant_is_used);

/// Granted, but not called in these runs: what for, or which cases see the call.
const ELSEWHERE: &[(&str, &str)] = &[
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
        "catalogue_rds: a service that is not let in",
    ),
    (
        "ecs:DeregisterTaskDefinition",
        "catalogue_ecs: a revision that loses data",
    ),
    (
        "ecs:DescribeServiceRevisions",
        "catalogue_ecs: a history of deployments",
    ),
    ("ecs:DescribeTasks", "catalogue_migrations: runs of migrations"),
    ("ecs:ListServiceDeployments", "catalogue_ecs: a history of deployments"),
    ("ecs:ListTasks", "catalogue_migrations: runs of migrations"),
    ("iam:GetRole", "catalogue_secrets: a role that is gone"),
    ("logs:FilterLogEvents", "catalogue_ecs: containers that log"),
    ("logs:GetLogEvents", "gate: the end of a failed migration's log"),
    ("rds:DescribeDBClusterParameters", "catalogue_rds: TLS of clusters"),
    ("rds:DescribeDBClusterSnapshots", "checklist: the backups of a cluster"),
    ("rds:DescribeDBParameters", "catalogue_rds: TLS"),
    ("rds:ListTagsForResource", "catalogue_rds: TLS"),
    ("rds:ModifyDBCluster", "catalogue_rds: clusters"),
    ("rds:ModifyDBClusterParameterGroup", "catalogue_rds: TLS of clusters"),
    ("rds:ModifyDBParameterGroup", "catalogue_rds: TLS"),
    ("secretsmanager:DescribeSecret", "secrets: a secret that is not tagged"),
    (
        "secretsmanager:RestoreSecret",
        "catalogue_secrets: a deletion that is scheduled",
    ),
    ("ssm:GetParameters", "catalogue_secrets: parameters"),
];

/// Everything that can be switched on, corrections included.
fn all_on() -> String {
    let rules = holdfast::rules::ids();
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
fn granted(stage: &Stage, mode: &str) -> BTreeSet<String> {
    let answer = stage.holdfast(&["iam-policy", "--mode", mode]);
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
    let mut stage = Stage::new(kind, &world);
    stage.configure(&all_on());

    let (audit, enforce) = (granted(&stage, "audit"), granted(&stage, "enforce"));
    let hands: Vec<&String> = audit.iter().filter(|a| changes(a)).collect();
    assert!(hands.is_empty(), "audit has no hands: {hands:?}");
    assert!(audit.is_subset(&enforce));

    let gateway = stage.gateway(&[]);
    stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!(gateway.mutations(), Vec::<String>::new());
    let mut seen = made(gateway.calls());
    // What is asked only where the tagging API and the batch are refused.
    let refusing = stage.gateway(&["--deny", "tagging:*", "--deny", "secretsmanager:BatchGetSecretValue"]);
    stage.audit_at(&refusing.endpoint, &[]);
    seen.extend(made(refusing.calls()));
    // What is asked on demand alone.
    let asking = stage.gateway(&[]);
    crate::stage::run(stage.command(&asking.endpoint, &["checklist", "twin"]));
    assert_eq!(asking.mutations(), Vec::<String>::new());
    seen.extend(made(asking.calls()));
    let more: Vec<&String> = seen.difference(&audit).collect();
    assert!(more.is_empty(), "audit calls what its policy does not grant: {more:?}");

    let gateway = stage.gateway(&[]);
    let arguments = ["apply", "--yes", "--wait", "5s"];
    crate::stage::run(stage.command(&gateway.endpoint, &arguments));
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
