//! Tasks that run schema migrations.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::key::Scope;
use crate::model::read_error::ReadError;
use crate::model::tags::Tags;

/// Runs kept of one family. The newest one that has ended decides; the others are its history.
pub const RUNS_KEPT: usize = 10;

/// A family of task definitions tagged `holdfast:role=migration`, and its runs.
#[derive(Debug, Clone, Default)]
pub struct MigrationFamily {
    /// Its name.
    pub family: String,
    /// The newest tagged revision's ARN.
    pub revision: String,
    /// Tags of that revision.
    pub tags: Tags,
    /// Its runs, the newest first, as far as ECS, an event or the ledger knows them. ECS forgets stopped tasks after about
    /// an hour: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
    pub runs: Vec<TaskRun>,
    /// Why ECS could not be asked for its runs, if it could not.
    pub unread: Option<Arc<ReadError>>,
    /// Why the ledger could not be asked for earlier runs, if it could not.
    pub unrecalled: Option<String>,
    /// The images that the services of its workload run, as far as their digests are known.
    pub deployed: Vec<DeployedImage>,
}

impl MigrationFamily {
    /// The newest run.
    #[must_use]
    pub fn last_run(&self) -> Option<&TaskRun> {
        self.runs.first()
    }

    /// Takes in what was seen of a run: of one that is known, it only adds.
    pub fn observe(&mut self, run: TaskRun) {
        match self.runs.iter_mut().find(|r| r.arn == run.arn) {
            Some(known) => known.merge(&run),
            None => self.runs.push(run),
        }
        newest_first(&mut self.runs, |r| r);
    }
}

/// Sorts runs, the newest first, and drops what is more than [`RUNS_KEPT`]. Those of the same instant stay as they are.
pub fn newest_first<T>(runs: &mut Vec<T>, run: impl Fn(&T) -> &TaskRun) {
    runs.sort_by_key(|r| std::cmp::Reverse(run(r).when()));
    runs.truncate(RUNS_KEPT);
}

/// The image of a container as the tasks of a service run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedImage {
    /// ARN of the service.
    pub service: String,
    /// Name of the container.
    pub container: String,
    /// Its digest.
    pub digest: String,
}

/// One run of a task outside of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskRun {
    /// ARN of the task.
    pub arn: String,
    /// Name of the cluster.
    pub cluster: String,
    /// ARN of its revision.
    pub task_definition: String,
    /// `PENDING`, `RUNNING`, `STOPPED`, ...
    pub last_status: String,
    /// When it was created, or began to run.
    pub started_at: Option<Timestamp>,
    /// When it was first seen, where AWS does not say when it was created.
    pub seen_at: Option<Timestamp>,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
    /// ECS's code: `EssentialContainerExited`, `TaskFailedToStart`, `UserInitiated`, ...
    pub stop_code: Option<String>,
    /// ECS's words.
    pub stopped_reason: Option<String>,
    /// Exit codes by container; absent for one that never ran.
    pub exit_codes: BTreeMap<String, Option<i32>>,
    /// What ECS says of a container that did not end well: `OutOfMemoryError: ...`, `CannotPullContainerError: ...`.
    pub reasons: BTreeMap<String, String>,
    /// Images by container, as written in the revision.
    pub images: BTreeMap<String, String>,
    /// Digests of those images, where ECS says them: it does for images in ECR.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>
    pub digests: BTreeMap<String, String>,
    /// Subnets of its network interfaces.
    pub subnets: Vec<String>,
    /// Security groups of its network interfaces, where those still exist: ECS deletes them soon after the task's end.
    pub security_groups: Vec<String>,
    /// Whether it was started with a command of its own instead of the revision's.
    pub own_command: bool,
    /// The containers whose exit codes decide, as far as that was known when it was seen. Empty: not known.
    pub deciding: Vec<String>,
    /// Why its security groups could not be read, if they could not.
    #[serde(skip)]
    pub unread_groups: Option<Arc<ReadError>>,
    /// Whether it is known from before, and ECS no longer lists it.
    #[serde(skip)]
    pub remembered: bool,
}

/// When a running task was created, and when its containers started. What it is given at start was fetched in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskStart {
    /// `createdAt`.
    pub created: Timestamp,
    /// `startedAt`.
    pub started: Timestamp,
}

/// The states of a task in their order.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
const STATES: &[&str] = &[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
    "DELETED",
];

