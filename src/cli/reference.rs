//! `holdfast reference`: the pages of docs/ that are generated from the program.

use std::fmt::Write as _;

use clap::ValueEnum;
use holdfast_core::{config, rules};
use holdfast_operator::metrics::Metrics;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::output::print;
use crate::exit::Exit;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Page {
    /// Every key of the configuration.
    Config,
    /// Every metric.
    Metrics,
}

pub(super) fn run(page: Page) -> Result<Exit, Failure> {
    let text = match page {
        Page::Config => config_page(&serde_json::to_value(config::schema(&rules::all_ids()))?),
        Page::Metrics => metrics_page(&Metrics::new(env!("CARGO_PKG_VERSION"))?),
    };
    print(&text)?;
    Ok(Exit::Clean)
}

fn metrics_page(metrics: &Metrics) -> String {
    let mut out = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for d in metrics.describe() {
        let labels: Vec<String> = d.labels.iter().map(|l| format!("`{l}`")).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            d.name,
            d.kind,
            labels.join(", "),
            cell(&d.help)
        );
    }
    out
}

fn config_page(schema: &Value) -> String {
    let mut page = Keys {
        definitions: schema.get("$defs").unwrap_or(&Value::Null),
        out: String::from("| key | value | default | meaning |\n| --- | --- | --- | --- |\n"),
    };
    page.object("", schema);
    page.out
}

struct Keys<'a> {
    definitions: &'a Value,
    out: String,
}

impl<'a> Keys<'a> {
    fn object(&mut self, path: &str, schema: &'a Value) {
        let schema = self.resolve(schema);
        for (key, value) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            self.key(&path, value);
        }
        if let Some(each) = schema.get("additionalProperties").filter(|v| v.is_object()) {
            self.object(&format!("{path}.NAME"), each);
        }
    }

    fn key(&mut self, path: &str, schema: &'a Value) {
        let inner = self.resolve(schema);
        let text = schema.get("description").or_else(|| inner.get("description"));
        let meaning = text.and_then(Value::as_str).unwrap_or_default();
        let has_keys =
            |s: &Value| s.get("properties").is_some() || s.get("additionalProperties").is_some_and(Value::is_object);
        let items = inner.get("items").map(|i| self.resolve(i)).filter(|i| has_keys(i));
        let nested = has_keys(inner);
        // A section has no default of its own: its keys have.
        let default = match schema.get("default") {
            Some(value) if !nested => format!("`{value}`"),
            _ => String::new(),
        };
        let kind = if nested { String::new() } else { kind(inner) };
        let _ = writeln!(
            self.out,
            "| `{path}` | {} | {} | {} |",
            cell(&kind),
            cell(&default),
            cell(meaning)
        );
        match items {
            Some(item) => self.object(&format!("{path}[]"), item),
            None if nested => self.object(path, inner),
            None => {}
        }
    }

    /// Follows references, and of an optional value takes the schema that is not `null`.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..8 {
            let next = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|r| self.definitions.get(r.rsplit('/').next().unwrap_or_default()))
                .or_else(|| {
                    let choices = schema.get("anyOf").and_then(Value::as_array)?;
                    choices.iter().find(|c| c.get("type") != Some(&Value::from("null")))
                });
            match next {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}

/// The type of a value.
fn kind(schema: &Value) -> String {
    let words: Vec<String> = ["enum", "oneOf"]
        .iter()
        .filter_map(|k| schema.get(*k)?.as_array())
        .flatten()
        .filter_map(|w| w.get("const").unwrap_or(w).as_str().map(|w| format!("`{w}`")))
        .collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    let form = schema.get("x-form").and_then(Value::as_str);
    let name = match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|t| *t != "null")
            .map(str::to_owned),
        Some(Value::String(name)) => Some(name.clone()),
        _ => None,
    };
    match (form, name.as_deref()) {
        (Some(form), _) => form.to_owned(),
        (None, Some("array")) => {
            let item = schema.get("items").map(kind).unwrap_or_default();
            format!("list of {}", if item.is_empty() { "sections" } else { &item })
        }
        (None, Some(name)) => format!("{name}{}", bounds(schema.as_object())),
        (None, None) => String::new(),
    }
}

fn bounds(schema: Option<&Map<String, Value>>) -> String {
    let bound = |key: &str| schema.and_then(|s| s.get(key)).filter(|v| v.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(min), Some(max)) => format!(", {min} to {max}"),
        (Some(min), None) => format!(", {min} or more"),
        (None, Some(max)) => format!(", up to {max}"),
        (None, None) => String::new(),
    }
}

/// Escapes text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
