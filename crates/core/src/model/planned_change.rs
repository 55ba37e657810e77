//! One change that a plan announces: of a Terraform plan, or of a CloudFormation change set.
//!
//! Only facts that rules ask for are kept of the values before and after: flags, numbers and names, never a secret.

use serde_json::Value;

use super::tags::Tags;

/// What announces a change: it decides how attributes are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFormat {
    /// `terraform show -json`.
    Terraform,
    /// `aws cloudformation describe-change-set`.
    ChangeSet,
}

/// What happens to the object that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedAction {
    /// It stays, with other values.
    Update,
    /// It is deleted.
    Delete,
    /// It is deleted, and another takes its place.
    Replace,
    /// It may be replaced: that is known only while the plan is carried out.
    MayReplace,
    /// What happens can't be told before the plan is carried out.
    Undetermined,
    /// It would be deleted by a later plan: this one defers the change.
    Deferred,
}

impl PlannedAction {
    /// The word in messages.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Update => "changes",
            Self::Delete => "deletes",
            Self::Replace => "replaces",
            Self::MayReplace => "may replace",
            Self::Undetermined => "may delete or replace",
            Self::Deferred => "defers the deletion of",
        }
    }
}

/// What becomes of the object that is no longer part of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldObject {
    /// It is deleted.
    Deleted,
    /// It is kept.
    Retained,
    /// It is deleted after a snapshot of it was taken.
    Snapshotted,
    /// The file does not say.
    Untold,
}

/// One attribute, before or after.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// It is set.
    Known(Value),
    /// Nobody set it: the default holds.
    Unset,
    /// It is known only after the change was carried out.
    AfterApply,
    /// It changes, and the file does not say to what.
    Untold,
}

/// The attributes that rules ask for, by their names in the file.
pub type Settings = Vec<(&'static str, Setting)>;

/// One change to one object that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// Where it is in the configuration: an address, or a logical id.
    pub address: String,
    /// Of an object that an interrupted replacement left behind: its key.
    pub deposed: Option<String>,
    /// Its type, as the file spells it.
    pub kind: String,
    /// What announces it.
    pub format: PlanFormat,
    /// What happens.
    pub action: PlannedAction,
    /// What becomes of the old object.
    pub old: OldObject,
    /// Attributes because of which it is replaced.
    pub replaced_by: Vec<String>,
    /// Which of them are known only after apply.
    pub replaced_by_unknown: Vec<String>,
    /// Why, where no attribute is the reason: `replace_because_tainted`, `delete_because_no_resource_config`.
    pub reason: Option<String>,
    /// Its id in AWS.
    pub physical_id: Option<String>,
    /// Attributes before.
    pub before: Settings,
    /// Attributes after; empty for a deletion.
    pub after: Settings,
    /// Its tags, where the file has them.
    pub tags: Tags,
}

/// A change has a handful of them.
fn find<'s>(settings: &'s Settings, name: &str) -> &'s Setting {
    let found = settings.iter().find(|(known, _)| *known == name);
    found.map_or(&Setting::Unset, |(_, setting)| setting)
}

impl PlannedChange {
    /// An attribute before the change.
    #[must_use]
    pub fn before(&self, name: &str) -> &Setting {
        find(&self.before, name)
    }

    /// An attribute after the change.
    #[must_use]
    pub fn after(&self, name: &str) -> &Setting {
        find(&self.after, name)
    }

    /// The address, with the key of a deposed object.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.deposed {
            Some(key) => format!("{} (deposed {key})", self.address),
            None => self.address.clone(),
        }
    }

    /// The change as one text, the same for the same change and for no other.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut fields = self.replaced_by.clone();
        fields.sort();
        // The debug form of a text is quoted and escaped, so that no value can pass for another field.
        format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?} {:?}\n{fields:?}\n{:?}\n{:?}\n{:?}",
            self.format,
            self.address,
            self.deposed,
            self.kind,
            self.action,
            self.old,
            self.physical_id,
            self.before,
            self.after,
        )
    }
}
