//! Which revisions a rollback of a service would choose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::types::{ServiceDeploymentBrief, ServiceDeploymentStatus};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::task_definition;
use crate::client::{Api, Family};
use holdfast_core::facts::one_workload;
use holdfast_core::model::resources::{Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};

const fn api(operation: &'static str) -> Api {
    Api {
        service: "ecs",
        operation,
        family: Family::EcsDeployments,
    }
}
const LIST: Api = api("ListServiceDeployments");
const REVISIONS: Api = api("DescribeServiceRevisions");

/// Most service revisions that `DescribeServiceRevisions` takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>
const REVISIONS_A_CALL: usize = 20;
/// How many deployments are asked for: far more than are looked at, since most deploy one revision again.
const DEPLOYMENTS: i32 = 100;
/// How many revisions back one that may be rolled back to is looked for.
const REVISIONS_BACK: usize = 3;
/// How long unsafe targets are taken for granted: to describe them in each sweep would cost several calls a service.
const UNSAFE: Duration = Duration::from_hours(1);
/// `ListServiceDeployments` is younger than some endpoints that stand in for AWS: it is not worth four attempts.
const ATTEMPTS: u32 = 2;

/// What was found: targets by the service's ARN, the likeliest first, and the revisions themselves.
#[derive(Default)]
pub(super) struct Found {
    pub targets: BTreeMap<String, Read<Vec<String>>>,
    pub definitions: Vec<Arc<TaskDefinition>>,
}

type Targets = Read<Vec<Arc<TaskDefinition>>>;

