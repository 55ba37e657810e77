//! Changes of a plan.

use serde_json::Value;

use crate::model::planned_change::{OldObject, PlanFormat, PlannedAction, PlannedChange, Setting, Settings};
use crate::model::tags::Tags;

/// A change to one object of a Terraform plan of which nothing more is told.
pub(crate) fn change(kind: &str, action: PlannedAction) -> PlannedChange {
    PlannedChange {
        address: format!("{kind}.main"),
        deposed: None,
        kind: kind.to_owned(),
        format: PlanFormat::Terraform,
        action,
        old: OldObject::Deleted,
        replaced_by: vec![],
        replaced_by_unknown: vec![],
        reason: None,
        physical_id: None,
        before: vec![],
        after: vec![],
        tags: Tags::default(),
    }
}

/// Sets an attribute.
pub(crate) fn set(settings: &mut Settings, name: &'static str, value: impl Into<Value>) {
    settings.push((name, Setting::Known(value.into())));
}
