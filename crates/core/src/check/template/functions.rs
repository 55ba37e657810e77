//! The functions of a template, evaluated as far as the file goes.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::unknown::{UNKNOWN, is_no_value, is_unknown, no_value, unknown};
use crate::check::scope::UNTOLD;
use crate::model::key::Scope;

/// Bytes of text that the functions of one template may make. One that makes more is meant to.
const LARGEST: usize = 16 << 20;
/// Functions inside of functions.
const DEEPEST: usize = 160;

/// The functions of one template.
pub(super) struct Functions<'a> {
    pub(super) file: &'a Value,
    pub(super) scope: &'a Scope,
    left: Cell<usize>,
    defaults: RefCell<BTreeSet<String>>,
}

impl<'a> Functions<'a> {
    pub(super) fn new(file: &'a Value, scope: &'a Scope) -> Self {
        Self {
            file,
            scope,
            left: Cell::new(LARGEST),
            defaults: RefCell::default(),
        }
    }

    pub(super) fn into_defaults(self) -> BTreeSet<String> {
        self.defaults.into_inner()
    }

    /// The declaration of a resource.
    pub(super) fn resource(&self, id: &str) -> Option<&'a Value> {
        self.file.get("Resources")?.get(id)
    }

    /// The type of a resource.
    pub(super) fn kind(&self, id: &str) -> Option<&'a str> {
        self.resource(id)?.get("Type")?.as_str()
    }

    /// Whether a resource will exist; none where its condition is not known, or there is none such.
    pub(super) fn is_there(&self, id: &str) -> Option<bool> {
        match self.resource(id)?.get("Condition").and_then(Value::as_str) {
            Some(condition) => self.condition(condition, 0),
            None => Some(true),
        }
    }

    /// The property of a resource, evaluated.
    pub(super) fn property(&self, id: &str, name: &str) -> Option<Value> {
        let written = self.resource(id)?.get("Properties")?.get(name)?;
        Some(self.value(written, 0)).filter(|v| !is_no_value(v) && !v.is_null())
    }

    /// Takes so much of what may be made.
    fn take(&self, bytes: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(bytes));
        bytes <= left
    }

    /// A value with its functions evaluated.
    pub(super) fn value(&self, written: &Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return unknown();
        }
        if let Some((name, argument)) = single(written)
            && (name == "Ref" || name.starts_with("Fn::"))
        {
            return self.function(name, argument, depth + 1);
        }
        match written {
            Value::String(text) => {
                if self.take(text.len()) {
                    Value::String(without_dynamic(text))
                } else {
                    unknown()
                }
            }
            Value::Array(items) => {
                let items = items
                    .iter()
                    .map(|v| self.value(v, depth + 1))
                    .filter(|v| !is_no_value(v));
                Value::Array(items.collect())
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(k, v)| (k.clone(), self.value(v, depth + 1)));
                Value::Object(fields.filter(|(_, v)| !is_no_value(v)).collect::<Map<_, _>>())
            }
            plain => plain.clone(),
        }
    }

    fn function(&self, name: &str, argument: &Value, depth: usize) -> Value {
        let list = || argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = match name {
            "Ref" => argument.as_str().map(|name| self.reference(name)),
            "Fn::GetAtt" => self.get_att(argument, depth),
            "Fn::Sub" => self.substitute(argument, depth),
            "Fn::Join" => self.join(list(), depth),
            "Fn::If" => self.choose(list(), depth),
            "Fn::FindInMap" => self.find_in_map(list(), depth),
            "Fn::Select" => self.select(list(), depth),
            "Fn::Split" => self.split(list(), depth),
            "Fn::Length" => self.value(argument, depth).as_array().map(|items| items.len().into()),
            "Fn::ToJsonString" => Some(self.value(argument, depth).to_string().into()),
            // An import, zones, ranges, macros: only AWS knows.
            _ => None,
        };
        found.unwrap_or_else(unknown)
    }

    /// `Ref`: a parameter, a pseudo parameter, or a resource.
    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::NoValue" => return no_value(),
            // What stands for an account or region that no file names stands for it in the snapshot, too.
            "AWS::AccountId" => return self.scope.account.clone().into(),
            "AWS::Region" => return self.scope.region.clone().into(),
            "AWS::Partition" => return "aws".into(),
            "AWS::URLSuffix" => return "amazonaws.com".into(),
            _ => {}
        }
        if let Some(parameter) = self.file.get("Parameters").and_then(|p| p.get(name)) {
            return self.parameter(name, parameter);
        }
        self.kind(name).map_or_else(unknown, |kind| self.identity(name, kind))
    }

    fn parameter(&self, name: &str, parameter: &Value) -> Value {
        let kind = parameter.get("Type").and_then(Value::as_str).unwrap_or("String");
        // The default names a parameter of Parameter Store: its value is in AWS.
        if kind.starts_with("AWS::SSM::Parameter::Value") {
            return unknown();
        }
        let Some(default) = parameter.get("Default") else {
            return match kind {
                // One network is as good as another, as long as it is the same.
                "AWS::EC2::VPC::Id" | "AWS::EC2::Subnet::Id" => name.into(),
                _ => unknown(),
            };
        };
        self.defaults.borrow_mut().insert(name.to_owned());
        match default {
            Value::String(text) if !self.take(text.len() * 2) => unknown(),
            Value::String(text) if kind == "CommaDelimitedList" || kind.starts_with("List<") => {
                let parts = text.split(',').map(str::trim).filter(|t| !t.is_empty());
                Value::Array(parts.map(Value::from).collect())
            }
            plain => plain.clone(),
        }
    }

    /// `Fn::GetAtt`, as a list or as one text.
    fn get_att(&self, argument: &Value, depth: usize) -> Option<Value> {
        let (id, attribute) = match argument {
            Value::String(text) => text.split_once('.').map(|(id, a)| (id.to_owned(), a.to_owned()))?,
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(id), attribute] => {
                    let attribute = self.value(attribute, depth);
                    (id.clone(), attribute.as_str()?.to_owned())
                }
                _ => return None,
            },
            _ => return None,
        };
        self.attribute(&id, &attribute, depth)
    }

    /// `Fn::Sub`: `${Name}`, `${Resource.Attribute}`, `${!Literal}`.
    fn substitute(&self, argument: &Value, depth: usize) -> Option<Value> {
        let nothing = Map::new();
        let (text, own) = match argument {
            Value::String(text) => (text.as_str(), &nothing),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text)] => (text.as_str(), &nothing),
                [Value::String(text), Value::Object(own)] => (text.as_str(), own),
                _ => return None,
            },
            _ => return None,
        };
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let end = from.find('}')?;
            let name = &from[2..end];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
            } else {
                let value = match (own.get(name), name.split_once('.')) {
                    (Some(value), _) => self.value(value, depth),
                    (None, Some((id, attribute))) => self.attribute(id, attribute, depth).unwrap_or_else(unknown),
                    (None, None) => self.reference(name),
                };
                self.push(&mut out, &value)?;
            }
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        self.take(out.len()).then(|| Value::String(without_dynamic(&out)))
    }

    /// Adds a value to a text; none where that gets too long.
    fn push(&self, out: &mut String, value: &Value) -> Option<()> {
        let before = out.len();
        match value {
            _ if is_no_value(value) => {}
            Value::String(text) => out.push_str(text),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            _ => out.push(UNKNOWN),
        }
        self.take(out.len() - before).then_some(())
    }

    fn join(&self, parts: &[Value], depth: usize) -> Option<Value> {
        let [Value::String(between), items] = parts else {
            return None;
        };
        let items = self.value(items, depth);
        let mut out = String::new();
        for (n, item) in items.as_array()?.iter().enumerate() {
            if n > 0 {
                self.take(between.len()).then_some(())?;
                out.push_str(between);
            }
            self.push(&mut out, item)?;
        }
        Some(Value::String(without_dynamic(&out)))
    }

    fn choose(&self, parts: &[Value], depth: usize) -> Option<Value> {
        let [Value::String(condition), yes, no] = parts else {
            return None;
        };
        match self.condition(condition, 0) {
            Some(true) => Some(self.value(yes, depth)),
            Some(false) => Some(self.value(no, depth)),
            None => {
                let (yes, no) = (self.value(yes, depth), self.value(no, depth));
                (yes == no).then_some(yes)
            }
        }
    }

    fn find_in_map(&self, parts: &[Value], depth: usize) -> Option<Value> {
        let (keys, options) = parts.split_at_checked(3)?;
        let keys: Vec<Value> = keys.iter().map(|k| self.value(k, depth)).collect();
        let map = self.file.get("Mappings")?.get(keys[0].as_str()?)?.as_object()?;
        let (first, second) = (key(&keys[1])?, key(&keys[2])?);
        // The region is not known: what all of them have is.
        if is_unknown(&keys[1]) || first == UNTOLD && !map.contains_key(UNTOLD) {
            let mut values = map.values().map(|row| row.get(&second));
            let one = values.next()??;
            return values.all(|v| v == Some(one)).then(|| one.clone());
        }
        let default = || {
            options
                .iter()
                .find_map(|o| o.get("DefaultValue"))
                .map(|v| self.value(v, depth))
        };
        map.get(&first)
            .and_then(|row| row.get(&second))
            .cloned()
            .or_else(default)
    }

    fn select(&self, parts: &[Value], depth: usize) -> Option<Value> {
        let [index, items] = parts else { return None };
        let index: usize = key(&self.value(index, depth))?.parse().ok()?;
        let items = self.value(items, depth);
        items.as_array()?.get(index).cloned()
    }

    fn split(&self, parts: &[Value], depth: usize) -> Option<Value> {
        let [Value::String(between), text] = parts else {
            return None;
        };
        let text = self.value(text, depth);
        let text = text.as_str().filter(|t| !between.is_empty() && !t.contains(UNKNOWN))?;
        // A list costs more than its text.
        let pieces = text.matches(between.as_str()).count() + 1;
        self.take(text.len() + pieces * 32)
            .then(|| Value::Array(text.split(between.as_str()).map(Value::from).collect()))
    }
}

/// The only field of an object.
pub(super) fn single(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(key, value)| (key.as_str(), value))
}

fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text with `{{resolve:...}}` marked as unknown: AWS puts the value there at deployment.
fn without_dynamic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{resolve:") {
        let (before, from) = rest.split_at(at);
        let Some(end) = from.find("}}") else { break };
        out.push_str(before);
        out.push(UNKNOWN);
        rest = &from[end + 2..];
    }
    out.push_str(rest);
    out
}
