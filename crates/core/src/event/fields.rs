//! Fields of an event.

use serde_json::Value;

pub(super) fn resources(outer: &Value) -> impl Iterator<Item = &str> {
    outer
        .get("resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A text field by its name, in whatever case: `CloudTrail` writes `arn`, `aRN` and `ARN` for the same thing
/// (<https://repost.aws/knowledge-center/secrets-manager-arn>).
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    lookup(value, field).and_then(Value::as_str)
}

pub(super) fn lookup<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(field).or_else(|| {
        object
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(field))
            .map(|(_, v)| v)
    })
}

/// Returns a name that is fit for a key. Keys appear in logs, so names are short and have no control characters.
pub(super) fn name(text: &str) -> Option<String> {
    let is_fit = !text.is_empty() && text.len() <= 2_048 && !text.chars().any(char::is_control);
    is_fit.then(|| text.to_owned())
}
