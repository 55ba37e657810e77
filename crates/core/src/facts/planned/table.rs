//! Types of resources whose deletion loses data or restore points.
//!
//! Sources: the schemas of the Terraform provider, whose `Delete` functions read these attributes from the state
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs>), and the CloudFormation resource reference with
//! its defaults (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/>).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::store::{Change, DataStore, Guard, Holds, Keeps, guard, named};

const FINAL_SNAPSHOT: Keeps = Keeps::FinalSnapshot {
    skip: "skip_final_snapshot",
    name: "final_snapshot_identifier",
};

const NO_FINAL_SNAPSHOT: Guard = guard(
    named("skip_final_snapshot", ""),
    Change::On,
    [Some(0), None],
    "no final snapshot will be taken when it is deleted",
);

const PROTECTION: Guard = guard(
    named("deletion_protection", "DeletionProtection"),
    Change::Off,
    [Some(0), Some(0)],
    "deletion protection is taken off",
);

const AUTOMATED_BACKUPS: Guard = guard(
    named("delete_automated_backups", "DeleteAutomatedBackups"),
    Change::On,
    [Some(1), Some(1)],
    "automated backups will be deleted with the database",
);

const fn retention(terraform: i64) -> Guard {
    guard(
        named("backup_retention_period", "BackupRetentionPeriod"),
        Change::Lowered,
        [Some(terraform), Some(1)],
        "automated backups are kept for fewer days",
    )
}

const CLUSTER_GUARDS: &[Guard] = &[retention(1), PROTECTION, NO_FINAL_SNAPSHOT];

const fn data(
    noun: &'static str,
    types: &'static [&'static str],
    keeps: &'static [Keeps],
    guards: &'static [Guard],
) -> DataStore {
    DataStore {
        noun,
        holds: Holds::Data,
        types,
        keeps,
        guards,
    }
}

const fn restores(
    noun: &'static str,
    types: &'static [&'static str],
    ends: &'static str,
    guards: &'static [Guard],
) -> DataStore {
    DataStore {
        noun,
        holds: Holds::Restores(ends),
        types,
        keeps: &[],
        guards,
    }
}

/// What CloudFormation does with any resource that leaves the stack. By default most types are deleted, databases are
/// not: what nobody wrote tells nothing.
pub(super) static POLICIES: &[Guard] = &[
    guard(
        named("", "DeletionPolicy"),
        Change::Off,
        [None, None],
        "it will be deleted with the stack",
    ),
    guard(
        named("", "UpdateReplacePolicy"),
        Change::Off,
        [None, None],
        "it will be deleted when it is replaced",
    ),
];

