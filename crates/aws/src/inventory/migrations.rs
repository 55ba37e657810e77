//! Families of task definitions that run schema migrations, and the last run of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{Container, DesiredStatus, Task};
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use futures::stream::{self, StreamExt};

use super::collector::Collector;
use super::convert::{instant, tags};
use super::ecs::{GET_RESOURCES, is_of};
use super::pages::pages;
use super::tasks::{DESCRIBE_TASKS, LIST_TASKS, TASKS_A_CALL};
use super::{ec2, task_definition};
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{MigrationFamily, TaskDefinition, TaskRun};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};
use holdfast_core::model::tags::Tags;

/// The rules that evaluate them.
const RULES: &[&str] = &["migration-failed", "migration-drift", "migration-missing"];
/// How many revisions back one that is not deregistered is looked for.
const REVISIONS_BACK: usize = 3;
/// The cluster of a task that was run without naming one.
const DEFAULT_CLUSTER: &str = "default";

/// Families by name, and their newest tagged revisions by ARN.
pub(super) struct Found {
    pub families: Read<BTreeMap<String, MigrationFamily>>,
    pub definitions: BTreeMap<String, Read<Arc<TaskDefinition>>>,
}

impl Found {
    fn new(families: Read<BTreeMap<String, MigrationFamily>>) -> Self {
        Self {
            families,
            definitions: BTreeMap::new(),
        }
    }
}

fn is_evaluated(c: &Collector<'_>) -> bool {
    RULES
        .iter()
        .any(|rule| holdfast_core::rules::settings::is_enabled_id(rule, c.config))
}

/// Every family with a revision tagged `holdfast:role=migration` and a workload, without its runs. Nothing else finds
/// them: to describe each family of the account would take a call for each.
pub(super) async fn discover(c: &Collector<'_>) -> Found {
    if !is_evaluated(c) {
        return Found::new(Ok(BTreeMap::new()));
    }
    let key = format!("{}role", c.config.tag_prefix);
    let filter = TagFilter::builder().key(key).values("migration").build();
    let tagged = pages!(
        c,
        GET_RESOURCES,
        token => c
            .aws
            .tagging
            .get_resources()
            .resource_type_filters("ecs:task-definition")
            .tag_filters(filter.clone())
            .resources_per_page(100)
            .set_pagination_token(token.clone()),
        resource_tag_mapping_list,
        pagination_token
    );
    match tagged {
        Err(e) => Found::new(Err(e)),
        Ok(tagged) => {
            let families = by_family(tagged.into_iter().filter_map(|r| revision(c, &r)));
            newest(c, families).await
        }
    }
}

/// One tagged revision.
struct Revision {
    family: String,
    number: i32,
    arn: String,
    tags: Tags,
}

fn revision(c: &Collector<'_>, r: &ResourceTagMapping) -> Option<Revision> {
    let arn = r.resource_arn().filter(|arn| is_of(arn, &c.aws.scope))?;
    let (family, number) = family_of(arn)?;
    let tags = tags(r.tags().iter().map(|t| (Some(t.key()), Some(t.value()))));
    // A family without an owner belongs to no workload.
    tags.workload(&c.config.tag_prefix)?;
    Some(Revision {
        family: family.to_owned(),
        number,
        arn: arn.to_owned(),
        tags,
    })
}

/// `NAME` and `3` of `...:task-definition/NAME:3`.
fn family_of(arn: &str) -> Option<(&str, i32)> {
    let (family, number) = arn.rsplit_once('/')?.1.split_once(':')?;
    Some((family, number.parse().ok()?))
}

/// Revisions by family, the newest first.
fn by_family(revisions: impl Iterator<Item = Revision>) -> BTreeMap<String, Vec<Revision>> {
    let mut families: BTreeMap<String, Vec<Revision>> = BTreeMap::new();
    for revision in revisions {
        families.entry(revision.family.clone()).or_default().push(revision);
    }
    for list in families.values_mut() {
        list.sort_by_key(|r| std::cmp::Reverse(r.number));
    }
    families
}

