//! One resource of a file.

use serde_json::Value;

/// One resource as it will be, or is.
#[derive(Debug)]
pub(super) struct Resource<'a> {
    /// For instance `module.db["eu"].aws_db_instance.main[0]`.
    pub(super) address: String,
    /// Address of its module's instance; empty for the root module.
    pub(super) module: String,
    /// `aws_db_instance`, ...
    pub(super) kind: &'a str,
    /// Its name in the configuration.
    pub(super) name: &'a str,
    /// Whether it is only read: a data source.
    pub(super) data: bool,
    /// What is known of it.
    pub(super) values: &'a Value,
    /// Where something is not known yet: `true`.
    pub(super) unknown: &'a Value,
    /// Its `expressions` in the configuration, where the file has that.
    pub(super) expressions: Option<&'a Value>,
}

pub(super) static NOTHING: Value = Value::Null;

pub(super) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}
