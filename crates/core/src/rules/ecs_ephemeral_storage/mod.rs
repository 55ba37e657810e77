#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, RollBack};
use crate::config::Datastore;
use crate::facts::{
    Loss, ROLLOUT_WRITES, SECRET_READS, Storage, add_secret, ask_for_earlier, each_running, earlier, rollout_refusal,
    untold, what_tells,
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
    parameters: &["datastore", "database_env", "secret_env", "data_paths"],
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
            let data = w.data(service).ok()?;
            match data.storage(earlier(w, definition), &what_tells(w, service)) {
                Storage::NotEvaluated => None,
                Storage::Kept => Some(RuleResult::pass(subject)),
                Storage::Lost(loss) => Some(RuleResult::fail(
                    subject,
                    &service.tags,
                    failure(w, service, definition, &loss, data.declared.datastore),
                )),
                Storage::Unknown(why) => Some(RuleResult::unknown(subject, &service.tags, &untold(definition, why))),
            }
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        ask_for_earlier(w, reads);
    }
}

fn failure(
    w: &Workload<'_>,
    service: &Service,
    definition: &TaskDefinition,
    loss: &Loss,
    datastore: Datastore,
) -> Failure {
    let mounts: Vec<String> = definition
        .containers
        .iter()
        .flat_map(|c| {
            c.mounts
                .iter()
                .map(move |m| format!("{}:{} ({})", c.name, m.path, m.volume))
        })
        .collect();
    let expected = if datastore == Datastore::Volume {
        "a durable, writable volume"
    } else {
        "a database outside of the task, or a durable, writable volume"
    };
    let name = format!(
        "{}/{} runs {}",
        service.cluster,
        service.name,
        revision_name(&definition.arn)
    );
    Failure {
        severity: loss.on_one_instance.then_some(Severity::High),
        message: if loss.on_one_instance {
            format!(
                "{name}, which keeps its data on one container instance: it is lost with the instance, or when the task \
                 moves: {}",
                loss.how
            )
        } else {
            format!(
                "{name}, which keeps its data in the container: the next deployment loses it: {}",
                loss.how
            )
        },
        evidence: vec![Evidence::new("mountPoints", mounts, expected)],
        remedy: remedy(w, service, definition, loss, datastore),
    }
}

fn remedy(
    w: &Workload<'_>,
    service: &Service,
    definition: &TaskDefinition,
    loss: &Loss,
    datastore: Datastore,
) -> Remedy {
    let name = format!("{}/{}", service.cluster, service.name);
    let by_hand = || match &loss.container {
        Some(container) => Remedy::manual(format!(
            "give the container {container} of {name} a database outside of the task, or mount a durable volume (EFS) where \
             it keeps its data"
        )),
        None => Remedy::manual(format!(
            "give {name} the settings of its database, or a durable volume (EFS)"
        )),
    };
    if loss.on_one_instance {
        return by_hand();
    }
    let by_secret = (datastore != Datastore::Volume).then(|| add_secret(w, service, definition));
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
    by_secret
        .filter(|_| w.databases().is_ok_and(|d| !d.is_empty()))
        .unwrap_or_else(by_hand)
}
