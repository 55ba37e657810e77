//! Turns each error of the validator into a sentence with its line and column.

use std::collections::{HashMap, HashSet};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::forms::Form;
use crate::yaml::{ConfigFault, Meaning, Node, Place, Scalar, YamlValue, quote};

/// The faults of the document `root` that `errors` name, of its validation against `schema`.
pub(super) fn faults(root: &Node, schema: &Json, errors: &[ValidationError<'_>]) -> Vec<ConfigFault> {
    if errors.is_empty() {
        return Vec::new();
    }
    let mut spots = HashMap::new();
    index(root, root.place, String::new(), String::new(), &mut spots);
    let mut explainer = Explainer {
        schema,
        spots,
        wrong: errors.iter().map(|e| e.instance_path().as_str()).collect(),
        faults: Vec::new(),
    };
    let unknown: HashSet<String> = errors.iter().filter_map(wrong_name).collect();
    // A value below a wrong key was meant for another key.
    for error in errors
        .iter()
        .filter(|e| !is_below(e.instance_path().as_str(), &unknown))
    {
        explainer.explain(error);
    }
    explainer.faults
}

/// The pointer to a key whose name is wrong.
fn wrong_name(error: &ValidationError<'_>) -> Option<String> {
    let Kind::PropertyNames { error: of_name } = error.kind() else {
        return None;
    };
    let name = of_name.instance().as_str()?;
    Some(child(error.instance_path().as_str(), name))
}

fn is_below(pointer: &str, parents: &HashSet<String>) -> bool {
    let mut parent = pointer;
    loop {
        if parents.contains(parent) {
            return true;
        }
        match parent.rsplit_once('/') {
            Some((above, _)) => parent = above,
            None => return false,
        }
    }
}

/// A value of the document.
struct Spot<'a> {
    node: &'a Node,
    /// Where its key is; for an item of a list, where it begins.
    key: Place,
    /// Its path as people write it, such as `targets[0].account`.
    path: String,
}

/// Finds every value of the document by its JSON pointer.
fn index<'a>(node: &'a Node, key: Place, pointer: String, path: String, spots: &mut HashMap<String, Spot<'a>>) {
    match &node.value {
        YamlValue::Scalar(_) => {}
        YamlValue::List(items) => {
            for (i, item) in items.iter().enumerate() {
                let pointer = format!("{pointer}/{i}");
                index(item, item.place, pointer, format!("{path}[{i}]"), spots);
            }
        }
        YamlValue::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", entry.key);
                index(&entry.node, entry.place, child(&pointer, &entry.key), path, spots);
            }
        }
    }
    spots.insert(pointer, Spot { node, key, path });
}

/// The JSON pointer to a key of the map at `pointer`.
fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

struct Explainer<'a> {
    schema: &'a Json,
    spots: HashMap<String, Spot<'a>>,
    /// Pointers to all values with an error.
    wrong: HashSet<&'a str>,
    faults: Vec<ConfigFault>,
}

impl<'a> Explainer<'a> {
    fn explain(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let schema = self.failed(error);
        match error.kind() {
            // One alternative is what the key is for, the other is null.
            Kind::AnyOf { context } => {
                for e in context.iter().flatten() {
                    if type_of(self.failed(e)) != "null" {
                        self.explain(e);
                    }
                }
            }
            Kind::AdditionalProperties { unexpected } => {
                let properties = schema.get("properties").and_then(Json::as_object);
                let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                for key in unexpected {
                    self.unknown(pointer, key, "key", &known);
                }
            }
            Kind::PropertyNames { error: of_name } => self.name(pointer, of_name),
            Kind::UniqueItems => self.repeated(pointer),
            Kind::Required { property } => self.fault(pointer, &format!("the key {property} is missing")),
            Kind::Custom { keyword, message } if keyword.starts_with("x-") => self.fault(pointer, message),
            Kind::Type { .. }
            | Kind::Enum { .. }
            | Kind::OneOfNotValid { .. }
            | Kind::Minimum { .. }
            | Kind::Maximum { .. }
            | Kind::ExclusiveMinimum { .. }
            | Kind::Custom { .. } => {
                let message = self.spots.get(pointer).and_then(|spot| mismatch(spot.node, schema));
                if let Some(message) = message {
                    self.fault(pointer, &message);
                }
            }
            // No keyword of our schema gets here; the value stays out of the message, since it may be a secret.
            _ => self.fault(pointer, &error.masked().to_string()),
        }
    }

