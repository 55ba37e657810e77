//! Parses the API calls that `CloudTrail` reports. They are the only notice of changes to security groups, secrets and
//! public access.
//!
//! Record format: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use serde_json::Value;

use super::arn::Arn;
use super::fields::{lookup, name, text};
use super::parsed::{Ignored, ParseError};
use super::target::{EventTarget, EventTargets, TargetsResult};
use crate::model::key::Subject;

/// Where a call's resource is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locator {
    /// `dBInstanceIdentifier`, `dBClusterIdentifier` and their kin.
    Database,
    /// `groupId`, or the `groupId` of the rules in the answer.
    Group,
    /// `resourcesSet.items[].resourceId`.
    Ec2Tags,
    /// `serviceName` in create, `service` elsewhere; `cluster`.
    Service,
    /// `secretId`, `name` in create; the answer's ARN is better than either.
    Secret,
    /// `resourceArn` (ECS) or `resourceName` (RDS).
    Tagged,
    /// Routes, subnets, parameter groups: everything that depends on them.
    Everything,
}

const RDS: &str = "rds.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const ECS: &str = "ecs.amazonaws.com";
const SECRETS: &str = "secretsmanager.amazonaws.com";

/// Event source and the source that `EventBridge` gives it.
const SOURCES: [(&str, &str); 4] = [
    (RDS, "aws.rds"),
    (EC2, "aws.ec2"),
    (ECS, "aws.ecs"),
    (SECRETS, "aws.secretsmanager"),
];

/// Every call that can change what a rule looks at.
const CALLS: &[(&str, &[&str], Locator)] = &[
    (
        RDS,
        &[
            "CreateDBInstance",
            "CreateDBInstanceReadReplica",
            "ModifyDBInstance",
            "DeleteDBInstance",
            "PromoteReadReplica",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceFromS3",
            "RestoreDBInstanceToPointInTime",
            "CreateDBCluster",
            "ModifyDBCluster",
            "DeleteDBCluster",
            "RestoreDBClusterFromSnapshot",
            "RestoreDBClusterFromS3",
            "RestoreDBClusterToPointInTime",
        ],
        Locator::Database,
    ),
    (RDS, &["AddTagsToResource", "RemoveTagsFromResource"], Locator::Tagged),
    (
        RDS,
        &[
            "ModifyDBSubnetGroup",
            "ModifyDBParameterGroup",
            "ModifyDBClusterParameterGroup",
        ],
        Locator::Everything,
    ),
    (
        EC2,
        &[
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupIngress",
            "AuthorizeSecurityGroupEgress",
            "RevokeSecurityGroupEgress",
            "ModifySecurityGroupRules",
            "CreateSecurityGroup",
            "DeleteSecurityGroup",
        ],
        Locator::Group,
    ),
    (EC2, &["CreateTags", "DeleteTags"], Locator::Ec2Tags),
    (
        EC2,
        &[
            "CreateRoute",
            "ReplaceRoute",
            "DeleteRoute",
            "AssociateRouteTable",
            "DisassociateRouteTable",
            "ReplaceRouteTableAssociation",
            "AttachInternetGateway",
            "DetachInternetGateway",
            "ModifyManagedPrefixList",
        ],
        Locator::Everything,
    ),
    (
        ECS,
        &[
            "CreateService",
            "UpdateService",
            "DeleteService",
            "UpdateServicePrimaryTaskSet",
        ],
        Locator::Service,
    ),
    (ECS, &["TagResource", "UntagResource"], Locator::Tagged),
    (
        SECRETS,
        &[
            "CreateSecret",
            "PutSecretValue",
            "UpdateSecret",
            "UpdateSecretVersionStage",
            "DeleteSecret",
            "RestoreSecret",
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "TagResource",
            "UntagResource",
            "RotationSucceeded",
        ],
        Locator::Secret,
    ),
];

pub(super) fn source_of(event_source: &str) -> Option<&'static str> {
    SOURCES
        .iter()
        .find(|(host, _)| *host == event_source)
        .map(|(_, source)| *source)
}

pub(super) fn sources() -> Vec<&'static str> {
    SOURCES.iter().map(|(_, source)| *source).collect()
}

