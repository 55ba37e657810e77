//! ECS services that carry the tag, with the revisions that they run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::ServiceField;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use futures::stream::{self, StreamExt};

use super::answer_fields::{Fields, KeepFields};
use super::collector::Collector;
use super::pages::pages;
use super::{service, service_deployments, task_definition, tasks};
use crate::client::{Api, Family};
use holdfast_core::model::resources::{Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError};

pub(super) const GET_RESOURCES: Api = Api {
    service: "tag",
    operation: "GetResources",
    family: Family::Tagging,
};
pub(super) const LIST_CLUSTERS: Api = Api {
    service: "ecs",
    operation: "ListClusters",
    family: Family::EcsDefinitions,
};
const LIST_SERVICES: Api = Api {
    service: "ecs",
    operation: "ListServices",
    family: Family::EcsServices,
};
pub(crate) const DESCRIBE_SERVICES: Api = Api {
    service: "ecs",
    operation: "DescribeServices",
    family: Family::EcsServices,
};
/// Most names that `DescribeServices` takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
const SERVICES_A_CALL: usize = 10;

/// What was found of the services.
pub(super) struct Found {
    pub found: Read<BTreeMap<String, Service>>,
    pub unread: BTreeMap<String, (String, Arc<ReadError>)>,
}

/// A service to be described: its ARN, its cluster's name, and its tags where they are known already.
#[derive(Debug, Clone)]
pub(super) struct Named {
    arn: String,
    cluster: String,
    workload: Option<String>,
}

type Definitions = BTreeMap<String, Read<Arc<TaskDefinition>>>;

/// All tagged services and the revisions that they run.
pub(super) async fn services(c: &Collector<'_>) -> (Found, Definitions) {
    match discover(c, None).await {
        Ok(named) => describe(c, named).await,
        Err(e) => not_found(e),
    }
}

/// Services that are known, and every other one of `workload`.
pub(super) async fn of_workload(c: &Collector<'_>, known: Vec<Named>, workload: &str) -> (Found, Definitions) {
    match discover(c, Some(workload)).await {
        Ok(found) => {
            let mut all: BTreeMap<String, Named> = found.into_iter().map(|n| (n.arn.clone(), n)).collect();
            all.extend(known.into_iter().map(|n| (n.arn.clone(), n)));
            describe(c, all.into_values().collect()).await
        }
        Err(e) => not_found(e),
    }
}

fn not_found(error: Arc<ReadError>) -> (Found, Definitions) {
    let nothing = Found {
        found: Err(error),
        unread: BTreeMap::new(),
    };
    (nothing, Definitions::new())
}

/// Finds tagged services, or those of one workload, by the tagging API, 100 a page; where that does not answer, by listing
/// every cluster.
async fn discover(c: &Collector<'_>, workload: Option<&str>) -> Read<Vec<Named>> {
    let key = format!("{}workload", c.config.tag_prefix);
    let filter = TagFilter::builder()
        .key(&key)
        .set_values(workload.map(|w| vec![w.to_owned()]))
        .build();
    let tagged = pages!(
        c,
        GET_RESOURCES,
        token => c
            .aws
            .tagging
            .get_resources()
            .resource_type_filters("ecs:service")
            .tag_filters(filter.clone())
            .resources_per_page(100)
            .set_pagination_token(token.clone()),
        resource_tag_mapping_list,
        pagination_token
    );
    let by_tag: Read<Option<Vec<Named>>> = tagged.map(|list| {
        list.into_iter()
            // An emulator may answer for every region at once.
            .filter(|r| r.resource_arn().is_some_and(|arn| is_of(arn, &c.aws.scope)))
            .map(|r| {
                let workload = r.tags().iter().find(|t| t.key() == key).map(|t| t.value().to_owned());
                named(&r.resource_arn?, workload)
            })
            .collect()
    });
    match by_tag {
        Ok(Some(named)) => Ok(named),
        // An ARN of the old form does not name the cluster.
        Ok(None) => list(c).await,
        Err(e) => {
            tracing::warn!(error = %e, "services are found by listing every cluster instead: that takes more calls");
            list(c).await
        }
    }
}

