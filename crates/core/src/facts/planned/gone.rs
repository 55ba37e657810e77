//! Why nothing keeps a copy of what goes, in the words of the file.

use serde_json::Value;

use super::setting::{flag, number, text};
use super::store::{Attribute, DataStore, Keeps};
use crate::finding::Evidence;
use crate::model::planned_change::{OldObject, PlanFormat, PlannedAction, PlannedChange, Setting};

/// Why nothing keeps a copy.
#[derive(Debug, Default)]
pub struct Gone {
    /// What the attributes say about it, to follow a comma; empty where there is nothing to say.
    pub sentence: String,
    /// The attributes.
    pub evidence: Vec<Evidence>,
    /// What would keep a copy, in the words of the file; empty if no attribute does.
    pub keep: String,
}

/// Why nothing keeps a copy of what the change takes away.
#[must_use]
pub fn gone(change: &PlannedChange, store: &DataStore) -> Gone {
    match change.format {
        PlanFormat::ChangeSet => of_change_set(change),
        PlanFormat::Terraform => store
            .keeps
            .iter()
            .find_map(|keeps| of_attribute(change, keeps))
            .or_else(|| store.guards.iter().find_map(|g| of_window(change, &g.attribute)))
            .unwrap_or_default(),
    }
}

fn of_change_set(change: &PlannedChange) -> Gone {
    let (sentence, observed) = match change.old {
        OldObject::Untold => (
            "the change set does not say that it is kept (PolicyAction)",
            Value::Null,
        ),
        // <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1999>
        _ if change.kind == "AWS::SecretsManager::Secret" => (
            "at once and for good: CloudFormation leaves no recovery window",
            "Delete".into(),
        ),
        _ if change.action == PlannedAction::Delete => ("with its data", "Delete".into()),
        _ => ("the old one is deleted with its data", "ReplaceAndDelete".into()),
    };
    Gone {
        sentence: sentence.into(),
        evidence: vec![Evidence::new("PolicyAction", observed, "Retain or Snapshot")],
        keep: String::new(),
    }
}

fn of_attribute(change: &PlannedChange, keeps: &Keeps) -> Option<Gone> {
    let observed = |name: &str| match change.before(name) {
        Setting::Known(value) => value.clone(),
        _ => Value::Null,
    };
    let evidence = |name: &str, expected: Value| Evidence::new(name, observed(name), expected);
    match keeps {
        Keeps::FinalSnapshot { skip, name } => {
            let skipped = flag(change.before(skip), false) != Some(false);
            let sentence = match change.before(skip) {
                Setting::Known(_) if skipped => format!("no final snapshot is taken: {skip} is true"),
                _ => format!("no final snapshot is taken: {name} is not set"),
            };
            let mut seen = vec![evidence(skip, false.into())];
            if text(change.before(name)).is_none() {
                seen.push(evidence(name, "a name".into()));
            }
            Some(Gone {
                sentence,
                evidence: seen,
                keep: format!("{skip} = false and {name} = \"...\""),
            })
        }
        Keeps::Named(name) => Some(Gone {
            sentence: format!("no final snapshot is taken: {name} is not set"),
            evidence: vec![evidence(name, "a name".into())],
            keep: format!("{name} = \"...\""),
        }),
        Keeps::Taken(name) => Some(Gone {
            sentence: format!("no final snapshot is taken: {name} is not true"),
            evidence: vec![evidence(name, true.into())],
            keep: format!("{name} = true"),
        }),
        Keeps::Unless(name) => Some(Gone {
            sentence: format!("no final backup is certain: {name} is not false"),
            evidence: vec![evidence(name, false.into())],
            keep: format!("{name} = false"),
        }),
        Keeps::RefusedUnless(name) => Some(Gone {
            sentence: format!("{name} empties it first"),
            evidence: vec![evidence(name, false.into())],
            keep: format!("{name} = false"),
        }),
        Keeps::SkipDestroy(name) => Some(Gone {
            sentence: String::new(),
            evidence: vec![evidence(name, true.into())],
            keep: format!("{name} = true"),
        }),
        Keeps::CopyOf(_) | Keeps::MemberOf(_) | Keeps::WithoutBackups(_) => None,
    }
}

/// How long a deletion can be cancelled.
fn of_window(change: &PlannedChange, attribute: &Attribute) -> Option<Gone> {
    let name = attribute.name(change.format);
    if !["recovery_window_in_days", "deletion_window_in_days"].contains(&name) {
        return None;
    }
    let days = match change.before(name) {
        Setting::Known(value) => number(value)?,
        _ => return None,
    };
    let sentence = match days {
        0 => format!("at once and for good: {name} is 0"),
        days => format!("for good after {days} days ({name})"),
    };
    Some(Gone {
        sentence,
        evidence: vec![Evidence::new(name, days, "kept")],
        keep: String::new(),
    })
}
