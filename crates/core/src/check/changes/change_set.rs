//! The changes of a CloudFormation change set, as `aws cloudformation describe-change-set` prints it.
//!
//! Values are there only with `--include-property-values`: as `BeforeContext` and `AfterContext`, texts of JSON.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>

use std::collections::BTreeSet;

use serde_json::Value;

use super::Changes;
use super::values::setting;
use crate::check::scrubbed::{Scrubbed, parse};
use crate::facts::planned::{Holds, attributes, data_store};
use crate::model::planned_change::{OldObject, PlanFormat, PlannedAction, PlannedChange, Setting, Settings};
use crate::model::tags::Tags;

static NOTHING: Value = Value::Null;

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// Whether the file is a change set.
pub(in crate::check) fn recognise(file: &Value) -> bool {
    let named = ["ChangeSetName", "ChangeSetId", "StackName", "StackId"];
    file.get("Changes").is_some_and(Value::is_array)
        && (named.iter().any(|key| file.get(key).is_some())
            || list(file, "Changes").iter().any(|c| c.get("ResourceChange").is_some()))
}

/// The changes of a change set to what holds data.
pub(in crate::check) fn change_set(file: &Value) -> Changes {
    let mut changes = Changes::default();
    for of in list(file, "Changes").iter().filter_map(|c| c.get("ResourceChange")) {
        let nested = text(of, "ResourceType") == Some("AWS::CloudFormation::Stack");
        if nested && text(of, "Action") != Some("Remove") {
            let name = text(of, "LogicalResourceId").unwrap_or("a nested stack");
            changes.elsewhere.insert(match text(of, "ChangeSetId") {
                Some(id) => format!("{name} ({id})"),
                None => name.to_owned(),
            });
            continue;
        }
        changes.all.extend(change(of));
    }
    if text(file, "NextToken").is_some() {
        changes.incomplete(
            "the change set",
            "it has more pages (NextToken): describe it without --no-paginate",
        );
    }
    if text(file, "Status") == Some("FAILED") && !list(file, "Changes").is_empty() {
        changes.incomplete("the change set", "its creation failed: it may not have all changes");
    }
    changes
}

fn change(of: &Value) -> Option<PlannedChange> {
    let kind = text(of, "ResourceType")?;
    let store = data_store(kind)?;
    let policy = text(of, "PolicyAction");
    let action = match (text(of, "Action")?, text(of, "Replacement")) {
        ("Remove", _) => PlannedAction::Delete,
        ("Modify", Some("True")) => PlannedAction::Replace,
        ("Modify", Some("Conditional")) => PlannedAction::MayReplace,
        ("Modify", _) if policy.is_some_and(|p| p.starts_with("ReplaceAnd")) => PlannedAction::Replace,
        ("Modify", _) => PlannedAction::Update,
        ("Dynamic", _) => PlannedAction::Undetermined,
        // Adds, imports, and what changes the stack's records alone.
        _ => return None,
    };
    let old = match policy {
        Some(policy) if policy.contains("Retain") => OldObject::Retained,
        Some(policy) if policy.contains("Snapshot") => OldObject::Snapshotted,
        Some(_) => OldObject::Deleted,
        None => OldObject::Untold,
    };
    let mut names: Vec<&str> = attributes(store, PlanFormat::ChangeSet).collect();
    if store.holds == Holds::Data {
        names.extend(["DeletionPolicy", "UpdateReplacePolicy"]);
    }
    let address = text(of, "LogicalResourceId")?.to_owned();
    let replaces = matches!(action, PlannedAction::Replace | PlannedAction::MayReplace);
    let (before, after) = (context(of, "BeforeContext"), context(of, "AfterContext"));
    let side = |context: Option<&Scrubbed>, value: &str, name: &str| known(of, context, value, name);
    Some(PlannedChange {
        address,
        deposed: None,
        kind: kind.to_owned(),
        format: PlanFormat::ChangeSet,
        action,
        old,
        replaced_by: if replaces { replaced_by(of) } else { vec![] },
        replaced_by_unknown: vec![],
        reason: None,
        physical_id: text(of, "PhysicalResourceId").map(str::to_owned),
        tags: before.as_ref().map(|c| tags(c)).unwrap_or_default(),
        before: names
            .iter()
            .map(|name| (*name, side(before.as_ref(), "BeforeValue", name)))
            .collect(),
        after: if matches!(action, PlannedAction::Update | PlannedAction::Replace) {
            names
                .iter()
                .map(|name| (*name, side(after.as_ref(), "AfterValue", name)))
                .collect()
        } else {
            Settings::new()
        },
    })
}

fn context(of: &Value, key: &str) -> Option<Scrubbed> {
    parse(text(of, key)?).ok()
}

/// The properties whose change requires another object.
fn replaced_by(of: &Value) -> Vec<String> {
    let names = list(of, "Details").iter().filter_map(|detail| {
        let target = detail.get("Target")?;
        let requires = text(target, "RequiresRecreation")?;
        (requires != "Never").then(|| text(target, "Name").or_else(|| text(target, "Attribute")))?
    });
    let found: BTreeSet<String> = names.map(str::to_owned).collect();
    found.into_iter().collect()
}

/// What the change set says of one attribute, on one side.
fn known(of: &Value, context: Option<&Scrubbed>, side: &str, name: &str) -> Setting {
    let policy = ["DeletionPolicy", "UpdateReplacePolicy"].contains(&name);
    if let Some(context) = context {
        let of: &Value = context;
        return setting(
            if policy {
                of
            } else {
                of.get("Properties").unwrap_or(&NOTHING)
            },
            name,
        );
    }
    let top = name.split('.').next().unwrap_or(name);
    let mut targets = list(of, "Details").iter().filter_map(|d| d.get("Target"));
    let (field, wanted) = if policy { ("Attribute", name) } else { ("Name", top) };
    let target = targets.find(|t| text(t, field) == Some(wanted));
    match target {
        // It does not change, and its value is not in the file.
        None => Setting::Unset,
        Some(target) if top == name => match text(target, side) {
            Some(value) => Setting::Known(Value::from(value)),
            None => Setting::Untold,
        },
        Some(_) => Setting::Untold,
    }
}

fn tags(context: &Value) -> Tags {
    let pairs = context.pointer("/Properties/Tags").and_then(Value::as_array);
    let pairs = pairs
        .into_iter()
        .flatten()
        .filter_map(|t| Some((text(t, "Key")?.to_owned(), text(t, "Value")?.to_owned())));
    Tags(pairs.collect())
}
