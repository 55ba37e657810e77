//! RDS instances and clusters, with the groups and tags that come along in their own lists.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{
    DbCluster as SdkCluster, DbInstance as SdkInstance, Filter, MasterUserSecret, PendingModifiedValues,
    StorageEncryptionType, Tag,
};

use super::collector::Collector;
use super::convert::{by_key, collect_exact, instant, tags};
use super::pages::pages;
use crate::client::{Api, Family};
use holdfast_core::model::resources::{DbCluster, DbInstance, Endpoint, ManagedSecret};
use holdfast_core::model::snapshot::Read;
use holdfast_core::model::tags::Tags;

const INSTANCES: Api = Api {
    service: "rds",
    operation: "DescribeDBInstances",
    family: Family::RdsDescribe,
};
const CLUSTERS: Api = Api {
    service: "rds",
    operation: "DescribeDBClusters",
    family: Family::RdsDescribe,
};

/// Most that one page holds. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
const PAGE: i32 = 100;

/// All instances, or those of `ids`.
pub(super) async fn instances(c: &Collector<'_>, ids: Option<&[String]>) -> Read<BTreeMap<String, DbInstance>> {
    if ids.is_some_and(<[String]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let filters = filter("db-instance-id", ids);
    let found = pages!(
        c,
        INSTANCES,
        marker => c.aws.rds.describe_db_instances().set_filters(filters.clone()).max_records(PAGE).set_marker(marker.clone()),
        db_instances,
        marker
    )?;
    let found = found.into_iter().filter_map(instance);
    // An emulator may ignore the filter.
    let found = found.filter(|i| ids.is_none_or(|ids| ids.contains(&i.id))).collect();
    Ok(by_key(found, |i: &DbInstance| i.id.clone()))
}

/// All clusters, or those of `ids`.
pub(super) async fn clusters(c: &Collector<'_>, ids: Option<&[String]>) -> Read<BTreeMap<String, DbCluster>> {
    if ids.is_some_and(<[String]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let filters = filter("db-cluster-id", ids);
    let found = pages!(
        c,
        CLUSTERS,
        marker => c.aws.rds.describe_db_clusters().set_filters(filters.clone()).max_records(PAGE).set_marker(marker.clone()),
        db_clusters,
        marker
    )?;
    let found = found.into_iter().filter_map(cluster);
    let found = found.filter(|i| ids.is_none_or(|ids| ids.contains(&i.id))).collect();
    Ok(by_key(found, |c: &DbCluster| c.id.clone()))
}

fn filter(name: &str, ids: Option<&[String]>) -> Option<Vec<Filter>> {
    let ids = ids?;
    Some(vec![
        Filter::builder().name(name).set_values(Some(ids.to_vec())).build(),
    ])
}

pub(super) fn rds_tags(list: Option<&[Tag]>) -> Tags {
    tags(list.unwrap_or_default().iter().map(|t| (t.key(), t.value())))
}

fn port(port: Option<i32>) -> Option<u16> {
    port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p != 0)
}

/// Storage that AWS encrypts with a key of its own (`sse-rds`) counts, whatever the older flag says.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBCluster.html>
fn encrypted(flag: Option<bool>, kind: Option<&StorageEncryptionType>) -> bool {
    flag.unwrap_or_default() || kind.is_some_and(|k| k.as_str().starts_with("sse-"))
}

fn managed_secret(secret: Option<MasterUserSecret>) -> Option<ManagedSecret> {
    let secret = secret?;
    Some(ManagedSecret {
        arn: secret.secret_arn?,
        status: secret.secret_status.unwrap_or_default(),
        kms_key: secret.kms_key_id,
    })
}

/// The fields of an instance with a change pending.
fn pending(values: Option<&PendingModifiedValues>) -> BTreeMap<String, String> {
    let mut pending = BTreeMap::new();
    if let Some(p) = values {
        let plain = [
            ("DBInstanceClass", p.db_instance_class.clone()),
            ("AllocatedStorage", p.allocated_storage.map(|v| v.to_string())),
            ("Port", p.port.map(|v| v.to_string())),
            (
                "BackupRetentionPeriod",
                p.backup_retention_period.map(|v| v.to_string()),
            ),
            ("MultiAZ", p.multi_az.map(|v| v.to_string())),
            ("EngineVersion", p.engine_version.clone()),
            ("Iops", p.iops.map(|v| v.to_string())),
            ("StorageThroughput", p.storage_throughput.map(|v| v.to_string())),
            ("DBInstanceIdentifier", p.db_instance_identifier.clone()),
            ("StorageType", p.storage_type.clone()),
            ("CACertificateIdentifier", p.ca_certificate_identifier.clone()),
            ("DBSubnetGroupName", p.db_subnet_group_name.clone()),
            ("LicenseModel", p.license_model.clone()),
            (
                "MasterUserPassword",
                p.master_user_password.as_ref().map(|_| "(not shown)".to_owned()),
            ),
            ("Engine", p.engine.clone()),
            (
                "IAMDatabaseAuthenticationEnabled",
                p.iam_database_authentication_enabled.map(|v| v.to_string()),
            ),
        ];
        pending.extend(plain.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))));
    }
    pending
}

