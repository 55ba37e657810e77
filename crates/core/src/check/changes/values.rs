//! Attributes of a resource before and after a change.

use serde_json::Value;

use crate::model::planned_change::Setting;

/// The value at a path such as `point_in_time_recovery.0.enabled`.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// What a value says of an attribute. Only flags, numbers and short texts are kept: nothing else is asked for.
pub(super) fn setting(value: &Value, path: &str) -> Setting {
    match at(value, path) {
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Setting::Unset,
        Some(known) => Setting::Known(known.clone()),
    }
}

/// Whether an attribute, or what it is in, is not known yet.
pub(super) fn is_unknown(unknown: &Value, path: &str) -> bool {
    let mut value = unknown;
    if *value == Value::Bool(true) {
        return true;
    }
    for step in path.split('.') {
        let next = match value {
            Value::Array(items) => step.parse::<usize>().ok().and_then(|n| items.get(n)),
            other => other.get(step),
        };
        match next {
            Some(Value::Bool(true)) => return true,
            Some(next) => value = next,
            None => return false,
        }
    }
    false
}
