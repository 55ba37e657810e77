//! Runs of the families that run schema migrations, and the digests of the images that their services run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{Container, DesiredStatus, Task};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::Collector;
use super::convert::instant;
use super::ecs::LIST_CLUSTERS;
use super::migrations::family_of;
use super::pages::pages;
use super::tasks::{DESCRIBE_TASKS, LIST_TASKS, TASKS_A_CALL};
use super::{ec2, task_definition};
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{DeployedImage, MigrationFamily, RUNS_KEPT, Service, TaskRun};
use holdfast_core::model::snapshot::{Read, Snapshot};

/// The cluster of a task that was run without naming one.
const DEFAULT_CLUSTER: &str = "default";
/// Families times clusters, beside their services' own, up to which all clusters are looked in: each is two calls.
const MOST_ELSEWHERE: usize = 50;
/// Runs of a family whose revisions are read.
const REVISIONS_OF: usize = 3;
/// Tasks of a service that are asked for the digests of its images.
const TASKS_OF_SERVICE: i32 = 10;

/// Reads the runs of every family in `snapshot` that ECS still knows: in the clusters of its workload's services, and in
/// every other cluster where that is few calls.
pub(super) async fn runs(c: &Collector<'_>, snapshot: &mut Snapshot) {
    let Ok(families) = &snapshot.migrations else { return };
    if families.is_empty() {
        return;
    }
    let elsewhere = every_cluster(c, families.len()).await;
    let clusters: Vec<(String, Read<BTreeSet<String>>)> = families
        .values()
        .map(|f| (f.family.clone(), clusters(c, snapshot, f)))
        .collect();
    let at = snapshot.started_at;
    let read = stream::iter(clusters)
        .map(|(family, clusters)| {
            let elsewhere = &elsewhere;
            async move {
                let runs = match clusters {
                    Ok(own) => latest_runs(c, &family, &own, elsewhere).await,
                    Err(e) => Err(e),
                };
                (family, runs)
            }
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    let mut runs: BTreeMap<String, Read<Vec<Run>>> = read.into_iter().collect();
    groups(c, &mut runs).await;
    let mut revisions = BTreeSet::new();
    if let Ok(families) = &mut snapshot.migrations {
        for family in families.values_mut() {
            match runs.remove(&family.family) {
                Some(Ok(runs)) => {
                    for run in runs {
                        family.observe(seen(run.run, at));
                    }
                }
                Some(Err(e)) => family.unread = Some(e),
                None => {}
            }
            revisions.extend(family.runs.iter().take(REVISIONS_OF).map(|r| r.task_definition.clone()));
        }
    }
    // Which of its containers decide, only its own revision tells.
    revisions.retain(|arn| !snapshot.task_definitions.contains_key(arn));
    for arn in revisions {
        if let Ok(definition) = task_definition::read(c, &arn).await {
            snapshot.task_definitions.insert(arn, Ok(definition));
        }
    }
    digests(c, snapshot).await;
}

/// A run that does not say when it was created was at least there when it was seen.
fn seen(run: TaskRun, at: Timestamp) -> TaskRun {
    TaskRun {
        seen_at: run.started_at.is_none().then_some(at),
        ..run
    }
}

/// The names of all clusters, if to look in each for so many families is few calls; of none where they can't be listed.
async fn every_cluster(c: &Collector<'_>, families: usize) -> BTreeSet<String> {
    let listed = pages!(
        c,
        LIST_CLUSTERS,
        token => c.aws.ecs.list_clusters().max_results(100).set_next_token(token.clone()),
        cluster_arns,
        next_token
    );
    let listed = listed.unwrap_or_default();
    if listed.len() * families > MOST_ELSEWHERE {
        return BTreeSet::new();
    }
    let name = |arn: &String| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    listed.iter().map(name).collect()
}

/// The clusters that a family's tasks may have run in.
fn clusters(c: &Collector<'_>, snapshot: &Snapshot, family: &MigrationFamily) -> Read<BTreeSet<String>> {
    let prefix = &c.config.tag_prefix;
    let services = snapshot.services.as_ref().map_err(Arc::clone)?;
    let own = services
        .values()
        .filter(|s| s.tags.workload(prefix) == family.tags.workload(prefix));
    let mut found: BTreeSet<String> = own.map(|s| s.cluster.clone()).collect();
    if found.is_empty() {
        found.insert(DEFAULT_CLUSTER.to_owned());
    }
    Ok(found)
}

/// A run, and its network interfaces.
struct Run {
    run: TaskRun,
    interfaces: Vec<String>,
}

/// The latest tasks of a family that no service started, the newest first. What is elsewhere than in its own clusters may be
/// unreadable.
async fn latest_runs(
    c: &Collector<'_>,
    family: &str,
    own: &BTreeSet<String>,
    elsewhere: &BTreeSet<String>,
) -> Read<Vec<Run>> {
    let mut found: Vec<Run> = vec![];
    for cluster in own.union(elsewhere) {
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let runs = match list(c, family, cluster, &status).await {
                Ok(arns) => describe(c, family, cluster, &arns).await,
                Err(e) => Err(e),
            };
            match runs {
                Ok(runs) => found.extend(runs),
                // Without the cluster there are no tasks in it.
                Err(e) if is_absent(&e) || !own.contains(cluster) => {}
                Err(e) => return Err(e),
            }
        }
    }
    // Of those that tell no time, the one that is listed last counts as the newest.
    found.reverse();
    found.sort_by_key(|r| std::cmp::Reverse(r.run.started_at));
    found.truncate(RUNS_KEPT);
    Ok(found)
}

async fn describe(c: &Collector<'_>, family: &str, cluster: &str, arns: &[String]) -> Read<Vec<Run>> {
    let mut found = vec![];
    for chunk in arns.chunks(TASKS_A_CALL) {
        let request = c
            .aws
            .ecs
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(chunk.to_vec()));
        let answer = c.aws.call(DESCRIBE_TASKS, family, request.send()).await?;
        let tasks = answer.tasks.unwrap_or_default();
        found.extend(tasks.into_iter().filter_map(|t| run(t, family, cluster)));
    }
    Ok(found)
}

