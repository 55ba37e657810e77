//! `ModifyDBInstance`, `ModifyDBCluster`, and the parameter groups of either.

use aws_sdk_rds::types::{ApplyMethod, Parameter};

use crate::client::{Api, Family};
use crate::inventory::Collector;
use holdfast_core::action::DatabaseSetting;
use holdfast_core::model::resources::DatabaseId;
use holdfast_core::model::snapshot::Read;

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

const INSTANCE_PARAMETERS: Api = Api {
    service: "rds",
    operation: "ModifyDBParameterGroup",
    family: Family::RdsMutate,
};
const CLUSTER_PARAMETERS: Api = Api {
    service: "rds",
    operation: "ModifyDBClusterParameterGroup",
    family: Family::RdsMutate,
};

/// Clears the public flag. AWS applies it at once whatever `ApplyImmediately` says, so that is left false: true would
/// carry out every other pending change too.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
pub(super) async fn close(c: &Collector<'_>, id: &str) -> Read<()> {
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
pub(super) async fn retain(c: &Collector<'_>, database: &DatabaseId, days: i32) -> Read<()> {
    match database {
        DatabaseId::Instance(id) => {
            let request = c
                .aws
                .rds
                .modify_db_instance()
                .db_instance_identifier(id)
                .backup_retention_period(days)
                .apply_immediately(true);
            c.aws.call(INSTANCE, id, request.send()).await.map(drop)
        }
        DatabaseId::Cluster(id) => {
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

/// Changes one harmless field. `ApplyImmediately` stays false: these fields take effect at once without it, and true
/// would carry out every other pending change too.
pub(super) async fn configure(c: &Collector<'_>, database: &DatabaseId, setting: &DatabaseSetting) -> Read<()> {
    match database {
        DatabaseId::Instance(id) => {
            let request = c
                .aws
                .rds
                .modify_db_instance()
                .db_instance_identifier(id)
                .apply_immediately(false);
            let request = match setting {
                DatabaseSetting::DeletionProtection => request.deletion_protection(true),
                DatabaseSetting::MaxAllocatedStorage { to, .. } => request.max_allocated_storage(*to),
                DatabaseSetting::MinorVersionUpgrades => request.auto_minor_version_upgrade(true),
            };
            c.aws.call(INSTANCE, id, request.send()).await.map(drop)
        }
        DatabaseId::Cluster(id) => {
            let request = c
                .aws
                .rds
                .modify_db_cluster()
                .db_cluster_identifier(id)
                .apply_immediately(false);
            let request = match setting {
                DatabaseSetting::DeletionProtection => request.deletion_protection(true),
                DatabaseSetting::MinorVersionUpgrades => request.auto_minor_version_upgrade(true),
                DatabaseSetting::MaxAllocatedStorage { .. } => {
                    let message = format!("{id}: a cluster has no MaxAllocatedStorage");
                    return Err(c.aws.error(CLUSTER, id, "NotSent", message));
                }
            };
            c.aws.call(CLUSTER, id, request.send()).await.map(drop)
        }
    }
}

/// Makes connections without TLS fail. The parameter is dynamic: no restart.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html>
pub(super) async fn force_tls(c: &Collector<'_>, of_cluster: bool, group: &str) -> Read<()> {
    let parameter = Parameter::builder()
        .parameter_name("rds.force_ssl")
        .parameter_value("1")
        .apply_method(ApplyMethod::Immediate)
        .build();
    if of_cluster {
        let request = c
            .aws
            .rds
            .modify_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(group)
            .parameters(parameter);
        return c.aws.call(CLUSTER_PARAMETERS, group, request.send()).await.map(drop);
    }
    let request = c
        .aws
        .rds
        .modify_db_parameter_group()
        .db_parameter_group_name(group)
        .parameters(parameter);
    c.aws.call(INSTANCE_PARAMETERS, group, request.send()).await.map(drop)
}