    /// The part of the schema that an error is about.
    fn failed(&self, error: &ValidationError<'_>) -> &'a Json {
        let keyword = error.schema_path().as_str();
        let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.schema.pointer(parent).unwrap_or(&Json::Null)
    }

    /// Adds a fault of the value at `pointer`.
    fn fault(&mut self, pointer: &str, message: &str) {
        let (place, path) = self
            .spots
            .get(pointer)
            .map_or((Place::START, ""), |spot| (spot.node.place, spot.path.as_str()));
        let colon = if path.is_empty() { "" } else { ": " };
        self.faults
            .push(ConfigFault::new(place, format!("{path}{colon}{message}")));
    }

    /// Adds a fault of a key in the map at `pointer`.
    fn key_fault(&mut self, pointer: &str, key: &str, message: &str) {
        self.fault(pointer, message);
        let place = self.spots.get(&child(pointer, key)).map(|spot| spot.key);
        if let (Some(fault), Some(place)) = (self.faults.last_mut(), place) {
            fault.place = place;
        }
    }

    /// The name of a key in a map whose keys the writer chooses.
    fn name(&mut self, pointer: &str, error: &ValidationError<'_>) {
        let name = error.instance().as_str().unwrap_or_default().to_owned();
        match error.kind() {
            Kind::Enum { options } => {
                let what = if pointer == "/rules" { "rule" } else { "key" };
                let known: Vec<&str> = options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Json::as_str)
                    .collect();
                self.unknown(pointer, &name, what, &known);
            }
            Kind::Custom { message, .. } => self.key_fault(pointer, &name, &format!("the name {message}")),
            _ => self.key_fault(pointer, &name, &format!("the name {} is not allowed", quote(&name))),
        }
    }

    fn unknown(&mut self, pointer: &str, key: &str, what: &str, known: &[&str]) {
        let cure = match nearest(key, known) {
            Some(best) => format!("did you mean {best:?}?"),
            None if what == "rule" => "`holdfast rules` lists them all".to_owned(),
            None => format!("valid keys: {}", known.join(", ")),
        };
        self.key_fault(pointer, key, &format!("unknown {what} {}; {cure}", quote(key)));
    }

    /// Every item that is in the list at `pointer` before, unless it has a fault of its own.
    fn repeated(&mut self, pointer: &str) {
        let Some(list) = self.spots.get(pointer).map(|spot| spot.node) else {
            return;
        };
        let mut seen = HashSet::new();
        for (i, item) in list.items().iter().enumerate() {
            let at = format!("{pointer}/{i}");
            let text = item.text().unwrap_or_default();
            if !self.wrong.contains(at.as_str()) && !seen.insert(text) {
                self.fault(&at, &format!("{} stands in the list twice", quote(text)));
            }
        }
    }
}

/// How a value differs from the type, the words or the range that the schema asks for; `None` if it counts as left out.
fn mismatch(node: &Node, schema: &Json) -> Option<String> {
    if let Some(words) = words(schema) {
        return Some(not_among(node, &words));
    }
    Some(match type_of(schema) {
        // A section of which every key is commented out is the same as no section.
        "object" if node.is_null() => return None,
        "object" => expected(node, "a map of keys to values"),
        "array" => expected(node, "a list such as [a, b], or [] for none"),
        "integer" => integer(node, schema),
        "number" => number(node, schema),
        "boolean" => expected(node, "true or false"),
        _ => text(node, schema),
    })
}

fn expected(node: &Node, what: &str) -> String {
    format!("expected {what}, found {}", found(node))
}

fn not_among(node: &Node, words: &[&str]) -> String {
    let all = words.join(", ");
    let Some(text) = node.text() else {
        return expected(node, &format!("one of {all}"));
    };
    let hint = nearest(text, words)
        .map(|best| format!("; did you mean {best:?}?"))
        .unwrap_or_default();
    format!("{} is not one of: {all}{hint}", quote(text))
}

