#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, Redeploy};
use crate::facts::{StaleSecret, Storage, each_running, rollout_refusal, shape, stale_secrets, starts_to_read};
use crate::finding::Evidence;
use crate::model::connection::SecretShape;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition};
use crate::model::value_from::Selector;

/// `ecs-stale-secret`
pub struct EcsStaleSecret;

static META: Meta = Meta {
    id: "ecs-stale-secret",
    severity: Severity::High,
    summary: "a running task holds an earlier version of a secret that it was given at start",
    docs: include_str!("doc.md"),
    reads: &[
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTasks",
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:ListSecrets",
        "tag:GetResources",
    ],
    writes: &["ecs:UpdateService"],
    risk: Risk::Brief,
    corrects: false,
    ..Meta::DEFAULT
};

impl Rule for EcsStaleSecret {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| {
            let subject = ResultSubject::Service(service);
            let found = stale_secrets(w, service, definition)?;
            if !found.stale.is_empty() {
                let related: Vec<&str> = found.stale.iter().map(|s| s.secret.arn.as_str()).collect();
                let failure = failure(w, service, definition, &found.stale);
                return Some(RuleResult::fail(subject, &service.tags, failure).relating(related));
            }
            match found.unknown {
                Some(e) => Some(RuleResult::unknown(subject, &service.tags, &e)),
                None => found.any.then(|| RuleResult::pass(subject)),
            }
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            let secrets = starts_to_read(w, service, definition);
            if !secrets.is_empty() {
                reads.starts.entry(service.arn.clone()).or_default().extend(secrets);
            }
        }
    }
}

fn failure(w: &Workload<'_>, service: &Service, definition: &TaskDefinition, stale: &[StaleSecret<'_>]) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let told: Vec<String> = stale
        .iter()
        .map(|s| {
            format!(
                "{} of {} started before {} got its current version (at {}; the first at {})",
                s.stale, s.running, s.secret.name, s.dates.current, s.oldest
            )
        })
        .collect();
    let works = stale.iter().all(|s| still_works(w, s));
    let effect = if works {
        "what they hold works until the next rotation"
    } else if stale.iter().any(|s| s.secret.name.starts_with("rds!")) {
        "RDS has set another password since, and the next connection that they open fails"
    } else {
        "they hold the value of before, which may be refused by now"
    };
    let evidence = stale.iter().map(|s| {
        Evidence::new(
            format!("startedAt of the oldest task, for {}", s.secret.name),
            s.oldest.to_string(),
            format!("not before {}", s.dates.current),
        )
    });
    Failure {
        severity: works.then_some(Severity::Medium),
        message: format!("tasks of {name}: {}: {effect}", told.join("; ")),
        evidence: evidence.collect(),
        remedy: remedy(w, service, definition, &name),
    }
}

/// Whether the credentials of before are known to be good still. Where two users alternate, a rotation changes the password
/// of the other one: the secret then names the one that changes passwords, under `masterarn`.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html>
fn still_works(w: &Workload<'_>, stale: &StaleSecret<'_>) -> bool {
    let alternates = matches!(
        shape(w, stale.secret, &Selector::default()),
        Ok(Some(SecretShape::Json { keys, .. })) if keys.contains_key("masterarn")
    );
    alternates && stale.dates.previous.is_some_and(|previous| previous <= stale.oldest)
}

fn remedy(w: &Workload<'_>, service: &Service, definition: &TaskDefinition, name: &str) -> Remedy {
    let summary = format!("replace the tasks of {name} by a new deployment of the same revision");
    // Never the end of the only copy.
    match w.data_of(service, definition).storage(None, "") {
        Storage::Lost(loss) => {
            return Remedy::manual(format!(
                "{summary}, once its data is safe: it keeps its data in the container: {}",
                loss.how
            ));
        }
        Storage::Unknown(_) => {
            return Remedy::manual(format!(
                "{summary}, once it is certain that it keeps no data in the container: nothing tells where it does"
            ));
        }
        Storage::Kept | Storage::NotEvaluated => {}
    }
    let action = Action::Redeploy(Redeploy {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
    });
    Remedy {
        summary,
        actions: vec![action],
        refused: rollout_refusal(w, service),
    }
}
