#[cfg(test)]
mod cases;

use serde_json::Value;

use super::plan_rule::{
    Failure, Holds, Meta, PlanFormat, PlanResult, PlanRule, PlannedAction, PlannedChange, Remedy, data_store, file,
    kept, lost_guards, subject,
};
use crate::facts::planned::Loss;
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `plan-loses-restore-points`
pub struct PlanLosesRestorePoints;

static META: Meta = Meta {
    id: "plan-loses-restore-points",
    severity: Severity::High,
    summary: "a Terraform plan or a CloudFormation change set shortens or ends what data could be restored from, or takes \
              deletion protection off",
    docs: include_str!("doc.md"),
    ..Meta::DEFAULT
};

impl PlanRule for PlanLosesRestorePoints {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate(&self, change: &PlannedChange) -> Option<PlanResult> {
        let store = data_store(&change.kind)?;
        if let (Holds::Restores(ends), PlannedAction::Delete) = (store.holds, change.action) {
            if kept(change, store).is_some() {
                return Some(PlanResult::Pass);
            }
            return Some(PlanResult::fail(Failure {
                severity: None,
                message: format!("{} deletes {}: {ends}", file(change), subject(change, store)),
                evidence: vec![Evidence::new("action", "delete", "kept")],
                remedy: Remedy::manual(format!("put {} back", change.address)),
            }));
        }
        // Of what goes, `plan-destroys-data` speaks.
        if !matches!(change.action, PlannedAction::Update | PlannedAction::Replace) {
            return None;
        }
        let losses = lost_guards(change, store);
        let (certain, open): (Vec<&Loss>, Vec<&Loss>) = losses.iter().partition(|l| l.after.is_some());
        if !certain.is_empty() {
            return Some(PlanResult::fail(failure(change, &subject(change, store), &certain)));
        }
        if open.is_empty() {
            return (change.action == PlannedAction::Update).then_some(PlanResult::Pass);
        }
        let names: Vec<&str> = open.iter().map(|l| l.attribute).collect();
        let why = if open.iter().any(|l| l.after_apply) {
            "known only after apply"
        } else {
            "not in the file: describe the change set with --include-property-values"
        };
        Some(PlanResult::Unknown(format!(
            "{} changes {} of {}, and the value is {why}",
            file(change),
            names.join(", "),
            subject(change, store)
        )))
    }
}

fn failure(change: &PlannedChange, subject: &str, losses: &[&Loss]) -> Failure {
    let after = |loss: &Loss| loss.after.clone().unwrap_or(Value::Null);
    let told: Vec<String> = losses
        .iter()
        .map(|l| {
            format!(
                "{} ({}: {} to {})",
                l.what,
                l.attribute,
                plain(&l.before),
                plain(&after(l))
            )
        })
        .collect();
    let sign = match change.format {
        PlanFormat::Terraform => " = ",
        PlanFormat::ChangeSet => ": ",
    };
    let back: Vec<String> = losses
        .iter()
        .map(|l| format!("{}{sign}{}", l.attribute, plain(&l.before)))
        .collect();
    Failure {
        severity: None,
        message: format!("{} changes {subject}: {}", file(change), told.join("; ")),
        evidence: losses
            .iter()
            .map(|l| Evidence::new(l.attribute, after(l), l.before.clone()))
            .collect(),
        remedy: Remedy::manual(format!("keep {} on {}", back.join(", "), change.address)),
    }
}

/// A value as it is written: a change set has texts for numbers and flags.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
