//! One attribute of a resource: known, left to its default, or not known before the plan is applied.

use std::collections::BTreeMap;

use serde_json::Value;

use super::links::{Targets, references};
use super::resource::{NOTHING, Resource, list, text};
use super::{Class, Reading};
use crate::check::case::World;
use crate::model::tags::Tags;

/// What the file says of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Attribute<'a> {
    /// Its value. Parts of it may still be unknown.
    Known(&'a Value),
    /// Nobody set it: what holds is the provider's or AWS's default.
    Unset,
    /// It was set to something that is not known before the plan is applied.
    Unknown,
}

impl<'a> Resource<'a> {
    pub(super) fn attribute(&self, name: &str) -> Attribute<'a> {
        let values: &'a Value = self.values;
        match values.get(name) {
            Some(Value::Null) | None => {}
            Some(known) => return Attribute::Known(known),
        }
        let unknown = self.unknown.get(name) == Some(&Value::Bool(true));
        // AWS will choose the value of an optional attribute that the configuration does not mention.
        let set = self.expressions.is_none_or(|e| e.get(name).is_some());
        if unknown && set {
            Attribute::Unknown
        } else {
            Attribute::Unset
        }
    }

    /// A string that is known.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let values: &'a Value = self.values;
        text(values, name).filter(|t| !t.is_empty())
    }

    /// The blocks of a nested block type, in order.
    pub fn blocks(&self, name: &str) -> &'a [Value] {
        let values: &'a Value = self.values;
        list(values.get(name))
    }

    /// Its tags, those that the provider adds to all included.
    pub fn tags(&self) -> Tags {
        let mut found = BTreeMap::new();
        // What is set on the resource itself comes last: it wins.
        for key in ["tags_all", "tags"] {
            let pairs = self.values.get(key).and_then(Value::as_object);
            found.extend(
                pairs
                    .into_iter()
                    .flatten()
                    .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))),
            );
        }
        Tags(found)
    }
}

impl<'a> Reading<'a, '_> {
    /// Notes that an attribute is not known yet.
    pub fn gap(&mut self, resource: &Resource<'_>, attribute: &str) {
        self.gaps.insert((resource.address.clone(), attribute.to_owned()));
    }

    /// A flag: `default` where it is not set, and where it is not known `good` or its opposite, by the world.
    pub fn flag(&mut self, resource: &Resource<'_>, attribute: &str, default: bool, good: bool) -> bool {
        match resource.attribute(attribute) {
            Attribute::Known(value) => flag(value).unwrap_or(default),
            Attribute::Unset => default,
            Attribute::Unknown => {
                self.gap(resource, attribute);
                (self.world() == World::Best) == good
            }
        }
    }

    /// A number; where it is not known, `good` or `bad` by the world.
    pub fn number(&mut self, resource: &Resource<'_>, attribute: &str, default: i32, good: i32, bad: i32) -> i32 {
        match resource.attribute(attribute) {
            Attribute::Known(value) => number(value).unwrap_or(default),
            Attribute::Unset => default,
            Attribute::Unknown => {
                self.gap(resource, attribute);
                if self.world() == World::Best { good } else { bad }
            }
        }
    }

    /// Names of the resources of `class` that an attribute holds: addresses where they are in the file, else as written.
    pub fn links(&mut self, resource: &Resource<'a>, class: Class, attribute: &str) -> Vec<String> {
        let (values, unknown, expressions) = (resource.values, resource.unknown, resource.expressions);
        let found = self.terraform.links_in(
            class,
            &resource.address,
            values.get(attribute),
            unknown.get(attribute),
            expressions.and_then(|e| e.get(attribute)),
        );
        self.linked(resource, attribute, found)
    }

    /// The same, of an attribute of the first block of `block`.
    pub fn links_in_block(
        &mut self,
        resource: &Resource<'a>,
        class: Class,
        block: &str,
        attribute: &str,
    ) -> Vec<String> {
        let of = |of: &'a Value| first(of.get(block)).and_then(|b| b.get(attribute));
        let found = self.terraform.links_in(
            class,
            &resource.address,
            of(resource.values),
            of(resource.unknown),
            // AWS chooses nothing inside of a block: what is unknown there was set, if perhaps where the file does not say.
            resource.expressions.and_then(of).or(Some(&NOTHING)),
        );
        self.linked(resource, &format!("{block}.{attribute}"), found)
    }

    fn linked(&mut self, resource: &Resource<'_>, attribute: &str, found: Targets) -> Vec<String> {
        // Without the configuration nothing says whether AWS chooses or something else in the plan.
        let top = attribute.split('.').next().unwrap_or(attribute);
        let untold = resource.expressions.is_none() && resource.unknown.get(top).is_some_and(somewhere);
        if found.unresolved || untold {
            self.gap(resource, attribute);
        }
        found.found
    }

    /// The same of an attribute that names one.
    pub fn link(&mut self, resource: &Resource<'a>, class: Class, attribute: &str) -> Option<String> {
        self.links(resource, class, attribute).into_iter().next()
    }
}

impl super::Terraform<'_> {
    /// What a value (a name, or a list of them) and, where parts of it are unknown, its references lead to.
    pub(super) fn links_in(
        &self,
        class: Class,
        from: &str,
        value: Option<&Value>,
        unknown: Option<&Value>,
        expression: Option<&Value>,
    ) -> Targets {
        let known: Vec<&str> = match value {
            Some(Value::String(one)) if !one.is_empty() => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        let mut found = Targets {
            found: known.into_iter().map(|name| self.canonical(class, name)).collect(),
            unresolved: false,
        };
        if unknown.is_some_and(somewhere) {
            match expression.map(references) {
                Some(references) if !references.is_empty() => {
                    let (types, _) = class.types();
                    let more = self
                        .configuration
                        .targets((&self.resources, &self.by_name), types, from, &references);
                    found.found.extend(more.found);
                    found.unresolved = more.unresolved;
                }
                // Not set: AWS will choose. Set inside of a block that the file does not tell of: it can't be known.
                Some(_) => found.unresolved = true,
                None => {}
            }
        }
        found.found.sort();
        found.found.dedup();
        found
    }
}

/// Whether anything in it is `true`: not known yet.
pub(super) fn somewhere(unknown: &Value) -> bool {
    match unknown {
        Value::Bool(unknown) => *unknown,
        Value::Array(items) => items.iter().any(somewhere),
        Value::Object(fields) => fields.values().any(somewhere),
        _ => false,
    }
}

/// The only block, which a plan writes as a list of one, or a single one.
pub(super) fn first(value: Option<&Value>) -> Option<&Value> {
    match value? {
        Value::Array(items) => items.first(),
        other => Some(other),
    }
}

/// A flag. Older providers write strings.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "enabled" => Some(true),
            "false" | "0" | "" | "disabled" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number. Older providers write strings.
pub(super) fn number(value: &Value) -> Option<i32> {
    let wide = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    i32::try_from(wide).ok()
}