/// Every call's name once, for the event pattern.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = CALLS.iter().flat_map(|(_, names, _)| names.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a call changed.
pub(super) fn targets(detail: &Value) -> Result<EventTargets, ParseError> {
    let event_source = text(detail, "eventSource").ok_or(ParseError::Missing("detail.eventSource"))?;
    let event_name = text(detail, "eventName").ok_or(ParseError::Missing("detail.eventName"))?;
    if lookup(detail, "errorCode").is_some_and(|code| !code.is_null()) {
        return Ok(EventTargets::Ignored(Ignored::FailedCall));
    }
    if lookup(detail, "readOnly").is_some_and(|flag| flag.as_bool() == Some(true) || flag.as_str() == Some("true")) {
        return Ok(EventTargets::Ignored(Ignored::ReadOnly));
    }
    let known = CALLS
        .iter()
        .find(|(source, names, _)| *source == event_source && names.contains(&event_name));
    let Some((_, _, how)) = known else {
        return Ok(EventTargets::Ignored(Ignored::UnknownCall));
    };
    let call = RecordedCall {
        request: lookup(detail, "requestParameters").unwrap_or(&Value::Null),
        response: lookup(detail, "responseElements").unwrap_or(&Value::Null),
        extra: lookup(detail, "additionalEventData").unwrap_or(&Value::Null),
    };
    // Parameters over 100 KiB are left out and marked so. Something changed; what, only a look at everything tells.
    // https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    if call.request.get("omitted").is_some_and(|o| *o == Value::Bool(true)) {
        return Ok(EventTargets::EventTargets(vec![EventTarget::Subject(
            Subject::Everything,
        )]));
    }
    Ok(EventTargets::EventTargets(match how {
        Locator::Database => call.databases()?,
        Locator::Group => call.groups()?,
        Locator::Ec2Tags => call.ec2_tags()?,
        Locator::Service => call.service()?,
        Locator::Secret => call.secret()?,
        Locator::Tagged => call.tagged()?,
        Locator::Everything => vec![EventTarget::Subject(Subject::Everything)],
    }))
}

/// Who called: the principal's ARN, else the service or name behind it.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
pub(super) fn actor(detail: &Value) -> Option<String> {
    let identity = lookup(detail, "userIdentity")?;
    ["arn", "invokedBy", "userName", "principalId"]
        .iter()
        .find_map(|field| text(identity, field).and_then(name))
}

struct RecordedCall<'a> {
    request: &'a Value,
    response: &'a Value,
    extra: &'a Value,
}