/// The rollback targets of the services in `asked`.
pub(super) async fn rollback_targets(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    asked: &BTreeSet<String>,
    now: Timestamp,
    reuse: Reuse,
) -> Found {
    let services: Vec<Service> = snapshot
        .services
        .iter()
        .flat_map(|m| m.values())
        .filter(|s| asked.contains(&s.arn))
        .cloned()
        .collect();
    let read = stream::iter(services)
        .map(|service| async move {
            let targets = of_service(c, snapshot, &service, now, reuse).await;
            (service.arn, targets)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<(String, Targets)>>()
        .await;
    let mut found = Found::default();
    for (service, targets) in read {
        let arns = targets.map(|definitions| {
            let arns = definitions.iter().map(|d| d.arn.clone()).collect();
            found.definitions.extend(definitions);
            arns
        });
        found.targets.insert(service, arns);
    }
    found
}

async fn of_service(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    service: &Service,
    now: Timestamp,
    reuse: Reuse,
) -> Targets {
    // While two deployments are under way, the targets are those of a moment.
    let key = match service.deployments.as_slice() {
        [only] => Some(only.id.clone()),
        _ => None,
    };
    if let (Some(key), Reuse::Allowed) = (&key, reuse)
        && let Some((read_at, known)) = c.cache.rollback_targets.get(key, now)
        && let Some(targets) = remembered(c, snapshot, service, (read_at, &known), now).await
    {
        return Ok(targets);
    }
    let targets = read(c, service).await?;
    if let Some(key) = key {
        let arns = targets.iter().map(|d| d.arn.clone()).collect();
        c.cache.rollback_targets.put(key, (now, arns), now);
    }
    Ok(targets)
}

/// What was read before, unless one of it is unsafe and was read some time ago: someone may have deregistered it since,
/// and that must show.
async fn remembered(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    service: &Service,
    (read_at, known): (Timestamp, &[String]),
    now: Timestamp,
) -> Option<Vec<Arc<TaskDefinition>>> {
    let workload = service.tags.workload(&c.config.tag_prefix)?;
    let mut targets = vec![];
    for arn in known {
        let definition = task_definition::read(c, arn).await.ok()?;
        let w = one_workload(workload, snapshot, c.config, now);
        if read_at + UNSAFE <= now
            && w.data_of(service, &definition)
                .loses_data(&service.task_definition)
                .is_some()
        {
            return None;
        }
        targets.push(definition);
    }
    Some(targets)
}

/// Revisions of deployments that are still under way, then the last one that was deployed before the running one.
async fn read(c: &Collector<'_>, service: &Service) -> Targets {
    let under_way: Vec<String> = distinct(
        service,
        service
            .deployments
            .iter()
            .skip(1)
            .filter(|d| d.status == "ACTIVE")
            .map(|d| d.task_definition.clone()),
    );
    let mut targets = vec![];
    for arn in &under_way {
        targets.extend(active(c, arn).await?);
    }
    for arn in earlier(c, service).await?.iter().filter(|arn| !under_way.contains(arn)) {
        if let Some(definition) = active(c, arn).await? {
            targets.push(definition);
            break;
        }
    }
    Ok(targets)
}

/// Revisions that were deployed before, the latest first. ECS keeps service deployments for 90 days; where it knows of
/// none, the preceding revisions of the family.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>
async fn earlier(c: &Collector<'_>, service: &Service) -> Read<Vec<String>> {
    let mut deployments = list(c, service).await?;
    deployments.sort_by_key(|d| std::cmp::Reverse(d.created_at.map(|at| at.secs())));
    let mut revisions: Vec<String> = vec![];
    for arn in deployments.into_iter().filter_map(|d| d.target_service_revision_arn) {
        if !revisions.contains(&arn) {
            revisions.push(arn);
        }
    }
    revisions.truncate(REVISIONS_A_CALL);
    match (revisions.as_slice(), service.deployments.as_slice()) {
        ([], _) => return Ok(preceding(&service.task_definition)),
        // The only one that was ever deployed is the one that runs.
        ([_], [_]) => return Ok(vec![]),
        _ => {}
    }
    let request = c
        .aws
        .ecs
        .describe_service_revisions()
        .set_service_revision_arns(Some(revisions.clone()));
    let answer = c.aws.call(REVISIONS, &service.arn, request.send()).await?;
    let described: BTreeMap<String, String> = answer
        .service_revisions
        .unwrap_or_default()
        .into_iter()
        .filter_map(|r| Some((r.service_revision_arn?, r.task_definition?)))
        .collect();
    let definitions = revisions.iter().filter_map(|r| described.get(r).cloned());
    let mut found = distinct(service, definitions);
    found.truncate(REVISIONS_BACK);
    Ok(found)
}

/// Successful deployments: what ECS's circuit breaker goes back to, and what a person does.
async fn list(c: &Collector<'_>, service: &Service) -> Read<Vec<ServiceDeploymentBrief>> {
    c.progress.more(1);
    let retries = aws_sdk_ecs::config::Builder::new().retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    let request = c
        .aws
        .ecs
        .list_service_deployments()
        .cluster(&service.cluster)
        .service(&service.arn)
        .status(ServiceDeploymentStatus::Successful)
        .max_results(DEPLOYMENTS)
        .customize()
        .config_override(retries);
    let answer = c.aws.call(LIST, &service.arn, request.send()).await;
    c.progress.done(1);
    Ok(answer?.service_deployments.unwrap_or_default())
}

/// The revisions before this one, the nearest first.
fn preceding(running: &str) -> Vec<String> {
    let parsed = running
        .rsplit_once(':')
        .and_then(|(family, revision)| Some((family, revision.parse::<i32>().ok()?)));
    let Some((family, revision)) = parsed else {
        return vec![];
    };
    let before = (1..revision).rev().take(REVISIONS_BACK);
    before.map(|r| format!("{family}:{r}")).collect()
}

/// Each once, in order, without the running one.
fn distinct(service: &Service, arns: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for arn in arns.filter(|arn| !arn.is_empty() && *arn != service.task_definition) {
        if !found.contains(&arn) {
            found.push(arn);
        }
    }
    found
}

/// The revision, if a service can still be given it.
async fn active(c: &Collector<'_>, arn: &str) -> Read<Option<Arc<TaskDefinition>>> {
    match task_definition::read_fresh(c, arn).await {
        Ok(definition) => Ok(definition.active.then_some(definition)),
        Err(e) if is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// ECS answers so for a revision that was deleted.
fn is_gone(error: &ReadError) -> bool {
    error.code == "ClientException"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revisions_before() {
        let arn = |r| format!("arn:aws:ecs:us-east-1:123456789012:task-definition/shop:{r}");
        assert_eq!(preceding(&arn(5)), [arn(4), arn(3), arn(2)]);
        assert_eq!(preceding(&arn(2)), [arn(1)]);
        assert!(preceding(&arn(1)).is_empty());
        assert!(preceding("shop").is_empty());
    }

    #[test]
    fn each_once_and_not_the_running_one() {
        let service = Service {
            task_definition: "shop:3".into(),
            ..Service::default()
        };
        let arns = ["shop:3", "shop:2", "", "shop:2", "shop:1"].map(str::to_owned);
        assert_eq!(distinct(&service, arns.into_iter()), ["shop:2", "shop:1"]);
    }
}
