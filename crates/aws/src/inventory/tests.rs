//! Which calls a sweep makes, and how long they take under AWS's rates, on a paused clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use holdfast_core::config::Config;
use holdfast_core::model::snapshot::Snapshot;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Collector, NoProgress, ReadCache};
use crate::client::testing::{self, Reply};

const ACCOUNT: &str = "123456789012";
/// Workloads, each with a service, a revision and a secret.
const WORKLOADS: usize = 48 + 252;
const PER_CLUSTER: usize = 10;
/// A secret that a container refers to and nobody tagged.
const UNTAGGED: &str = "shared-url";
/// A tagged secret that is scheduled for deletion.
const DELETED: &str = "retired-url";
/// A tagged secret whose policy may not be read.
const DENIED: &str = "workload-7-url";

/// Calls made, by `Operation` and, where it counts, what was asked about.
type Calls = Arc<Mutex<BTreeMap<String, usize>>>;

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}")
}

fn secret_arn(name: &str) -> String {
    arn("secretsmanager", &format!("secret:{name}-AbCdEf"))
}

fn tags(workload: usize) -> Value {
    json!([{"key": "holdfast:workload", "value": format!("workload-{workload}")}])
}

fn service_arn(workload: usize) -> String {
    let cluster = workload / PER_CLUSTER;
    arn("ecs", &format!("service/cluster-{cluster}/workload-{workload}"))
}

/// The number at the end of an ARN or name, a revision apart.
fn number(name: &str) -> usize {
    let name = name.strip_suffix(":1").unwrap_or(name);
    name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap()
}

fn listed_secret(name: &str, workload: usize) -> Value {
    json!({
        "ARN": secret_arn(name),
        "Name": name,
        "LastChangedDate": 1_760_000_000,
        "Tags": [{"Key": "holdfast:workload", "Value": format!("workload-{workload}")}],
    })
}

fn answer_json(operation: &str, request: &Value) -> Reply {
    let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
    let body = match operation {
        "GetResources" if request["ResourceTypeFilters"][0] == "ecs:service" => {
            let found: Vec<Value> = (0..WORKLOADS)
                .map(|n| {
                    let tag = json!({"Key": "holdfast:workload", "Value": format!("workload-{n}")});
                    json!({"ResourceARN": service_arn(n), "Tags": [tag]})
                })
                .collect();
            json!({"ResourceTagMappingList": found})
        }
        "GetResources" => json!({"ResourceTagMappingList": []}),
        "DescribeServices" => {
            let asked = request["services"].as_array().cloned().unwrap_or_default();
            let found = asked.iter().filter_map(Value::as_str).map(|service| {
                let n = number(service);
                json!({
                    "serviceArn": service,
                    "serviceName": format!("workload-{n}"),
                    "clusterArn": arn("ecs", &format!("cluster/cluster-{}", n / PER_CLUSTER)),
                    "status": "ACTIVE",
                    "taskDefinition": arn("ecs", &format!("task-definition/workload-{n}:1")),
                    "tags": tags(n),
                })
            });
            json!({"services": found.collect::<Vec<_>>()})
        }
        "DescribeTaskDefinition" => {
            let revision = text("taskDefinition");
            let n = number(&revision);
            let secret = if n == 0 {
                UNTAGGED.to_owned()
            } else {
                format!("workload-{n}-url")
            };
            let variable = json!({"name": "DATABASE_URL", "valueFrom": secret_arn(&secret)});
            json!({"taskDefinition": {
                "taskDefinitionArn": revision,
                "family": format!("workload-{n}"),
                "revision": 1,
                "status": "ACTIVE",
                "containerDefinitions": [{"name": "app", "image": "app", "secrets": [variable]}],
            }})
        }
        "ListSecrets" => {
            let mut found: Vec<Value> = (0..WORKLOADS)
                .map(|n| listed_secret(&format!("workload-{n}-url"), n))
                .collect();
            let mut deleted = listed_secret(DELETED, 1);
            deleted["DeletedDate"] = json!(1_760_000_000);
            found.push(deleted);
            json!({"SecretList": found})
        }
        "DescribeSecret" => json!({"ARN": secret_arn(UNTAGGED), "Name": UNTAGGED, "LastChangedDate": 1_760_000_000}),
        "BatchGetSecretValue" => {
            let asked = request["SecretIdList"].as_array().cloned().unwrap_or_default();
            let value = |arn: &Value| json!({"ARN": arn, "VersionId": "v1", "SecretString": "not a URL"});
            json!({"SecretValues": asked.iter().map(value).collect::<Vec<_>>()})
        }
        "GetResourcePolicy" if text("SecretId") == secret_arn(DENIED) => {
            let denied = json!({"__type": "AccessDeniedException", "Message": "not authorized"});
            return (400, denied.to_string());
        }
        "GetResourcePolicy" => json!({}),
        other => panic!("{other} is not expected"),
    };
    (200, body.to_string())
}

