//! The calls that read tasks, which several files make.

use crate::client::{Api, Family};

pub(super) const LIST_TASKS: Api = Api {
    service: "ecs",
    operation: "ListTasks",
    family: Family::EcsTasks,
};
pub(super) const DESCRIBE_TASKS: Api = Api {
    service: "ecs",
    operation: "DescribeTasks",
    family: Family::EcsTasks,
};

/// Most tasks that `DescribeTasks` takes.
pub(super) const TASKS_A_CALL: usize = 100;
