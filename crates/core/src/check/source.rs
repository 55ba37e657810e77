//! Reads the text of a file: limits its size, parses it, and overwrites its strings after use.

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::error::{CheckError, LARGEST, Lookalike, NotJson};
use super::{definition, terraform};

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
pub(super) enum FileKind {
    /// Of a plan or a state.
    Terraform,
    /// A task definition or a list of containers.
    Definition,
}

/// Parses JSON.
///
/// # Errors
/// Where it is not JSON.
pub(super) fn parse(text: &str) -> Result<Scrubbed, NotJson> {
    serde_json::from_str(text).map(Scrubbed).map_err(|e| NotJson {
        line: e.line(),
        column: e.column(),
        what: e.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })
}

/// The error for a text that is no JSON.
pub(super) fn not_json(text: &str, why: NotJson) -> CheckError {
    let mut lines = text.trim_start().lines().take(2);
    if lines.any(|l| l.contains("\"@level\"")) {
        CheckError::PlanLog
    } else {
        CheckError::NotJson(why)
    }
}

/// The text of a file's bytes.
///
/// # Errors
/// What it is instead.
pub(super) fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, CheckError> {
    if bytes.len() > LARGEST {
        return Err(CheckError::TooLarge);
    }
    if bytes.starts_with(b"PK") {
        return Err(CheckError::SavedPlan);
    }
    // What PowerShell writes by `>`.
    let wide = |from: fn([u8; 2]) -> u16| {
        let pairs: Vec<u16> = bytes[2..].chunks_exact(2).map(|p| from([p[0], p[1]])).collect();
        String::from_utf16(&pairs).map_err(|_| CheckError::NotUtf16)
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes)?,
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        all => utf8(all)?,
    };
    Ok(Zeroizing::new(text))
}

fn utf8(bytes: &[u8]) -> Result<String, CheckError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|e| CheckError::NotText(e.valid_up_to()))
}

/// What a parsed file is.
///
/// # Errors
/// What was expected.
pub(super) fn recognise(file: &Value) -> Result<FileKind, CheckError> {
    if let Some(known) = terraform::recognise(file) {
        return known.map(|()| FileKind::Terraform);
    }
    if definition::recognise(file).is_some() {
        return Ok(FileKind::Definition);
    }
    let has = |key: &str| file.get(key).is_some();
    Err(CheckError::NotRecognised(
        if has("terraform_version") && has("lineage") {
            Some(Lookalike::RawState)
        } else if has("@level") && has("@message") {
            Some(Lookalike::PlanLog)
        } else if has("format_version") {
            Some(Lookalike::NoValues)
        } else {
            None
        },
    ))
}
