//! What an event tells of a task that no service started.
//!
//! The detail is the task as `DescribeTasks` has it, with instants as text:
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::arn::Arn;
use super::fields::{lookup, name, text};
use crate::model::key::{Key, Subject};
use crate::model::resources::TaskRun;

/// Containers of a task that are read: a task definition has at most 10, and AWS may add some of its own.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
const MOST_CONTAINERS: usize = 30;
/// Characters kept of AWS's words.
const LONGEST: usize = 1_000;

/// The task of an event about the family `key`; `None` if it does not say which task, of which revision.
pub(super) fn read(detail: &Value, key: &Key) -> Option<TaskRun> {
    let Subject::TaskFamily(family) = &key.subject else {
        return None;
    };
    let arn = text(detail, "taskArn").and_then(name)?;
    let definition = text(detail, "taskDefinitionArn").and_then(name)?;
    // The group may name another family than the task's own: whoever runs a task chooses it.
    let place = |arn: &str| Arn::parse(arn).map(|a| (a.account.clone(), a.region.clone()));
    let here = Some((key.scope.account.clone(), key.scope.region.clone()));
    if place(&arn) != here || place(&definition) != here || Arn::parse(&definition)?.family()? != *family {
        return None;
    }
    let cluster = text(detail, "clusterArn")
        .and_then(Arn::parse)
        .and_then(|a| a.cluster());
    let at = |field: &str| text(detail, field).and_then(|t| t.parse::<Timestamp>().ok());
    let mut run = TaskRun {
        arn,
        cluster: cluster.unwrap_or_default(),
        task_definition: definition,
        last_status: text(detail, "lastStatus").and_then(name).unwrap_or_default(),
        started_at: at("createdAt").or_else(|| at("startedAt")),
        stopped_at: at("stoppedAt"),
        stop_code: words(detail, "stopCode"),
        stopped_reason: words(detail, "stoppedReason"),
        own_command: has_own_command(detail),
        remembered: true,
        ..TaskRun::default()
    };
    let containers = list(detail, "containers").iter().take(MOST_CONTAINERS);
    for container in containers {
        let Some(of) = text(container, "name").and_then(name) else {
            continue;
        };
        let code = lookup(container, "exitCode").and_then(Value::as_i64);
        run.exit_codes
            .insert(of.clone(), code.and_then(|c| i32::try_from(c).ok()));
        let keep = |map: &mut BTreeMap<String, String>, field: &str| {
            map.extend(words(container, field).map(|value| (of.clone(), value)));
        };
        keep(&mut run.reasons, "reason");
        keep(&mut run.images, "image");
        keep(&mut run.digests, "imageDigest");
    }
    let details = list(detail, "attachments").iter().flat_map(|a| list(a, "details"));
    let subnets = details.filter(|d| text(d, "name") == Some("subnetId"));
    let subnets: BTreeSet<String> = subnets.filter_map(|d| text(d, "value").and_then(name)).collect();
    run.subnets = subnets.into_iter().collect();
    Some(run)
}

/// Whether the task was started with another command than its revision's. Which is not kept: it may hold anything.
fn has_own_command(detail: &Value) -> bool {
    let overrides = lookup(detail, "overrides")
        .map(|o| list(o, "containerOverrides"))
        .unwrap_or_default();
    overrides.iter().any(|o| !list(o, "command").is_empty())
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    lookup(value, field)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn words(value: &Value, field: &str) -> Option<String> {
    let text = text(value, field)?.trim();
    let clean: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::key::Scope;

    fn key(family: &str) -> Key {
        Key {
            scope: Scope {
                account: "123456789012".into(),
                region: "us-east-1".into(),
            },
            subject: Subject::TaskFamily(family.into()),
        }
    }

    fn stopped() -> Value {
        json!({
            "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/jobs/0123",
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/jobs", "group": "family:shop-migrate",
            "lastStatus": "STOPPED", "createdAt": "2026-11-21T10:00:00.123Z", "startedAt": "2026-11-21T10:00:30Z",
            "stoppedAt": "2026-11-21T10:01:00Z", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "containers": [
                {"name": "migrate", "image": "shop:2", "imageDigest": "sha256:aa", "exitCode": 1, "reason": "it\nfailed"},
                {"name": "late", "image": "x"}],
            "attachments": [{"details": [{"name": "subnetId", "value": "subnet-1"}]}],
            "overrides": {"containerOverrides": [{"name": "migrate", "command": ["psql", "postgres://u:hunter2@h/d"],
                "environment": [{"name": "A", "value": "hunter2"}]}]},
        })
    }

    #[test]
    fn a_task_that_ended() {
        let run = read(&stopped(), &key("shop-migrate")).expect("a run");
        assert_eq!((run.cluster.as_str(), run.last_status.as_str()), ("jobs", "STOPPED"));
        assert_eq!(run.started_at, "2026-11-21T10:00:00.123Z".parse().ok());
        assert_eq!(
            run.exit_codes,
            BTreeMap::from([("migrate".into(), Some(1)), ("late".into(), None)])
        );
        assert_eq!(run.digests["migrate"], "sha256:aa");
        assert_eq!(run.reasons["migrate"], "itfailed");
        assert_eq!(run.subnets, ["subnet-1"]);
        assert!(run.own_command && run.remembered);
        assert!(
            !format!("{run:?}").contains("hunter2"),
            "what it was started with is not kept"
        );
    }

    #[test]
    fn what_does_not_say_which_task_is_no_evidence() {
        assert_eq!(
            read(&stopped(), &key("other")),
            None,
            "its group says another family than its revision"
        );
        for field in ["taskArn", "taskDefinitionArn"] {
            let mut without = stopped();
            without.as_object_mut().expect("an object").remove(field);
            assert_eq!(read(&without, &key("shop-migrate")), None, "{field}");
            let mut elsewhere = stopped();
            elsewhere[field] = json!(
                elsewhere[field]
                    .as_str()
                    .expect("text")
                    .replace("us-east-1", "eu-west-1")
            );
            assert_eq!(read(&elsewhere, &key("shop-migrate")), None, "{field}");
        }
    }
}
