//! JSON that is overwritten after use.

use serde_json::Value;
use zeroize::Zeroize as _;

use super::error::NotJson;

/// JSON whose strings are overwritten when it goes: they may be secrets.
#[derive(Debug)]
pub(super) struct Scrubbed(Value);

impl Scrubbed {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }
}

impl Drop for Scrubbed {
    fn drop(&mut self) {
        scrub(&mut self.0);
    }
}

impl std::ops::Deref for Scrubbed {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        _ => {}
    }
}

/// Parses JSON.
///
/// # Errors
/// Where it is not JSON.
pub(super) fn parse(text: &str) -> Result<Scrubbed, NotJson> {
    serde_json::from_str(text).map(Scrubbed).map_err(|e| NotJson {
        line: e.line(),
        column: e.column(),
        what: e.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })
}
