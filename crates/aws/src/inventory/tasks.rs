//! Tasks of services.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::TaskField;
use holdfast_core::model::resources::Service;
use holdfast_core::model::snapshot::Read;

use super::collector::Collector;
use super::pages::pages;
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

/// Running tasks of revisions other than the primary's.
pub(super) async fn other_tasks(c: &Collector<'_>, service: &Service) -> Read<BTreeMap<String, i32>> {
    let arns = pages!(
        c,
        LIST_TASKS,
        token => c
            .aws
            .ecs
            .list_tasks()
            .cluster(&service.cluster)
            .service_name(&service.name)
            .max_results(100)
            .set_next_token(token.clone()),
        task_arns,
        next_token
    )?;
    let mut others = BTreeMap::new();
    for chunk in arns.chunks(TASKS_A_CALL) {
        let request = c
            .aws
            .ecs
            .describe_tasks()
            .cluster(&service.cluster)
            .set_tasks(Some(chunk.to_vec()))
            .include(TaskField::Tags);
        let answer = c.aws.call(DESCRIBE_TASKS, &service.arn, request.send()).await?;
        for task in answer.tasks.unwrap_or_default() {
            let Some(revision) = task.task_definition_arn else {
                continue;
            };
            if revision != service.task_definition && task.last_status.as_deref() == Some("RUNNING") {
                *others.entry(revision).or_default() += 1;
            }
        }
    }
    Ok(others)
}
