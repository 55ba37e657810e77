//! What a type of resource holds, what keeps a copy of it, and what guards it. `table.rs` has the types.

use crate::model::planned_change::PlanFormat;

/// The names of one attribute; empty where a format has none.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    terraform: &'static str,
    cloudformation: &'static str,
}

impl Attribute {
    /// Its name in a file of this format.
    #[must_use]
    pub fn name(&self, format: PlanFormat) -> &'static str {
        match format {
            PlanFormat::Terraform => self.terraform,
            PlanFormat::ChangeSet => self.cloudformation,
        }
    }
}

pub(super) const fn named(terraform: &'static str, cloudformation: &'static str) -> Attribute {
    Attribute {
        terraform,
        cloudformation,
    }
}

/// What is gone with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Data, or what is needed to read it.
    Data,
    /// Nothing of its own, but restore points are kept, copied or protected because of it. This says what ends.
    Restores(&'static str),
    /// Resources that are in no file: a nested stack.
    Unseen,
}

/// What keeps a copy of the data when the resource goes.
#[derive(Debug)]
pub(super) enum Keeps {
    /// A final snapshot with this name, unless it is skipped. Terraform reads both from the state.
    FinalSnapshot { skip: &'static str, name: &'static str },
    /// A final snapshot where it has a name.
    Named(&'static str),
    /// A final snapshot where this is set.
    Taken(&'static str),
    /// A final backup unless this is set.
    Unless(&'static str),
    /// The data is elsewhere: this is a replica.
    CopyOf(Attribute),
    /// The data is in the cluster that this is a member of.
    MemberOf(Attribute),
    /// Where this is set, Terraform forgets the resource and leaves it in the account.
    SkipDestroy(&'static str),
    /// AWS refuses to delete what is not empty, and Terraform empties it only where this is set.
    RefusedUnless(&'static str),
    /// A cache: nobody keeps snapshots of it.
    WithoutBackups(Attribute),
}

/// How a changed attribute takes restore points away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A number of days gets smaller.
    Lowered,
    /// The same, where 0 and nothing mean for ever.
    LoweredFromForever,
    /// It is turned off.
    Off,
    /// It is turned on.
    On,
}

/// An attribute that guards data.
#[derive(Debug)]
pub struct Guard {
    /// Its names.
    pub attribute: Attribute,
    pub(super) change: Change,
    /// What holds where nobody set it, in Terraform and in CloudFormation; a flag is 0 or 1.
    pub(super) default: [Option<i64>; 2],
    /// What it guards, for messages.
    pub(super) what: &'static str,
}

pub(super) const fn guard(
    attribute: Attribute,
    change: Change,
    default: [Option<i64>; 2],
    what: &'static str,
) -> Guard {
    Guard {
        attribute,
        change,
        default,
        what,
    }
}

/// One kind of resource.
#[derive(Debug)]
pub struct DataStore {
    /// What it is called in messages.
    pub noun: &'static str,
    /// What is gone with it.
    pub holds: Holds,
    pub(super) types: &'static [&'static str],
    pub(super) keeps: &'static [Keeps],
    /// Attributes that guard it.
    pub guards: &'static [Guard],
}

/// The attributes that must be read of a change to such a resource.
pub fn attributes(store: &DataStore, format: PlanFormat) -> impl Iterator<Item = &'static str> {
    let kept = store.keeps.iter().flat_map(move |keeps| -> [&'static str; 2] {
        match keeps {
            Keeps::FinalSnapshot { skip, name } => [skip, name],
            Keeps::Named(name)
            | Keeps::Taken(name)
            | Keeps::Unless(name)
            | Keeps::SkipDestroy(name)
            | Keeps::RefusedUnless(name) => [name, ""],
            Keeps::CopyOf(attribute) | Keeps::MemberOf(attribute) | Keeps::WithoutBackups(attribute) => {
                [attribute.name(format), ""]
            }
        }
    });
    let guards = store.guards.iter().map(move |g| g.attribute.name(format));
    kept.chain(guards).filter(|name| !name.is_empty())
}