fn instance(i: SdkInstance) -> Option<DbInstance> {
    let group = i.db_subnet_group.as_ref();
    let endpoint = i.endpoint.as_ref().and_then(|e| {
        Some(Endpoint {
            host: e.address.as_ref()?.to_lowercase(),
            port: port(e.port).or_else(|| port(i.db_instance_port))?,
        })
    });
    Some(DbInstance {
        id: i.db_instance_identifier?,
        arn: i.db_instance_arn.unwrap_or_default(),
        status: i.db_instance_status.unwrap_or_default(),
        engine: i.engine.unwrap_or_default(),
        engine_version: i.engine_version.unwrap_or_default(),
        publicly_accessible: i.publicly_accessible.unwrap_or_default(),
        backup_retention_days: i.backup_retention_period.unwrap_or_default(),
        port: endpoint.as_ref().map(|e| e.port).or_else(|| port(i.db_instance_port)),
        endpoint,
        database: i.db_name.filter(|n| !n.is_empty()),
        master_user: i.master_username,
        replica_of: i
            .read_replica_source_db_instance_identifier
            .or(i.read_replica_source_db_cluster_identifier)
            .filter(|s| !s.is_empty()),
        replicas: collect_exact(
            [
                i.read_replica_db_instance_identifiers,
                i.read_replica_db_cluster_identifiers,
            ]
            .into_iter()
            .flatten()
            .flatten(),
        ),
        managed_secret: managed_secret(i.master_user_secret),
        cluster: i.db_cluster_identifier.filter(|s| !s.is_empty()),
        vpc: group.and_then(|g| g.vpc_id.clone()),
        subnet_group: group.and_then(|g| g.db_subnet_group_name.clone()),
        subnets: group
            .and_then(|g| g.subnets.as_ref())
            .into_iter()
            .flatten()
            .filter_map(|s| s.subnet_identifier.clone())
            .collect(),
        security_groups: i
            .vpc_security_groups
            .unwrap_or_default()
            .into_iter()
            .filter(|g| g.status.as_deref() != Some("removing"))
            .filter_map(|g| g.vpc_security_group_id)
            .collect(),
        parameter_groups: i
            .db_parameter_groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(|g| g.db_parameter_group_name)
            .collect(),
        storage_encrypted: encrypted(i.storage_encrypted, i.storage_encryption_type.as_ref()),
        dual_stack: i.network_type.as_deref() == Some("DUAL"),
        created_at: i.instance_create_time.as_ref().and_then(instant),
        restorable_until: i.latest_restorable_time.as_ref().and_then(instant),
        deletion_protection: i.deletion_protection.unwrap_or_default(),
        allocated_storage: i.allocated_storage.unwrap_or_default(),
        max_allocated_storage: i.max_allocated_storage,
        auto_minor_upgrade: i.auto_minor_version_upgrade.unwrap_or_default(),
        multi_az: i.multi_az.unwrap_or_default(),
        iam_authentication: i.iam_database_authentication_enabled.unwrap_or_default(),
        certificate_until: i
            .certificate_details
            .as_ref()
            .and_then(|c| c.valid_till.as_ref())
            .and_then(instant),
        class: i.db_instance_class.unwrap_or_default(),
        monitoring_interval: i.monitoring_interval.unwrap_or_default(),
        performance_insights: i.performance_insights_enabled.unwrap_or_default(),
        exported_logs: i.enabled_cloudwatch_logs_exports.unwrap_or_default(),
        pending: pending(i.pending_modified_values.as_ref()),
        tags: rds_tags(i.tag_list.as_deref()),
    })
}

