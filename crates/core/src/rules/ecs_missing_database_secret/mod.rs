use super::secret_malformed_url::SECRET_READS;
use super::support::{database_variables, each_running, no_execution_role, references, right_reference, roll_out};
use super::{Failure, Judgement, Meta, Remedy, Rule, Subject, Workload};
use crate::action::SecretChange;
use crate::config::Datastore;
use crate::model::finding::Evidence;
use crate::model::hold::HoldReason;
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
    ..Meta::DEFAULT
};

/// The IAM actions of a rollout.
pub(super) const ROLLOUT_WRITES: &[&str] = &[
    "ecs:RegisterTaskDefinition",
    "ecs:TagResource",
    "ecs:UpdateService",
    "iam:PassRole",
];

impl Rule for EcsMissingDatabaseSecret {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        if w.params.datastore != Datastore::Postgres {
            return vec![];
        }
        each_running(w, |service, definition| {
            let subject = Subject::Service(service);
            Some(if database_variables(w, definition).next().is_some() {
                Judgement::pass(subject)
            } else {
                Judgement::fail(subject, &service.tags, failure(w, service, definition))
            })
        })
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

/// The correction that gives the running revision its database secret.
pub(super) fn add_secret(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Remedy {
    let summary = format!(
        "add the database secret to the task definition of {}/{}",
        service.cluster, service.name
    );
    let change = || -> Result<SecretChange, HoldReason> {
        let container = application(service, definition)?;
        let after = right_reference(w)?;
        if definition.execution_role.is_none() {
            return Err(no_execution_role(definition));
        }
        let variable = variable(w, definition, &container).ok_or(HoldReason::NoVariableNamed)?;
        Ok(SecretChange {
            container,
            variable,
            before: None,
            after,
        })
    };
    match change() {
        Ok(change) => roll_out(w, service, summary, vec![change]),
        Err(why) => Remedy::refuse(summary, vec![], why),
    }
}

/// The container that holds the application: the only one, or the one behind the load balancer, or the only
/// essential one that listens.
fn application(service: &Service, definition: &TaskDefinition) -> Result<String, HoldReason> {
    if let [only] = definition.containers.as_slice() {
        return Ok(only.name.clone());
    }
    if let Some(name) = &service.balanced_container {
        return Ok(name.clone());
    }
    let listening: Vec<&str> = definition
        .containers
        .iter()
        .filter(|c| c.essential && c.has_ports)
        .map(|c| c.name.as_str())
        .collect();
    let unclear = || HoldReason::ContainerUnclear(revision_name(&definition.arn).to_owned());
    match listening.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(unclear()),
    }
}

/// The variable that the container has in plain text already; or the one that the workload's other services use, if
/// they agree; else the first of `secret_env`.
fn variable(w: &Workload<'_>, definition: &TaskDefinition, container: &str) -> Option<String> {
    let own = definition
        .containers
        .iter()
        .filter(|c| c.name == container)
        .flat_map(|c| &c.plain_databases);
    if let Some(plain) = own.map(|d| &d.variable).find(|v| w.params.secret_env.contains(v)) {
        return Some(plain.clone());
    }
    let (references, _) = references(w);
    let mut names: Vec<&str> = references.iter().map(|r| r.variable.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [only] => Some((*only).to_owned()),
        _ => w.params.secret_env.first().cloned(),
    }
}
