//! A resource of a plan, as it is put together.

use serde_json::{Map, Value, json};

use super::functions::Functions;
use super::unknown::{is_unknown, settle};

/// A resource of a plan, as it is put together.
pub(super) struct Made {
    address: String,
    kind: &'static str,
    values: Map<String, Value>,
}

impl Made {
    pub(super) fn new(address: impl Into<String>, kind: &'static str) -> Self {
        Self {
            address: address.into(),
            kind,
            values: Map::new(),
        }
    }

    pub(super) fn set(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.values.insert(attribute.to_owned(), value.into());
        self
    }

    pub(super) fn maybe(self, attribute: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    /// Takes properties over as they are: `[("DBName", "db_name"), ...]`.
    pub(super) fn copy(mut self, functions: &Functions<'_>, id: &str, names: &[(&str, &str)]) -> Self {
        for (property, attribute) in names {
            self = self.maybe(attribute, functions.property(id, property));
        }
        self
    }

    /// Its tags, from a list of keys and values.
    pub(super) fn tagged(self, functions: &Functions<'_>, id: &str) -> Self {
        let list = functions.property(id, "Tags").unwrap_or(Value::Null);
        let mut tags = Map::new();
        for tag in list.as_array().into_iter().flatten() {
            let text = |key: &str| tag.get(key).filter(|v| !is_unknown(v)).and_then(Value::as_str);
            if let (Some(key), Some(value)) = (text("Key"), text("Value")) {
                tags.insert(key.to_owned(), value.into());
            }
        }
        if tags.is_empty() { self } else { self.set("tags", tags) }
    }

    pub(super) fn change(self) -> Value {
        let (after, unknown) = settle(Value::Object(self.values));
        json!({
            "address": self.address,
            "mode": "managed",
            "type": self.kind,
            "name": self.address,
            "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": unknown},
        })
    }
}
