//! What keeps a copy of what goes.

use super::setting::{flag, number, text};
use super::store::{Attribute, DataStore, Keeps};
use crate::model::planned_change::{OldObject, PlanFormat, PlannedChange, Setting};

/// Why nothing is lost although the object goes, if that is so.
#[must_use]
pub fn kept(change: &PlannedChange, store: &DataStore) -> Option<String> {
    match change.old {
        OldObject::Retained => return Some("it is retained".into()),
        OldObject::Snapshotted => return Some("a snapshot is taken first".into()),
        OldObject::Deleted | OldObject::Untold => {}
    }
    store.keeps.iter().find_map(|keeps| why(change, keeps))
}

fn why(change: &PlannedChange, keeps: &Keeps) -> Option<String> {
    let of = |attribute: &Attribute| change.before(attribute.name(change.format));
    let terraform = change.format == PlanFormat::Terraform;
    match keeps {
        Keeps::FinalSnapshot { skip, name } => {
            let taken = terraform && flag(change.before(skip), false) == Some(false);
            let name = taken.then(|| text(change.before(name))).flatten()?;
            Some(format!("the final snapshot {name} is taken first"))
        }
        Keeps::Named(name) => {
            let name = terraform.then(|| text(change.before(name))).flatten()?;
            Some(format!("the final snapshot {name} is taken first"))
        }
        Keeps::Taken(name) => (terraform && flag(change.before(name), false) == Some(true))
            .then(|| "a final snapshot is taken first".to_owned()),
        // What the file does not say is no promise of a backup.
        Keeps::Unless(skip) => {
            let told = matches!(change.before(skip), Setting::Known(_));
            (terraform && told && flag(change.before(skip), true) == Some(false))
                .then(|| "a final backup is taken first".to_owned())
        }
        Keeps::CopyOf(attribute) => {
            let source = text(of(attribute))?;
            Some(format!("it is a copy of {source}"))
        }
        Keeps::MemberOf(attribute) => {
            let cluster = text(of(attribute))?;
            Some(format!("the data is in the cluster {cluster}"))
        }
        Keeps::SkipDestroy(name) => {
            (flag(change.before(name), false) == Some(true)).then(|| format!("{name} is set: it stays in the account"))
        }
        Keeps::RefusedUnless(name) => (terraform && flag(change.before(name), false) == Some(false))
            .then(|| format!("without {name}, AWS deletes it only if it is empty")),
        Keeps::WithoutBackups(attribute) => {
            let kept = match of(attribute) {
                Setting::Known(value) => number(value)?,
                Setting::Unset if terraform => 0,
                _ => return None,
            };
            (kept == 0).then(|| "it keeps no snapshots: a cache".to_owned())
        }
    }
}
