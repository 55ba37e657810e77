//! The permissions for Holdfast's own resources in the account that it runs in: its queue, bus, kill switch, tables,
//! and the roles of its targets. None of them touches a workload.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::{Config, LeaseKind, LedgerKind};

/// The ledger's calls. `TransactWriteItems` has no permission of its own: its parts are authorized as if made alone.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
const LEDGER: &[&str] = &[
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];
/// The leases' calls.
const LEASES: &[&str] = &[
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
];
/// The queue's calls; those of batches have no permission of their own.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>
const QUEUE: &[&str] = &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"];
/// As many roles of one name are listed one by one. More are named by a wildcard for the account: an inline policy of a
/// role holds 10,240 characters, and an ARN has about fifty.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LISTED_ROLES: usize = 20;

/// The account and region that Holdfast runs in; `*` for what the configuration does not say.
struct Home<'c> {
    partition: &'static str,
    region: &'c str,
    account: &'c str,
}

/// The statements that the configuration asks for; none where it keeps to one machine and one account. `region` is where
/// Holdfast runs, if that is known.
pub(super) fn statements(config: &Config, region: Option<&str>) -> Vec<Value> {
    let queue = config.events.queue_url.as_deref().map(Queue::of);
    // The queue is in the region that Holdfast runs in, unless another one is named for it.
    let of_queue = queue.as_ref().filter(|_| config.events.region.is_none());
    let region = region.or(of_queue.and_then(|q| q.region)).unwrap_or("*");
    let own = config.targets.iter().find(|t| t.role_arn.is_none());
    let home = Home {
        partition: partition(config, region),
        region,
        account: own.map_or("*", |t| &t.account),
    };
    let mut out = vec![];
    let mut allow = |sid: &str, actions: &[&str], resource: Value| {
        out.push(json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}));
    };
    if let Some(queue) = &queue {
        let region = config.events.region.as_deref().or(queue.region).unwrap_or("*");
        let arn = format!("arn:{}:sqs:{region}:{}:{}", home.partition, queue.account, queue.name);
        allow("OwnQueue", QUEUE, json!(arn));
    }
    if let Some(bus) = &config.report_to.event_bus {
        allow(
            "OwnReports",
            &["events:PutEvents"],
            json!(home.arn("events", "event-bus", bus)),
        );
    }
    if let Some(name) = &config.safety.pause.ssm_parameter {
        allow(
            "OwnPause",
            &["ssm:GetParameter"],
            json!(home.arn("ssm", "parameter", name)),
        );
    }
    if let (LedgerKind::Dynamodb, Some(table)) = (config.ledger.kind, &config.ledger.table) {
        allow("OwnLedger", LEDGER, json!(home.arn("dynamodb", "table", table)));
    }
    if let (LeaseKind::Dynamodb, Some(table)) = (config.lease.kind, &config.lease.table) {
        allow("OwnLeases", LEASES, json!(home.arn("dynamodb", "table", table)));
    }
    let roles = roles(config);
    if !roles.is_empty() {
        allow("EnterTargets", &["sts:AssumeRole"], json!(roles));
    }
    out
}

impl Home<'_> {
    /// The ARN of a resource that the configuration names by name or ARN.
    fn arn(&self, service: &str, kind: &str, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let (partition, region, account) = (self.partition, self.region, self.account);
        // The name of a parameter may begin with a slash, which its ARN has only once.
        let name = name.trim_start_matches('/');
        format!("arn:{partition}:{service}:{region}:{account}:{kind}/{name}")
    }
}

/// Reads the URL of a queue: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`. An emulator's has no region.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>
struct Queue<'u> {
    region: Option<&'u str>,
    account: &'u str,
    name: &'u str,
}

impl<'u> Queue<'u> {
    fn of(url: &'u str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let mut parts = rest.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next().unwrap_or("*"), parts.next().unwrap_or("*"));
        let host = rest.split('/').next().unwrap_or_default();
        let region = host.strip_prefix("sqs.").and_then(|h| h.split_once(".amazonaws."));
        Self {
            region: region.map(|(region, _)| region),
            account,
            name,
        }
    }
}

/// The partition of AWS, by a role's ARN or by the region's name.
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
fn partition(config: &Config, region: &str) -> &'static str {
    let role = config.targets.iter().find_map(|t| t.role_arn.as_deref());
    let of_role = role.and_then(|r| r.split(':').nth(1)).unwrap_or_default();
    if of_role == "aws-cn" || region.starts_with("cn-") {
        "aws-cn"
    } else if of_role == "aws-us-gov" || region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// The roles of all targets, those of many accounts with one name as one.
