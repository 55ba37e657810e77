//! The effective configuration as YAML, each value with where it comes from.

use std::fmt::Write;

use serde_json::Value as Json;

use super::load::Loaded;
use crate::yaml::{Entry, Meaning, Node, Scalar};

/// The effective configuration as YAML. Each leaf ends with a comment: `# default`, or `# file:line`. The text can be
/// loaded again and gives the same configuration.
#[must_use]
pub fn show(loaded: &Loaded) -> String {
    let mut writer = Writer {
        text: String::new(),
        source: loaded
            .source
            .as_deref()
            .unwrap_or_default()
            .replace(char::is_control, "?"),
    };
    match serde_json::to_value(&loaded.config) {
        Ok(Json::Object(keys)) => {
            for (key, value) in &keys {
                let entry = loaded.root.as_ref().and_then(|root| root.entry(key));
                writer.key(0, key, value, entry);
            }
        }
        // A struct of plain data with text keys always becomes an object.
        _ => writer.text.push_str("{}\n"),
    }
    writer.text
}

struct Writer {
    text: String,
    source: String,
}

impl Writer {
    /// Writes into the text, which can't fail.
    fn line(&mut self, indent: usize, text: &str, origin: Option<usize>) {
        let pad = " ".repeat(indent);
        let _ = match origin {
            Some(line) => writeln!(self.text, "{pad}{text} # {}:{line}", self.source),
            None => writeln!(self.text, "{pad}{text} # default"),
        };
    }

    fn key(&mut self, indent: usize, key: &str, value: &Json, entry: Option<&Entry>) {
        // A null means that the key is left out, unless null is the value itself.
        let entry = entry.filter(|e| value.is_null() || !e.node.is_null());
        let node = entry.map(|e| &e.node);
        let key = scalar(key);
        match value {
            Json::Object(keys) if !keys.is_empty() => {
                let _ = writeln!(self.text, "{}{key}:", " ".repeat(indent));
                self.keys(indent + 2, keys, node);
            }
            Json::Array(items) if items.iter().any(Json::is_object) => {
                let _ = writeln!(self.text, "{}{key}:", " ".repeat(indent));
                for (i, item) in items.iter().enumerate() {
                    self.item(indent + 2, item, node.and_then(|n| n.items().get(i)));
                }
            }
            leaf => self.line(indent, &format!("{key}: {}", inline(leaf)), entry.map(|e| e.place.line)),
        }
    }

    fn keys(&mut self, indent: usize, keys: &serde_json::Map<String, Json>, node: Option<&Node>) {
        for (key, value) in keys {
            self.key(indent, key, value, node.and_then(|n| n.entry(key)));
        }
    }

    /// An item of a list of maps: its keys, the first of which gets the dash.
    fn item(&mut self, indent: usize, item: &Json, node: Option<&Node>) {
        let start = self.text.len();
        if let Json::Object(keys) = item {
            self.keys(indent + 2, keys, node);
        }
        if self.text.len() > start + indent {
            self.text.replace_range(start + indent..=start + indent, "-");
        }
    }
}

/// A value on one line.
fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        Json::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(keys) => {
            let pairs: Vec<String> = keys
                .iter()
                .map(|(k, v)| format!("{}: {}", scalar(k), inline(v)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text as a YAML scalar: quoted unless every YAML reader, old or new, takes it for the same text without.
fn scalar(text: &str) -> String {
    const WORDS_OF_YAML_1_1: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    let plain = Scalar {
        text: text.to_owned(),
        plain: true,
    };
    let safe = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-%:".contains(c))
        && !text.ends_with(':')
        // 1:30 is a number of base 60 to old readers.
        && !(text.contains(':') && text.starts_with(|c: char| c.is_ascii_digit()))
        && !WORDS_OF_YAML_1_1.contains(&text.to_ascii_lowercase().as_str())
        && plain.resolve() == Meaning::Text;
    if safe {
        return text.to_owned();
    }
    // JSON's quoting is YAML's too, but for characters that YAML wants escaped where JSON does not.
    let mut quoted = String::new();
    for c in Json::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted
}
