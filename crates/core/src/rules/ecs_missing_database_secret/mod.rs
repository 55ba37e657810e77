#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{
    DatabaseSecret, ROLLOUT_WRITES, SECRET_READS, add_secret, ask_for_earlier, ask_to_roll_out, each_running, earlier,
    untold, what_tells,
};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition, revision_name};

/// `ecs-missing-database-secret`
pub struct EcsMissingDatabaseSecret;

static META: Meta = Meta {
    id: "ecs-missing-database-secret",
    severity: Severity::Critical,
    enabled: true,
    summary: "the running revision gets no secret for the database that it needs",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["datastore", "database_env", "secret_env"],
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
        each_running(w, |service, definition| {
            let subject = ResultSubject::Service(service);
            let data = w.data(service).ok()?;
            match data.database_secret(earlier(w, definition), &what_tells(w, service)) {
                DatabaseSecret::NotEvaluated => None,
                DatabaseSecret::Given => Some(RuleResult::pass(subject)),
                DatabaseSecret::Missing(why) => Some(RuleResult::fail(
                    subject,
                    &service.tags,
                    failure(w, service, definition, &why),
                )),
                DatabaseSecret::Unknown(why) => {
                    Some(RuleResult::unknown(subject, &service.tags, &untold(definition, why)))
                }
            }
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        ask_for_earlier(w, reads);
        ask_to_roll_out(w, self.evaluate(w), reads);
    }
}

fn failure(w: &Workload<'_>, service: &Service, definition: &TaskDefinition, why: &str) -> Failure {
    Failure {
        severity: None,
        message: format!(
            "{}/{} runs {}, which gets no database secret: {why}",
            service.cluster,
            service.name,
            revision_name(&definition.arn),
        ),
        evidence: definition
            .containers
            .iter()
            .map(|c| {
                let names: Vec<String> = c.secrets.iter().map(|s| s.name.clone()).collect();
                Evidence::new(
                    format!("containerDefinitions[{}].secrets", c.name),
                    names,
                    "the database's URL or password",
                )
            })
            .collect(),
        remedy: add_secret(w, service, definition),
    }
}
