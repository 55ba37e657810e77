//! How runs of schema migrations ended, and of which image they were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::secrets::database_variables;
use super::workload::Workload;
use super::workloads::Workloads;
use crate::config::Config;
use crate::model::image::{Image, is_companion};
use crate::model::read_error::ReadError;
use crate::model::resources::{Container, MigrationFamily, MigrationRun, RunResult, TaskDefinition, TaskRun};
use crate::model::snapshot::Snapshot;

/// How a run came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// It is under way.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed, or never started, for this reason.
    Failed(String),
    /// It was seen under way, and ECS forgot it before anybody saw its end.
    Unseen,
}

/// What is known of a family's runs.
#[derive(Debug, Clone)]
pub enum MigrationState<'a> {
    /// Nobody knows of a run, or the newest one can't be known.
    Unknown(Arc<ReadError>),
    /// The newest run is under way. With the failure before it, if the run before failed: it stays until this one succeeds.
    Running(&'a TaskRun, Option<(&'a TaskRun, String)>),
    /// The newest run that has ended failed.
    Failed(&'a TaskRun, String),
    /// The newest run succeeded.
    Succeeded(&'a TaskRun),
}

/// What is known of the runs of `family`: the newest one that has ended decides.
#[must_use]
pub fn migration_state<'a>(w: &Workload<'_>, family: &'a MigrationFamily) -> MigrationState<'a> {
    let mut unended: Option<(&TaskRun, RunOutcome)> = None;
    let mut ended = None;
    for run in &family.runs {
        match run_outcome(w, run) {
            RunOutcome::Failed(why) => {
                ended = Some((run, Some(why)));
                break;
            }
            RunOutcome::Succeeded => {
                ended = Some((run, None));
                break;
            }
            outcome => unended = unended.or(Some((run, outcome))),
        }
    }
    match (unended, ended) {
        (Some((run, RunOutcome::Running)), ended) => {
            MigrationState::Running(run, ended.and_then(|(run, why)| Some((run, why?))))
        }
        // A failure that is known stays, whatever is not.
        (_, Some((run, Some(why)))) => MigrationState::Failed(run, why),
        (Some((run, _)), _) => MigrationState::Unknown(unseen(family, run)),
        // A later run may be among those that could not be read.
        (None, Some((run, None))) => match &family.unread {
            Some(e) => MigrationState::Unknown(Arc::clone(e)),
            None => MigrationState::Succeeded(run),
        },
        (None, None) => MigrationState::Unknown(match &family.unread {
            Some(e) => Arc::clone(e),
            None => no_run(family),
        }),
    }
}

/// The field of the evidence of `migration-drift` that is about the image.
pub const IMAGE: &str = "image";
/// The code of the error that says that no run is known.
pub const NO_RUN: &str = "NoRunKnown";

fn no_run(family: &MigrationFamily) -> Arc<ReadError> {
    let ledger = match &family.unrecalled {
        None => "the ledger has none either".to_owned(),
        Some(why) => format!("the ledger can't be asked: {why}"),
    };
    unknown(
        &family.family,
        NO_RUN,
        format!(
            "no run of it is known: ECS knows of none (it forgets a stopped task after about an hour), and {ledger}. Run it, and \
             `holdfast run`, `audit` or `gate` within the hour keeps how it ended"
        ),
    )
}

fn unseen(family: &MigrationFamily, run: &TaskRun) -> Arc<ReadError> {
    unknown(
        &family.family,
        "EndNotSeen",
        format!(
            "{} was {} when it was last seen, and ECS forgot it before its end was; its log tells, or run it again",
            run.arn, run.last_status
        ),
    )
}

fn unknown(family: &str, code: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ecs".into(),
        operation: "DescribeTasks".into(),
        resource: family.to_owned(),
        code: code.to_owned(),
        message,
    })
}

/// How a run came out.
#[must_use]
pub fn run_outcome(w: &Workload<'_>, run: &TaskRun) -> RunOutcome {
    if run.has_stopped() {
        return why_it_ended_badly(w, run).map_or(RunOutcome::Succeeded, RunOutcome::Failed);
    }
    let timeout = w.migration_timeout;
    let late = run.when().filter(|began| *began + timeout < w.now);
    match (late, run.remembered) {
        (None, true) if run.when().is_none() => RunOutcome::Unseen,
        (None, _) => RunOutcome::Running,
        (Some(_), true) => RunOutcome::Unseen,
        (Some(began), false) => RunOutcome::Failed(format!(
            "it is {} since {began}, longer than migrations.timeout ({})",
            run.last_status,
            crate::config::format_duration(timeout)
        )),
    }
}

fn because(told: Option<&String>) -> String {
    told.map(|t| format!(" ({})", t.trim_end_matches('.')))
        .unwrap_or_default()
}

fn why_it_ended_badly(w: &Workload<'_>, run: &TaskRun) -> Option<String> {
    let reason = because(run.stopped_reason.as_ref());
    match run.stop_code.as_deref() {
        Some("TaskFailedToStart") => return Some(format!("it never started{reason}")),
        // Whatever its exit code: it may have ended early and well on SIGTERM.
        Some("UserInitiated") => return Some(format!("it was stopped before it ended{reason}")),
        // The task's own end; how that went, its containers tell.
        Some("EssentialContainerExited") | None => {}
        Some(code) => return Some(format!("it was killed: {code}{reason}")),
    }
    let deciding = deciding(w, run);
    if deciding.is_empty() {
        return Some(format!("no container of it ran{reason}"));
    }
    deciding
        .iter()
        .find_map(|name| why_container_failed(run, name, &reason))
}

