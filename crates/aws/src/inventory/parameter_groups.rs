//! The customer's own parameter groups, as far as TLS goes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::Parameter;
use futures::stream::{self, StreamExt};

use super::collector::Collector;
use super::pages::pages;
use super::rds::rds_tags;
use crate::client::{Api, Family};
use holdfast_core::model::resources::ParameterGroup;
use holdfast_core::model::snapshot::Read;

const fn api(operation: &'static str) -> Api {
    Api {
        service: "rds",
        operation,
        family: Family::RdsDescribe,
    }
}
const PARAMETERS: Api = api("DescribeDBParameters");
const CLUSTER_PARAMETERS: Api = api("DescribeDBClusterParameters");
const TAGS: Api = api("ListTagsForResource");

/// Most that one page holds.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html>
const PAGE: i32 = 100;
const FORCE_SSL: &str = "rds.force_ssl";

/// Reads each of `groups`: whether it is one of clusters, and its name.
pub(super) async fn read(
    c: &Collector<'_>,
    groups: &BTreeSet<(bool, String)>,
) -> BTreeMap<(bool, String), Read<ParameterGroup>> {
    let reads = stream::iter(groups.iter().cloned()).map(|(of_cluster, name)| async move {
        let group = Box::pin(group(c, of_cluster, &name)).await;
        ((of_cluster, name), group)
    });
    reads.buffer_unordered(c.limit()).collect().await
}

async fn group(c: &Collector<'_>, of_cluster: bool, name: &str) -> Read<ParameterGroup> {
    let set = if of_cluster {
        set_in_cluster_group(c, name).await?
    } else {
        set_in_group(c, name).await?
    };
    let force_ssl = set
        .into_iter()
        .find(|p| p.parameter_name() == Some(FORCE_SSL))
        .and_then(|p| p.parameter_value);
    // Tags say whether a correction may be made: of a group that forces TLS, nobody asks.
    let tags = if force_ssl.as_deref() == Some("1") {
        rds_tags(None)
    } else {
        let kind = if of_cluster { "cluster-pg" } else { "pg" };
        let arn = c.aws.scope.arn("rds", &format!("{kind}:{name}"));
        c.progress.more(1);
        let request = c.aws.rds.list_tags_for_resource().resource_name(&arn);
        let listed = c.aws.call(TAGS, &arn, request.send()).await;
        c.progress.done(1);
        rds_tags(listed?.tag_list.as_deref())
    };
    Ok(ParameterGroup {
        name: name.to_owned(),
        of_cluster,
        force_ssl,
        tags,
    })
}

/// What a person has set: a group knows hundreds of parameters, most of them the engine's.
async fn set_in_group(c: &Collector<'_>, name: &str) -> Read<Vec<Parameter>> {
    pages!(
        c,
        PARAMETERS,
        marker => c
            .aws
            .rds
            .describe_db_parameters()
            .db_parameter_group_name(name)
            .source("user")
            .max_records(PAGE)
            .set_marker(marker.clone()),
        parameters,
        marker
    )
}

async fn set_in_cluster_group(c: &Collector<'_>, name: &str) -> Read<Vec<Parameter>> {
    pages!(
        c,
        CLUSTER_PARAMETERS,
        marker => c
            .aws
            .rds
            .describe_db_cluster_parameters()
            .db_cluster_parameter_group_name(name)
            .source("user")
            .max_records(PAGE)
            .set_marker(marker.clone()),
        parameters,
        marker
    )
}
