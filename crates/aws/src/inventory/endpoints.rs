//! Where host names of RDS lead that neither the list of instances nor that of clusters has. Only those are read that some
//! connection names: most scopes have none, and cost no call here.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{DbProxyEndpointTargetRole, DbProxyTarget, GlobalCluster, TargetType};
use futures::stream::{self, StreamExt};
use holdfast_core::facts::{HostForm, form};
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{DatabaseId, EndpointTarget, RdsEndpoint};
use holdfast_core::model::snapshot::Read;

use super::collector::Collector;
use super::pages::pages;
use crate::client::{Api, Family};

const fn api(operation: &'static str) -> Api {
    Api {
        service: "rds",
        operation,
        family: Family::RdsDescribe,
    }
}
const PROXIES: Api = api("DescribeDBProxies");
const PROXY_ENDPOINTS: Api = api("DescribeDBProxyEndpoints");
const PROXY_TARGETS: Api = api("DescribeDBProxyTargets");
const CLUSTER_ENDPOINTS: Api = api("DescribeDBClusterEndpoints");
const GLOBAL_CLUSTERS: Api = api("DescribeGlobalClusters");

/// Most that one page of any of them holds.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxies.html>
const PAGE: i32 = 100;

/// What is known of each host: where it leads, or that there is no such endpoint here.
pub(super) type Endpoints = BTreeMap<String, Read<Option<RdsEndpoint>>>;

/// Endpoints by their host.
type Found = BTreeMap<String, RdsEndpoint>;

/// Reads where each of `hosts` leads.
pub(super) async fn read(c: &Collector<'_>, hosts: BTreeSet<String>) -> Endpoints {
    let (mut own, mut added, mut custom, mut global) = (vec![], vec![], vec![], vec![]);
    for host in hosts {
        let list = match form(&host) {
            HostForm::Proxy => &mut own,
            HostForm::ProxyEndpoint => &mut added,
            HostForm::Custom => &mut custom,
            HostForm::Global => &mut global,
            HostForm::Instance(_) | HostForm::Cluster(_) | HostForm::Other => continue,
        };
        list.push(host);
    }
    let (proxied, custom, global) = tokio::join!(
        Box::pin(proxied(c, own, added)),
        Box::pin(async {
            let found = if custom.is_empty() {
                Ok(Found::new())
            } else {
                of_clusters(c).await
            };
            pick(custom, &found)
        }),
        Box::pin(async {
            let found = if global.is_empty() {
                Ok(Found::new())
            } else {
                of_global_clusters(c).await
            };
            pick(global, &found)
        }),
    );
    proxied.into_iter().chain(custom).chain(global).collect()
}

fn pick(hosts: Vec<String>, found: &Read<Found>) -> Endpoints {
    let of = |host: &String| found.as_ref().map(|all| all.get(host).cloned()).map_err(Clone::clone);
    hosts
        .into_iter()
        .map(|host| (of(&host), host))
        .map(|(e, h)| (h, e))
        .collect()
}

/// The proxy behind each host: its own endpoint, or one that someone added to it.
async fn proxied(c: &Collector<'_>, own: Vec<String>, added: Vec<String>) -> Endpoints {
    let (proxies, endpoints) = tokio::join!(
        Box::pin(async {
            if own.is_empty() {
                Ok(BTreeMap::new())
            } else {
                proxies(c).await
            }
        }),
        Box::pin(async {
            if added.is_empty() {
                Ok(BTreeMap::new())
            } else {
                proxy_endpoints(c).await
            }
        }),
    );
    let mut known: BTreeMap<String, Read<Option<Proxy>>> = BTreeMap::new();
    for (hosts, list) in [(own, proxies), (added, endpoints)] {
        for host in hosts {
            let proxy = list.as_ref().map(|all| all.get(&host).cloned()).map_err(Clone::clone);
            known.insert(host, proxy);
        }
    }
    let names: BTreeSet<String> = known.values().flatten().flatten().map(|p| p.name.clone()).collect();
    let targets: BTreeMap<String, Read<Vec<EndpointTarget>>> = stream::iter(names)
        .map(|name| async move {
            let targets = targets(c, &name).await;
            (name, targets)
        })
        .buffer_unordered(c.limit())
        .collect()
        .await;
    let lead = |proxy: Proxy| {
        let targets = targets.get(&proxy.name).cloned().unwrap_or_else(|| Ok(vec![]))?;
        Ok(RdsEndpoint {
            name: format!("RDS Proxy {}", proxy.name),
            read_only: proxy.read_only,
            targets,
        })
    };
    let read = |proxy: Read<Option<Proxy>>| proxy?.map(lead).transpose();
    known.into_iter().map(|(host, proxy)| (host, read(proxy))).collect()
}

