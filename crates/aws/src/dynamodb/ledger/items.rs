//! The items of the table, and their keys.
//!
//! | `pk` | `sk` | what |
//! | --- | --- | --- |
//! | `scopes` | `ACCOUNT/REGION` | every scope that something was written for |
//! | `attempts#ACCOUNT/REGION` | `BEGUN_AT#ID` | attempts of a scope |
//! | `open-attempts#ACCOUNT/REGION` | `BEGUN_AT#ID` | those of them that are under way |
//! | `workload-attempts#WORKLOAD` | `BEGUN_AT#ID` | attempts of a workload, in all scopes |
//! | `findings#ACCOUNT/REGION` | `FIRST_SEEN#FINDING#HASH` | sightings of a scope |
//! | `open-findings#ACCOUNT/REGION` | `FIRST_SEEN#FINDING#HASH` | those of them that are open |
//! | `workload-findings#WORKLOAD` | `FIRST_SEEN#FINDING#HASH` | sightings of a workload, in all scopes |
//! | `runs#ACCOUNT/REGION` | `FAMILY` | the newest runs of a family that migrates |
//!
//! Copies and not indexes: a global index can't be read consistently, and a table with nothing but its keys is made by one
//! command. All copies of a record are written in one transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use holdfast_core::finding::stable_id;
use holdfast_core::model::key::Scope;
use holdfast_operator::attempt::{Attempt, FindingRecord};
use holdfast_operator::ledger::{KEPT, kept, sortable};

/// The version of the items that this program writes.
pub(super) const SCHEMA: u64 = 1;

/// An item, by the names of its attributes.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The key of an item.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Place {
    /// The key as the API takes it.
    pub(super) fn key(&self) -> Item {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The three places of a record.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Among all of its scope.
    pub(super) scope: Place,
    /// Among the open ones of its scope.
    pub(super) open: Place,
    /// Among all of its workload.
    pub(super) workload: Place,
}

impl Places {
    fn new(of: &str, scope: &Scope, workload: &str, in_scope: &str, in_workload: &str) -> Self {
        let place = |pk: String, sk: &str| Place { pk, sk: sk.to_owned() };
        Self {
            scope: place(in_scope_key(of, scope), in_scope),
            open: place(in_scope_key(&format!("open-{of}"), scope), in_scope),
            workload: place(in_workload_key(of, workload), in_workload),
        }
    }

    pub(super) fn of_attempt(attempt: &Attempt) -> Self {
        let sk = format!("{}#{}", sortable(attempt.begun_at), attempt.id);
        Self::new(ATTEMPTS, attempt.scope(), &attempt.action.workload, &sk, &sk)
    }

    /// A workload's name may be 1,024 bytes long, which is all that a sort key may have: its hash stands for it.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
    pub(super) fn of_sighting(seen: &FindingRecord) -> Self {
        let sk = |of: &str| format!("{}#{}#{}", sortable(seen.first_seen), seen.finding, stable_id(of));
        let (in_scope, in_workload) = (sk(&seen.workload), sk(&seen.scope.to_string()));
        Self::new(FINDINGS, &seen.scope, &seen.workload, &in_scope, &in_workload)
    }
}

pub(super) const ATTEMPTS: &str = "attempts";
pub(super) const FINDINGS: &str = "findings";
/// The partition that names the scopes.
pub(super) const SCOPES: &str = "scopes";

/// The partition of a scope.
pub(super) fn in_scope_key(of: &str, scope: &Scope) -> String {
    format!("{of}#{scope}")
}

/// The partition of a workload.
pub(super) fn in_workload_key(of: &str, workload: &str) -> String {
    format!("workload-{of}#{workload}")
}

/// Where a scope is named.
pub(super) fn of_scope(scope: &Scope) -> Place {
    Place {
        pk: SCOPES.to_owned(),
        sk: scope.to_string(),
    }
}

/// A number as the API takes it.
pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(format!("{value}"))
}

/// When an item that ended at `end` may go, in seconds of the epoch, as DynamoDB's time to live wants it.
pub(super) fn expiry(end: Timestamp) -> AttributeValue {
    number(end.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second())
}

/// An item at `place` that holds `record`.
pub(super) fn item(place: &Place, record: &impl Serialize) -> Result<Item, serde_json::Error> {
    let mut item = place.key();
    item.insert("schema".into(), number(SCHEMA));
    item.insert("record".into(), AttributeValue::S(serde_json::to_string(record)?));
    Ok(item)
}

/// An attempt as an item at `place`.
pub(super) fn attempt(place: &Place, attempt: &Attempt) -> Result<Item, serde_json::Error> {
    let record = Attempt {
        detail: kept(&attempt.detail).to_owned(),
        ..attempt.clone()
    };
    let mut item = item(place, &record)?;
    item.insert("fence".into(), number(attempt.fence));
    if attempt.outcome.is_some() {
        item.insert("expires_at".into(), expiry(attempt.updated_at));
    }
    Ok(item)
}

/// What is wrong with an item; the sentence follows the item's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    #[error("is of version {0}, and this Holdfast knows none above {SCHEMA}; run the Holdfast that wrote it")]
    Newer(u64),
    #[error("has no attribute `{0}`: another program wrote it")]
    Foreign(&'static str),
    #[error("can't be read: {0}")]
    Record(#[from] serde_json::Error),
    #[error("can't be read: resolved_at: {0}")]
    ResolvedAt(#[from] jiff::Error),
}

/// The record of an item.
pub(super) fn record<T: DeserializeOwned>(item: &Item) -> Result<T, ItemError> {
    let schema = item.get("schema").and_then(|v| v.as_n().ok());
    let version = schema.and_then(|n| n.parse::<u64>().ok());
    match version {
        Some(known) if known <= SCHEMA => {}
        Some(newer) => return Err(ItemError::Newer(newer)),
        None => return Err(ItemError::Foreign("schema")),
    }
    let text = item.get("record").and_then(|v| v.as_s().ok());
    let text = text.ok_or(ItemError::Foreign("record"))?;
    Ok(serde_json::from_str(text)?)
}

/// The sighting of an item: the time of its resolution is an attribute beside its record, so that it can be set once.
pub(super) fn sighting(item: &Item) -> Result<FindingRecord, ItemError> {
    let mut seen: FindingRecord = record(item)?;
    if let Some(AttributeValue::S(end)) = item.get("resolved_at") {
        seen.resolved_at = Some(end.parse()?);
    }
    Ok(seen)
}

/// An item's name in an error.
pub(super) fn name(item: &Item) -> String {
    let part = |key| item.get(key).and_then(|v| v.as_s().ok()).map_or("?", String::as_str);
    format!("{} {}", part("pk"), part("sk"))
}
