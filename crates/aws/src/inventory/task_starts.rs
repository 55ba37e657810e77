//! When versions of secrets were created, and when running tasks started: read only for a service one of whose secrets
//! changed after it was deployed.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::convert::instant;
use super::tasks::{DESCRIBE_TASKS, running_tasks};
use crate::client::{Api, Family};
use holdfast_core::facts::no_older_than;
use holdfast_core::model::resources::{Service, TaskStart, VersionDates};
use holdfast_core::model::snapshot::{Read, Snapshot};

const VERSIONS: Api = Api {
    service: "secretsmanager",
    operation: "ListSecretVersionIds",
    family: Family::SecretsVersions,
};

/// What was read.
#[derive(Default)]
pub(super) struct Starts {
    pub versions: BTreeMap<String, Read<VersionDates>>,
    pub tasks: BTreeMap<String, Read<Vec<TaskStart>>>,
}

/// The versions of the secrets in `asked` (by service), and the tasks of those services that may be older than one of them.
pub(super) async fn read(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    asked: &BTreeMap<String, BTreeSet<String>>,
    now: Timestamp,
    reuse: Reuse,
) -> Starts {
    let secrets: BTreeSet<String> = asked.values().flatten().cloned().collect();
    let versions: BTreeMap<String, Read<VersionDates>> = stream::iter(secrets)
        .map(|arn| async move {
            let dates = of_secret(c, snapshot, &arn, now).await;
            (arn, dates)
        })
        .buffer_unordered(c.limit())
        .collect()
        .await;
    let all = snapshot.services.iter().flat_map(|m| m.values());
    let services: Vec<(Service, Timestamp)> = all
        .filter_map(|service| {
            let known = asked
                .get(&service.arn)?
                .iter()
                .filter_map(|arn| versions.get(arn)?.as_ref().ok());
            let newest = known.map(|dates| dates.current).max()?;
            let began = no_older_than(service);
            began
                .is_none_or(|began| newest > began)
                .then(|| (service.clone(), newest))
        })
        .collect();
    let tasks = stream::iter(services)
        .map(|(service, newest)| async move {
            let starts = of_service(c, &service, newest, now, reuse).await;
            (service.arn, starts)
        })
        .buffer_unordered(c.limit())
        .collect()
        .await;
    Starts { versions, tasks }
}

/// The dates of a version never change, so what is known of it holds as long as it is the current one.
async fn of_secret(c: &Collector<'_>, snapshot: &Snapshot, arn: &str, now: Timestamp) -> Read<VersionDates> {
    let secret = snapshot.secrets.as_ref().ok().and_then(|all| all.get(arn));
    let is_current = |stages: &&Vec<String>| stages.iter().any(|s| s == "AWSCURRENT");
    let current = secret.and_then(|s| s.versions.iter().find(|(_, stages)| is_current(stages)));
    let key = current.map(|(id, _)| (arn.to_owned(), id.clone()));
    if let Some(known) = key.as_ref().and_then(|key| c.cache.versions.get(key, now)) {
        return Ok(known);
    }
    let region = arn.split(':').nth(3).unwrap_or(&c.aws.scope.region).to_owned();
    let there =
        aws_sdk_secretsmanager::config::Builder::new().region(aws_sdk_secretsmanager::config::Region::new(region));
    c.progress.more(1);
    // Versions without a stage are left out: at most a few are left.
    let request = c.aws.secrets.list_secret_version_ids().secret_id(arn).max_results(100);
    let answer = c
        .aws
        .call(VERSIONS, arn, request.customize().config_override(there).send())
        .await;
    c.progress.done(1);
    let found = answer?.versions.unwrap_or_default();
    let staged = |stage: &str| {
        let of = |v: &&SecretVersionsListEntry| v.version_stages().iter().any(|s| s == stage);
        found.iter().find(of)
    };
    let created = |v: &SecretVersionsListEntry| v.created_date.as_ref().and_then(instant);
    let Some(dates) = staged("AWSCURRENT").and_then(created).map(|current| VersionDates {
        current,
        previous: staged("AWSPREVIOUS").and_then(created),
    }) else {
        let message = format!("AWS did not say when the current version of {arn} was created");
        return Err(c.aws.error(VERSIONS, arn, "NoAnswer", message));
    };
    let read = staged("AWSCURRENT").and_then(|v| v.version_id.clone());
    // Only under the version that both answers name.
    if let Some(key) = key.filter(|(_, id)| Some(id) == read.as_ref()) {
        c.cache.versions.put(key, dates, now);
    }
    Ok(dates)
}

/// The starts of the running tasks of a service's revision. Tasks come and go, but within the same deployments none gets
/// older: those that were younger than every version stay so.
async fn of_service(
    c: &Collector<'_>,
    service: &Service,
    newest: Timestamp,
    now: Timestamp,
    reuse: Reuse,
) -> Read<Vec<TaskStart>> {
    let key: Vec<String> = service.deployments.iter().map(|d| d.id.clone()).collect();
    let young = |starts: &Vec<TaskStart>| starts.iter().all(|s| s.created >= newest);
    if reuse == Reuse::Allowed
        && !key.is_empty()
        && let Some(known) = c.cache.starts.get(&key, now).filter(young)
    {
        return Ok(known);
    }
    let starts = tasks(c, service).await?;
    if !key.is_empty() && !starts.is_empty() && young(&starts) {
        c.cache.starts.put(key, starts.clone(), now);
    }
    Ok(starts)
}

async fn tasks(c: &Collector<'_>, service: &Service) -> Read<Vec<TaskStart>> {
    let mut starts = vec![];
    for task in running_tasks(c, service).await? {
        if task.task_definition_arn.as_ref() != Some(&service.task_definition) {
            continue;
        }
        let created = task.created_at.as_ref().and_then(instant);
        let started = task.started_at.as_ref().and_then(instant);
        let (Some(created), Some(started)) = (created.or(started), started.or(created)) else {
            let arn = task.task_arn.unwrap_or_default();
            let message = format!("AWS did not say when {arn} started");
            return Err(c.aws.error(DESCRIBE_TASKS, &service.arn, "NoAnswer", message));
        };
        starts.push(TaskStart { created, started });
    }
    starts.sort();
    Ok(starts)
}