/// RDS and EC2 have nothing.
fn answer_xml(body: &str) -> (String, Reply) {
    let operation = body.split('&').find_map(|field| field.strip_prefix("Action=")).unwrap();
    let (name, version) = match operation {
        "DescribeDBInstances" | "DescribeDBClusters" => ("rds", "2014-10-31"),
        "DescribeSecurityGroups" | "DescribeSecurityGroupRules" | "DescribeSubnets" | "DescribeRouteTables" => {
            ("ec2", "2016-11-15")
        }
        other => panic!("{other} is not expected"),
    };
    let xml = format!(
        "<{operation}Response xmlns=\"http://{name}.amazonaws.com/doc/{version}/\"><{operation}Result/></{operation}Response>"
    );
    (operation.to_owned(), (200, xml))
}

fn answer(calls: &Calls, request: &HttpRequest) -> Reply {
    let body = request.body().bytes().unwrap_or_default();
    let target = request.headers().get("x-amz-target").and_then(|t| t.rsplit_once('.'));
    let (call, reply) = match target {
        Some((_, operation)) => {
            let body: Value = serde_json::from_slice(body).unwrap();
            let call = match operation {
                "GetResourcePolicy" => format!("{operation} {}", body["SecretId"].as_str().unwrap_or_default()),
                _ => operation.to_owned(),
            };
            (call, answer_json(operation, &body))
        }
        None => answer_xml(std::str::from_utf8(body).unwrap()),
    };
    *calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(call)
        .or_default() += 1;
    reply
}

/// What a sweep read, how long it took, and what it called.
async fn sweep(config: &Config, cache: &ReadCache) -> (Snapshot, Duration, BTreeMap<String, usize>) {
    let calls = Calls::default();
    let heard = Arc::clone(&calls);
    let aws = testing::aws(ACCOUNT, config, move |request| answer(&heard, request)).alone();
    let collector = Collector {
        aws: &aws,
        config,
        memory: cache,
        progress: &NoProgress,
    };
    let started = Instant::now();
    let snapshot = collector.sweep("2026-11-21T12:00:00Z".parse().unwrap()).await;
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (snapshot, started.elapsed(), calls)
}

fn policies(calls: &BTreeMap<String, usize>) -> BTreeSet<&str> {
    calls
        .keys()
        .filter_map(|call| call.strip_prefix("GetResourcePolicy "))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn policies_are_read_beside_the_descriptions() {
    let (snapshot, took, calls) = sweep(&Config::default(), &ReadCache::default()).await;
    assert_eq!(calls["DescribeTaskDefinition"], WORKLOADS);
    assert_eq!(calls["BatchGetSecretValue"], (WORKLOADS + 1).div_ceil(20));
    // 50 at once and then 20 a second, of which Holdfast takes 48 and 19.4: see `Limits`.
    let descriptions = Duration::from_secs(1).mul_f64(252.0 / 19.4);
    assert!(took >= descriptions.mul_f64(0.99), "{took:?}");
    assert!(
        took < descriptions.mul_f64(1.02),
        "{took:?}, and the descriptions alone {descriptions:?}"
    );

    // Each policy once: of the tagged secrets, and of the one that is found by its reference alone.
    let expected: BTreeSet<String> = (0..WORKLOADS)
        .map(|n| secret_arn(&format!("workload-{n}-url")))
        .chain([secret_arn(UNTAGGED)])
        .collect();
    assert_eq!(policies(&calls), expected.iter().map(String::as_str).collect());
    let asked = calls.iter().filter(|(call, _)| call.starts_with("GetResourcePolicy"));
    assert!(asked.clone().all(|(_, times)| *times == 1));
    assert_eq!(snapshot.policies.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let error = snapshot
        .policies
        .get(&secret_arn(DENIED))
        .unwrap()
        .as_ref()
        .unwrap_err();
    assert!(snapshot.errors.contains(error), "{error}");
    assert_eq!(snapshot.errors.len(), 1, "{:?}", snapshot.errors);
}

#[tokio::test(start_paused = true)]
async fn only_policies_that_let_nobody_in_are_remembered() {
    let cache = ReadCache::default();
    sweep(&Config::default(), &cache).await;
    let (snapshot, _, calls) = sweep(&Config::default(), &cache).await;
    assert_eq!(policies(&calls), BTreeSet::from([secret_arn(DENIED).as_str()]));
    assert_eq!(snapshot.policies.len(), WORKLOADS + 1);
    assert!(!calls.contains_key("DescribeTaskDefinition"));
}

#[tokio::test(start_paused = true)]
async fn no_policy_is_read_for_a_rule_that_is_disabled() {
    let mut config = Config::default();
    config
        .rules
        .entry("secret-broad-access".to_owned())
        .or_default()
        .enabled = Some(false);
    let (snapshot, _, calls) = sweep(&config, &ReadCache::default()).await;
    assert!(policies(&calls).is_empty());
    assert!(snapshot.policies.is_empty() && snapshot.errors.is_empty());
}
