//! The changes of a Terraform plan.
//!
//! Whatever the list of actions is, `delete` in it means that the object is deleted; `forget` leaves it as it is.
//! <https://developer.hashicorp.com/terraform/internals/json-format#change-representation>

use std::collections::BTreeMap;

use serde_json::Value;

use super::Changes;
use super::values::{is_unknown, setting};
use crate::check::terraform::type_of;
use crate::facts::planned::{attributes, data_store};
use crate::model::planned_change::{OldObject, PlanFormat, PlannedAction, PlannedChange, Setting, Settings};
use crate::model::tags::Tags;

static NOTHING: Value = Value::Null;

/// The changes of a plan to what holds data; none of a state.
pub(in crate::check) fn terraform(file: &Value) -> Changes {
    let mut changes = Changes::default();
    let each = |key: &str| {
        file.get(key)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    changes
        .all
        .extend(each("resource_changes").iter().filter_map(|c| change(c, false)));
    let deferred = each("deferred_changes").iter().filter_map(|d| d.get("resource_change"));
    changes.all.extend(deferred.filter_map(|c| change(c, true)));
    if file.get("errored") == Some(&Value::Bool(true)) {
        changes.incomplete(
            "the plan",
            "planning ended with an error, so that the plan does not have all changes: plan again",
        );
    }
    changes
}

fn change(of: &Value, deferred: bool) -> Option<PlannedChange> {
    let text = |key: &str| of.get(key).and_then(Value::as_str);
    let address = text("address")?;
    let kind = text("type").or_else(|| type_of(address))?;
    let store = data_store(kind)?;
    if text("mode") == Some("data") {
        return None;
    }
    let change = of.get("change")?;
    let actions: Vec<&str> = change
        .get("actions")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let has = |action: &str| actions.contains(&action);
    let action = match (has("delete"), has("create")) {
        (true, _) if deferred => PlannedAction::Deferred,
        (true, true) => PlannedAction::Replace,
        (true, false) => PlannedAction::Delete,
        (false, _) if has("update") && !deferred => PlannedAction::Update,
        _ => return None,
    };
    let side = |key: &str| change.get(key).unwrap_or(&NOTHING);
    let (before, after, unknown) = (side("before"), side("after"), side("after_unknown"));
    let replaced_by: Vec<String> = match action {
        PlannedAction::Replace => paths(change.get("replace_paths")),
        _ => vec![],
    };
    Some(PlannedChange {
        address: address.to_owned(),
        deposed: text("deposed").map(str::to_owned),
        kind: kind.to_owned(),
        format: PlanFormat::Terraform,
        action,
        old: OldObject::Deleted,
        replaced_by_unknown: replaced_by.iter().filter(|p| is_unknown(unknown, p)).cloned().collect(),
        replaced_by,
        reason: text("action_reason").map(str::to_owned),
        physical_id: physical_id(before, side("before_sensitive")),
        before: attributes(store, PlanFormat::Terraform)
            .map(|name| (name, setting(before, name)))
            .collect(),
        after: if after.is_object() {
            let after = |name| match setting(after, name) {
                Setting::Unset if is_unknown(unknown, name) => Setting::AfterApply,
                setting => setting,
            };
            attributes(store, PlanFormat::Terraform)
                .map(|name| (name, after(name)))
                .collect()
        } else {
            Settings::new()
        },
        tags: tags(before),
    })
}

/// The paths of attributes, written with dots.
fn paths(paths: Option<&Value>) -> Vec<String> {
    let steps = |path: &Value| -> Option<String> {
        let steps: Vec<String> = path
            .as_array()?
            .iter()
            .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
            .collect();
        (!steps.is_empty()).then(|| steps.join("."))
    };
    let all = paths.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(steps).collect()
}

/// What a person knows the object by.
fn physical_id(before: &Value, sensitive: &Value) -> Option<String> {
    let names = [
        "identifier",
        "cluster_identifier",
        "global_cluster_identifier",
        "name",
        "id",
    ];
    let shown = names.iter().filter(|n| !is_unknown(sensitive, n));
    let mut found = shown.filter_map(|n| before.get(n)?.as_str().filter(|t| !t.is_empty()));
    found.next().map(str::to_owned)
}

fn tags(before: &Value) -> Tags {
    let mut found = BTreeMap::new();
    for key in ["tags_all", "tags"] {
        let pairs = before.get(key).and_then(Value::as_object).into_iter().flatten();
        found.extend(pairs.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))));
    }
    Tags(found)
}