/// A proxy, as one of its endpoints presents it.
#[derive(Debug, Clone)]
struct Proxy {
    name: String,
    read_only: bool,
}

async fn proxies(c: &Collector<'_>) -> Read<BTreeMap<String, Proxy>> {
    let found = pages!(
        c,
        PROXIES,
        marker => c.aws.rds.describe_db_proxies().max_records(PAGE).set_marker(marker.clone()),
        db_proxies,
        marker
    )?;
    let proxy = |name| Proxy { name, read_only: false };
    let named = found.into_iter().filter_map(|p| Some((p.endpoint?, p.db_proxy_name?)));
    Ok(named.map(|(host, name)| (host.to_lowercase(), proxy(name))).collect())
}

async fn proxy_endpoints(c: &Collector<'_>) -> Read<BTreeMap<String, Proxy>> {
    let found = pages!(
        c,
        PROXY_ENDPOINTS,
        marker => c.aws.rds.describe_db_proxy_endpoints().max_records(PAGE).set_marker(marker.clone()),
        db_proxy_endpoints,
        marker
    )?;
    let endpoints = found.into_iter().filter_map(|e| {
        let read_only = e.target_role == Some(DbProxyEndpointTargetRole::ReadOnly);
        Some((
            e.endpoint?.to_lowercase(),
            Proxy {
                name: e.db_proxy_name?,
                read_only,
            },
        ))
    });
    Ok(endpoints.collect())
}

/// The databases of a proxy. It has one target group, `default`, and that is what is listed where none is named.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RegisterDBProxyTargets.html>
async fn targets(c: &Collector<'_>, proxy: &str) -> Read<Vec<EndpointTarget>> {
    let found = pages!(
        c,
        PROXY_TARGETS,
        marker => c.aws.rds.describe_db_proxy_targets().db_proxy_name(proxy).max_records(PAGE).set_marker(marker.clone()),
        targets,
        marker
    )?;
    let targets: BTreeSet<EndpointTarget> = found.into_iter().filter_map(target).collect();
    Ok(targets.into_iter().collect())
}

/// Of an Aurora cluster the list has the cluster and its instances: all of them are the cluster.
fn target(t: DbProxyTarget) -> Option<EndpointTarget> {
    let is_instance = t.r#type == Some(TargetType::RdsInstance);
    let cluster = t.tracked_cluster_id.filter(|id| !id.is_empty());
    Some(EndpointTarget::Here(match (cluster, is_instance) {
        (Some(cluster), _) => DatabaseId::Cluster(cluster),
        (None, true) => DatabaseId::Instance(t.rds_resource_id?),
        (None, false) => DatabaseId::Cluster(t.rds_resource_id?),
    }))
}

async fn of_clusters(c: &Collector<'_>) -> Read<Found> {
    let found = pages!(
        c,
        CLUSTER_ENDPOINTS,
        marker => c.aws.rds.describe_db_cluster_endpoints().max_records(PAGE).set_marker(marker.clone()),
        db_cluster_endpoints,
        marker
    )?;
    let endpoints = found.into_iter().filter_map(|e| {
        let name = e.db_cluster_endpoint_identifier.unwrap_or_default();
        let endpoint = RdsEndpoint {
            name: format!("the custom endpoint {name}"),
            read_only: e.custom_endpoint_type.as_deref() == Some("READER"),
            targets: vec![EndpointTarget::Here(DatabaseId::Cluster(e.db_cluster_identifier?))],
        };
        Some((e.endpoint?.to_lowercase(), endpoint))
    });
    Ok(endpoints.collect())
}