fn why_container_failed(run: &TaskRun, name: &str, reason: &str) -> Option<String> {
    let told = run.reasons.get(name);
    let of_container = because(told);
    match run.exit_codes.get(name).copied().flatten() {
        // What was killed may be a child of a shell that exits with 0.
        Some(0) if told.is_some_and(|t| t.starts_with("OutOfMemory")) => {
            Some(format!("its container {name} ran out of memory{of_container}"))
        }
        Some(0) => None,
        Some(137) => Some(format!("its container {name} was killed (exit code 137){of_container}")),
        Some(code) => Some(format!("its container {name} exited with {code}{of_container}")),
        None => {
            // Why it never ran, another one may tell.
            let other = run.exit_codes.iter().find_map(|(other, code)| match code {
                Some(code) if *code != 0 && other != name => Some(format!("; {other} exited with {code}")),
                _ => None,
            });
            let other = other.unwrap_or_default();
            Some(format!(
                "its container {name} has no exit code: it never ran{of_container}{reason}{other}"
            ))
        }
    }
}

/// The containers whose exit codes decide how a run came out: those that run the migration, not what accompanies them.
#[must_use]
pub fn deciding(w: &Workload<'_>, run: &TaskRun) -> Vec<String> {
    if let Some(Ok(definition)) = w.snapshot.task_definitions.get(&run.task_definition) {
        return migration_containers(w, definition)
            .iter()
            .map(|c| c.name.clone())
            .collect();
    }
    if !run.deciding.is_empty() {
        return run.deciding.clone();
    }
    let names = || run.exit_codes.keys();
    let accompanies = |name: &&String| run.images.get(*name).is_some_and(|image| is_companion(image));
    let own: Vec<String> = names().filter(|n| !accompanies(n)).cloned().collect();
    if own.is_empty() {
        names().cloned().collect()
    } else {
        own
    }
}

/// The containers of a revision that run the migration.
#[must_use]
pub fn migration_containers<'a>(w: &Workload<'a>, definition: &'a TaskDefinition) -> Vec<&'a Container> {
    let all: Vec<&Container> = definition.containers.iter().collect();
    let own = narrow(all, |c| !c.log_router && !is_companion(&c.image));
    let essential = narrow(own, |c| c.essential);
    if essential.len() < 2 {
        return essential;
    }
    // Of several, the one of the application that is migrated, else the one that is given the database.
    let apps = application_images(w);
    let of_app = |c: &Container| apps.contains(&Image::of(&c.image).repository);
    if essential.iter().any(|c| of_app(c)) {
        return narrow(essential, of_app);
    }
    let given: Vec<&str> = database_variables(w, None, definition)
        .iter()
        .map(|v| v.container)
        .collect();
    narrow(essential, |c| given.contains(&c.name.as_str()))
}

/// Those of `all` that `keep` keeps, or all of them if it keeps none.
fn narrow(all: Vec<&Container>, keep: impl Fn(&Container) -> bool) -> Vec<&Container> {
    let kept: Vec<_> = all.iter().copied().filter(|c| keep(c)).collect();
    if kept.is_empty() { all } else { kept }
}

/// Repositories of what the workload's services run, without what accompanies it.
fn application_images(w: &Workload<'_>) -> Vec<String> {
    let services = w.services().unwrap_or_default().iter();
    let running = services.filter_map(|s| w.running(s).ok());
    let containers = running.flat_map(|d| &d.containers);
    let own = containers.filter(|c| !c.log_router && !is_companion(&c.image));
    own.map(|c| Image::of(&c.image).repository).collect()
}

/// The images that a run was of: those of the containers that decide, with their digests as far as they are known.
#[must_use]
pub fn images_of_run(w: &Workload<'_>, run: &TaskRun) -> Vec<Image> {
    let image = |name: &String| {
        let digest = run.digests.get(name).map(String::as_str);
        run.images.get(name).map(|i| Image::of(i).with_digest(digest))
    };
    deciding(w, run).iter().filter_map(image).collect()
}

/// Every run of a migration in `snapshot`, as the ledger keeps it: of the workloads of `only`, or of all.
#[must_use]
pub fn migration_runs(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    only: Option<&BTreeSet<String>>,
) -> Vec<MigrationRun> {
    let mut found = vec![];
    if snapshot
        .migrations
        .as_ref()
        .map_or(true, |families| families.iter().next().is_none())
    {
        return found;
    }
    for w in Workloads::new(snapshot, config, now, only).all() {
        for family in w.migrations().unwrap_or_default() {
            found.extend(family.runs.iter().map(|run| record(&w, family, run)));
        }
    }
    found
}

fn record(w: &Workload<'_>, family: &MigrationFamily, run: &TaskRun) -> MigrationRun {
    let (result, why) = match run_outcome(w, run) {
        RunOutcome::Running => (RunResult::Running, None),
        RunOutcome::Succeeded => (RunResult::Succeeded, None),
        RunOutcome::Failed(why) => (RunResult::Failed, Some(why)),
        RunOutcome::Unseen => (RunResult::Unknown, None),
    };
    // One that is late may still succeed.
    let result = if run.has_stopped() || result == RunResult::Unknown {
        result
    } else {
        RunResult::Running
    };
    let deciding = deciding(w, run);
    let failed = |name: &&String| why_container_failed(run, name, "").is_some();
    let container = deciding.iter().find(failed).or_else(|| deciding.first()).cloned();
    let of = |map: &BTreeMap<String, String>| container.as_ref().and_then(|c| map.get(c)).cloned();
    MigrationRun {
        scope: w.snapshot.scope.clone(),
        workload: w.name.to_owned(),
        family: family.family.clone(),
        result,
        why: why.filter(|_| result == RunResult::Failed),
        image: of(&run.images),
        digest: of(&run.digests),
        container,
        run: TaskRun {
            deciding,
            ..run.clone()
        },
    }
}
