//! One item of a checklist.

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnose::Fact;

/// What is known of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemVerdict {
    /// It holds, by evidence.
    Proved,
    /// Evidence is missing.
    Unknown,
    /// It does not hold.
    Disproved,
}

impl ItemVerdict {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Unknown => "unknown",
            Self::Disproved => "disproved",
        }
    }

    /// Of several: disproved if one is, else unknown unless all are proved.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::Unknown)
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// What it belongs to: `backup`, `database`, `service`, `roles`, `task definition`, `connection`, `persistence`,
    /// `schema`, `window`, `monitoring`, `clean-up`.
    pub section: &'static str,
    /// Names it, the same in every run: `backup-exists`, ...
    pub id: &'static str,
    /// The database or service that it is about.
    pub about: String,
    /// What is claimed.
    pub title: String,
    /// Whether it holds.
    pub verdict: ItemVerdict,
    /// One sentence: why.
    pub summary: String,
    /// The evidence for it.
    pub evidence: Vec<Fact>,
    /// The instant of the evidence: of the backup, of the log line, of the deployment; else when it was read.
    pub at: Timestamp,
    /// What to do about it, unless it is proved.
    pub todo: Option<String>,
}

impl Item {
    /// Its facts in one line: `field: value; field: value`.
    #[must_use]
    pub fn facts(&self) -> String {
        let facts = self.evidence.iter().map(|f| match f.observed.as_str() {
            Some(text) => format!("{}: {text}", f.field),
            None => format!("{}: {}", f.field, f.observed),
        });
        facts.collect::<Vec<_>>().join("; ")
    }
}
