//! The marks for what is not known before deployment, and for what is left out.
//!
//! While functions are evaluated, a text holds [`UNKNOWN`] in the place of each part that is not known. [`settle`] then
//! decides what the whole text is worth.

use serde_json::{Map, Value};

/// A part that only AWS knows.
pub(super) const UNKNOWN: char = '\u{3}';

/// `AWS::NoValue`: the property is as if it were not written.
const NO_VALUE: &str = "\u{4}";

/// Stands for a part whose text does not matter, such as a password that is generated.
pub(super) const AFTER_DEPLOYMENT: &str = "after-deployment";

pub(super) fn unknown() -> Value {
    Value::String(UNKNOWN.to_string())
}

pub(super) fn no_value() -> Value {
    Value::String(NO_VALUE.to_owned())
}

pub(super) fn is_no_value(value: &Value) -> bool {
    value.as_str() == Some(NO_VALUE)
}

/// Whether nothing of a value is known.
pub(super) fn is_unknown(value: &Value) -> bool {
    value.as_str().is_some_and(|t| t.contains(UNKNOWN))
}

/// A value as a plan writes it: what is known, and where something is not, `true` in the second.
pub(super) fn settle(value: Value) -> (Value, Value) {
    match value {
        Value::String(text) => match settle_text(text) {
            Some(known) => (Value::String(known), Value::Bool(false)),
            None => (Value::Null, Value::Bool(true)),
        },
        Value::Array(items) => {
            let (known, unknown): (Vec<Value>, Vec<Value>) = items.into_iter().map(settle).unzip();
            (Value::Array(known), Value::Array(unknown))
        }
        Value::Object(fields) => {
            let (mut known, mut unknown) = (Map::new(), Map::new());
            for (key, value) in fields {
                let (k, u) = settle(value);
                known.insert(key.clone(), k);
                unknown.insert(key, u);
            }
            (Value::Object(known), Value::Object(unknown))
        }
        plain => (plain, Value::Bool(false)),
    }
}

/// A text, if enough of it is known: who connects and by which password is nobody's business here.
pub(super) fn settle_text(text: String) -> Option<String> {
    if !text.contains(UNKNOWN) {
        return Some(text);
    }
    if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&text.replace(UNKNOWN, AFTER_DEPLOYMENT)) {
        let open = fields.iter().any(|(key, value)| {
            let told = value.as_str().is_some_and(|v| v.contains(AFTER_DEPLOYMENT));
            told && !names_credentials(key)
        });
        return (!open).then(|| Value::Object(fields).to_string());
    }
    let start = text.find("://")? + 3;
    let end = start + text.get(start..)?.rfind('@')?;
    let inside = text
        .char_indices()
        .filter(|(_, c)| *c == UNKNOWN)
        .all(|(at, _)| at >= start && at < end);
    inside.then(|| text.replace(UNKNOWN, AFTER_DEPLOYMENT))
}

/// Whether a key or a variable holds a user or a password.
pub(super) fn names_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "user"].iter().any(|word| name.contains(word))
}
