//! Parses the events that AWS services send themselves.

use serde_json::Value;

use super::arn;
use super::fields::{name, resources, text};
use super::parsed::{Ignored, ParseError};
use super::target::{EventTarget, EventTargets, TargetsResult};
use crate::model::key::Subject;

/// `RDS DB Instance Event` and its sibling:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloud-watch-events.html>
pub(super) fn database(outer: &Value, detail: &Value, detail_type: &str) -> TargetsResult {
    let arn = text(detail, "SourceArn")
        .or_else(|| resources(outer).next())
        .and_then(arn::Arn::parse);
    let subject = match (text(detail, "SourceIdentifier").and_then(name), &arn) {
        // `SourceType` says what it is (`CLUSTER`, `DB_INSTANCE`); the detail type is the next best.
        (Some(id), _)
            if text(detail, "SourceType")
                .unwrap_or(detail_type)
                .to_ascii_uppercase()
                .contains("CLUSTER") =>
        {
            Some(Subject::DbCluster(id))
        }
        (Some(id), _) => Some(Subject::DbInstance(id)),
        (None, Some(arn)) => arn.subject(),
        (None, None) => None,
    };
    let subject = subject.ok_or(ParseError::Missing("detail.SourceIdentifier"))?;
    Ok(vec![match arn {
        Some(arn) => EventTarget::Arn(arn, subject),
        None => EventTarget::Subject(subject),
    }])
}

/// `ECS Task State Change`: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>
pub(super) fn task(detail: &Value) -> Result<EventTargets, ParseError> {
    let group = text(detail, "group").unwrap_or_default();
    let Some(service) = group.strip_prefix("service:").and_then(name) else {
        return Ok(standalone(detail, group));
    };
    let arn = text(detail, "clusterArn")
        .and_then(arn::Arn::parse)
        .ok_or(ParseError::Missing("detail.clusterArn"))?;
    let cluster = arn.cluster().ok_or(ParseError::Missing("detail.clusterArn"))?;
    Ok(EventTargets::EventTargets(vec![EventTarget::Arn(
        arn,
        Subject::Service { cluster, service },
    )]))
}

/// A task of no service is started by people, pipelines and schedules, and may be a migration. Its group is
/// `family:NAME` unless the caller of `RunTask` chose another one.
fn standalone(detail: &Value, group: &str) -> EventTargets {
    let of_group = group.strip_prefix("family:").and_then(name);
    let family = of_group.or_else(|| text(detail, "taskDefinitionArn").and_then(arn::Arn::parse)?.family());
    match family {
        Some(family) => EventTargets::EventTargets(vec![EventTarget::Subject(Subject::TaskFamily(family))]),
        None => EventTargets::Ignored(Ignored::OtherResource),
    }
}

/// `ECS Service Action` and `ECS Deployment State Change`: the first resource is the service.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>
pub(super) fn service(outer: &Value, detail: &Value) -> TargetsResult {
    let arn = resources(outer)
        .find_map(arn::Arn::parse)
        .ok_or(ParseError::Missing("resources"))?;
    let (cluster, service) = arn.service().ok_or(ParseError::Missing("resources"))?;
    // ARNs from before 2018 name no cluster:
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
    let cluster = match cluster {
        Some(cluster) => cluster,
        None => text(detail, "clusterArn")
            .and_then(arn::Arn::parse)
            .and_then(|a| a.cluster())
            .ok_or(ParseError::Missing("detail.clusterArn"))?,
    };
    Ok(vec![EventTarget::Arn(arn, Subject::Service { cluster, service })])
}

/// `Tag Change on Resource`: <https://docs.aws.amazon.com/tag-editor/latest/userguide/monitor-tag-changes.html>
pub(super) fn tagged(outer: &Value) -> Result<EventTargets, ParseError> {
    if resources(outer).next().is_none() {
        return Err(ParseError::Missing("resources"));
    }
    let arns = resources(outer).filter_map(arn::Arn::parse);
    Ok(EventTargets::EventTargets(
        arns.filter_map(|arn| arn.subject().map(|s| EventTarget::Arn(arn, s)))
            .collect(),
    ))
}