/// Cluster and service from an ARN: `arn:aws:ecs:region:account:service/cluster/name`.
pub(super) fn named(arn: &str, workload: Option<String>) -> Option<Named> {
    let mut parts = arn.split(':').nth(5)?.split('/');
    let (Some("service"), Some(cluster), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    Some(Named {
        arn: arn.to_owned(),
        cluster: cluster.to_owned(),
        workload,
    })
}

pub(super) fn is_of(arn: &str, scope: &holdfast_core::model::key::Scope) -> bool {
    let mut parts = arn.split(':').skip(3);
    parts.next() == Some(&scope.region) && parts.next() == Some(&scope.account)
}

async fn list(c: &Collector<'_>) -> Read<Vec<Named>> {
    let clusters = pages!(
        c,
        LIST_CLUSTERS,
        token => c.aws.ecs.list_clusters().max_results(100).set_next_token(token.clone()),
        cluster_arns,
        next_token
    )?;
    let lists = stream::iter(clusters)
        .map(|cluster| async move {
            let name = cluster.rsplit('/').next().unwrap_or(&cluster).to_owned();
            let arns = pages!(
                c,
                LIST_SERVICES,
                token => c.aws.ecs.list_services().cluster(&cluster).max_results(100).set_next_token(token.clone()),
                service_arns,
                next_token
            )?;
            Ok(arns
                .into_iter()
                .map(|arn| Named {
                    arn,
                    cluster: name.clone(),
                    workload: None,
                })
                .collect::<Vec<_>>())
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<Read<Vec<Named>>>>()
        .await;
    // One cluster that can't be listed may hold any workload's service: then the services are not known.
    let lists: Read<Vec<Vec<Named>>> = lists.into_iter().collect();
    Ok(lists?.into_iter().flatten().collect())
}

/// Describes services, ten a call, and the revisions that they run, each once.
pub(super) async fn describe(c: &Collector<'_>, named: Vec<Named>) -> (Found, Definitions) {
    let mut clusters: BTreeMap<&str, Vec<&Named>> = BTreeMap::new();
    for service in &named {
        clusters.entry(&service.cluster).or_default().push(service);
    }
    let batches: Vec<(String, Vec<Named>)> = clusters
        .into_iter()
        .flat_map(|(cluster, services)| {
            let chunks = services.chunks(SERVICES_A_CALL);
            chunks
                .map(|s| (cluster.to_owned(), s.iter().map(|n| (*n).clone()).collect()))
                .collect::<Vec<_>>()
        })
        .collect();
    c.progress.more(named.len());
    let seen: std::sync::Mutex<BTreeSet<String>> = std::sync::Mutex::default();
    let batches = stream::iter(batches)
        .map(|(cluster, batch)| {
            let seen = &seen;
            async move {
                let (services, unread) = describe_batch(c, &cluster, batch).await;
                // Revisions are read as soon as they are known, while other batches are still under way.
                let fresh: Vec<String> = {
                    let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let arns = services.iter().map(|s| s.task_definition.clone());
                    arns.filter(|arn| seen.insert(arn.clone())).collect()
                };
                let definitions = futures::future::join_all(
                    fresh
                        .into_iter()
                        .map(|arn| async move { (arn.clone(), task_definition::read(c, &arn).await) }),
                )
                .await;
                (services, unread, definitions)
            }
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    c.progress.done(named.len());
    let mut found = BTreeMap::new();
    let (mut unread, mut definitions) = (BTreeMap::new(), Definitions::new());
    let mut unread_untagged: Option<Arc<ReadError>> = None;
    for (services, failed, described) in batches {
        found.extend(services.into_iter().map(|s| (s.arn.clone(), s)));
        for (service, error) in failed {
            match service.workload {
                Some(workload) => {
                    unread.insert(service.arn, (workload, error));
                }
                // Its tag is not known, so it may be of any workload.
                None => unread_untagged = Some(error),
            }
        }
        definitions.extend(described);
    }
    (
        Found {
            found: unread_untagged.map_or(Ok(found), Err),
            unread,
        },
        definitions,
    )
}

impl Collector<'_> {
    /// One tagged service as it is now.
    ///
    /// # Errors
    /// The failed read.
    pub async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>> {
        let arn = self.aws.scope.arn("ecs", &format!("service/{cluster}/{service}"));
        let one = Named {
            arn,
            cluster: cluster.to_owned(),
            workload: None,
        };
        let (services, unread) = describe_batch(self, cluster, vec![one]).await;
        match unread.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(services.into_iter().next()),
        }
    }

    /// One revision as it is now; `None` if it was deleted.
    ///
    /// # Errors
    /// The failed read.
    pub async fn definition_if_any(&self, name: &str) -> Read<Option<Arc<TaskDefinition>>> {
        match task_definition::fetch(self, name).await {
            Ok(definition) => Ok(Some(definition)),
            Err(e) if task_definition::is_gone(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// One revision as it is now, or the newest active one of a family.
    ///
    /// # Errors
    /// The failed read.
    pub async fn definition(&self, name: &str) -> Read<Arc<TaskDefinition>> {
        task_definition::fetch(self, name).await
    }
}

async fn describe_batch(
    c: &Collector<'_>,
    cluster: &str,
    batch: Vec<Named>,
) -> (Vec<Service>, Vec<(Named, Arc<ReadError>)>) {
    let request = c
        .aws
        .ecs
        .describe_services()
        .cluster(cluster)
        .set_services(Some(batch.iter().map(|n| n.arn.clone()).collect()))
        .include(ServiceField::Tags);
    let kept = KeepFields::default();
    let request = request.customize().interceptor(kept.clone());
    let answer = match c.aws.call(DESCRIBE_SERVICES, cluster, request.send()).await {
        Ok(answer) => answer,
        Err(e) => return (vec![], batch.into_iter().map(|n| (n, Arc::clone(&e))).collect()),
    };
    let described = kept.take();
    let mut services = vec![];
    for (i, sdk) in answer.services.unwrap_or_default().into_iter().enumerate() {
        let unknown_fields = described.get("services").at(i).without(&Fields::of(&sdk));
        let Some(mut service) = service::reduce(sdk) else {
            continue;
        };
        if service.tags.workload(&c.config.tag_prefix).is_none() {
            continue;
        }
        service.unknown_fields = unknown_fields;
        service_deployments::add_progress(c, &mut service).await;
        if service.deployments.len() > 1 {
            match tasks::other_tasks(c, &service).await {
                Ok(others) => service.other_tasks = others,
                Err(e) => service.unread_tasks = Some(e),
            }
        }
        services.push(service);
    }
    let failed = answer.failures.unwrap_or_default().into_iter().filter_map(|f| {
        let reason = f.reason.unwrap_or_default();
        // Gone between the two calls.
        if reason == "MISSING" {
            return None;
        }
        let named = batch.iter().find(|n| f.arn.as_deref() == Some(&n.arn))?.clone();
        let message = format!("AWS says {reason} of {}; it is read again at the next sweep", named.arn);
        let error = c.aws.error(DESCRIBE_SERVICES, &named.arn, &reason, message);
        Some((named, error))
    });
    let failed = failed.collect();
    (services, failed)
}
