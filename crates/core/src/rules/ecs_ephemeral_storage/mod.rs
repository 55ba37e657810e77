#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, RollBack};
use crate::config::Datastore;
use crate::facts::{
    ROLLOUT_WRITES, SECRET_READS, add_secret, each_running, is_durable, right_reference, rollout_refusal,
};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition, revision_name};

/// `ecs-ephemeral-storage`
pub struct EcsEphemeralStorage;

static META: Meta = Meta {
    id: "ecs-ephemeral-storage",
    severity: Severity::Critical,
    enabled: true,
    summary: "the running revision keeps its data in the container",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["datastore", "secret_env", "data_paths"],
    reads: SECRET_READS,
    writes: ROLLOUT_WRITES,
    risk: Risk::Brief,
    caused_by: &["ecs-missing-database-secret"],
    follow_up: FollowUp::Always,
    ..Meta::DEFAULT
};

impl Rule for EcsEphemeralStorage {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| {
            let subject = ResultSubject::Service(service);
            Some(if is_durable(w, definition, service.fargate) {
                RuleResult::pass(subject)
            } else {
                RuleResult::fail(subject, &service.tags, failure(w, service, definition))
            })
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            if definition.revision > 1 && !is_durable(w, definition, service.fargate) && right_reference(w).is_err() {
                reads.earlier_revisions.insert(definition.arn.clone());
            }
        }
    }
}

fn failure(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Failure {
    let mounts: Vec<String> = definition
        .containers
        .iter()
        .flat_map(|c| {
            c.mounts
                .iter()
                .map(move |m| format!("{}:{} ({})", c.name, m.path, m.volume))
        })
        .collect();
    let paths = w.params.data_paths.join(", ");
    let expected = match w.params.datastore {
        Datastore::Postgres => format!("a database secret, or a durable volume at or above one of {paths}"),
        Datastore::Volume => format!("a durable volume at or above one of {paths}"),
    };
    Failure {
        severity: None,
        message: format!(
            "{}/{} runs {}, which keeps its data in the container: the next deployment loses it",
            service.cluster,
            service.name,
            revision_name(&definition.arn)
        ),
        evidence: vec![Evidence::new("mountPoints", mounts, expected)],
        remedy: remedy(w, service, definition),
    }
}

fn remedy(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Remedy {
    let by_secret = (w.params.datastore == Datastore::Postgres).then(|| add_secret(w, service, definition));
    if let Some(remedy) = by_secret.as_ref().filter(|r| !r.actions.is_empty()) {
        return remedy.clone();
    }
    // Going back changes the image too, so it is a last resort: only where no secret exists to be added.
    if let Some(earlier) = w.snapshot.durable_revisions.get(&definition.arn) {
        let action = Action::RollBack(RollBack {
            cluster: service.cluster.clone(),
            service: service.name.clone(),
            from: definition.arn.clone(),
            to: earlier.arn.clone(),
        });
        return Remedy {
            summary: format!(
                "go back to {}, the last revision that kept its data",
                revision_name(&earlier.arn)
            ),
            actions: vec![action],
            refused: rollout_refusal(w, service),
        };
    }
    by_secret.unwrap_or_else(|| {
        Remedy::manual(format!(
            "mount an EFS volume at {} in the task definition of {}/{}",
            w.params.data_paths.join(" or "),
            service.cluster,
            service.name
        ))
    })
}
