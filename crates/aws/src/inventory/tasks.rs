//! Tasks of services.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::Task;
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

/// The tasks of a service that run.
pub(super) async fn running_tasks(c: &Collector<'_>, service: &Service) -> Read<Vec<Task>> {
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
    let mut running = vec![];
    for chunk in arns.chunks(TASKS_A_CALL) {
        let request = c.aws.ecs.describe_tasks().cluster(&service.cluster);
        let request = request.set_tasks(Some(chunk.to_vec()));
        let answer = c.aws.call(DESCRIBE_TASKS, &service.arn, request.send()).await?;
        let tasks = answer.tasks.unwrap_or_default().into_iter();
        running.extend(tasks.filter(|task| task.last_status.as_deref() == Some("RUNNING")));
    }
    Ok(running)
}

/// Running tasks of revisions other than the primary's.
pub(super) async fn other_tasks(c: &Collector<'_>, service: &Service) -> Read<BTreeMap<String, i32>> {
    let revisions = running_tasks(c, service)
        .await?
        .into_iter()
        .filter_map(|t| t.task_definition_arn);
    let mut others = BTreeMap::new();
    for revision in revisions.filter(|revision| *revision != service.task_definition) {
        *others.entry(revision).or_default() += 1;
    }
    Ok(others)
}
