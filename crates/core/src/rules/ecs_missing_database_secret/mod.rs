#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, ResultSubject, Rule, RuleResult, Workload};
use crate::config::Datastore;
use crate::facts::{ROLLOUT_WRITES, SECRET_READS, add_secret, ask_to_roll_out, database_variables, each_running};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition, revision_name};

/// `ecs-missing-database-secret`
pub struct EcsMissingDatabaseSecret;

static META: Meta = Meta {
    id: "ecs-missing-database-secret",
    severity: Severity::Critical,
    enabled: true,
    summary: "no container of the running revision gets a database secret",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["datastore", "secret_env"],
    reads: SECRET_READS,
    writes: ROLLOUT_WRITES,
    risk: Risk::Brief,
    caused_by: &["workload-without-database"],
    follow_up: FollowUp::With("ecs-secret-unreadable"),
    ..Meta::DEFAULT
};

impl Rule for EcsMissingDatabaseSecret {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        if w.params.datastore != Datastore::Postgres {
            return vec![];
        }
        each_running(w, |service, definition| {
            let subject = ResultSubject::Service(service);
            Some(if database_variables(w, definition).next().is_some() {
                RuleResult::pass(subject)
            } else {
                RuleResult::fail(subject, &service.tags, failure(w, service, definition))
            })
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        ask_to_roll_out(w, self.evaluate(w), reads);
    }
}

fn failure(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Failure {
    Failure {
        severity: None,
        message: format!(
            "{}/{} runs {}, in which no container gets a database secret ({})",
            service.cluster,
            service.name,
            revision_name(&definition.arn),
            w.params.secret_env.join(", ")
        ),
        evidence: definition
            .containers
            .iter()
            .map(|c| {
                let names: Vec<String> = c.secrets.iter().map(|s| s.name.clone()).collect();
                Evidence::new(
                    format!("containerDefinitions[{}].secrets", c.name),
                    names,
                    format!("one of {}", w.params.secret_env.join(", ")),
                )
            })
            .collect(),
        remedy: add_secret(w, service, definition),
    }
}
