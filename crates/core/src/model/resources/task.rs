//! Tasks that run schema migrations.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::read_error::ReadError;
use crate::model::tags::Tags;

/// A family of task definitions tagged `holdfast:role=migration`, and its last run.
#[derive(Debug, Clone, Default)]
pub struct MigrationFamily {
    /// Its name.
    pub family: String,
    /// The newest tagged revision's ARN.
    pub revision: String,
    /// Tags of that revision.
    pub tags: Tags,
    /// The newest run that AWS or Holdfast still knows of. ECS forgets stopped tasks after about an hour.
    pub last_run: Option<TaskRun>,
    /// Why its runs could not be read, if they could not.
    pub unread: Option<Arc<ReadError>>,
}

/// One run of a task outside of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Images by container, as run.
    pub images: BTreeMap<String, String>,
    /// Subnets of its network interfaces.
    pub subnets: Vec<String>,
    /// Security groups of its network interfaces, where those still exist: ECS deletes them soon after the task's end.
    pub security_groups: Vec<String>,
    /// Why those could not be read, if they could not.
    pub unread_groups: Option<Arc<ReadError>>,
}

/// When a running task was created, and when its containers started. What it is given at start was fetched in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskStart {
    /// `createdAt`.
    pub created: Timestamp,
    /// `startedAt`.
    pub started: Timestamp,
}

impl TaskRun {
    /// Whether it has ended.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.last_status == "STOPPED"
    }
}
