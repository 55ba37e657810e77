//! Builds the least-privilege policy for exactly the enabled rules, from their metadata, and for Holdfast's own
//! resources (`own`).

mod own;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::{Config, Inspect};
use crate::model::policy::Mode;
use crate::rules::REGISTRY;
use crate::rules::settings::{is_enabled, may_correct};

/// What every sweep reads, whichever rules are enabled: it looks for workloads, and for what they share with others.
const SWEEP: &[&str] = &[
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeDBProxies",
    "rds:DescribeDBProxyEndpoints",
    "rds:DescribeDBProxyTargets",
    "rds:DescribeGlobalClusters",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSubnets",
    "ec2:DescribeRouteTables",
    "ec2:DescribeNetworkInterfaces",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "tag:GetResources",
    "secretsmanager:ListSecrets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameters",
];

/// IAM actions that can be bound to the workload's tag on the resource they touch.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const BOUND_TO_RESOURCE_TAG: &[&str] = &[
    "secretsmanager:GetSecretValue",
    "secretsmanager:RestoreSecret",
    "ssm:GetParameters",
    "rds:ModifyDBInstance",
    "rds:ModifyDBCluster",
    "rds:ModifyDBParameterGroup",
    "rds:ModifyDBClusterParameterGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupIngress",
    "ecs:UpdateService",
];

/// What `checklist` and `gate` read in addition to the rules: snapshots of the databases, alarms about them, the end of
/// a failed migration's log. They can't be bound to a tag: AWS knows no resource for the alarms, and neither a snapshot
/// nor a log need carry the tag of its workload.
const ON_DEMAND: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "logs:GetLogEvents",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBSnapshots",
];

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// The role that Holdfast runs with, where it looks after other accounts: its queue, bus, pause parameter and tables, and
    /// the roles of its targets.
    Operator,
    /// The role that it assumes in an account it looks after: reads, and in mode enforce the corrections.
    Target,
    /// Both, for a role that looks after its own account.
    All,
}

/// The policy document that `bearer` needs in `mode` under `config`. `region` is where Holdfast runs, if that is known.
/// `history` alone needs no more than `dynamodb:Query` of it, on the ledger's table.
#[must_use]
pub fn policy(config: &Config, mode: Mode, bearer: Bearer, region: Option<&str>) -> Value {
    let mut statements = vec![];
    if bearer != Bearer::Operator {
        statements.extend(of_target(config, mode));
    }
    if bearer != Bearer::Target {
        statements.extend(own::statements(config, region));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What is read of an account, and in mode enforce changed.
fn of_target(config: &Config, mode: Mode) -> Vec<Value> {
    let mut actions: BTreeSet<&str> = SWEEP.iter().chain(ON_DEMAND).copied().collect();
    for meta in REGISTRY.iter().map(|r| r.meta()) {
        let settings = config.rule(meta.id);
        if !is_enabled(meta, config) {
            continue;
        }
        actions.extend(meta.reads);
        if mode == Mode::Enforce && settings.mode != Some(Mode::Audit) && may_correct(meta, config) {
            actions.extend(meta.writes);
        }
    }
    match config.secrets.inspect {
        Inspect::Value => {}
        Inspect::Metadata => actions.retain(|a| !a.ends_with("GetSecretValue") && *a != "ssm:GetParameters"),
        Inspect::Off => {
            actions.retain(|a| {
                !["secretsmanager:", "kms:", "ssm:"]
                    .iter()
                    .any(|service| a.starts_with(service))
            });
        }
    }
    statements(&actions, config)
}

fn statements(actions: &BTreeSet<&str>, config: &Config) -> Vec<Value> {
    let tag = format!("aws:ResourceTag/{}workload", config.tag_prefix);
    let request_tag = format!("aws:RequestTag/{}workload", config.tag_prefix);
    let mut plain: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut bound: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut out = vec![];
    for action in actions {
        let service = action.split(':').next().unwrap_or_default();
        if BOUND_TO_RESOURCE_TAG.contains(action) {
            bound.entry(service).or_default().push(action);
        } else if !matches!(
            *action,
            "ecs:RegisterTaskDefinition"
                | "ecs:TagResource"
                | "iam:PassRole"
                | "ecs:DeregisterTaskDefinition"
                | "ecs:StopServiceDeployment"
        ) {
            plain.entry(service).or_default().push(action);
        }
    }
    for (service, actions) in plain {
        // These reads can't be bound to a resource: AWS knows no resource for most of them.
        out.push(json!({"Sid": sid("Read", service), "Effect": "Allow", "Action": actions, "Resource": "*"}));
    }
    for (service, actions) in bound {
        out.push(json!({
            "Sid": sid("Tagged", service), "Effect": "Allow", "Action": actions, "Resource": "*",
            "Condition": {"Null": {&tag: "false"}},
        }));
    }
    if actions.contains("secretsmanager:GetSecretValue") {
        out.push(json!({
            "Sid": "DecryptSecrets", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "*",
            "Condition": {"StringLike": {"kms:ViaService": ["secretsmanager.*.amazonaws.com", "ssm.*.amazonaws.com"]}},
        }));
    }
    if actions.contains("ecs:RegisterTaskDefinition") {
        out.push(json!({
            "Sid": "RegisterTagged", "Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition"], "Resource": "*",
            "Condition": {"Null": {&request_tag: "false"}},
        }));
        out.push(json!({
            "Sid": "TagWhatIsRegistered", "Effect": "Allow", "Action": ["ecs:TagResource"], "Resource": "*",
            "Condition": {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}},
        }));
        out.push(json!({
            "Sid": "PassTaskRoles", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "*",
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }));
    }
    if actions.contains("ecs:DeregisterTaskDefinition") {
        // IAM knows no resource for it, and so no tag to bind it to.
        out.push(json!({
            "Sid": "DeregisterRevisions", "Effect": "Allow", "Action": ["ecs:DeregisterTaskDefinition"], "Resource": "*",
        }));
    }
    if actions.contains("ecs:StopServiceDeployment") {
        // A service deployment can't be tagged, and so not bound to a tag.
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html>
        out.push(json!({
            "Sid": "RollBackDeployments", "Effect": "Allow", "Action": ["ecs:StopServiceDeployment"], "Resource": "*",
        }));
    }
    out
}

fn sid(what: &str, service: &str) -> String {
    let mut letters = service.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
    what.chars().chain(first).chain(letters).collect()
}
