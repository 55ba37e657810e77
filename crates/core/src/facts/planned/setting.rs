//! One attribute as a flag, a number or a text.

use serde_json::Value;

use crate::model::planned_change::Setting;

/// A flag, with its default where nobody set it; none where it is not known.
pub(super) fn flag(setting: &Setting, default: bool) -> Option<bool> {
    match setting {
        Setting::Unset => Some(default),
        Setting::Known(value) => as_flag(value),
        Setting::AfterApply | Setting::Untold => None,
    }
}

fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "enabled" | "active" | "retain" | "retainexceptoncreate" | "snapshot" | "1" => Some(true),
            "false" | "disabled" | "inactive" | "delete" | "0" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub(super) fn text(setting: &Setting) -> Option<&str> {
    match setting {
        Setting::Known(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}
