//! Parses the body of a queue message into the keys of what changed.
//!
//! An event supplies keys and nothing else. What is evaluated is always read again, so an event is trusted only for
//! *which* resource to look at. The operator ignores scopes that it is not configured for.
//!
//! The parser accepts the `EventBridge` envelope
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>) as such, wrapped by SNS
//! (`Type: Notification`, `Message`), by Pipes or Lambda (arrays, `Records`, SQS records with a `body`), with a
//! `detail` that is a string, and a bare `CloudTrail` record (a rule with `InputPath: $.detail`).

use serde_json::{Value, json};

use crate::model::key::{Key, Scope};

mod arn;
mod calls;
mod direct;
mod fields;
mod parsed;
mod target;
mod task_run;
#[cfg(test)]
mod tests;

use fields::{resources, text};
pub use parsed::{Ignored, MAX_BODY, ParseError, Parsed, Relevance};
use parsed::{MAX_KEYS, ignored};
use target::{EventTarget, EventTargets};

/// Envelopes within envelopes: SNS around Pipes around SQS is three; more is not ours.
const MAX_WRAPS: usize = 4;

const CALL: &str = "AWS API Call via CloudTrail";
const SERVICE_CALL: &str = "AWS Service Event via CloudTrail";

/// Detail types that services send themselves, with their sources:
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-rds.html>, `-ecs`, `-tag`.
pub const DIRECT: &[(&str, &str)] = &[
    ("aws.rds", "RDS DB Instance Event"),
    ("aws.rds", "RDS DB Cluster Event"),
    ("aws.ecs", "ECS Task State Change"),
    ("aws.ecs", "ECS Deployment State Change"),
    ("aws.ecs", "ECS Service Action"),
    ("aws.tag", "Tag Change on Resource"),
];

/// Turns a message body into keys.
///
/// Account and region are the envelope's, else those of an ARN in the event, else `CloudTrail`'s
/// `recipientAccountId` and `awsRegion` (moto's envelope has no `account`).
///
/// # Errors [`ParseError`] if the body is not an event, or is of a handled type without a field that this type always
/// has.
pub fn parse(body: &str) -> Result<Parsed, ParseError> {
    if body.len() > MAX_BODY {
        return Err(ParseError::TooLarge(body.len()));
    }
    unwrap(&decode(body)?, 0)
}

/// The `EventBridge` pattern that lets exactly the handled events through.
///
/// It uses `$or` and stays under the 2,048 characters that a pattern may have
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>); both emulators understand it. [`patterns`]
/// gives the same as two patterns without `$or`.
#[must_use]
pub fn pattern() -> Value {
    json!({ "$or": patterns().map(|(_, pattern)| pattern) })
}

/// The same as [`pattern`] in two, named for the rules they belong to: `events` and `calls`.
#[must_use]
pub fn patterns() -> [(&'static str, Value); 2] {
    let unique = |values: Vec<&'static str>| {
        let mut out: Vec<&str> = Vec::new();
        for value in values {
            if !out.contains(&value) {
                out.push(value);
            }
        }
        out
    };
    let events = json!({
        "source": unique(DIRECT.iter().map(|(source, _)| *source).collect()),
        "detail-type": unique(DIRECT.iter().map(|(_, detail_type)| *detail_type).collect()),
    });
    let calls = json!({
        "source": calls::sources(),
        "detail-type": [CALL, SERVICE_CALL],
        "detail": { "eventName": calls::names() },
    });
    [("events", events), ("calls", calls)]
}

fn decode(text: &str) -> Result<Value, ParseError> {
    // serde's own message may quote the body.
    serde_json::from_str(text).map_err(|e| ParseError::NotJson {
        line: e.line(),
        column: e.column(),
    })
}

/// Takes envelopes off until an event is left.
fn unwrap(value: &Value, depth: usize) -> Result<Parsed, ParseError> {
    if depth > MAX_WRAPS {
        return Err(ParseError::TooDeep);
    }
    if let Some(batch) = value.as_array() {
        return merge(batch, depth);
    }
    let Some(object) = value.as_object() else {
        return Err(ParseError::Missing("source"));
    };
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if let Some(records) = object.get("Records").and_then(Value::as_array) {
        return merge(records, depth);
    }
    // SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    match (text("Type"), text("Message")) {
        (Some("Notification"), Some(message)) => return unwrap(&decode(message)?, depth + 1),
        (Some("Notification"), None) => return Err(ParseError::Missing("Message")),
        (Some("SubscriptionConfirmation" | "UnsubscribeConfirmation"), _) => {
            return Ok(ignored("aws.sns", "", Ignored::Empty));
        }
        _ => {}
    }
    // A record that Pipes or Lambda took from a queue or a topic.
    if let Some(inner) = text("body") {
        return unwrap(&decode(inner)?, depth + 1);
    }
    if let Some(inner) = object.get("Sns") {
        return unwrap(inner, depth + 1);
    }
    if let (Some(event_source), Some(_), None) = (text("eventSource"), text("eventName"), text("detail-type")) {
        let source = calls::source_of(event_source).unwrap_or_default();
        return event(&Envelope {
            source,
            detail_type: CALL,
            outer: &Value::Null,
            detail: value,
        });
    }
    let source = text("source").ok_or(ParseError::Missing("source"))?;
    let detail_type = text("detail-type").ok_or(ParseError::Missing("detail-type"))?;
    match object.get("detail") {
        // An input template that quoted it.
        Some(Value::String(detail)) => event(&Envelope {
            source,
            detail_type,
            outer: value,
            detail: &decode(detail)?,
        }),
        detail => event(&Envelope {
            source,
            detail_type,
            outer: value,
            detail: detail.unwrap_or(&Value::Null),
        }),
    }
}

