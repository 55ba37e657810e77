//! Fields of an answer that the SDK does not know. It leaves them out without a word, and a revision that is registered
//! from what it knows would not have them: `versionConsistency`, `restartPolicy` and `s3filesVolumeConfiguration` came
//! within two years. Of an answer only the names are kept, never a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, SerializableStruct, ShapeSerializer};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::{BigDecimal, BigInteger, Blob, DateTime, Document};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The fields of a value, without what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Fields {
    /// Nothing: null, an empty text, or a list or structure of nothing. AWS writes those for what is not set.
    #[default]
    Nothing,
    /// A text, a number, true or false, or something whose fields are the caller's own.
    Value,
    /// A list.
    List(Vec<Self>),
    /// A structure or map.
    Named(BTreeMap<String, Self>),
}

impl Fields {
    /// Those of a value of the SDK's.
    pub(crate) fn of(value: &dyn SerializableStruct) -> Self {
        let mut collector = Collector::default();
        // Collecting names can't fail.
        let _ = value.serialize_members(&mut collector);
        Self::named(collector.named)
    }

    fn named(mut fields: BTreeMap<String, Self>) -> Self {
        fields.retain(|_, field| *field != Self::Nothing);
        if fields.is_empty() {
            Self::Nothing
        } else {
            Self::Named(fields)
        }
    }

    fn list(items: Vec<Self>) -> Self {
        if items.iter().all(|item| *item == Self::Nothing) {
            Self::Nothing
        } else {
            Self::List(items)
        }
    }

    /// The field of that name.
    pub(crate) fn get(&self, name: &str) -> &Self {
        match self {
            Self::Named(fields) => fields.get(name).unwrap_or(&Self::Nothing),
            _ => &Self::Nothing,
        }
    }

    /// The item at `index`.
    pub(crate) fn at(&self, index: usize) -> &Self {
        match self {
            Self::List(items) => items.get(index).unwrap_or(&Self::Nothing),
            _ => &Self::Nothing,
        }
    }

    /// The paths of what is here and not in `known`, such as `containerDefinitions[].seccompProfile`, in order.
    pub(crate) fn without(&self, known: &Self) -> Vec<String> {
        let mut found = BTreeSet::new();
        self.collect_unknown(known, "", &mut found);
        found.into_iter().collect()
    }