async fn list(c: &Collector<'_>, family: &str, cluster: &str, status: &DesiredStatus) -> Read<Vec<String>> {
    pages!(
        c,
        LIST_TASKS,
        token => c
            .aws
            .ecs
            .list_tasks()
            .cluster(cluster)
            .family(family)
            .desired_status(status.clone())
            .max_results(100)
            .set_next_token(token.clone()),
        task_arns,
        next_token
    )
}

fn run(t: Task, family: &str, cluster: &str) -> Option<Run> {
    let definition = t.task_definition_arn?;
    let of_service = t.group.is_some_and(|g| g.starts_with("service:"));
    // An emulator takes the family for a prefix.
    if of_service || family_of(&definition).map(|(f, _)| f) != Some(family) {
        return None;
    }
    let overrides = t.overrides.and_then(|o| o.container_overrides).unwrap_or_default();
    let containers = t.containers.unwrap_or_default();
    let named = |c: &Container| c.name.clone().unwrap_or_default();
    let details = t
        .attachments
        .unwrap_or_default()
        .into_iter()
        .flat_map(|a| a.details.unwrap_or_default());
    let details: Vec<(String, String)> = details.filter_map(|d| Some((d.name?, d.value?))).collect();
    let all = |name: &str| {
        let found: BTreeSet<&str> = details
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .collect();
        found.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let text = |t: Option<String>| t.filter(|t| !t.is_empty());
    Some(Run {
        interfaces: all("networkInterfaceId"),
        run: TaskRun {
            arn: t.task_arn?,
            cluster: cluster.to_owned(),
            task_definition: definition,
            last_status: t.last_status.unwrap_or_default(),
            started_at: t.created_at.or(t.started_at).as_ref().and_then(instant),
            stopped_at: t.stopped_at.as_ref().and_then(instant),
            stop_code: text(t.stop_code.map(|code| code.as_str().to_owned())),
            stopped_reason: text(t.stopped_reason),
            exit_codes: containers.iter().map(|c| (named(c), c.exit_code)).collect(),
            reasons: containers
                .iter()
                .filter_map(|c| Some((named(c), c.reason.clone().filter(|r| !r.is_empty())?)))
                .collect(),
            images: containers
                .iter()
                .filter_map(|c| Some((named(c), c.image.clone()?)))
                .collect(),
            digests: containers
                .iter()
                .filter_map(|c| Some((named(c), c.image_digest.clone().filter(|d| !d.is_empty())?)))
                .collect(),
            subnets: all("subnetId"),
            // What the command is, is not kept: it may hold anything.
            own_command: overrides
                .iter()
                .any(|o| o.command.as_ref().is_some_and(|c| !c.is_empty())),
            ..TaskRun::default()
        },
    })
}

/// Fills in the security groups of the interfaces that still exist.
async fn groups(c: &Collector<'_>, runs: &mut BTreeMap<String, Read<Vec<Run>>>) {
    let ids: BTreeSet<String> = runs
        .values()
        .filter_map(|r| r.as_ref().ok())
        .flatten()
        .flat_map(|r| r.interfaces.iter().cloned())
        .collect();
    if ids.is_empty() {
        return;
    }
    let read = ec2::groups_of_interfaces(c, &ids).await;
    for run in runs.values_mut().filter_map(|r| r.as_mut().ok()).flatten() {
        match &read {
            Err(e) => run.run.unread_groups = Some(Arc::clone(e)),
            Ok(found) => {
                let groups: BTreeSet<&String> =
                    run.interfaces.iter().filter_map(|id| found.get(id)).flatten().collect();
                run.run.security_groups = groups.into_iter().cloned().collect();
            }
        }
    }
}

/// The digests of the images that services run, for families whose newest run tells its own: a tag can be moved. All tasks
/// of a deployment run the same: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>.
async fn digests(c: &Collector<'_>, snapshot: &mut Snapshot) {
    let (Ok(families), Ok(services)) = (&snapshot.migrations, &snapshot.services) else {
        return;
    };
    let (prefix, now) = (&c.config.tag_prefix, snapshot.started_at);
    let told = families
        .values()
        .filter(|f| f.last_run().is_some_and(|r| !r.digests.is_empty()));
    let workloads: BTreeSet<&str> = told.filter_map(|f| f.tags.workload(prefix)).collect();
    let wanted: Vec<Service> = services
        .values()
        .filter(|s| s.tags.workload(prefix).is_some_and(|w| workloads.contains(w)))
        .cloned()
        .collect();
    let read = stream::iter(wanted)
        .map(|service| async move {
            let found = digests_of(c, &service, now).await;
            (service, found)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    let mut deployed: BTreeMap<String, Vec<DeployedImage>> = BTreeMap::new();
    for (service, found) in read {
        let images = found.into_iter().map(|(container, digest)| DeployedImage {
            service: service.arn.clone(),
            container,
            digest,
        });
        if let Some(workload) = service.tags.workload(prefix) {
            deployed.entry(workload.to_owned()).or_default().extend(images);
        }
    }
    if let Ok(families) = &mut snapshot.migrations {
        for family in families.values_mut() {
            let own = family.tags.workload(prefix).and_then(|w| deployed.get(w));
            family.deployed = own.cloned().unwrap_or_default();
        }
    }
}

/// The digests by container that the tasks of a service's primary deployment run, as far as they can be read and agree.
async fn digests_of(c: &Collector<'_>, service: &Service, now: Timestamp) -> BTreeMap<String, String> {
    let Some(deployment) = service.deployments.first() else {
        return BTreeMap::new();
    };
    if let Some(known) = c.cache.digests.get(&deployment.id, now) {
        return known;
    }
    let request = c
        .aws
        .ecs
        .list_tasks()
        .cluster(&service.cluster)
        .service_name(&service.name)
        .max_results(TASKS_OF_SERVICE);
    let Ok(listed) = c.aws.call(LIST_TASKS, &service.arn, request.send()).await else {
        return BTreeMap::new();
    };
    let arns = listed.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return BTreeMap::new();
    }
    let request = c
        .aws
        .ecs
        .describe_tasks()
        .cluster(&service.cluster)
        .set_tasks(Some(arns));
    let Ok(answer) = c.aws.call(DESCRIBE_TASKS, &service.arn, request.send()).await else {
        return BTreeMap::new();
    };
    let tasks = answer.tasks.unwrap_or_default();
    let own = tasks
        .iter()
        .filter(|t| t.started_by.as_deref() == Some(&deployment.id))
        .filter(|t| t.task_definition_arn.as_deref() == Some(&deployment.task_definition));
    let found = agreed(own.flat_map(|t| t.containers.iter().flatten()));
    if !found.is_empty() {
        c.cache.digests.put(deployment.id.clone(), found.clone(), now);
    }
    found
}

/// The digest of each container, where all tasks have the same.
fn agreed<'t>(containers: impl Iterator<Item = &'t Container>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for container in containers {
        if let (Some(name), Some(digest)) = (&container.name, &container.image_digest) {
            all.entry(name.clone()).or_default().insert(digest.clone());
        }
    }
    let one = |digests: BTreeSet<String>| digests.into_iter().next();
    let agreed = all.into_iter().filter(|(_, digests)| digests.len() == 1);
    agreed
        .filter_map(|(name, digests)| Some((name, one(digests)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{Attachment, ContainerOverride, KeyValuePair, TaskOverride, TaskStopCode};

    use super::*;

    const DEFINITION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3";

    fn task() -> Task {
        let detail = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let attachment = Attachment::builder()
            .r#type("ElasticNetworkInterface")
            .details(detail("subnetId", "subnet-1"))
            .details(detail("networkInterfaceId", "eni-1"))
            .build();
        let container = Container::builder()
            .name("migrate")
            .image("shop:1")
            .image_digest("sha256:aa")
            .exit_code(137);
        Task::builder()
            .task_arn("task/1")
            .task_definition_arn(DEFINITION)
            .group("family:shop-migrate")
            .last_status("STOPPED")
            .stop_code(TaskStopCode::EssentialContainerExited)
            .stopped_reason("")
            .containers(container.reason("OutOfMemoryError: killed").build())
            .attachments(attachment)
            .build()
    }

    #[test]
    fn a_task_is_reduced() {
        let Run { run, interfaces } = run(task(), "shop-migrate", "main").expect("of the family");
        assert_eq!(interfaces, ["eni-1"]);
        assert_eq!(run.subnets, ["subnet-1"]);
        assert_eq!(run.stop_code.as_deref(), Some("EssentialContainerExited"));
        assert_eq!(run.stopped_reason, None, "an empty text is none");
        assert_eq!(run.exit_codes["migrate"], Some(137));
        assert!(run.reasons["migrate"].starts_with("OutOfMemoryError"));
        assert_eq!(run.images["migrate"], "shop:1");
        assert_eq!(run.digests["migrate"], "sha256:aa");
        assert!(!run.own_command);
    }

    #[test]
    fn a_command_of_its_own_is_noticed_and_not_kept() {
        let mut started = task();
        let command = ContainerOverride::builder().name("migrate").command("hunter2").build();
        started.overrides = Some(TaskOverride::builder().container_overrides(command).build());
        let Run { run, .. } = run(started, "shop-migrate", "main").expect("of the family");
        assert!(run.own_command && !format!("{run:?}").contains("hunter2"));
    }

    #[test]
    fn digests_that_differ_are_not_known() {
        let container = |name: &str, digest: &str| Container::builder().name(name).image_digest(digest).build();
        let all = [
            container("web", "sha256:aa"),
            container("log", "sha256:aa"),
            container("web", "sha256:aa"),
            container("log", "sha256:bb"),
            Container::builder().name("bare").build(),
        ];
        assert_eq!(agreed(all.iter()), BTreeMap::from([("web".into(), "sha256:aa".into())]));
    }

    #[test]
    fn tasks_of_services_and_other_families_are_none() {
        assert!(run(task(), "shop", "main").is_none(), "a family is no prefix");
        let mut of_service = task();
        of_service.group = Some("service:shop".into());
        assert!(run(of_service, "shop-migrate", "main").is_none());
    }
}
