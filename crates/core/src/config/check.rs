//! Checks a tree against the JSON Schema, keeping the places of faults, and turns it into the JSON of a
//! [`super::Config`].
//!
//! This is no general validator: it knows the keywords that our own schema uses, and `tests` fails on any other one.

use serde_json::{Map, Value as Json};

use super::forms::{Form, parse_duration};
use super::tree::{Entry, Fault, Meaning, Node, Place, Scalar, Value, quote};

/// Checks `root` against `schema`. The JSON holds what is right; it is whole only if there are no faults.
pub(super) fn check(root: &Node, schema: &Json) -> (Json, Vec<Fault>) {
    let mut checker = Checker {
        definitions: schema.get("$defs").unwrap_or(&Json::Null),
        faults: Vec::new(),
    };
    let json = checker
        .node("", root, schema)
        .unwrap_or_else(|| Json::Object(Map::new()));
    (json, checker.faults)
}

/// The keywords that [`Checker`] understands or may ignore.
#[cfg(test)]
pub(super) const KEYWORDS: &[&str] = &[
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "default",
    "examples",
    "pattern",
    "format",
    "type",
    "anyOf",
    "oneOf",
    "const",
    "enum",
    "properties",
    "additionalProperties",
    "propertyNames",
    "required",
    "items",
    "uniqueItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "x-form",
    "x-shortest",
];