fn roles(config: &Config) -> BTreeSet<String> {
    let mut named: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for arn in config.targets.iter().filter_map(|t| t.role_arn.as_deref()) {
        // arn:PARTITION:iam::ACCOUNT:role/NAME
        let mut parts = arn.splitn(6, ':');
        let partition = parts.nth(1).unwrap_or_default();
        let role = parts.nth(3).unwrap_or_default();
        named.entry((partition, role)).or_default().insert(arn);
    }
    let listed = |((partition, role), arns): ((&str, &str), BTreeSet<&str>)| {
        if arns.len() > LISTED_ROLES {
            vec![format!("arn:{partition}:iam::*:{role}")]
        } else {
            arns.into_iter().map(str::to_owned).collect()
        }
    };
    named.into_iter().flat_map(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    fn of(yaml: &str, region: Option<&str>) -> BTreeMap<String, (Value, Value)> {
        let config = load_text("test", yaml, &[]).expect("valid").config;
        let by_sid = |s: &Value| {
            let sid = s["Sid"].as_str().expect("a Sid").to_owned();
            (sid, (s["Action"].clone(), s["Resource"].clone()))
        };
        statements(&config, region).iter().map(by_sid).collect()
    }

    #[test]
    fn nothing_is_asked_for_that_is_not_configured() {
        assert!(of("", Some("us-east-1")).is_empty());
        assert!(of("ledger: {kind: sqlite}", None).is_empty());
    }

    #[test]
    fn names_become_arns_as_far_as_they_are_known() {
        let yaml = "events: {queue_url: \"https://sqs.us-west-2.amazonaws.com/123456789012/holdfast-events\"}\n\
                    safety: {pause: {ssm_parameter: /holdfast/pause}}\n\
                    report_to: {event_bus: security}\n\
                    ledger: {kind: dynamodb, table: holdfast}\n\
                    lease: {kind: dynamodb, table: holdfast}\n";
        let found = of(yaml, None);
        let table = json!("arn:aws:dynamodb:us-west-2:*:table/holdfast");
        assert_eq!(
            found["OwnQueue"].1,
            json!("arn:aws:sqs:us-west-2:123456789012:holdfast-events")
        );
        assert_eq!(
            found["OwnPause"].1,
            json!("arn:aws:ssm:us-west-2:*:parameter/holdfast/pause")
        );
        assert_eq!(
            found["OwnReports"].1,
            json!("arn:aws:events:us-west-2:*:event-bus/security")
        );
        assert_eq!(found["OwnLedger"], (json!(LEDGER), table.clone()));
        assert_eq!(found["OwnLeases"], (json!(LEASES), table));
        assert!(!found.contains_key("EnterTargets"));
    }

    #[test]
    fn an_own_account_a_region_and_an_arn_are_taken_as_they_are() {
        let yaml = "targets: [{account: \"111122223333\"}]\n\
                    events: {queue_url: \"http://127.0.0.1:4566/000000000000/q\", region: eu-west-1}\n\
                    report_to: {event_bus: \"arn:aws:events:us-east-1:444455556666:event-bus/security\"}\n\
                    ledger: {kind: dynamodb, table: t}\n";
        let found = of(yaml, Some("cn-north-1"));
        assert_eq!(found["OwnQueue"].1, json!("arn:aws-cn:sqs:eu-west-1:000000000000:q"));
        assert_eq!(
            found["OwnReports"].1,
            json!("arn:aws:events:us-east-1:444455556666:event-bus/security")
        );
        assert_eq!(
            found["OwnLedger"].1,
            json!("arn:aws-cn:dynamodb:cn-north-1:111122223333:table/t")
        );
    }

    #[test]
    fn a_queue_elsewhere_does_not_tell_where_holdfast_runs() {
        let yaml = "events: {queue_url: \"https://sqs.us-west-2.amazonaws.com/123456789012/q\", region: us-west-2}\n\
                    ledger: {kind: dynamodb, table: t}\n";
        assert_eq!(of(yaml, None)["OwnLedger"].1, json!("arn:aws:dynamodb:*:*:table/t"));
    }

    #[test]
    fn many_roles_of_one_name_are_one() {
        let target =
            |n: usize| format!("  - {{account: \"{n:012}\", role_arn: \"arn:aws:iam::{n:012}:role/holdfast\"}}\n");
        let yaml = |count: usize| format!("targets:\n{}", (1..=count).map(target).collect::<String>());
        let roles = |count: usize| of(&yaml(count), None)["EnterTargets"].1.clone();
        assert_eq!(roles(LISTED_ROLES).as_array().map(Vec::len), Some(LISTED_ROLES));
        assert_eq!(roles(LISTED_ROLES + 1), json!(["arn:aws:iam::*:role/holdfast"]));
    }
}