fn cluster(c: SdkCluster) -> Option<DbCluster> {
    let hosts = c
        .endpoint
        .iter()
        .chain(c.reader_endpoint.iter())
        .chain(c.custom_endpoints.iter().flatten());
    let hosts = hosts.map(|h| h.to_lowercase()).collect();
    let mut pending = BTreeMap::new();
    if let Some(p) = &c.pending_modified_values {
        let plain = [
            (
                "BackupRetentionPeriod",
                p.backup_retention_period.map(|v| v.to_string()),
            ),
            ("EngineVersion", p.engine_version.clone()),
            ("DBClusterIdentifier", p.db_cluster_identifier.clone()),
            ("AllocatedStorage", p.allocated_storage.map(|v| v.to_string())),
            ("Iops", p.iops.map(|v| v.to_string())),
            ("StorageType", p.storage_type.clone()),
            (
                "MasterUserPassword",
                p.master_user_password.as_ref().map(|_| "(not shown)".to_owned()),
            ),
            (
                "IAMDatabaseAuthenticationEnabled",
                p.iam_database_authentication_enabled.map(|v| v.to_string()),
            ),
        ];
        pending.extend(plain.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))));
    }
    Some(DbCluster {
        id: c.db_cluster_identifier?,
        arn: c.db_cluster_arn.unwrap_or_default(),
        status: c.status.unwrap_or_default(),
        engine: c.engine.unwrap_or_default(),
        publicly_accessible: c.publicly_accessible,
        backup_retention_days: c.backup_retention_period.unwrap_or_default(),
        hosts,
        port: port(c.port),
        database: c.database_name.filter(|n| !n.is_empty()),
        master_user: c.master_username,
        replica_of: c.replication_source_identifier.filter(|s| !s.is_empty()),
        replicas: c.read_replica_identifiers.unwrap_or_default(),
        global_cluster: c.global_cluster_identifier.filter(|s| !s.is_empty()),
        managed_secret: managed_secret(c.master_user_secret),
        members: c
            .db_cluster_members
            .unwrap_or_default()
            .into_iter()
            .filter_map(|m| m.db_instance_identifier)
            .collect(),
        subnet_group: c.db_subnet_group,
        security_groups: c
            .vpc_security_groups
            .unwrap_or_default()
            .into_iter()
            .filter(|g| g.status.as_deref() != Some("removing"))
            .filter_map(|g| g.vpc_security_group_id)
            .collect(),
        parameter_group: c.db_cluster_parameter_group,
        storage_encrypted: encrypted(c.storage_encrypted, c.storage_encryption_type.as_ref()),
        dual_stack: c.network_type.as_deref() == Some("DUAL"),
        engine_version: c.engine_version.unwrap_or_default(),
        created_at: c.cluster_create_time.as_ref().and_then(instant),
        restorable_until: c.latest_restorable_time.as_ref().and_then(instant),
        deletion_protection: c.deletion_protection.unwrap_or_default(),
        multi_az: c.multi_az.unwrap_or_default(),
        iam_authentication: c.iam_database_authentication_enabled.unwrap_or_default(),
        auto_minor_upgrade: c.auto_minor_version_upgrade,
        pending,
        tags: rds_tags(c.tag_list.as_deref()),
    })
}
