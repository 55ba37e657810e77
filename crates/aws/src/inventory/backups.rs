//! Snapshots of databases. Read by `checklist` alone: a sweep has no use for them.

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot};

use super::{Collector, instant, pages};
use crate::client::{Api, Family};
use holdfast_core::model::resources::Backup;
use holdfast_core::model::resources::DatabaseId;
use holdfast_core::model::snapshot::Read;

const INSTANCES: Api = Api {
    service: "rds",
    operation: "DescribeDBSnapshots",
    family: Family::RdsDescribe,
};
const CLUSTERS: Api = Api {
    service: "rds",
    operation: "DescribeDBClusterSnapshots",
    family: Family::RdsDescribe,
};
/// Most that one page holds. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>
const PAGE: i32 = 100;

/// The snapshots of `databases`, the newest first.
///
/// # Errors
/// The first that kept any of them from being read.
pub async fn backups(c: &Collector<'_>, databases: &[DatabaseId]) -> Read<Vec<Backup>> {
    let mut all = vec![];
    for database in databases {
        all.extend(match database {
            DatabaseId::Instance(id) => {
                let found = pages!(
                    c,
                    INSTANCES,
                    marker => c.aws.rds.describe_db_snapshots().db_instance_identifier(id).max_records(PAGE).set_marker(marker.clone()),
                    db_snapshots,
                    marker
                )?;
                found.into_iter().filter_map(of_instance).collect::<Vec<_>>()
            }
            DatabaseId::Cluster(id) => {
                let found = pages!(
                    c,
                    CLUSTERS,
                    marker => c.aws.rds.describe_db_cluster_snapshots().db_cluster_identifier(id).max_records(PAGE).set_marker(marker.clone()),
                    db_cluster_snapshots,
                    marker
                )?;
                found.into_iter().filter_map(of_cluster).collect()
            }
        });
    }
    // An emulator may ignore the filter.
    all.retain(|b| databases.contains(&b.database));
    all.sort_by(|a, b| (b.created_at, &a.id).cmp(&(a.created_at, &b.id)));
    Ok(all)
}

fn of_instance(s: DbSnapshot) -> Option<Backup> {
    Some(Backup {
        id: s.db_snapshot_identifier?,
        database: DatabaseId::Instance(s.db_instance_identifier?),
        manual: s.snapshot_type.as_deref() != Some("automated"),
        status: s.status.unwrap_or_default(),
        created_at: s.snapshot_create_time.as_ref().and_then(instant),
    })
}

fn of_cluster(s: DbClusterSnapshot) -> Option<Backup> {
    Some(Backup {
        id: s.db_cluster_snapshot_identifier?,
        database: DatabaseId::Cluster(s.db_cluster_identifier?),
        manual: s.snapshot_type.as_deref() != Some("automated"),
        status: s.status.unwrap_or_default(),
        created_at: s.snapshot_create_time.as_ref().and_then(instant),
    })
}
