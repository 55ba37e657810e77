#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::Fight;
use crate::model::tags::Tags;

/// `correction-reverted`
pub struct CorrectionReverted;

static META: Meta = Meta {
    id: "correction-reverted",
    severity: Severity::High,
    summary: "something undid the same correction again and again",
    docs: include_str!("doc.md"),
    ..Meta::DEFAULT
};

impl Rule for CorrectionReverted {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let fights = w.snapshot.fights.iter().filter(|f| f.workload == w.name);
        fights
            .map(|f| RuleResult::fail(ResultSubject::Named(&f.resource), Tags::NONE, failure(f)))
            .collect()
    }
}

fn failure(fight: &Fight) -> Failure {
    let who = match fight.principals.as_slice() {
        [] => "who did it is not known (no CloudTrail event told)".to_owned(),
        names => format!("done by {}", names.join(", ")),
    };
    Failure {
        severity: None,
        message: format!(
            "{} was corrected and undone {} times since {}: {}; {who}. Holdfast has stopped correcting it",
            fight.resource.id, fight.times, fight.since, fight.change
        ),
        evidence: vec![
            Evidence::new("change", fight.change.clone(), "stays as corrected"),
            Evidence::new("undone", fight.times, 0),
            Evidence::new("by", fight.principals.clone(), "nobody"),
        ],
        remedy: Remedy::manual(format!(
            "find what writes {} (Terraform? a pipeline?) and change it there; rules concerned: {}",
            fight.resource.id,
            fight.rules.join(", ")
        )),
    }
}
