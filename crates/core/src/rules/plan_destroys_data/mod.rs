#[cfg(test)]
mod cases;

use super::plan_rule::{
    DataStore, Failure, Holds, Meta, PlanFormat, PlanResult, PlanRule, PlannedAction, PlannedChange, Remedy,
    data_store, file, gone, kept, subject,
};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `plan-destroys-data`
pub struct PlanDestroysData;

static META: Meta = Meta {
    id: "plan-destroys-data",
    severity: Severity::Critical,
    summary: "a Terraform plan or a CloudFormation change set deletes or replaces a resource that holds data, and \
              nothing keeps a copy",
    docs: include_str!("doc.md"),
    ..Meta::DEFAULT
};

impl PlanRule for PlanDestroysData {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate(&self, change: &PlannedChange) -> Option<PlanResult> {
        let store = data_store(&change.kind)?;
        let ends = change.action != PlannedAction::Update;
        match store.holds {
            Holds::Restores(_) => None,
            Holds::Unseen => (change.action == PlannedAction::Delete).then(|| unseen(change, store)),
            Holds::Data if !ends => None,
            Holds::Data if kept(change, store).is_some() => Some(PlanResult::Pass),
            Holds::Data => Some(match change.action {
                PlannedAction::Update | PlannedAction::Delete | PlannedAction::Replace => {
                    PlanResult::fail(failure(change, store))
                }
                PlannedAction::MayReplace => PlanResult::Unknown(format!(
                    "{} may replace {}{}: CloudFormation decides that while it carries the change set out. Give the \
                     resource UpdateReplacePolicy: Retain (or Snapshot), or change it in a way that needs no replacement",
                    file(change),
                    subject(change, store),
                    because(change)
                )),
                PlannedAction::Undetermined => PlanResult::Unknown(format!(
                    "{} does not say what happens to {} (Action: Dynamic). Give the resource DeletionPolicy and \
                     UpdateReplacePolicy: Retain (or Snapshot)",
                    file(change),
                    subject(change, store)
                )),
                PlannedAction::Deferred => PlanResult::Unknown(format!(
                    "the plan defers the deletion of {} to a later plan: check that one too",
                    subject(change, store)
                )),
            }),
        }
    }
}

fn unseen(change: &PlannedChange, store: &DataStore) -> PlanResult {
    match kept(change, store) {
        Some(_) => PlanResult::Pass,
        None => PlanResult::Unknown(format!(
            "{} deletes {} with all that it holds, which this file does not show: check the nested stack by itself, or \
             give it DeletionPolicy: Retain",
            file(change),
            subject(change, store)
        )),
    }
}

fn failure(change: &PlannedChange, store: &DataStore) -> Failure {
    let gone = gone(change, store);
    let tail = match gone.sentence.as_str() {
        "" => String::new(),
        sentence => format!(", {sentence}"),
    };
    let mut evidence = vec![Evidence::new(
        "action",
        match change.action {
            PlannedAction::Replace => "replace",
            _ => "delete",
        },
        "kept",
    )];
    if !change.replaced_by.is_empty() {
        let field = match change.format {
            PlanFormat::Terraform => "replace_paths",
            PlanFormat::ChangeSet => "RequiresRecreation",
        };
        evidence.push(Evidence::new(field, change.replaced_by.clone(), Vec::<String>::new()));
    }
    if let Some(reason) = &change.reason {
        evidence.push(Evidence::new("action_reason", reason.clone(), "none"));
    }
    evidence.extend(gone.evidence);
    Failure {
        severity: None,
        message: format!(
            "{} {} {}{}{tail}",
            file(change),
            change.action.verb(),
            subject(change, store),
            because(change),
        ),
        evidence,
        remedy: Remedy::manual(advice(change, &gone.keep)),
    }
}

/// The reason for a replacement or deletion, as far as the file tells it.
fn because(change: &PlannedChange) -> String {
    if !change.replaced_by.is_empty() {
        let unknown = match change.replaced_by_unknown.as_slice() {
            [] => String::new(),
            names => format!(" ({} is known only after apply)", names.join(", ")),
        };
        return format!(" because of {}{unknown}", change.replaced_by.join(", "));
    }
    let said = match change.reason.as_deref() {
        Some("replace_because_tainted") => "it is tainted",
        Some("replace_by_request") => "-replace asks for it",
        Some("replace_by_triggers") => "replace_triggered_by names something that changes",
        Some("delete_because_no_resource_config") => "its resource block is gone",
        Some("delete_because_no_module") => "its module block is gone",
        Some("delete_because_wrong_repetition") => "count or for_each was added or removed",
        Some("delete_because_count_index") => "its index is beyond count",
        Some("delete_because_each_key") => "its key is no longer in for_each",
        Some("delete_because_no_move_target") => "it was moved to an address that does not exist",
        _ => return String::new(),
    };
    format!(" because {said}")
}

fn advice(change: &PlannedChange, keep: &str) -> String {
    let address = &change.address;
    match (change.format, change.action) {
        (PlanFormat::ChangeSet, PlannedAction::Replace) => format!(
            "undo the change of {}, or give {address} UpdateReplacePolicy: Retain (or Snapshot) before it",
            listed(&change.replaced_by, "what requires the replacement")
        ),
        (PlanFormat::ChangeSet, _) => {
            format!("put {address} back, or give it DeletionPolicy: Retain (or Snapshot) in an update before this one")
        }
        (PlanFormat::Terraform, PlannedAction::Replace) => format!(
            "undo the change of {}, or keep the object with lifecycle {{ prevent_destroy = true }}{}",
            listed(&change.replaced_by, "what requires the replacement"),
            first(keep)
        ),
        (PlanFormat::Terraform, _) => format!(
            "put the resource back; if it has another address now, say so in a moved block; to hand it over to others, \
             use removed {{ from = {address}, lifecycle {{ destroy = false }} }}{}",
            first(keep)
        ),
    }
}

fn first(keep: &str) -> String {
    match keep {
        "" => String::new(),
        keep => format!("; to keep a copy, apply {keep} first"),
    }
}

fn listed(fields: &[String], otherwise: &str) -> String {
    match fields {
        [] => otherwise.to_owned(),
        fields => fields.join(", "),
    }
}