fn integer(node: &Node, schema: &Json) -> String {
    let Some((_, Meaning::Int(number))) = meaning(node) else {
        return expected(node, "a whole number");
    };
    let bound = |key| schema.get(key).and_then(Json::as_u64).map(i128::from);
    let least = bound("minimum").unwrap_or(0);
    let most = bound("maximum").unwrap_or(i128::from(u32::MAX));
    let range = if schema.get("maximum").is_none() && number < least {
        format!("at least {least}")
    } else {
        format!("from {least} to {most}")
    };
    format!("{number} is out of range; it must be {range}")
}

fn number(node: &Node, schema: &Json) -> String {
    #[allow(clippy::cast_precision_loss)] // a rate: its order of magnitude is what counts
    let number = match meaning(node) {
        Some((_, Meaning::Int(number))) => number as f64,
        Some((_, Meaning::Float(number))) => number,
        _ => return expected(node, "a number"),
    };
    let floor = schema
        .get("exclusiveMinimum")
        .and_then(Json::as_f64)
        .unwrap_or_default();
    format!("{number} is out of range; it must be more than {floor}")
}

fn text(node: &Node, schema: &Json) -> String {
    let form = schema.get("x-form").and_then(Json::as_str).and_then(Form::named);
    match (form, meaning(node)) {
        // Another YAML reader would see a number and drop leading zeros, so quotes are asked for here too.
        (Some(Form::Account), Some((scalar, Meaning::Int(_)))) => {
            format!("put the account id in quotes: \"{}\"", scalar.text)
        }
        (Some(Form::Account), _) => expected(node, "an account id of 12 digits, in quotes"),
        (Some(Form::Span), _) => expected(node, "a duration like 15m"),
        (Some(Form::Share), _) => expected(node, "a share like 10%"),
        _ => expected(node, "a text (in quotes if it looks like something else)"),
    }
}

/// The type that a value must have if it isn't null.
fn type_of(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(one)) => one,
        Some(Json::Array(several)) => several
            .iter()
            .filter_map(Json::as_str)
            .find(|t| *t != "null")
            .unwrap_or_default(),
        _ => "",
    }
}

/// The words of an enum: `enum`, or `oneOf` of which each is one `const` or again an enum.
fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return Some(words.iter().filter_map(Json::as_str).collect());
    }
    let one_of = schema.get("oneOf").and_then(Json::as_array)?;
    let mut all = Vec::new();
    for one in one_of {
        match one.get("const").and_then(Json::as_str) {
            Some(word) => all.push(word),
            None => all.extend(words(one).unwrap_or_default()),
        }
    }
    Some(all)
}

fn meaning(node: &Node) -> Option<(&Scalar, Meaning)> {
    match &node.value {
        YamlValue::Scalar(scalar) => Some((scalar, scalar.resolve())),
        _ => None,
    }
}

/// What a value is, for a message.
fn found(node: &Node) -> String {
    match &node.value {
        YamlValue::List(_) => "a list".to_owned(),
        YamlValue::Map(_) => "a map".to_owned(),
        YamlValue::Scalar(scalar) => match scalar.resolve() {
            Meaning::Null => "nothing (leave the key out for its default)".to_owned(),
            Meaning::Bool(b) => b.to_string(),
            Meaning::Int(_) | Meaning::Float(_) => format!("the number {}", scalar.text),
            Meaning::Text => format!("the text {}", quote(&scalar.text)),
        },
    }
}

/// The valid word that was most likely meant: few edits away, or one begins with the other.
fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    // Nobody's typo is that long, and the distance takes quadratic time.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    let length = word.chars().count();
    let most = (length / 3).max(1);
    // No distance is less than the difference in length.
    let similar = valid.iter().filter(|v| v.chars().count().abs_diff(length) <= most);
    let distance = |valid: &str| strsim::damerau_levenshtein(&word, &valid.replace('-', "_"));
    let near = similar.map(|v| (distance(v), *v)).min();
    if let Some((_, best)) = near.filter(|(distance, _)| *distance <= most) {
        return Some(best);
    }
    let extends = |v: &&&str| word.len() >= 3 && (v.starts_with(&word) || word.starts_with(**v));
    valid.iter().find(extends).copied()
}
