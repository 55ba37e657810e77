//! The metadata of a rule.

use super::policy::{Risk, Severity};

/// The metadata of a rule.
#[derive(Debug)]
pub struct Meta {
    /// Names the defect.
    pub id: &'static str,
    /// How bad it is, unless the configuration or the finding says otherwise.
    pub severity: Severity,
    /// Whether it runs unless the configuration says otherwise.
    pub enabled: bool,
    /// One line: when it fails.
    pub summary: &'static str,
    /// Markdown: what it checks, why it matters, what Holdfast does, how to do it by hand.
    pub docs: &'static str,
    /// Controls of other catalogues that say the same.
    pub controls: &'static [&'static str],
    /// Configuration keys that it uses, under `defaults` or `workloads.<name>`.
    pub parameters: &'static [&'static str],
    /// IAM actions that evaluating needs.
    pub reads: &'static [&'static str],
    /// IAM actions that correcting needs; empty for a rule that only reports.
    pub writes: &'static [&'static str],
    /// The costliest risk that a correction can have.
    pub risk: Risk,
    /// Whether its corrections may be carried out unless `rules.<id>.correct` says otherwise.
    pub corrects: bool,
    /// Rules whose failure, on the same resource or on one that the result names as related, explains a failure of
    /// this one: then this is their consequence and no second problem. The nearest cause first.
    pub caused_by: &'static [&'static str],
    /// When its follow-up reads are made.
    pub follow_up: FollowUp,
}

/// When the follow-up reads of a rule are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// Where the rule itself is enabled.
    Enabled,
    /// Where this other rule is enabled, whose IAM actions they need.
    With(&'static str),
    /// Always: corrections of other rules need them, too.
    Always,
}

impl Meta {
    /// What most rules share, for `..Meta::DEFAULT`: a rule that is on, reports only, and has no known cause.
    pub const DEFAULT: Self = Self {
        id: "",
        severity: Severity::Low,
        enabled: true,
        summary: "",
        docs: "",
        controls: &[],
        parameters: &[],
        reads: &[],
        writes: &[],
        risk: Risk::Manual,
        corrects: true,
        caused_by: &[],
        follow_up: FollowUp::Enabled,
    };
}