/// The newest revision of each family that is not deregistered. The tagging API lists those that are.
async fn newest(c: &Collector<'_>, families: BTreeMap<String, Vec<Revision>>) -> Found {
    let read = stream::iter(families.into_values())
        .map(|revisions| async move {
            for revision in revisions.into_iter().take(REVISIONS_BACK) {
                let definition = task_definition::read(c, &revision.arn).await;
                if definition.as_ref().is_ok_and(|d| !d.active) || definition.as_ref().is_err_and(|e| is_gone(e)) {
                    continue;
                }
                return Some((revision, definition));
            }
            None
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    let mut found = Found::new(Ok(BTreeMap::new()));
    for (revision, definition) in read.into_iter().flatten() {
        add(&mut found, revision.family, revision.arn, revision.tags, definition);
    }
    found
}

fn add(found: &mut Found, family: String, revision: String, tags: Tags, definition: Read<Arc<TaskDefinition>>) {
    found.definitions.insert(revision.clone(), definition);
    let entry = MigrationFamily {
        family: family.clone(),
        revision,
        tags,
        ..MigrationFamily::default()
    };
    if let Ok(families) = &mut found.families {
        families.insert(family, entry);
    }
}

/// ECS answers so for a revision that was deleted, and for a family without an active one.
fn is_gone(error: &ReadError) -> bool {
    error.code == "ClientException"
}

/// The families of these names, without their runs; what is no longer one is left out. Of those in `known` the
/// revision seen last counts where a newer one is not tagged.
pub(super) async fn refresh(
    c: &Collector<'_>,
    names: &BTreeSet<String>,
    known: &Read<CowMap<String, MigrationFamily>>,
) -> Found {
    let mut found = Found::new(Ok(BTreeMap::new()));
    if !is_evaluated(c) {
        return found;
    }
    let prefix = &c.config.tag_prefix;
    for name in names {
        let before = known.as_ref().ok().and_then(|k| k.get(name));
        for reference in std::iter::once(name.clone()).chain(before.map(|f| f.revision.clone())) {
            match task_definition::fetch(c, &reference).await {
                Ok(d) if d.active && d.tags.get(prefix, "role") == Some("migration") => {
                    if d.tags.workload(prefix).is_some() {
                        add(&mut found, name.clone(), d.arn.clone(), d.tags.clone(), Ok(d));
                    }
                    break;
                }
                Ok(_) => {}
                Err(e) if is_gone(&e) => {}
                // What it is now is unknown: keep what was known of it.
                Err(e) => {
                    if let Some(f) = before {
                        add(&mut found, name.clone(), f.revision.clone(), f.tags.clone(), Err(e));
                    } else {
                        found.families = Err(e);
                    }
                    break;
                }
            }
        }
    }
    found
}

/// Reads the last run of every family in `snapshot`, in the clusters of its workload's services.
pub(super) async fn runs(c: &Collector<'_>, snapshot: &mut Snapshot) {
    let Ok(families) = &snapshot.migrations else { return };
    let clusters: Vec<(String, Read<BTreeSet<String>>)> = families
        .values()
        .map(|f| (f.family.clone(), clusters(c, snapshot, f)))
        .collect();
    let read = stream::iter(clusters)
        .map(|(family, clusters)| async move {
            let run = match clusters {
                Ok(clusters) => last_run(c, &family, &clusters).await,
                Err(e) => Err(e),
            };
            (family, run)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    let mut runs: BTreeMap<String, Read<Option<Run>>> = read.into_iter().collect();
    groups(c, &mut runs).await;
    let mut revisions = BTreeSet::new();
    if let Ok(families) = &mut snapshot.migrations {
        for family in families.values_mut() {
            match runs.remove(&family.family) {
                Some(Ok(run)) => family.last_run = run.map(|r| r.run),
                Some(Err(e)) => family.unread = Some(e),
                None => {}
            }
            revisions.extend(family.last_run.iter().map(|r| r.task_definition.clone()));
        }
    }
    // Which of its containers are essential, only its own revision tells.
    revisions.retain(|arn| !snapshot.task_definitions.contains_key(arn));
    for arn in revisions {
        if let Ok(definition) = task_definition::read(c, &arn).await {
            snapshot.task_definitions.insert(arn, Ok(definition));
        }
    }
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

/// The newest task of a family that no service started.
async fn last_run(c: &Collector<'_>, family: &str, clusters: &BTreeSet<String>) -> Read<Option<Run>> {
    let mut newest: Option<Run> = None;
    for cluster in clusters {
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let arns = match list(c, family, cluster, &status).await {
                Ok(arns) => arns,
                // Without the cluster there are no tasks in it.
                Err(e) if is_absent(&e) => continue,
                Err(e) => return Err(e),
            };
            for chunk in arns.chunks(TASKS_A_CALL) {
                let request = c
                    .aws
                    .ecs
                    .describe_tasks()
                    .cluster(cluster)
                    .set_tasks(Some(chunk.to_vec()));
                let answer = c.aws.call(DESCRIBE_TASKS, family, request.send()).await?;
                let tasks = answer.tasks.unwrap_or_default();
                for run in tasks.into_iter().filter_map(|t| run(t, family, cluster)) {
                    if newest.as_ref().is_none_or(|n| n.run.started_at <= run.run.started_at) {
                        newest = Some(run);
                    }
                }
            }
        }
    }
    Ok(newest)
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
            subnets: all("subnetId"),
            security_groups: vec![],
            unread_groups: None,
        },
    })
}

/// Fills in the security groups of the interfaces that still exist.
async fn groups(c: &Collector<'_>, runs: &mut BTreeMap<String, Read<Option<Run>>>) {
    let ids: BTreeSet<String> = runs
        .values()
        .filter_map(|r| r.as_ref().ok()?.as_ref())
        .flat_map(|r| r.interfaces.iter().cloned())
        .collect();
    if ids.is_empty() {
        return;
    }
    let read = ec2::groups_of_interfaces(c, &ids).await;
    for run in runs.values_mut().filter_map(|r| r.as_mut().ok()?.as_mut()) {
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

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{Attachment, KeyValuePair, TaskStopCode};

    use super::*;

    const DEFINITION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3";

    fn task() -> Task {
        let detail = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let attachment = Attachment::builder()
            .r#type("ElasticNetworkInterface")
            .details(detail("subnetId", "subnet-1"))
            .details(detail("networkInterfaceId", "eni-1"))
            .build();
        let container = Container::builder().name("migrate").image("shop:1").exit_code(137);
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
    }

    #[test]
    fn tasks_of_services_and_other_families_are_none() {
        assert!(run(task(), "shop", "main").is_none(), "a family is no prefix");
        let mut of_service = task();
        of_service.group = Some("service:shop".into());
        assert!(run(of_service, "shop-migrate", "main").is_none());
    }

    #[test]
    fn revisions_are_numbers() {
        assert_eq!(family_of(DEFINITION), Some(("shop-migrate", 3)));
        assert_eq!(family_of("task-definition/shop"), None);
        let revision = |number| Revision {
            family: "f".into(),
            number,
            arn: String::new(),
            tags: Tags::default(),
        };
        let families = by_family([2, 10, 9].into_iter().map(revision));
        assert_eq!(families["f"].iter().map(|r| r.number).collect::<Vec<_>>(), [10, 9, 2]);
    }
}
