//! The text of a file: bounded, parsed, and overwritten when it is done with.

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::{definition, terraform};

/// Most bytes of a file. Plans of large configurations have some tens of MiB.
pub const LARGEST: usize = 128 << 20;

/// What a file must be.
const EXPECTED: &str = "expected a task definition (as `aws ecs register-task-definition --cli-input-json` takes it, \
                        or `describe-task-definition` prints it), a list of container definitions, or the output of \
                        `terraform show -json` for a plan or a state";

/// JSON whose strings are overwritten when it goes: they may be secrets.
pub(super) struct Scrubbed(Value);

impl Drop for Scrubbed {
    fn drop(&mut self) {
        scrub(&mut self.0);
    }
}

impl std::ops::Deref for Scrubbed {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        _ => {}
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a plan or a state.
    Terraform,
    /// A task definition or a list of containers.
    Definition,
}

/// Parses JSON.
///
/// # Errors
/// Where it is not JSON: `line 3 column 7: ...`. The parser's own words hold nothing of the text.
pub(super) fn parse(text: &str) -> Result<Scrubbed, String> {
    serde_json::from_str(text).map(Scrubbed).map_err(|e| {
        let words = e.to_string();
        let what = words.split(" at line ").next().unwrap_or_default();
        if e.line() == 0 {
            what.to_owned()
        } else {
            format!("line {} column {}: {what}", e.line(), e.column())
        }
    })
}

/// The text of a file's bytes.
///
/// # Errors
/// What it is instead.
pub(super) fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, String> {
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {} MiB", LARGEST >> 20));
    }
    if bytes.starts_with(b"PK") {
        return Err("it is a saved plan, not its JSON: give what `terraform show -json PLANFILE` prints".into());
    }
    // What PowerShell writes by `>`.
    let wide = |from: fn([u8; 2]) -> u16| {
        let pairs: Vec<u16> = bytes[2..].chunks_exact(2).map(|p| from([p[0], p[1]])).collect();
        String::from_utf16(&pairs).map_err(|_| "it is not valid UTF-16".to_owned())
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes)?,
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        all => utf8(all)?,
    };
    Ok(Zeroizing::new(text))
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|e| format!("it is not text: byte {} is not UTF-8", e.valid_up_to()))
}

/// What a parsed file is.
///
/// # Errors
/// What was expected.
pub(super) fn recognise(file: &Value) -> Result<Kind, String> {
    match terraform::recognise(file) {
        Some(Ok(())) => return Ok(Kind::Terraform),
        Some(Err(why)) => return Err(why),
        None => {}
    }
    if definition::recognise(file).is_some() {
        return Ok(Kind::Definition);
    }
    let has = |key: &str| file.get(key).is_some();
    let instead = if has("terraform_version") && has("lineage") {
        "it is a raw Terraform state: give what `terraform show -json` prints; "
    } else if has("@level") && has("@message") {
        "it is the log of `terraform plan -json`: give what `terraform show -json PLANFILE` prints; "
    } else if has("format_version") {
        "it has neither `planned_values` nor `values`; "
    } else {
        ""
    };
    Err(format!("it is not recognised: {instead}{EXPECTED}"))
}

/// What to say of text that is no JSON.
pub(super) fn not_json(text: &str, why: &str) -> String {
    let lines = text.trim_start().lines().take(2).filter(|l| l.contains("\"@level\""));
    if lines.count() > 0 {
        return "it is the log of `terraform plan -json`: give what `terraform show -json PLANFILE` prints".into();
    }
    format!("{why}; {EXPECTED}")
}