static STORES: &[DataStore] = &[
    data(
        "database",
        &["aws_db_instance", "AWS::RDS::DBInstance"],
        &[
            FINAL_SNAPSHOT,
            Keeps::CopyOf(named("replicate_source_db", "SourceDBInstanceIdentifier")),
            Keeps::MemberOf(named("", "DBClusterIdentifier")),
        ],
        &[retention(0), PROTECTION, AUTOMATED_BACKUPS, NO_FINAL_SNAPSHOT],
    ),
    data(
        "database cluster",
        &["aws_rds_cluster", "AWS::RDS::DBCluster"],
        &[
            FINAL_SNAPSHOT,
            Keeps::CopyOf(named("replication_source_identifier", "ReplicationSourceIdentifier")),
        ],
        &[retention(1), PROTECTION, AUTOMATED_BACKUPS, NO_FINAL_SNAPSHOT],
    ),
    data(
        "database cluster",
        &[
            "aws_docdb_cluster",
            "aws_neptune_cluster",
            "AWS::DocDB::DBCluster",
            "AWS::Neptune::DBCluster",
        ],
        &[FINAL_SNAPSHOT],
        CLUSTER_GUARDS,
    ),
    data(
        "database cluster",
        &["aws_docdbelastic_cluster", "AWS::DocDBElastic::Cluster"],
        &[],
        &[],
    ),
    data(
        "data warehouse",
        &["aws_redshift_cluster", "AWS::Redshift::Cluster"],
        &[FINAL_SNAPSHOT],
        &[
            guard(
                named(
                    "automated_snapshot_retention_period",
                    "AutomatedSnapshotRetentionPeriod",
                ),
                Change::Lowered,
                [Some(1), Some(1)],
                "automated snapshots are kept for fewer days",
            ),
            NO_FINAL_SNAPSHOT,
        ],
    ),
    data(
        "data warehouse",
        &["aws_redshiftserverless_namespace", "AWS::RedshiftServerless::Namespace"],
        &[],
        &[],
    ),
    data(
        "database",
        &["aws_lightsail_database"],
        &[Keeps::FinalSnapshot {
            skip: "skip_final_snapshot",
            name: "final_snapshot_name",
        }],
        &[NO_FINAL_SNAPSHOT],
    ),
    data(
        "table",
        &[
            "aws_dynamodb_table",
            "AWS::DynamoDB::Table",
            "AWS::DynamoDB::GlobalTable",
        ],
        &[],
        &[
            guard(
                named("deletion_protection_enabled", "DeletionProtectionEnabled"),
                Change::Off,
                [Some(0), Some(0)],
                "deletion protection is taken off",
            ),
            guard(
                named(
                    "point_in_time_recovery.0.enabled",
                    "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
                ),
                Change::Off,
                [Some(0), Some(0)],
                "point-in-time recovery is turned off",
            ),
        ],
    ),
    data(
        "table",
        &[
            "aws_timestreamwrite_database",
            "aws_timestreamwrite_table",
            "aws_keyspaces_table",
            "AWS::Timestream::Database",
            "AWS::Timestream::Table",
            "AWS::Cassandra::Table",
        ],
        &[],
        &[],
    ),
    data(
        "in-memory database",
        &["aws_memorydb_cluster", "AWS::MemoryDB::Cluster"],
        &[Keeps::Named("final_snapshot_name")],
        &[SNAPSHOTS_KEPT],
    ),
    data(
        "cache with snapshots",
        &[
            "aws_elasticache_replication_group",
            "aws_elasticache_cluster",
            "aws_elasticache_serverless_cache",
            "AWS::ElastiCache::ReplicationGroup",
            "AWS::ElastiCache::CacheCluster",
            "AWS::ElastiCache::ServerlessCache",
        ],
        &[
            Keeps::Named("final_snapshot_identifier"),
            Keeps::WithoutBackups(named("snapshot_retention_limit", "SnapshotRetentionLimit")),
        ],
        &[SNAPSHOTS_KEPT],
    ),
    data(
        "search domain",
        &[
            "aws_opensearch_domain",
            "aws_elasticsearch_domain",
            "AWS::OpenSearchService::Domain",
            "AWS::Elasticsearch::Domain",
        ],
        &[],
        &[],
    ),
    data(
        "file system",
        &["aws_efs_file_system", "AWS::EFS::FileSystem"],
        &[],
        &[guard(
            named("", "BackupPolicy.Status"),
            Change::Off,
            [None, Some(0)],
            "automatic backups are turned off",
        )],
    ),
    data(
        "file system",
        &[
            "aws_fsx_windows_file_system",
            "aws_fsx_lustre_file_system",
            "aws_fsx_openzfs_file_system",
            "aws_fsx_ontap_file_system",
            "aws_fsx_ontap_volume",
            "aws_fsx_openzfs_volume",
            "AWS::FSx::FileSystem",
            "AWS::FSx::Volume",
        ],
        &[Keeps::Unless("skip_final_backup")],
        &[
            guard(
                named("automatic_backup_retention_days", ""),
                Change::Lowered,
                [None, None],
                "automatic backups are kept for fewer days",
            ),
            guard(
                named("skip_final_backup", ""),
                Change::On,
                [None, None],
                "no final backup will be taken when it is deleted",
            ),
        ],
    ),
    data(
        "volume",
        &["aws_ebs_volume", "AWS::EC2::Volume"],
        &[Keeps::Taken("final_snapshot")],
        &[],
    ),
    data(
        "snapshot",
        &[
            "aws_db_snapshot",
            "aws_db_snapshot_copy",
            "aws_db_cluster_snapshot",
            "aws_rds_cluster_snapshot_copy",
            "aws_docdb_cluster_snapshot",
            "aws_neptune_cluster_snapshot",
            "aws_redshift_cluster_snapshot",
            "aws_elasticache_snapshot",
            "aws_memorydb_snapshot",
            "aws_ebs_snapshot",
            "aws_ebs_snapshot_copy",
            "aws_ebs_snapshot_import",
            "aws_fsx_backup",
            "aws_fsx_openzfs_snapshot",
            "AWS::FSx::Snapshot",
        ],
        &[],
        &[],
    ),
    data(
        "bucket",
        &["aws_s3_bucket", "aws_s3_directory_bucket"],
        &[Keeps::RefusedUnless("force_destroy")],
        &[],
    ),
    data(
        "backup vault",
        &[
            "aws_backup_vault",
            "aws_backup_logically_air_gapped_vault",
            "AWS::Backup::BackupVault",
            "AWS::Backup::LogicallyAirGappedBackupVault",
        ],
        &[],
        &[],
    ),
    data(
        "key",
        &[
            "aws_kms_key",
            "aws_kms_external_key",
            "aws_kms_replica_key",
            "aws_kms_replica_external_key",
            "AWS::KMS::Key",
            "AWS::KMS::ReplicaKey",
        ],
        &[],
        &[guard(
            named("deletion_window_in_days", "PendingWindowInDays"),
            Change::Lowered,
            [Some(30), Some(30)],
            "a deletion can be cancelled for fewer days",
        )],
    ),
    data(
        "secret",
        &["aws_secretsmanager_secret", "AWS::SecretsManager::Secret"],
        &[],
        &[guard(
            named("recovery_window_in_days", ""),
            Change::Lowered,
            [Some(30), None],
            "a deleted secret can be restored for fewer days",
        )],
    ),
    data("parameter", &["aws_ssm_parameter", "AWS::SSM::Parameter"], &[], &[]),
    data(
        "log group",
        &["aws_cloudwatch_log_group", "AWS::Logs::LogGroup"],
        &[Keeps::SkipDestroy("skip_destroy")],
        &[guard(
            named("retention_in_days", "RetentionInDays"),
            Change::LoweredFromForever,
            [Some(0), Some(0)],
            "logs are kept for fewer days, and older ones are deleted",
        )],
    ),
    restores(
        "global database",
        &[
            "aws_rds_global_cluster",
            "aws_docdb_global_cluster",
            "aws_neptune_global_cluster",
            "AWS::RDS::GlobalCluster",
        ],
        "replication to other regions ends; its clusters keep their data",
        &[PROTECTION],
    ),
    restores(
        "replication of automated backups",
        &["aws_db_instance_automated_backups_replication"],
        "backups are no longer copied to the other region",
        &[guard(
            named("retention_period", ""),
            Change::Lowered,
            [Some(7), None],
            "copied backups are kept for fewer days",
        )],
    ),
    restores(
        "backup plan",
        &[
            "aws_backup_plan",
            "AWS::Backup::BackupPlan",
            "aws_dlm_lifecycle_policy",
            "AWS::DLM::LifecyclePolicy",
        ],
        "what it selects is no longer backed up",
        &[],
    ),
    restores(
        "backup selection",
        &["aws_backup_selection", "AWS::Backup::BackupSelection"],
        "what it selects is no longer backed up",
        &[],
    ),
    restores(
        "vault lock",
        &["aws_backup_vault_lock_configuration"],
        "restore points can be deleted before their time",
        &[guard(
            named("min_retention_days", ""),
            Change::Lowered,
            [None, None],
            "restore points can be deleted earlier",
        )],
    ),
    restores(
        "backup policy",
        &["aws_efs_backup_policy"],
        "the file system is no longer backed up automatically",
        &[guard(
            named("backup_policy.0.status", ""),
            Change::Off,
            [None, None],
            "automatic backups are turned off",
        )],
    ),
    restores(
        "replication",
        &["aws_efs_replication_configuration"],
        "the file system is no longer copied",
        &[],
    ),
    DataStore {
        noun: "nested stack",
        holds: Holds::Unseen,
        types: &["AWS::CloudFormation::Stack", "aws_cloudformation_stack"],
        keeps: &[],
        guards: &[],
    },
];