    fn collect_unknown(&self, known: &Self, path: &str, found: &mut BTreeSet<String>) {
        match (self, known) {
            (Self::Nothing, _) | (_, Self::Value) => {}
            (Self::Named(fields), Self::Named(_)) => {
                for (name, field) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    field.collect_unknown(known.get(name), &format!("{path}{dot}{name}"), found);
                }
            }
            (Self::List(items), Self::List(_)) => {
                for (i, item) in items.iter().enumerate() {
                    item.collect_unknown(known.at(i), &format!("{path}[]"), found);
                }
            }
            _ => {
                found.insert(path.to_owned());
            }
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Fields, E> {
                Ok(Fields::Nothing)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Fields, E> {
                Ok(Fields::Value)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Fields, E> {
                Ok(Fields::Value)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Fields, E> {
                Ok(Fields::Value)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Fields, E> {
                Ok(Fields::Value)
            }
            fn visit_str<E>(self, text: &str) -> Result<Fields, E> {
                Ok(if text.is_empty() {
                    Fields::Nothing
                } else {
                    Fields::Value
                })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fields, A::Error> {
                let mut items = vec![];
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Fields::list(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, field)) = map.next_entry()? {
                    fields.insert(name, field);
                }
                Ok(Fields::named(fields))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

/// Keeps the fields of one answer. One is made for each call.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeepFields(Arc<Mutex<Fields>>);

impl KeepFields {
    /// The fields of the answer.
    pub(crate) fn take(&self) -> Fields {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for KeepFields {
    fn name(&self) -> &'static str {
        "HoldfastKeepFields"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK has parsed it already; what it could not parse is its error.
        let body = context.response().body().bytes().unwrap_or_default();
        let fields = serde_json::from_slice(body).unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fields;
        Ok(())
    }
}

/// Collects the names under which the SDK would write a value.
#[derive(Default)]
struct Collector {
    /// Members of the structure.
    named: BTreeMap<String, Fields>,
    /// Items of a list or map, in place of members.
    items: Option<Vec<Item>>,
}

/// What was written without a name of its own: an item of a list, or the keys and values of a map in turn.
struct Item {
    fields: Fields,
    /// The text, if it may be the key of a map.
    key: Option<String>,
}

impl Collector {
    fn put(&mut self, schema: &Schema<'_>, fields: Fields) {
        self.put_item(schema, fields, None);
    }

    fn put_item(&mut self, schema: &Schema<'_>, fields: Fields, key: Option<&str>) {
        if let Some(items) = &mut self.items {
            let key = key.map(str::to_owned);
            items.push(Item { fields, key });
        } else if let Some(name) = schema.member_name() {
            self.named.insert(name.to_owned(), fields);
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "what the SDK's trait returns")]
    fn value(&mut self, schema: &Schema<'_>) -> Result<(), SerdeError> {
        self.put(schema, Fields::Value);
        Ok(())
    }
}

type Write<'a> = &'a dyn Fn(&mut dyn ShapeSerializer) -> Result<(), SerdeError>;

impl ShapeSerializer for Collector {
    fn write_struct(&mut self, schema: &Schema<'_>, value: &dyn SerializableStruct) -> Result<(), SerdeError> {
        self.put(schema, Fields::of(value));
        Ok(())
    }

    fn write_list(&mut self, schema: &Schema<'_>, write: Write<'_>) -> Result<(), SerdeError> {
        let mut inner = Self {
            items: Some(vec![]),
            ..Self::default()
        };
        write(&mut inner)?;
        let items = inner.items.unwrap_or_default().into_iter().map(|i| i.fields);
        self.put(schema, Fields::list(items.collect()));
        Ok(())
    }

    fn write_map(&mut self, schema: &Schema<'_>, write: Write<'_>) -> Result<(), SerdeError> {
        let mut inner = Self {
            items: Some(vec![]),
            ..Self::default()
        };
        write(&mut inner)?;
        let mut items = inner.items.unwrap_or_default().into_iter();
        let mut entries = BTreeMap::new();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            entries.insert(key.key.unwrap_or_default(), value.fields);
        }
        self.put(schema, Fields::named(entries));
        Ok(())
    }

    fn write_string(&mut self, schema: &Schema<'_>, value: &str) -> Result<(), SerdeError> {
        let fields = if value.is_empty() {
            Fields::Nothing
        } else {
            Fields::Value
        };
        self.put_item(schema, fields, Some(value));
        Ok(())
    }

    fn write_boolean(&mut self, schema: &Schema<'_>, _: bool) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_byte(&mut self, schema: &Schema<'_>, _: i8) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_short(&mut self, schema: &Schema<'_>, _: i16) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_integer(&mut self, schema: &Schema<'_>, _: i32) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_long(&mut self, schema: &Schema<'_>, _: i64) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_float(&mut self, schema: &Schema<'_>, _: f32) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_double(&mut self, schema: &Schema<'_>, _: f64) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_big_integer(&mut self, schema: &Schema<'_>, _: &BigInteger) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_big_decimal(&mut self, schema: &Schema<'_>, _: &BigDecimal) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_blob(&mut self, schema: &Schema<'_>, _: Blob) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_timestamp(&mut self, schema: &Schema<'_>, _: &DateTime) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_document(&mut self, schema: &Schema<'_>, _: &Document) -> Result<(), SerdeError> {
        self.value(schema)
    }

    fn write_null(&mut self, _: &Schema<'_>) -> Result<(), SerdeError> {
        Ok(())
    }
}

/// What `RegisterTaskDefinition` does not take, and AWS writes itself. Elastic Inference has ended.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>
const ANSWER_ONLY: &[&str] = &[
    "compatibilities",
    "deleteRequestedAt",
    "deregisteredAt",
    "inferenceAccelerators",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
];

/// The fields of a described task definition that a new revision, registered by `request`, would not have.
pub(crate) fn lost_by(described: &Fields, request: &dyn SerializableStruct) -> Vec<String> {
    let mut lost = described.get("taskDefinition").without(&Fields::of(request));
    lost.retain(|path| !ANSWER_ONLY.contains(&path.split(['.', '[']).next().unwrap_or_default()));
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn what_is_not_known_is_named_by_its_path() {
        let known = fields(r#"{"a": "x", "list": [{"b": 1}, {"b": 2}], "map": {"k": "v"}}"#);
        for (json, expected) in [
            (r#"{"a": "y", "list": [{"b": 3}, {"b": 4}]}"#, &[][..]),
            (r#"{"a": "y", "new": {"mode": "STRICT"}}"#, &["new"]),
            (r#"{"list": [{"b": 1}, {"b": 2, "c": {"d": 1}}]}"#, &["list[].c"]),
            (r#"{"list": [{"b": 1, "c": 1}, {"b": 2, "c": 1}]}"#, &["list[].c"]),
            (r#"{"map": {"k": "v", "new": "v"}}"#, &["map.new"]),
            (r#"{"off": false, "zero": 0}"#, &["off", "zero"]),
            (
                r#"{"null": null, "none": [], "empty": {}, "text": "", "deep": {"x": [{}]}}"#,
                &[],
            ),
            (r#"{"list": [{"b": 1}, {"b": 2}, {"b": 3}]}"#, &["list[]"]),
        ] {
            assert_eq!(fields(json).without(&known), expected, "{json}");
        }
    }

    #[test]
    fn no_value_is_kept() {
        let text = format!(
            "{:?}",
            fields(r#"{"environment": [{"name": "A", "value": "hunter2"}]}"#)
        );
        assert!(
            text.contains("environment") && !text.contains("hunter2") && !text.contains("\"A\""),
            "{text}"
        );
    }

    #[test]
    fn what_the_sdk_would_write() {
        use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair, TaskDefinition};
        let container = ContainerDefinition::builder()
            .name("web")
            .environment(KeyValuePair::builder().name("A").value("hunter2").build())
            .docker_labels("team", "shop")
            .links("db")
            .build();
        let definition = TaskDefinition::builder()
            .container_definitions(container)
            .cpu("256")
            .build();
        let written = Fields::of(&definition);
        let same = r#"{"cpu": "256", "revision": 0, "containerDefinitions": [{"name": "web", "cpu": 0, "links": ["db"],
            "environment": [{"name": "A", "value": "x"}], "dockerLabels": {"team": "shop"}, "mountPoints": []}]}"#;
        assert_eq!(fields(same).without(&written), Vec::<String>::new());
        let more = r#"{"containerDefinitions": [{"name": "web", "dockerLabels": {"team": "x", "unit": "y"}, "profile": {"type": 1}}]}"#;
        assert_eq!(
            fields(more).without(&written),
            [
                "containerDefinitions[].dockerLabels.unit",
                "containerDefinitions[].profile"
            ]
        );
        assert!(!format!("{written:?}").contains("hunter2"));
    }

    /// The whole of an unread body is no reason to fail a read.
    #[test]
    fn what_is_no_json_has_no_fields() {
        assert!(serde_json::from_slice::<Fields>(b"").is_err());
        assert_eq!(KeepFields::default().take(), Fields::Nothing);
    }
}