struct Checker<'a> {
    definitions: &'a Json,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    /// Checks one node; nothing if it is wrong, or if it counts as left out.
    fn node(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        let (schema, nullable) = self.resolve(schema);
        if nullable && node.is_null() {
            return Some(Json::Null);
        }
        if let Some(words) = words(schema) {
            return self.word(path, node, &words);
        }
        match type_of(schema) {
            "object" => self.object(path, node, schema),
            "array" => self.array(path, node, schema),
            "integer" => self.integer(path, node, schema),
            "number" => self.number(path, node, schema),
            "boolean" => self.boolean(path, node),
            _ => self.text(path, node, schema),
        }
    }

    fn fault(&mut self, place: Place, path: &str, message: &str) {
        let colon = if path.is_empty() { "" } else { ": " };
        self.faults.push(Fault::new(place, format!("{path}{colon}{message}")));
    }

    fn mistaken<T>(&mut self, path: &str, node: &Node, expected: &str) -> Option<T> {
        self.fault(node.place, path, &format!("expected {expected}, found {}", found(node)));
        None
    }

    /// Follows references and takes `null` out of alternatives; says whether `null` was among them.
    fn resolve(&self, mut schema: &'a Json) -> (&'a Json, bool) {
        let mut nullable = false;
        // Our schema nests an optional reference at most: anyOf → $ref → definition.
        for _ in 0..8 {
            if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
                let name = name.trim_start_matches("#/$defs/");
                schema = self.definitions.get(name).unwrap_or(&Json::Null);
            } else if let Some(any) = schema.get("anyOf").and_then(Json::as_array) {
                let is_null = |s: &&Json| s.get("type").and_then(Json::as_str) == Some("null");
                nullable |= any.iter().any(|s| is_null(&s));
                schema = any.iter().find(|s| !is_null(s)).unwrap_or(&Json::Null);
            } else {
                break;
            }
        }
        let types = schema.get("type").and_then(Json::as_array);
        nullable |= types.is_some_and(|types| types.iter().any(|t| t == "null"));
        (schema, nullable)
    }

    fn object(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            // A section of which every key is commented out is the same as no section.
            _ if node.is_null() => return None,
            _ => return self.mistaken(path, node, "a map of keys to values"),
        };
        let properties = schema.get("properties").and_then(Json::as_object);
        let free = schema.get("additionalProperties").filter(|s| s.is_object());
        let mut object = Map::new();
        for entry in entries {
            let path = join(path, &entry.key);
            let own = properties.and_then(|p| p.get(&entry.key));
            let Some(schema) = own.or_else(|| free.filter(|_| self.name(entry, &path, schema))) else {
                if free.is_none() {
                    let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                    self.unknown(entry, &path, "key", &known);
                }
                continue;
            };
            if let Some(json) = self.node(&path, &entry.node, schema) {
                object.insert(entry.key.clone(), json);
            }
        }
        for key in schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            if !entries.iter().any(|e| e.key == key) {
                self.fault(node.place, path, &format!("the key {key:?} is missing"));
            }
        }
        Some(Json::Object(object))
    }

    /// Checks the key of a map whose keys are the writer's own.
    fn name(&mut self, entry: &Entry, path: &str, schema: &'a Json) -> bool {
        let Some(names) = schema.get("propertyNames") else {
            return true;
        };
        if let Some(known) = words(names) {
            if known.contains(&entry.key.as_str()) {
                return true;
            }
            let what = if path.starts_with("rules.") { "rule" } else { "key" };
            self.unknown(entry, path, what, &known);
            return false;
        }
        match form(names).map_or(Ok(()), |form| form.check(&entry.key)) {
            Ok(()) => true,
            Err(e) => {
                let parent = path.strip_suffix(&entry.key).unwrap_or(path).trim_end_matches('.');
                self.fault(entry.place, parent, &format!("the name {e}"));
                false
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, path: &str, what: &str, known: &[&str]) {
        let parent = path
            .strip_suffix(&entry.key)
            .unwrap_or(path)
            .trim_end_matches('.')
            .to_owned();
        let cure = match nearest(&entry.key, known) {
            Some(best) => format!("did you mean {best:?}?"),
            None if what == "rule" => "`holdfast rules` lists them all".to_owned(),
            None => format!("valid keys: {}", known.join(", ")),
        };
        self.fault(
            entry.place,
            &parent,
            &format!("unknown {what} {}; {cure}", quote(&entry.key)),
        );
    }

    fn array(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        let Value::List(items) = &node.value else {
            return self.mistaken(path, node, "a list such as [a, b], or [] for none");
        };
        let schema_of_items = schema.get("items").unwrap_or(&Json::Null);
        let unique = schema.get("uniqueItems") == Some(&Json::Bool(true));
        let mut array: Vec<Json> = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let path = format!("{path}[{i}]");
            let Some(json) = self.node(&path, item, schema_of_items) else {
                continue;
            };
            if unique && array.contains(&json) {
                self.fault(
                    item.place,
                    &path,
                    &format!("{} stands in the list twice", quote(item.text().unwrap_or_default())),
                );
            }
            array.push(json);
        }
        Some(Json::Array(array))
    }

    fn word(&mut self, path: &str, node: &Node, words: &[&str]) -> Option<Json> {
        let Some(text) = node.text() else {
            return self.mistaken(path, node, &format!("one of {}", words.join(", ")));
        };
        if words.contains(&text) {
            return Some(Json::from(text));
        }
        let hint = nearest(text, words)
            .map(|best| format!("; did you mean {best:?}?"))
            .unwrap_or_default();
        self.fault(
            node.place,
            path,
            &format!("{} is not one of: {}{hint}", quote(text), words.join(", ")),
        );
        None
    }

    fn boolean(&mut self, path: &str, node: &Node) -> Option<Json> {
        match meaning(node) {
            Some((_, Meaning::Bool(b))) => Some(Json::Bool(b)),
            _ => self.mistaken(path, node, "true or false"),
        }
    }

    fn integer(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        let Some((_, Meaning::Int(number))) = meaning(node) else {
            return self.mistaken(path, node, "a whole number");
        };
        let bound = |key| schema.get(key).and_then(Json::as_u64).map(i128::from);
        let least = bound("minimum").unwrap_or(0);
        let most = bound("maximum").unwrap_or(i128::from(u32::MAX));
        if let (true, Ok(number)) = ((least..=most).contains(&number), u64::try_from(number)) {
            return Some(Json::from(number));
        }
        let range = if schema.get("maximum").is_none() && number < least {
            format!("at least {least}")
        } else {
            format!("from {least} to {most}")
        };
        self.fault(
            node.place,
            path,
            &format!("{number} is out of range; it must be {range}"),
        );
        None
    }

    fn number(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        #[allow(clippy::cast_precision_loss)] // a rate: its order of magnitude is what counts
        let number = match meaning(node) {
            Some((_, Meaning::Int(number))) => number as f64,
            Some((_, Meaning::Float(number))) => number,
            _ => return self.mistaken(path, node, "a number"),
        };
        let floor = schema.get("exclusiveMinimum").and_then(Json::as_f64);
        if floor.is_some_and(|floor| number <= floor) {
            let floor = floor.unwrap_or_default();
            self.fault(
                node.place,
                path,
                &format!("{number} is out of range; it must be more than {floor}"),
            );
            return None;
        }
        Some(Json::from(number))
    }

    fn text(&mut self, path: &str, node: &Node, schema: &'a Json) -> Option<Json> {
        let form = form(schema);
        let Some((scalar, meaning)) = meaning(node) else {
            return self.mistaken(path, node, expected(form));
        };
        match meaning {
            Meaning::Text => {}
            // Another YAML reader would see a number and drop leading zeros, so quotes are asked for here too.
            Meaning::Int(_) if form == Some(Form::Account) => {
                self.fault(
                    node.place,
                    path,
                    &format!("put the account id in quotes: \"{}\"", scalar.text),
                );
                return None;
            }
            _ => return self.mistaken(path, node, expected(form)),
        }
        if let Err(e) = form.map_or(Ok(()), |form| form.check(&scalar.text)) {
            self.fault(node.place, path, &e);
            return None;
        }
        if let Some(shortest) = schema.get("x-shortest").and_then(Json::as_str) {
            let is_short = match (parse_duration(&scalar.text), parse_duration(shortest)) {
                (Ok(own), Ok(least)) => own < least,
                _ => false,
            };
            if is_short {
                self.fault(
                    node.place,
                    path,
                    &format!("{} is too short; it must be at least {shortest}", quote(&scalar.text)),
                );
                return None;
            }
        }
        Some(Json::from(scalar.text.as_str()))
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

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

fn form(schema: &Json) -> Option<Form> {
    schema.get("x-form").and_then(Json::as_str).and_then(Form::named)
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
        Value::Scalar(scalar) => Some((scalar, scalar.resolve())),
        _ => None,
    }
}

const fn expected(form: Option<Form>) -> &'static str {
    match form {
        Some(Form::Span) => "a duration like 15m",
        Some(Form::Share) => "a share like 10%",
        Some(Form::Account) => "an account id of 12 digits, in quotes",
        _ => "a text (in quotes if it looks like something else)",
    }
}

/// What stands there, for a message.
fn found(node: &Node) -> String {
    match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        Value::Scalar(scalar) => match scalar.resolve() {
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
    let distance = |valid: &str| strsim::damerau_levenshtein(&word, &valid.replace('-', "_"));
    let near = valid.iter().map(|v| (distance(v), *v)).min()?;
    if near.0 <= (word.chars().count() / 3).max(1) {
        return Some(near.1);
    }
    let extends = |v: &&&str| word.len() >= 3 && (v.starts_with(&word) || word.starts_with(**v));
    valid.iter().find(extends).copied()
}
