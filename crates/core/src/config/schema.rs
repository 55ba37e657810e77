//! The JSON Schema of the configuration: for editors, and for our own check.

use serde_json::{Value, json};

use super::settings::Config;

/// The JSON Schema (draft 2020-12) of the configuration. `known_rules` are the ids that `rules` may name.
///
/// Besides standard keywords it holds two of ours, which other validators ignore: `x-form`, the form of a text, and
/// `x-shortest`, the shortest duration allowed.
#[must_use]
pub fn schema(known_rules: &[&str]) -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = json!("Holdfast configuration");
    if let Some(rules) = schema.pointer_mut("/properties/rules").and_then(Value::as_object_mut) {
        rules.insert("propertyNames".to_owned(), json!({"enum": known_rules}));
    }
    schema
}