const SNAPSHOTS_KEPT: Guard = guard(
    named("snapshot_retention_limit", "SnapshotRetentionLimit"),
    Change::Lowered,
    [Some(0), Some(0)],
    "automatic snapshots are kept for fewer days",
);

static BY_TYPE: LazyLock<HashMap<&'static str, &'static DataStore>> = LazyLock::new(|| {
    let each = STORES.iter();
    each.flat_map(|store| store.types.iter().map(move |t| (*t, store)))
        .collect()
});

/// What a resource of this type holds; none where its deletion loses nothing.
#[must_use]
pub fn data_store(kind: &str) -> Option<&'static DataStore> {
    BY_TYPE.get(kind).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_in_one_row() {
        let rows: usize = STORES.iter().map(|s| s.types.len()).sum();
        assert_eq!(BY_TYPE.len(), rows);
        for kind in BY_TYPE.keys() {
            assert!(kind.starts_with("aws_") || kind.starts_with("AWS::"), "{kind}");
        }
    }

    /// Every type that the catalogue names is here, in both formats.
    #[test]
    fn the_floor() {
        for kind in [
            "aws_db_instance",
            "aws_rds_cluster",
            "aws_efs_file_system",
            "aws_ebs_volume",
            "aws_backup_vault",
            "aws_kms_key",
            "aws_secretsmanager_secret",
            "aws_ssm_parameter",
            "aws_cloudwatch_log_group",
            "AWS::RDS::DBInstance",
            "AWS::RDS::DBCluster",
            "AWS::EFS::FileSystem",
            "AWS::EC2::Volume",
            "AWS::Backup::BackupVault",
            "AWS::KMS::Key",
            "AWS::SecretsManager::Secret",
            "AWS::SSM::Parameter",
            "AWS::Logs::LogGroup",
        ] {
            assert_eq!(data_store(kind).map(|s| s.holds), Some(Holds::Data), "{kind}");
        }
        assert!(data_store("aws_instance").is_none());
    }
}
