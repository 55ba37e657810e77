//! Validates a document against the JSON Schema.
//!
//! The `jsonschema` crate does the work. Two keywords of the schema are our own, `x-form` and `x-shortest`; here they get
//! their meaning. [`super::explain`] turns the crate's errors into sentences with places.

use jsonschema::{Keyword, ValidationError, Validator};
use serde_json::{Map, Value as Json};

use super::explain;
use super::forms::{Form, parse_duration};
use crate::yaml::{ConfigFault, Node, quote};

/// Validates `root` against `schema` and returns it as JSON, without what counts as left out.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn validate(root: &Node, schema: &Json) -> Result<Json, Vec<ConfigFault>> {
    let mut document = root.to_json();
    let validator = compile(schema).map_err(|e| {
        // Our own mistake, which tests look for.
        vec![ConfigFault::new(
            root.place,
            format!("Holdfast's own schema is wrong: {e}"),
        )]
    })?;
    let errors: Vec<ValidationError> = validator.iter_errors(&document).collect();
    let faults = explain::faults(root, schema, &errors);
    drop(errors);
    if !faults.is_empty() {
        return Err(faults);
    }
    drop_nulls(&mut document);
    if document.is_null() {
        document = Json::Object(Map::new());
    }
    Ok(document)
}

/// Compiles the schema, with the meaning of our own keywords.
pub(super) fn compile(schema: &Json) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_keyword("x-form", |_, value, _| form(value))
        .with_keyword("x-shortest", |_, value, _| shortest(value))
        .with_keyword("format", |_, value, _| Ok(format_of_number(value)))
        // For editors only: `x-form` checks more than a pattern can, and its messages say how to put it right.
        .with_keyword("pattern", |_, _, _| {
            Ok(Box::new(Check(|_: &Json| Ok::<(), std::convert::Infallible>(()))))
        })
        .build(schema)
}

/// Removes nulls: one that the schema accepts means that the key is left out.
fn drop_nulls(json: &mut Json) {
    match json {
        Json::Object(keys) => {
            keys.retain(|_, value| !value.is_null());
            keys.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

type BoxedKeyword = Box<dyn for<'i> Keyword<'i>>;

/// A keyword that is a function: what is wrong with a value, if anything.
struct Check<F>(F);

impl<'i, F, E> Keyword<'i> for Check<F>
where
    F: Fn(&Json) -> Result<(), E> + Send + Sync,
    E: std::fmt::Display,
{
    fn validate(&self, instance: &'i Json) -> Result<(), ValidationError<'i>> {
        (self.0)(instance).map_err(|e| ValidationError::custom(e.to_string()))
    }

    fn is_valid(&self, instance: &'i Json) -> bool {
        (self.0)(instance).is_ok()
    }
}

/// `x-form`: the text has a form of its own.
fn form(value: &Json) -> Result<BoxedKeyword, ValidationError<'_>> {
    let form = value.as_str().and_then(Form::named);
    let form = form.ok_or_else(|| ValidationError::custom(format!("{value} is no form")))?;
    Ok(Box::new(Check(move |json: &Json| {
        json.as_str().map_or(Ok(()), |text| form.check(text))
    })))
}

/// `x-shortest`: the duration is at least so long.
fn shortest(value: &Json) -> Result<BoxedKeyword, ValidationError<'_>> {
    let shortest = value.as_str().unwrap_or_default().to_owned();
    let least = parse_duration(&shortest).map_err(|e| ValidationError::custom(format!("{value} {e}")))?;
    Ok(Box::new(Check(move |json: &Json| match json.as_str() {
        Some(text) if parse_duration(text).is_ok_and(|own| own < least) => {
            Err(format!("{} is too short; it must be at least {shortest}", quote(text)))
        }
        _ => Ok(()),
    })))
}

/// `format` of whole numbers: what fits into our types, and is not written as a fraction (which JSON Schema would take:
/// to it, `1.0` is an integer).
fn format_of_number(value: &Json) -> BoxedKeyword {
    let is_whole = matches!(value.as_str(), Some("uint" | "uint32"));
    Box::new(Check(move |json: &Json| {
        let fits = json.as_u64().is_some_and(|n| u32::try_from(n).is_ok());
        if is_whole && json.is_number() && !fits {
            return Err("not a whole number of 32 bits".to_owned());
        }
        Ok(())
    }))
}