impl TaskRun {
    /// Whether it has ended.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        matches!(self.last_status.as_str(), "STOPPED" | "DELETED")
    }

    /// What it is sorted by.
    #[must_use]
    pub fn when(&self) -> Option<Timestamp> {
        self.started_at.or(self.seen_at)
    }

    /// Takes in another observation of the same run. Nothing that is known is lost, whichever came first.
    pub fn merge(&mut self, other: &Self) {
        let place = |status: &str| STATES.iter().position(|s| *s == status);
        if place(&other.last_status) > place(&self.last_status) {
            self.last_status.clone_from(&other.last_status);
        }
        self.started_at = earliest(self.started_at, other.started_at);
        self.seen_at = earliest(self.seen_at, other.seen_at);
        self.stopped_at = earliest(self.stopped_at, other.stopped_at);
        fill(&mut self.stop_code, other.stop_code.as_ref());
        fill(&mut self.stopped_reason, other.stopped_reason.as_ref());
        for (name, code) in &other.exit_codes {
            let known = self.exit_codes.entry(name.clone()).or_default();
            *known = known.or(*code);
        }
        add(&mut self.reasons, &other.reasons);
        add(&mut self.images, &other.images);
        add(&mut self.digests, &other.digests);
        for (known, more) in [
            (&mut self.subnets, &other.subnets),
            (&mut self.security_groups, &other.security_groups),
            (&mut self.deciding, &other.deciding),
        ] {
            if known.is_empty() {
                known.clone_from(more);
            }
        }
        self.own_command |= other.own_command;
        if self.security_groups.is_empty() {
            self.unread_groups = self.unread_groups.take().or_else(|| other.unread_groups.clone());
        } else {
            self.unread_groups = None;
        }
        self.remembered &= other.remembered;
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn fill(known: &mut Option<String>, more: Option<&String>) {
    if known.is_none() {
        *known = more.cloned();
    }
}

fn add(known: &mut BTreeMap<String, String>, more: &BTreeMap<String, String>) {
    for (name, value) in more {
        known.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// How a run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// It is under way.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed, or never started.
    Failed,
    /// Its end was not seen.
    Unknown,
}

impl RunResult {
    /// The name used in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A run of a migration as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationRun {
    /// Where.
    pub scope: Scope,
    /// The workload that its family was tagged for.
    pub workload: String,
    /// The family.
    pub family: String,
    /// How it came out.
    pub result: RunResult,
    /// Why it failed.
    pub why: Option<String>,
    /// The container that decided.
    pub container: Option<String>,
    /// That container's image, as written.
    pub image: Option<String>,
    /// The image's digest, if it is known.
    pub digest: Option<String>,
    /// What was seen of it.
    pub run: TaskRun,
}

impl MigrationRun {
    /// Takes in a later record of the same run. How it came out is decided once.
    pub fn merge(&mut self, other: &Self) {
        self.run.merge(&other.run);
        if !self.result.is_final() {
            self.result = other.result;
            self.why.clone_from(&other.why);
        }
        fill(&mut self.container, other.container.as_ref());
        fill(&mut self.image, other.image.as_ref());
        fill(&mut self.digest, other.digest.as_ref());
    }

    /// Adds `record` to what is known of its family, the newest first.
    pub fn add_to(known: &mut Vec<Self>, record: &Self) {
        match known.iter_mut().find(|k| k.run.arn == record.run.arn) {
            Some(same) => same.merge(record),
            None => known.push(record.clone()),
        }
        newest_first(known, |k| &k.run);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn observations() -> impl Strategy<Value = TaskRun> {
        let status = prop_oneof![Just("PENDING"), Just("RUNNING"), Just("STOPPED")];
        (status, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(status, created, code, digest)| TaskRun {
            arn: "task/1".into(),
            last_status: status.into(),
            started_at: created.then(|| at(10)).flatten(),
            stopped_at: (status == "STOPPED").then(|| at(20)).flatten(),
            stop_code: (status == "STOPPED").then(|| "EssentialContainerExited".to_owned()),
            exit_codes: BTreeMap::from([("migrate".to_owned(), code.then_some(1))]),
            digests: if digest {
                BTreeMap::from([("migrate".to_owned(), "sha256:aa".to_owned())])
            } else {
                BTreeMap::new()
            },
            ..TaskRun::default()
        })
    }

    proptest! {
        /// In whatever order they come and however often, the same is known in the end, and nothing is lost.
        #[test]
        fn observations_only_add(seen in proptest::collection::vec(observations(), 1..6), swap in any::<prop::sample::Index>()) {
            let all = |seen: &[TaskRun]| {
                let mut family = MigrationFamily::default();
                for run in seen {
                    family.observe(run.clone());
                }
                prop_assert_eq!(family.runs.len(), 1);
                Ok(family.runs.remove(0))
            };
            let known = all(&seen)?;
            let mut other = seen.clone();
            other.rotate_left(swap.index(seen.len()));
            other.extend(seen.clone());
            prop_assert_eq!(&all(&other)?, &known);
            prop_assert_eq!(known.has_stopped(), seen.iter().any(TaskRun::has_stopped));
            prop_assert_eq!(known.exit_codes["migrate"], seen.iter().find_map(|r| r.exit_codes["migrate"]));
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let mut family = MigrationFamily::default();
        for n in [3, 1, 2, 9, 8, 7, 6, 5, 4, 12, 11, 10] {
            family.observe(TaskRun {
                arn: format!("task/{n}"),
                started_at: at(n),
                ..TaskRun::default()
            });
        }
        let kept: Vec<&str> = family.runs.iter().map(|r| r.arn.as_str()).collect();
        assert_eq!((kept.len(), kept[0], kept[9]), (RUNS_KEPT, "task/12", "task/3"));
    }

    #[test]
    fn how_it_came_out_is_decided_once() {
        let record = |status: &str, result, container: Option<&str>| MigrationRun {
            scope: Scope {
                account: "123456789012".into(),
                region: "us-east-1".into(),
            },
            workload: "shop".into(),
            family: "shop-migrate".into(),
            result,
            why: (result == RunResult::Failed).then(|| "exit code 1".to_owned()),
            container: container.map(str::to_owned),
            image: None,
            digest: None,
            run: TaskRun {
                arn: "task/1".into(),
                last_status: status.into(),
                ..TaskRun::default()
            },
        };
        let mut known = vec![];
        for (status, result, container) in [
            ("RUNNING", RunResult::Running, None),
            ("STOPPED", RunResult::Failed, Some("migrate")),
            ("RUNNING", RunResult::Unknown, None),
        ] {
            MigrationRun::add_to(&mut known, &record(status, result, container));
        }
        assert_eq!(known, [record("STOPPED", RunResult::Failed, Some("migrate"))]);
    }
}
