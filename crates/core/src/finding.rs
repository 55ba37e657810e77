//! Failed and unknown results, as reports write them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::action::{Action, Call};
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
pub use crate::model::resource_ref::{Kind, ResourceRef};
use crate::model::tags::Waiver;

/// One observed fact and its expected value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The field, named as AWS names it where AWS has it.
    pub field: String,
    /// What was observed.
    pub observed: Value,
    /// What was expected.
    pub expected: Value,
}

impl Evidence {
    /// A fact.
    pub fn new(field: impl Into<String>, observed: impl Into<Value>, expected: impl Into<Value>) -> Self {
        Self {
            field: field.into(),
            observed: observed.into(),
            expected: expected.into(),
        }
    }
}

/// The outcome for one rule and one resource, other than pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The invariant is broken.
    Fail,
    /// It is broken, and someone accepted that for a time.
    Waived,
    /// Evidence is missing.
    Unknown,
}

impl Verdict {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Waived => "waived",
            Self::Unknown => "unknown",
        }
    }
}

/// What would correct a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Remediation {
    /// One line: what to do.
    pub summary: String,
    /// What it costs.
    pub risk: Risk,
    /// The calls, if calls can do it.
    pub calls: Vec<Call>,
    /// The reason to hold the calls, if there is one.
    pub blocked_by: Option<HoldReason>,
    /// The corrections behind the calls; not part of any output.
    pub actions: Vec<Action>,
}

impl Serialize for Remediation {
    /// Writes the reason as its sentence, and its code as `hold`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            summary,
            risk,
            calls,
            blocked_by,
            actions: _,
        } = self;
        let mut out = serializer.serialize_struct("Remediation", 5)?;
        out.serialize_field("summary", summary)?;
        out.serialize_field("risk", risk)?;
        out.serialize_field("calls", calls)?;
        out.serialize_field("blocked_by", &blocked_by.as_ref().map(ToString::to_string))?;
        match blocked_by {
            Some(reason) => out.serialize_field("hold", &reason.code())?,
            None => out.skip_field("hold")?,
        }
        out.end()
    }
}

/// A verdict other than pass, about one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Stable: depends on the rule and the resource alone.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub verdict: Verdict,
    /// The workload.
    pub workload: String,
    /// `migrating` or `migrated`.
    pub phase: String,
    /// The resource.
    pub resource: ResourceRef,
    /// One sentence.
    pub message: String,
    /// The evidence for it.
    pub evidence: Vec<Evidence>,
    /// When reading began.
    pub observed_at: Timestamp,
    /// When this process first saw it; in a single sweep the same as `observed_at`.
    pub first_seen: Timestamp,
    /// What would correct it.
    pub remediation: Option<Remediation>,
    /// Controls of other catalogues that say the same.
    pub controls: Vec<String>,
    /// The waiver, if it is waived.
    pub waiver: Option<Waiver>,
    /// The id of the finding whose consequence this one is; absent for a root cause.
    pub caused_by: Option<String>,
    /// Of an unknown one: whether no read failed, but nobody told what it takes to know.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
    /// Where it is written, for a file that people write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<FilePlace>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilePlace {
    /// The file, as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// The outcome for one rule and one resource, where the invariant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The rule's id.
    pub rule: &'static str,
    /// The workload.
    pub workload: Arc<str>,
    /// The resource.
    pub resource: ResourceRef,
}

/// The stable id of a finding: 16 hexadecimal digits of SHA-256 over rule and resource.
#[must_use]
pub fn finding_id(rule: &str, resource: &ResourceRef) -> String {
    let text = [
        rule,
        resource.kind.name(),
        &resource.arn,
        &resource.account,
        &resource.region,
    ]
    .join("\n");
    stable_id(&text)
}

/// 16 hexadecimal digits of SHA-256 over `text`: short enough to read out, the same in every process.
#[must_use]
pub fn stable_id(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect()
}
