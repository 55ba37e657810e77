//! Attributes that guard data, and what a change does to them.

use serde_json::Value;

use super::setting::{flag, number};
use super::store::{Change, DataStore, Guard};
use super::table::POLICIES;
use crate::model::planned_change::{PlanFormat, PlannedAction, PlannedChange, Setting};

/// What a change does to one attribute that guards data.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The attribute, as the file spells it.
    pub attribute: &'static str,
    /// What it means.
    pub what: &'static str,
    /// The value before.
    pub before: Value,
    /// The value after; none where the file does not say it.
    pub after: Option<Value>,
    /// Whether it is known only after apply, rather than left out of the file.
    pub after_apply: bool,
}

/// The attributes that a change loosens, or may loosen.
#[must_use]
pub fn lost_guards(change: &PlannedChange, store: &DataStore) -> Vec<Loss> {
    if change.action != PlannedAction::Update && change.after.is_empty() {
        return vec![];
    }
    store
        .guards
        .iter()
        .chain(POLICIES)
        .filter_map(|guard| loss(change, guard))
        .collect()
}

fn loss(change: &PlannedChange, guard: &Guard) -> Option<Loss> {
    let attribute = guard.attribute.name(change.format);
    if attribute.is_empty() {
        return None;
    }
    let (before, after) = (change.before(attribute), change.after(attribute));
    let default = guard.default[usize::from(change.format == PlanFormat::ChangeSet)];
    let lost = |before: Value, after: Option<Value>| Loss {
        attribute,
        what: guard.what,
        before,
        after,
        after_apply: *change.after(attribute) == Setting::AfterApply,
    };
    match after {
        Setting::AfterApply | Setting::Untold => {
            // AWS chooses again what a replacement leaves open: only what is written into the configuration is untold.
            if change.action != PlannedAction::Update {
                return None;
            }
            let untold = *before == Setting::Untold;
            let guarded = untold || value(before, default, guard).is_some_and(|b| can_be_lost(b, guard.change));
            guarded.then(|| lost(shown(before, default, guard), None))
        }
        Setting::Known(_) | Setting::Unset => {
            let (from, to) = (value(before, default, guard)?, value(after, default, guard)?);
            is_lost(from, to, guard.change)
                .then(|| lost(shown(before, default, guard), Some(shown(after, default, guard))))
        }
    }
}

fn is_flag(guard: &Guard) -> bool {
    matches!(guard.change, Change::Off | Change::On)
}

/// The value as a number, a flag as 0 or 1.
fn value(setting: &Setting, default: Option<i64>, guard: &Guard) -> Option<i64> {
    match setting {
        Setting::Unset => default,
        Setting::Known(_) if is_flag(guard) => flag(setting, false).map(i64::from),
        Setting::Known(value) => number(value),
        Setting::AfterApply | Setting::Untold => None,
    }
}

fn shown(setting: &Setting, default: Option<i64>, guard: &Guard) -> Value {
    match setting {
        Setting::Known(known) => known.clone(),
        Setting::Unset => match default {
            Some(n) if is_flag(guard) => Value::Bool(n == 1),
            Some(n) => Value::from(n),
            None => Value::Null,
        },
        Setting::AfterApply | Setting::Untold => Value::Null,
    }
}

fn is_lost(from: i64, to: i64, change: Change) -> bool {
    let forever = |n: i64| if n == 0 { i64::MAX } else { n };
    match change {
        Change::Lowered => to < from,
        Change::LoweredFromForever => forever(to) < forever(from),
        Change::Off => from == 1 && to == 0,
        Change::On => from == 0 && to == 1,
    }
}

fn can_be_lost(from: i64, change: Change) -> bool {
    match change {
        Change::Lowered => from > 0,
        // Any retention may get shorter.
        Change::LoweredFromForever => true,
        Change::Off => from == 1,
        Change::On => from == 0,
    }
}