async fn of_global_clusters(c: &Collector<'_>) -> Read<Found> {
    let found = pages!(
        c,
        GLOBAL_CLUSTERS,
        marker => c.aws.rds.describe_global_clusters().max_records(PAGE).set_marker(marker.clone()),
        global_clusters,
        marker
    )?;
    Ok(found.into_iter().filter_map(|g| global(g, &c.aws.scope)).collect())
}

fn global(g: GlobalCluster, scope: &Scope) -> Option<(String, RdsEndpoint)> {
    let members = g.global_cluster_members.unwrap_or_default();
    let arns = members.into_iter().filter_map(|m| m.db_cluster_arn);
    let endpoint = RdsEndpoint {
        name: format!(
            "the global database {}",
            g.global_cluster_identifier.unwrap_or_default()
        ),
        read_only: false,
        targets: arns.map(|arn| by_arn(arn, scope)).collect(),
    };
    Some((g.endpoint?.to_lowercase(), endpoint))
}

fn by_arn(arn: String, scope: &Scope) -> EndpointTarget {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts.as_slice() {
        [_, _, _, region, account, "cluster", id] if *region == scope.region && *account == scope.account => {
            EndpointTarget::Here(DatabaseId::Cluster((*id).to_owned()))
        }
        _ => EndpointTarget::Elsewhere(arn),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::GlobalClusterMember;

    use super::*;

    #[test]
    fn targets_of_proxies() {
        let cluster = |id: &str| Some(EndpointTarget::Here(DatabaseId::Cluster(id.into())));
        let build = DbProxyTarget::builder;
        let instance = build().r#type(TargetType::RdsInstance).rds_resource_id("shop-db");
        assert_eq!(
            target(instance.clone().build()),
            Some(EndpointTarget::Here(DatabaseId::Instance("shop-db".into())))
        );
        assert_eq!(
            target(instance.clone().tracked_cluster_id("fleet").build()),
            cluster("fleet")
        );
        assert_eq!(
            target(instance.tracked_cluster_id("").build()),
            Some(EndpointTarget::Here(DatabaseId::Instance("shop-db".into())))
        );
        let tracked = build().r#type(TargetType::TrackedCluster).rds_resource_id("fleet");
        assert_eq!(target(tracked.build()), cluster("fleet"));
        assert_eq!(target(build().r#type(TargetType::RdsInstance).build()), None);
    }

    #[test]
    fn members_of_global_databases() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let arns = [
            "arn:aws:rds:us-east-1:123456789012:cluster:fleet",
            "arn:aws:rds:eu-west-1:123456789012:cluster:fleet",
            "arn:aws:rds:us-east-1:999999999999:cluster:fleet",
        ];
        let member = |arn: &str| GlobalClusterMember::builder().db_cluster_arn(arn).build();
        let cluster = GlobalCluster::builder()
            .global_cluster_identifier("shop")
            .endpoint("Shop.global-abc.global.rds.amazonaws.com")
            .set_global_cluster_members(Some(arns.map(member).to_vec()));
        let (host, found) = global(cluster.build(), &scope).expect("an endpoint");
        assert_eq!(host, "shop.global-abc.global.rds.amazonaws.com");
        assert_eq!(
            found.targets,
            [
                EndpointTarget::Here(DatabaseId::Cluster("fleet".into())),
                EndpointTarget::Elsewhere(arns[1].into()),
                EndpointTarget::Elsewhere(arns[2].into()),
            ]
        );
        let old = GlobalCluster::builder().global_cluster_identifier("shop").build();
        assert!(
            global(old, &scope).is_none(),
            "one made before there were such endpoints"
        );
    }
}
