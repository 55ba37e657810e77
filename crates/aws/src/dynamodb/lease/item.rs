//! Items of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest as _, Sha256};

use holdfast_core::model::key::{Key, Scope};
use holdfast_operator::ports::{Lease, LeaseError};

/// The partition of leases.
pub(super) const LEASE: &str = "lease";

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(format!("{value}"))
}

pub(super) fn text_of<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn u64_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn of_lease(lease: &Lease) -> Item {
    let scope = &lease.scope;
    let mut item = Item::from([
        ("pk".to_owned(), text(LEASE)),
        ("sk".to_owned(), text(scope.to_string())),
        ("account".to_owned(), text(&scope.account)),
        ("region".to_owned(), text(&scope.region)),
        ("token".to_owned(), number(lease.token)),
        ("beat".to_owned(), number(lease.heartbeat)),
    ]);
    if let Some(owner) = &lease.owner {
        item.insert("owner".to_owned(), text(owner));
    }
    item
}

/// `None` if it is malformed: then nobody may act on it.
pub(super) fn lease_of(item: &Item) -> Option<Lease> {
    let owner = match item.get("owner") {
        None => None,
        Some(owner) => Some(owner.as_s().ok()?.clone()),
    };
    Some(Lease {
        scope: Scope {
            account: text_of(item, "account")?.to_owned(),
            region: text_of(item, "region")?.to_owned(),
        },
        owner,
        token: u64_of(item, "token")?,
        heartbeat: u64_of(item, "beat")?,
    })
}

/// The sort key, so that two events about the same thing are one item, and the JSON. A hash, since the name of a secret or
/// a workload may be longer than a sort key can be (1,024 bytes).
pub(super) fn of_key(key: &Key) -> Result<(String, String), LeaseError> {
    let json = serde_json::to_string(key).map_err(|e| LeaseError(format!("{key} can't be written as JSON: {e}")))?;
    let hash = Sha256::digest(json.as_bytes());
    Ok((hash.iter().map(|b| format!("{b:02x}")).collect(), json))
}

/// What can't be read, of another version perhaps, is left to the sweep.
pub(super) fn key_of(item: &Item) -> Option<Key> {
    serde_json::from_str(text_of(item, "key")?).ok()
}
