//! One controller for each kind of thing that can change, with a queue of its own: a storm of task events does not
//! stand before the one that tells of an open database.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::queue::{AddError, Completion, Priority, QueueOptions, WorkQueue};
use holdfast_core::model::key::{Key, Subject};

/// A deployment sends a dozen events about one service within a second: after the first, they are one look.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// Who handles a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Instances and clusters.
    Database,
    /// ECS services.
    Service,
    /// Secrets.
    Secret,
    /// Security groups.
    SecurityGroup,
    /// Tasks that no service runs.
    MigrationTask,
    /// Whole workloads: what sweeps found, what timers ask for, what is under way.
    Workload,
    /// Whole scopes.
    Sweep,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Database,
        Self::Service,
        Self::Secret,
        Self::SecurityGroup,
        Self::MigrationTask,
        Self::Workload,
        Self::Sweep,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Service => "service",
            Self::Secret => "secret",
            Self::SecurityGroup => "security-group",
            Self::MigrationTask => "migration-task",
            Self::Workload => "workload",
            Self::Sweep => "sweep",
        }
    }

    /// Whose key it is.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        match subject {
            Subject::DbInstance(_) | Subject::DbCluster(_) => Self::Database,
            Subject::Service { .. } => Self::Service,
            Subject::Secret(_) => Self::Secret,
            Subject::SecurityGroup(_) => Self::SecurityGroup,
            Subject::TaskFamily(_) => Self::MigrationTask,
            Subject::Workload(_) => Self::Workload,
            Subject::Everything => Self::Sweep,
        }
    }

    /// Keys worked on at once: most of a run is waiting for AWS. A sweep is many calls; each scope has one at a time.
    #[must_use]
    pub fn workers(self) -> usize {
        match self {
            Self::Sweep => 8,
            Self::Workload => 16,
            _ => 4,
        }
    }
}

/// The queues of all controllers; clones share them.
#[derive(Clone)]
pub struct Queues(Arc<[WorkQueue<Key>]>);

impl Queues {
    /// Empty ones for `scopes` accounts and regions, seen in `metrics`.
    #[must_use]
    pub fn new(scopes: usize, metrics: &Metrics) -> Self {
        let queues = Controller::ALL.map(|controller| {
            let options = QueueOptions {
                // A scope whose calls all time out leaves workers to the others.
                max_running_per_lane: (scopes > 1).then(|| (controller.workers() * 3 / 4).max(1)),
                // What a sweep asks for leaves workers to what just happened.
                max_running_sweeps: (controller != Controller::Sweep).then(|| controller.workers() * 3 / 4),
                min_interval: DEBOUNCE,
                ..QueueOptions::default()
            };
            let seen = metrics.queues.of(controller.name());
            let queue = WorkQueue::new(options, seen.clone());
            metrics.before_render({
                let queue = queue.clone();
                move || seen.observe(&queue.stats())
            });
            queue
        });
        Self(Arc::new(queues))
    }

    /// The queue of one controller.
    #[must_use]
    pub fn of(&self, controller: Controller) -> &WorkQueue<Key> {
        &self.0[controller as usize]
    }

    /// Asks for a run, see [`WorkQueue::add`].
    ///
    /// # Errors
    /// As there.
    pub fn add(&self, key: Key, priority: Priority, done: Option<Completion>) -> Result<(), AddError> {
        self.of(Controller::of(&key.subject)).add(key, priority, done)
    }

    /// Asks for a run later, see [`WorkQueue::add_after`].
    ///
    /// # Errors
    /// As there.
    pub fn add_after(&self, key: Key, delay: Duration, priority: Priority) -> Result<(), AddError> {
        self.of(Controller::of(&key.subject)).add_after(key, delay, priority)
    }

    /// See [`WorkQueue::shut_down`].
    pub fn shut_down(&self) {
        self.0.iter().for_each(WorkQueue::shut_down);
    }

    /// See [`WorkQueue::drained`].
    pub async fn drained(&self) {
        for queue in self.0.iter() {
            queue.drained().await;
        }
    }
}
