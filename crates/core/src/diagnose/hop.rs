//! One hop of the path.

use serde::Serialize;
use serde_json::Value;

use crate::action::Call;
use crate::model::policy::Risk;

/// What is known of one hop, or of the whole path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds, by evidence.
    Proved,
    /// It does not.
    Broken,
    /// Evidence is missing.
    Unknown,
    /// An earlier hop is broken, or a fact that this one depends on is unknown.
    NotReached,
}

impl Status {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::NotReached => "not reached",
        }
    }

    /// Of several: broken if one is, else unknown unless all are proved.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = None;
        for status in all {
            match status {
                Self::Broken => return Self::Broken,
                Self::Unknown | Self::NotReached => whole = Some(Self::Unknown),
                Self::Proved => whole = whole.or(Some(Self::Proved)),
            }
        }
        whole.unwrap_or(Self::Unknown)
    }
}

/// One fact that is evidence for a hop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The field, named as AWS names it where AWS has it.
    pub field: String,
    /// What was observed.
    pub observed: Value,
    /// What was expected, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
}

/// The fix of a broken hop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fix {
    /// One line: what to do.
    pub summary: String,
    /// Commands to do it with, where there are some that fit as they are.
    pub commands: Vec<String>,
    /// The rule that says so, if one does.
    pub rule: Option<String>,
    /// What the calls cost the workload; absent where there are none.
    pub risk: Option<Risk>,
    /// The AWS calls that `holdfast apply` would make.
    pub calls: Vec<Call>,
    /// The reason to hold the calls, if there is one.
    pub blocked_by: Option<String>,
}

impl Fix {
    /// Something that a person does.
    pub(crate) fn by_hand(summary: impl Into<String>, commands: Vec<String>) -> Self {
        Self {
            summary: summary.into(),
            commands,
            rule: None,
            risk: None,
            calls: vec![],
            blocked_by: None,
        }
    }
}

/// One hop of the path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// `service`, `revision`, `variable`, `secret`, `url`, `database`, `security-group`, `route`, `execution-role`,
    /// `deployment`, `logs`; with `--connect` also `connection` and `extensions`.
    pub name: &'static str,
    /// What is known of it.
    pub status: Status,
    /// One sentence.
    pub summary: String,
    /// The evidence for it.
    pub evidence: Vec<Fact>,
    /// The fix, if it is broken.
    pub fix: Option<Fix>,
    /// What was not checked there, and how to check it.
    pub not_checked: Vec<String>,
}
