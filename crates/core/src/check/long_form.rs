//! A YAML tree as JSON, with CloudFormation's short functions written out: `!Ref x` as `{"Ref": "x"}`.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use serde_json::{Map, Value};

use crate::yaml::{Node, YamlValue};

/// The tree as JSON.
pub(super) fn json(node: &Node) -> Value {
    let plain = match &node.value {
        YamlValue::Scalar(scalar) => scalar.to_json_1_1(),
        YamlValue::List(items) => Value::Array(items.iter().map(json).collect()),
        YamlValue::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect()),
    };
    match node.tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
        // `!!str`, `!<tag:...>`: types of YAML's own, which JSON has anyway; `!` alone means no type at all.
        None => plain,
        Some(name) if name.is_empty() || name.starts_with(['!', '<']) => plain,
        Some(name) => function(name, plain),
    }
}

fn function(name: &str, value: Value) -> Value {
    let (key, value) = match (name, value) {
        ("Ref" | "Condition", value) => (name.to_owned(), value),
        // The attribute may have dots of its own: `Db.Endpoint.Address`.
        ("GetAtt", Value::String(text)) => {
            let (resource, attribute) = text.split_once('.').unwrap_or((&text, ""));
            ("Fn::GetAtt".to_owned(), serde_json::json!([resource, attribute]))
        }
        (name, value) => (format!("Fn::{name}"), value),
    };
    Value::Object(Map::from_iter([(key, value)]))
}