impl RecordedCall<'_> {
    /// Identifiers are case-insensitive to RDS and come as the caller wrote them; the answer has the stored form.
    fn databases(&self) -> TargetsResult {
        const INSTANCE: [&str; 3] = [
            "dBInstanceIdentifier",
            "targetDBInstanceIdentifier",
            "newDBInstanceIdentifier",
        ];
        const CLUSTER: [&str; 2] = ["dBClusterIdentifier", "newDBClusterIdentifier"];
        let find = |fields: &[&str]| {
            let mut ids: Vec<String> = Vec::new();
            for value in [self.response, self.request] {
                for id in fields.iter().filter_map(|field| text(value, field).and_then(name)) {
                    let id = Arn::parse(&id)
                        .and_then(|a| a.resource.split_once(':').map(|(_, n)| n.to_owned()))
                        .unwrap_or(id);
                    if !ids.iter().any(|known| known.eq_ignore_ascii_case(&id)) {
                        ids.push(id);
                    }
                }
            }
            ids
        };
        let instances = find(&INSTANCE).into_iter().map(Subject::DbInstance);
        let found: Vec<_> = instances
            .chain(find(&CLUSTER).into_iter().map(Subject::DbCluster))
            .map(EventTarget::Subject)
            .collect();
        need(found, "detail.requestParameters.dBInstanceIdentifier")
    }

    /// Groups that a rule merely refers to (`ipPermissions...groups`) are not what changed.
    fn groups(&self) -> TargetsResult {
        let own = [
            self.request,
            self.response,
            lookup(self.request, "ModifySecurityGroupRulesRequest").unwrap_or(&Value::Null),
        ];
        let mut ids: Vec<&str> = own.iter().filter_map(|value| text(value, "groupId")).collect();
        for set in ["securityGroupRuleSet", "revokedSecurityGroupRuleSet"] {
            ids.extend(items(self.response, set).filter_map(|rule| text(rule, "groupId")));
        }
        let mut found: Vec<_> = ids
            .into_iter()
            .filter_map(name)
            .map(Subject::SecurityGroup)
            .map(EventTarget::Subject)
            .collect();
        // In a default VPC a group may be named instead, and names are not keys.
        if found.is_empty() && text(self.request, "groupName").is_some() {
            found.push(EventTarget::Subject(Subject::Everything));
        }
        need(found, "detail.requestParameters.groupId")
    }

    fn ec2_tags(&self) -> TargetsResult {
        if lookup(self.request, "resourcesSet").is_none() {
            return Err(ParseError::Missing("detail.requestParameters.resourcesSet"));
        }
        let ids = items(self.request, "resourcesSet").filter_map(|item| text(item, "resourceId"));
        let groups = ids.filter(|id| id.starts_with("sg-")).filter_map(name);
        Ok(groups.map(Subject::SecurityGroup).map(EventTarget::Subject).collect())
    }

    fn service(&self) -> TargetsResult {
        const MISSING: ParseError = ParseError::Missing("detail.requestParameters.service");
        let answer = lookup(self.response, "service").unwrap_or(&Value::Null);
        let written = text(self.request, "service").or_else(|| text(self.request, "serviceName"));
        let written = written
            .or_else(|| text(answer, "serviceArn"))
            .and_then(name)
            .ok_or(MISSING)?;
        let cluster = text(self.request, "cluster")
            .or_else(|| text(answer, "clusterArn"))
            .and_then(name);
        let cluster = cluster.map(|c| Arn::parse(&c).and_then(|a| a.cluster()).unwrap_or(c));
        // A call that names no cluster means the one called `default`:
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
        let fallback = || cluster.clone().unwrap_or_else(|| "default".to_owned());
        Ok(vec![match Arn::parse(&written) {
            None => EventTarget::Subject(Subject::Service {
                cluster: fallback(),
                service: written,
            }),
            Some(arn) => {
                let (of_arn, service) = arn.service().ok_or(MISSING)?;
                let cluster = of_arn.unwrap_or_else(fallback);
                EventTarget::Arn(arn, Subject::Service { cluster, service })
            }
        }])
    }

    fn secret(&self) -> TargetsResult {
        let arn = text(self.response, "arn").and_then(Arn::parse);
        let id = || text(self.request, "secretId").or_else(|| text(self.extra, "SecretId"));
        let id = || {
            id().or_else(|| text(self.request, "name"))
                .or_else(|| text(self.response, "name"))
        };
        let arn = arn.or_else(|| id().and_then(Arn::parse));
        if let Some(arn) = arn
            && let Some(subject) = arn.subject()
        {
            return Ok(vec![EventTarget::Arn(arn, subject)]);
        }
        let named = id().and_then(name).map(Subject::Secret).map(EventTarget::Subject);
        need(named.into_iter().collect(), "detail.requestParameters.secretId")
    }

    fn tagged(&self) -> TargetsResult {
        let written = text(self.request, "resourceArn").or_else(|| text(self.request, "resourceName"));
        let arn = written
            .and_then(Arn::parse)
            .ok_or(ParseError::Missing("detail.requestParameters.resourceArn"))?;
        Ok(arn
            .subject()
            .map(|subject| EventTarget::Arn(arn, subject))
            .into_iter()
            .collect())
    }
}

/// The members of a list as EC2's records write it: `{"items": [...]}`, or the list itself.
fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    let set = lookup(value, field);
    let list = set.and_then(|set| {
        set.as_array()
            .or_else(|| lookup(set, "items").and_then(Value::as_array))
    });
    list.into_iter().flatten()
}

fn need(found: Vec<EventTarget>, field: &'static str) -> TargetsResult {
    if found.is_empty() {
        Err(ParseError::Missing(field))
    } else {
        Ok(found)
    }
}
