//! Reads the text of a file: limits its size, parses it as JSON or YAML, and overwrites its strings after use.

use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{CheckError, LARGEST, Lookalike, NotJson};
use super::lines::Lines;
use super::scrubbed::{Scrubbed, parse};
use super::{changes, definition, long_form, template, terraform};
use crate::yaml::{self, Limits};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A plan or a state.
    Terraform,
    /// Task definitions or containers.
    Definitions,
    /// A CloudFormation template.
    Template,
    /// A CloudFormation change set.
    ChangeSet,
}

/// A parsed file.
pub(super) struct Document {
    pub value: Scrubbed,
    pub kind: FileKind,
    /// Where its values are written; empty for files that a program writes and nobody edits.
    pub lines: Lines,
}

/// Parses a file and says what it is.
///
/// # Errors
/// What is wrong with it, and what was expected.
pub(super) fn read(text: &str) -> Result<Document, CheckError> {
    match parse(text) {
        Ok(value) => {
            let kind = recognise(&value)?;
            // Of files that programs write, the place of a value helps nobody.
            let lines = match kind {
                FileKind::Definitions | FileKind::Template => Lines::of_text(text),
                FileKind::Terraform | FileKind::ChangeSet => Lines::default(),
            };
            Ok(Document { value, kind, lines })
        }
        Err(why) => from_yaml(text, why),
    }
}

/// What is not JSON is YAML, unless it begins as JSON does.
fn from_yaml(text: &str, why: NotJson) -> Result<Document, CheckError> {
    let mut first = text.trim_start().lines().take(2);
    if first.any(|l| l.contains("\"@level\"")) {
        return Err(CheckError::PlanLog);
    }
    let begin = text.trim_start();
    if has_comment_at(text, &why) || begin.starts_with("//") || begin.starts_with("/*") {
        return Err(CheckError::Comments(why.line));
    }
    if begin.is_empty() || begin.starts_with(['{', '[', '"']) || text.len() > Lines::LARGEST {
        return Err(CheckError::NotJson(why));
    }
    let (root, faults) = yaml::parse(text, Limits::TEMPLATE);
    if let Some(fault) = faults.into_iter().next() {
        return Err(CheckError::NotJson(NotJson {
            line: fault.place.line,
            column: fault.place.column,
            what: fault.message,
        }));
    }
    let Some(mut root) = root else {
        return Err(CheckError::NotJson(why));
    };
    let value = Scrubbed::new(long_form::json(&root));
    let lines = Lines::of_tree(&root);
    root.wipe();
    let kind = recognise(&value)?;
    Ok(Document { value, kind, lines })
}

/// Whether the parser stopped at a comment.
fn has_comment_at(text: &str, why: &NotJson) -> bool {
    let line = text.lines().nth(why.line.saturating_sub(1)).unwrap_or_default();
    let at = why.column.saturating_sub(1).min(line.len());
    let rest = line.as_bytes().get(at..).unwrap_or_default();
    rest.starts_with(b"//") || rest.starts_with(b"/*") || rest.starts_with(b"#")
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
fn recognise(file: &Value) -> Result<FileKind, CheckError> {
    if let Some(known) = terraform::recognise(file) {
        return known.map(|()| FileKind::Terraform);
    }
    if changes::recognise(file) {
        return Ok(FileKind::ChangeSet);
    }
    if template::recognise(file) {
        return Ok(FileKind::Template);
    }
    if !definition::recognise(file).is_empty() {
        return Ok(FileKind::Definitions);
    }
    Err(CheckError::NotRecognised(lookalike(file)))
}

/// What is often given in place of the right file.
fn lookalike(file: &Value) -> Option<Lookalike> {
    let has = |key: &str| file.get(key).is_some();
    let services = file.get("services").and_then(Value::as_object);
    let of_compose = |service: &Value| service.get("image").is_some() || service.get("build").is_some();
    if has("terraform_version") && has("lineage") {
        Some(Lookalike::RawState)
    } else if has("@level") && has("@message") {
        Some(Lookalike::PlanLog)
    } else if has("format_version") {
        Some(Lookalike::NoValues)
    } else if services.is_some_and(|s| s.values().any(of_compose)) {
        Some(Lookalike::Compose)
    } else if has("apiVersion") && has("kind") {
        Some(Lookalike::Kubernetes)
    } else {
        None
    }
}
