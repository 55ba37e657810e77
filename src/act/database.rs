//! `ModifyDBInstance` and `ModifyDBCluster`.

use crate::aws::{Api, Family};
use crate::collect::Collector;
use crate::model::remediation::Database;
use crate::model::snapshot::Seen;

const INSTANCE: Api = Api {
    service: "rds",
    operation: "ModifyDBInstance",
    family: Family::RdsMutate,
};
const CLUSTER: Api = Api {
    service: "rds",
    operation: "ModifyDBCluster",
    family: Family::RdsMutate,
};

/// Clears the public flag. AWS applies it at once whatever `ApplyImmediately` says, so that is left false: true would
/// carry out every other pending change too.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
pub(super) async fn close(c: &Collector<'_>, id: &str) -> Seen<()> {
    let request = c
        .aws
        .rds
        .modify_db_instance()
        .db_instance_identifier(id)
        .publicly_accessible(false)
        .apply_immediately(false);
    c.aws.call(INSTANCE, id, request.send()).await.map(drop)
}

/// Keeps backups for `days`. The plan saw that nothing else is pending that `ApplyImmediately` would carry out too.
pub(super) async fn retain(c: &Collector<'_>, database: &Database, days: i32) -> Seen<()> {
    match database {
        Database::Instance(id) => {
            let request = c
                .aws
                .rds
                .modify_db_instance()
                .db_instance_identifier(id)
                .backup_retention_period(days)
                .apply_immediately(true);
            c.aws.call(INSTANCE, id, request.send()).await.map(drop)
        }
        Database::Cluster(id) => {
            let request = c
                .aws
                .rds
                .modify_db_cluster()
                .db_cluster_identifier(id)
                .backup_retention_period(days)
                .apply_immediately(true);
            c.aws.call(CLUSTER, id, request.send()).await.map(drop)
        }
    }
}
