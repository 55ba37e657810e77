//! Whether the running tasks of a service hold the current version of each secret that they were given at start.
//!
//! ECS injects a value when a task starts, and never again.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::secrets::resolve;
use super::workload::Workload;
use crate::model::resources::{Secret, Service, TaskDefinition, TaskStart, VersionDates};
use crate::model::snapshot::{Read, ReadError};
use crate::model::value_from::{self, ValueFrom};

/// A secret of which running tasks hold an earlier version.
#[derive(Debug, Clone)]
pub struct StaleSecret<'a> {
    /// The secret.
    pub secret: &'a Secret,
    /// When its versions were created.
    pub dates: VersionDates,
    /// How many tasks started before the current one.
    pub stale: usize,
    /// How many tasks run.
    pub running: usize,
    /// When the first of them started.
    pub oldest: Timestamp,
}

/// What is known of a service's tasks and secrets.
#[derive(Debug, Default)]
pub struct StaleSecrets<'a> {
    /// Secrets whose current version some task does not hold.
    pub stale: Vec<StaleSecret<'a>>,
    /// Whether any secret is given to its tasks.
    pub any: bool,
    /// Why one of the others is not known.
    pub unknown: Option<Arc<ReadError>>,
}

/// The secrets that a revision gives to its tasks as they are: those with a pinned version stay what they are.
fn given<'a>(w: &Workload<'a>, definition: &TaskDefinition) -> (BTreeMap<&'a str, &'a Secret>, Option<Arc<ReadError>>) {
    let (mut found, mut unknown) = (BTreeMap::new(), None);
    for variable in definition.containers.iter().flat_map(|c| &c.secrets) {
        let ValueFrom::Secret(target) = value_from::parse(&variable.value_from) else {
            continue;
        };
        if target.selector.pins() {
            continue;
        }
        match resolve(w, &target) {
            Ok(secret) => found.extend(secret.map(|s| (s.arn.as_str(), s))),
            Err(e) => unknown = unknown.or(Some(e)),
        }
    }
    (found, unknown)
}

/// The instant after which every running task started: when the oldest deployment with tasks began. `None`: not known.
#[must_use]
pub fn no_older_than(service: &Service) -> Option<Timestamp> {
    let with_tasks = service.deployments.iter().filter(|d| d.running_count > 0);
    with_tasks.map(|d| d.created_at).min().flatten()
}

/// Whether a secret may have a newer version than the tasks: anything about it changed after they could have started.
fn may_be_newer(service: &Service, secret: &Secret) -> bool {
    match (secret.changed_at, no_older_than(service)) {
        (Some(changed), Some(began)) => changed > began,
        _ => true,
    }
}

/// The secrets of which versions and tasks must be read: what is older than the deployment needs no call.
#[must_use]
pub fn starts_to_read(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Vec<String> {
    if service.running_count == 0 {
        return vec![];
    }
    let (given, _) = given(w, definition);
    let newer = given.into_values().filter(|s| may_be_newer(service, s));
    newer.map(|s| s.arn.clone()).collect()
}

/// Compares the starts of tasks with the versions of the secrets that they were given. `None` if no task runs.
#[must_use]
pub fn stale_secrets<'a>(w: &Workload<'a>, service: &Service, definition: &TaskDefinition) -> Option<StaleSecrets<'a>> {
    if service.running_count == 0 {
        return None;
    }
    let (given, unknown) = given(w, definition);
    let mut found = StaleSecrets {
        any: !given.is_empty(),
        unknown,
        ..StaleSecrets::default()
    };
    for secret in given.into_values().filter(|s| may_be_newer(service, s)) {
        match of_secret(w, service, secret) {
            Ok(stale) => found.stale.extend(stale),
            Err(e) => found.unknown = found.unknown.or(Some(e)),
        }
    }
    Some(found)
}

fn of_secret<'a>(w: &Workload<'a>, service: &Service, secret: &'a Secret) -> Read<Option<StaleSecret<'a>>> {
    let not_read = |operation: &str, resource: &str, message: String| {
        Arc::new(ReadError {
            service: if operation == "ListTasks" {
                "ecs"
            } else {
                "secretsmanager"
            }
            .into(),
            operation: operation.into(),
            resource: resource.to_owned(),
            code: "NotRead".into(),
            message,
        })
    };
    let dates = match w.snapshot.versions.get(&secret.arn) {
        Some(Ok(dates)) => *dates,
        Some(Err(e)) => return Err(Arc::clone(e)),
        None => {
            let message = format!("the versions of {} were not read in this sweep", secret.name);
            return Err(not_read("ListSecretVersionIds", &secret.arn, message));
        }
    };
    if no_older_than(service).is_some_and(|began| dates.current <= began) {
        return Ok(None);
    }
    let starts = match w.snapshot.task_starts.get(&service.arn) {
        Some(Ok(starts)) => starts,
        Some(Err(e)) => return Err(Arc::clone(e)),
        None => {
            let message = format!("the tasks of {} were not read in this sweep", service.name);
            return Err(not_read("ListTasks", &service.arn, message));
        }
    };
    let stale: Vec<&TaskStart> = starts.iter().filter(|s| s.started < dates.current).collect();
    if let Some(oldest) = stale.iter().map(|s| s.started).min() {
        return Ok(Some(StaleSecret {
            secret,
            dates,
            stale: stale.len(),
            running: starts.len(),
            oldest,
        }));
    }
    // A version that rotation makes is created before it becomes the current one, and a value is fetched before its
    // container starts.
    let settled = secret.rotation.last.unwrap_or(dates.current).max(dates.current);
    match starts.iter().find(|s| s.created < settled) {
        None => Ok(None),
        Some(task) => Err(not_read(
            "ListSecretVersionIds",
            &secret.arn,
            format!(
                "a task of {} started at {}, while {} was given another version: which one it holds is not known; a new \
                 deployment settles it",
                service.name, task.started, secret.name
            ),
        )),
    }
}
