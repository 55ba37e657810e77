#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::tags::Tags;

/// `migration-missing`
pub struct MigrationMissing;

static META: Meta = Meta {
    id: "migration-missing",
    severity: Severity::Medium,
    summary: "the workload must have a migration task definition, and none is tagged as one",
    docs: include_str!("doc.md"),
    parameters: &["migrations"],
    reads: &["ecs:DescribeTaskDefinition", "tag:GetResources"],
    ..Meta::DEFAULT
};

impl Rule for MigrationMissing {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        if !w.params.requires_migrations() {
            return vec![];
        }
        let families = match w.migrations() {
            Ok(families) => families,
            Err(e) => return w.unknown(&e),
        };
        let subject = ResultSubject::Workload(w.name);
        if !families.is_empty() {
            return vec![RuleResult::pass(subject)];
        }
        let failure = Failure {
            severity: None,
            message: format!(
                "{} must have a migration task definition, and none is tagged as one",
                w.name
            ),
            evidence: vec![Evidence::new(
                format!("{}role", w.prefix),
                Vec::<String>::new(),
                "`migration` on a task definition of the workload",
            )],
            remedy: Remedy::manual(format!(
                "tag the workload's migration task definition with {0}workload={1} and {0}role=migration",
                w.prefix, w.name
            )),
        };
        // A workload has no tags of its own: a waiver stands on all of its services.
        let tags = w.services().unwrap_or_default().iter().map(|s| &s.tags);
        vec![RuleResult::fail(subject, Tags::NONE, failure).bearing(tags)]
    }
}
