//! Which revisions a rollback of a service would choose, and how its newest deployment ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::types::{ServiceDeploymentBrief, ServiceDeploymentStatus};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::{service_deployments, task_definition};
use holdfast_core::facts::one_workload;
use holdfast_core::model::resources::{DeploymentHistory, Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, Snapshot};

/// Most service revisions that `DescribeServiceRevisions` takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html>
const REVISIONS_A_CALL: usize = 20;
/// How many revisions back one that may be rolled back to is looked for.
const REVISIONS_BACK: usize = 3;
/// How long unsafe targets are taken for granted: to describe them in each sweep would cost several calls a service.
const UNSAFE: Duration = Duration::from_hours(1);

/// What was found: targets by the service's ARN, the likeliest first, and the revisions themselves.
#[derive(Default)]
pub(super) struct Found {
    pub targets: BTreeMap<String, Read<Vec<String>>>,
    /// How the newest deployment ended, by the service's ARN.
    pub histories: BTreeMap<String, Read<DeploymentHistory>>,
    pub definitions: Vec<Arc<TaskDefinition>>,
}

type Targets = Read<Vec<Arc<TaskDefinition>>>;

/// What is asked of the deployments of services, by their ARNs.
pub(super) struct Asked<'a> {
    /// Which revisions would a rollback choose?
    pub targets: &'a BTreeSet<String>,
    /// How did the newest end?
    pub histories: &'a BTreeSet<String>,
}

/// What was asked. One list of a service's deployments answers both.
pub(super) async fn read(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    now: Timestamp,
    reuse: Reuse,
) -> Found {
    let is_asked = |s: &&Service| asked.targets.contains(&s.arn) || asked.histories.contains(&s.arn);
    let services = snapshot.services.iter().flat_map(|m| m.values());
    let services: Vec<Service> = services.filter(is_asked).cloned().collect();
    let read = stream::iter(services)
        .map(|service| async move {
            let answers = of_service(c, snapshot, &service, asked, now, reuse).await;
            (service.arn, answers)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<(String, (Option<Targets>, Option<Read<DeploymentHistory>>))>>()
        .await;
    let mut found = Found::default();
    for (service, (targets, history)) in read {
        if let Some(targets) = targets {
            let arns = targets.map(|definitions| {
                let arns = definitions.iter().map(|d| d.arn.clone()).collect();
                found.definitions.extend(definitions);
                arns
            });
            found.targets.insert(service.clone(), arns);
        }
        found.histories.extend(history.map(|history| (service, history)));
    }
    found
}

async fn of_service(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    service: &Service,
    asked: &Asked<'_>,
    now: Timestamp,
    reuse: Reuse,
) -> (Option<Targets>, Option<Read<DeploymentHistory>>) {
    let key = key(service);
    let known = key.as_ref().filter(|_| reuse == Reuse::Allowed);
    let mut targets = None;
    if let Some((read_at, arns)) = known.and_then(|key| c.cache.rollback_targets.get(key, now)) {
        targets = remembered(c, snapshot, service, (read_at, &arns), now).await.map(Ok);
    }
    let mut history = known.and_then(|key| c.cache.deployments.get(key, now)).map(Ok);
    let wants_targets = asked.targets.contains(&service.arn);
    let wants_history = asked.histories.contains(&service.arn);
    if (wants_targets && targets.is_none()) || (wants_history && history.is_none()) {
        let list = service_deployments::list(c, service).await;
        if wants_targets && targets.is_none() {
            targets = Some(match &list {
                Ok(list) => targets_of(c, service, list).await,
                Err(e) => Err(Arc::clone(e)),
            });
            if let (Some(key), Some(Ok(found))) = (&key, &targets) {
                let arns = found.iter().map(|d| d.arn.clone()).collect();
                c.cache.rollback_targets.put(key.clone(), (now, arns), now);
            }
        }
        if wants_history && history.is_none() {
            let read = match &list {
                Ok(list) => service_deployments::history(c, service, list).await,
                Err(e) => Err(Arc::clone(e)),
            };
            if let (Some(key), Ok(read)) = (&key, &read)
                && service_deployments::is_settled(read)
            {
                c.cache.deployments.put(key.clone(), read.clone(), now);
            }
            history = Some(read);
        }
    }
    (targets.filter(|_| wants_targets), history.filter(|_| wants_history))
}

/// What tells that no deployment has come since: where ECS goes back, the deployment before may become the primary one
/// again under its old id. While two are under way, what is read is of a moment.
fn key(service: &Service) -> Option<String> {
    let [only] = service.deployments.as_slice() else {
        return None;
    };
    let changed = match (&service.service_deployment, only.updated_at) {
        (Some(arn), _) => arn.clone(),
        (None, Some(at)) => at.to_string(),
        (None, None) => String::new(),
    };
    Some(format!("{} {changed}", only.id))
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
async fn targets_of(c: &Collector<'_>, service: &Service, list: &[ServiceDeploymentBrief]) -> Targets {
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
    for arn in earlier(c, service, list)
        .await?
        .iter()
        .filter(|arn| !under_way.contains(arn))
    {
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
async fn earlier(c: &Collector<'_>, service: &Service, list: &[ServiceDeploymentBrief]) -> Read<Vec<String>> {
    let mut revisions: Vec<String> = vec![];
    // Successful ones: what ECS's circuit breaker goes back to, and what a person does.
    let successful = list
        .iter()
        .filter(|d| d.status() == Some(&ServiceDeploymentStatus::Successful));
    for arn in successful.filter_map(|d| d.target_service_revision_arn()) {
        if !revisions.iter().any(|known| known == arn) {
            revisions.push(arn.to_owned());
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
    let answer = c
        .aws
        .call(service_deployments::REVISIONS, &service.arn, request.send())
        .await?;
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
        Err(e) if task_definition::is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
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