/// One outcome for a batch. One malformed member makes the batch malformed: it must reach the dead-letter queue.
fn merge(batch: &[Value], depth: usize) -> Result<Parsed, ParseError> {
    let mut merged = ignored("", "", Ignored::Empty);
    for member in batch {
        let one = unwrap(member, depth + 1)?;
        let is_first = merged.keys.is_empty();
        if is_first && (!one.keys.is_empty() || merged.source.is_empty()) {
            merged = Parsed {
                time: merged.time.into_iter().chain(one.time).min(),
                ..one
            };
            continue;
        }
        if one.keys.is_empty() {
            continue;
        }
        merged.time = merged.time.into_iter().chain(one.time).min();
        merged.keys.extend(one.keys);
        merged.runs.extend(one.runs);
        if merged.keys.len() > MAX_KEYS {
            return Err(ParseError::TooMany);
        }
    }
    dedupe(&mut merged.keys);
    Ok(merged)
}

/// An event without its wrappings.
struct Envelope<'a> {
    source: &'a str,
    detail_type: &'a str,
    /// The envelope itself, or null for a bare `CloudTrail` record.
    outer: &'a Value,
    detail: &'a Value,
}

fn event(envelope: &Envelope<'_>) -> Result<Parsed, ParseError> {
    let Envelope {
        source,
        detail_type,
        outer,
        detail,
    } = *envelope;
    let is_call = matches!(detail_type, CALL | SERVICE_CALL);
    if !is_call && !DIRECT.contains(&(source, detail_type)) {
        return Ok(ignored(source, detail_type, Ignored::UnknownType));
    }
    if !detail.is_object() && source != "aws.tag" {
        return Err(ParseError::Missing("detail"));
    }
    let found = match (source, detail_type) {
        (_, CALL | SERVICE_CALL) => calls::targets(detail)?,
        ("aws.rds", _) => EventTargets::EventTargets(direct::database(outer, detail, detail_type)?),
        ("aws.ecs", "ECS Task State Change") => direct::task(detail)?,
        ("aws.ecs", _) => EventTargets::EventTargets(direct::service(outer, detail)?),
        _ => direct::tagged(outer)?,
    };
    let time = text(outer, "time")
        .or_else(|| text(detail, "eventTime"))
        .and_then(|t| t.parse().ok());
    let actor = if is_call { calls::actor(detail) } else { None };
    let (targets, reason) = match found {
        EventTargets::EventTargets(targets) => (targets, Ignored::OtherResource),
        EventTargets::Ignored(reason) => (Vec::new(), reason),
    };
    if targets.is_empty() {
        return Ok(Parsed {
            time,
            actor,
            ..ignored(source, detail_type, reason)
        });
    }
    if targets.len() > MAX_KEYS {
        return Err(ParseError::TooMany);
    }
    let mut keys = targets
        .into_iter()
        .map(|t| locate(outer, detail, t))
        .collect::<Result<Vec<_>, _>>()?;
    dedupe(&mut keys);
    let run = match (source, detail_type, keys.as_slice()) {
        ("aws.ecs", "ECS Task State Change", [key]) => task_run::read(detail, key).map(|run| (key.clone(), run)),
        _ => None,
    };
    let (source, detail_type) = (source.to_owned(), detail_type.to_owned());
    Ok(Parsed {
        source,
        detail_type,
        time,
        keys,
        actor,
        runs: run.into_iter().collect(),
        outcome: Relevance::Relevant,
    })
}

fn locate(outer: &Value, detail: &Value, target: EventTarget) -> Result<Key, ParseError> {
    let (named, subject) = match target {
        EventTarget::Subject(subject) => (None, subject),
        EventTarget::Arn(arn, subject) => (Some(arn), subject),
    };
    let first_resource = || resources(outer).find_map(arn::Arn::parse);
    let pick = |of_envelope: &str, of_arn: fn(&arn::Arn) -> &str, of_trail: &str, is_valid: fn(&str) -> bool| {
        let valid = |s: &str| is_valid(s).then(|| s.to_owned());
        text(outer, of_envelope)
            .and_then(valid)
            .or_else(|| named.as_ref().map(of_arn).and_then(valid))
            .or_else(|| text(detail, of_trail).and_then(valid))
            .or_else(|| first_resource().as_ref().map(of_arn).and_then(valid))
            .or_else(|| {
                text(detail, "clusterArn")
                    .and_then(arn::Arn::parse)
                    .as_ref()
                    .map(of_arn)
                    .and_then(valid)
            })
    };
    let account = pick("account", |a| &a.account, "recipientAccountId", arn::is_account);
    let region = pick("region", |a| &a.region, "awsRegion", arn::is_region);
    Ok(Key {
        scope: Scope {
            account: account.ok_or(ParseError::Missing("account"))?,
            region: region.ok_or(ParseError::Missing("region"))?,
        },
        subject,
    })
}

fn dedupe(keys: &mut Vec<Key>) {
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
}
