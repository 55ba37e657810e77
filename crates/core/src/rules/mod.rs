//! The rules: one file each, and the registry that names them all.
//!
//! A rule looks at one [`Workload`] and returns one [`Judgement`] for each resource that it applies to. It reads no
//! clock, makes no call, and decides nothing about waivers, modes or budgets: `judge` and `plan` do.

mod correction_reverted;
mod ecs_builtin_database;
mod ecs_ephemeral_storage;
mod ecs_exec_disabled;
mod ecs_failed_deployment;
mod ecs_missing_database_secret;
mod ecs_no_load_balancer;
mod ecs_no_rollout_protection;
mod ecs_plaintext_database_url;
mod ecs_public_task;
mod ecs_secret_reference_mismatch;
mod ecs_secret_unreadable;
mod ecs_unsafe_rollback;
mod migration_drift;
mod migration_failed;
mod migration_missing;
mod rds_abandoned;
mod rds_default_master_name;
mod rds_deletion_unprotected;
mod rds_expiring_certificate;
mod rds_migration_overdue;
mod rds_no_iam_authentication;
mod rds_no_minor_upgrades;
mod rds_open_ingress;
mod rds_public_access;
mod rds_public_subnet;
mod rds_short_backup_retention;
mod rds_single_az;
mod rds_stale_restore_point;
mod rds_storage_ceiling;
mod rds_unavailable;
mod rds_unencrypted_storage;
mod rds_unenforced_tls;
mod rds_unreachable_from_service;
pub mod rule;
mod secret_broad_access;
mod secret_deletion_scheduled;
mod secret_malformed_url;
mod secret_no_tls;
mod secret_unrotated;
mod secret_uses_master_user;
mod secret_wrong_database;
#[cfg(test)]
pub(crate) mod testing;
mod waiver_invalid;
pub mod wants;
mod workload_untagged_part;
mod workload_without_database;

use rule::Rule;

/// Every rule, in the order of the catalogue.
pub static REGISTRY: &[&dyn Rule] = &[
    &rds_public_access::RdsPublicAccess,
    &rds_public_subnet::RdsPublicSubnet,
    &rds_open_ingress::RdsOpenIngress,
    &rds_unreachable_from_service::RdsUnreachableFromService,
    &rds_short_backup_retention::RdsShortBackupRetention,
    &rds_stale_restore_point::RdsStaleRestorePoint,
    &rds_unencrypted_storage::RdsUnencryptedStorage,
    &rds_deletion_unprotected::RdsDeletionUnprotected,
    &rds_storage_ceiling::RdsStorageCeiling,
    &rds_unenforced_tls::RdsUnenforcedTls,
    &rds_no_minor_upgrades::RdsNoMinorUpgrades,
    &rds_expiring_certificate::RdsExpiringCertificate,
    &rds_unavailable::RdsUnavailable,
    &rds_migration_overdue::RdsMigrationOverdue,
    &rds_abandoned::RdsAbandoned,
    &rds_single_az::RdsSingleAz,
    &rds_no_iam_authentication::RdsNoIamAuthentication,
    &rds_default_master_name::RdsDefaultMasterName,
    &secret_malformed_url::SecretMalformedUrl,
    &secret_wrong_database::SecretWrongDatabase,
    &secret_uses_master_user::SecretUsesMasterUser,
    &secret_no_tls::SecretNoTls,
    &secret_deletion_scheduled::SecretDeletionScheduled,
    &secret_broad_access::SecretBroadAccess,
    &secret_unrotated::SecretUnrotated,
    &ecs_missing_database_secret::EcsMissingDatabaseSecret,
    &ecs_plaintext_database_url::EcsPlaintextDatabaseUrl,
    &ecs_ephemeral_storage::EcsEphemeralStorage,
    &ecs_secret_reference_mismatch::EcsSecretReferenceMismatch,
    &ecs_secret_unreadable::EcsSecretUnreadable,
    &correction_reverted::CorrectionReverted,
    &waiver_invalid::WaiverInvalid,
    &workload_untagged_part::WorkloadUntaggedPart,
    &workload_without_database::WorkloadWithoutDatabase,
    &ecs_builtin_database::EcsBuiltinDatabase,
    &ecs_unsafe_rollback::EcsUnsafeRollback,
    &ecs_no_rollout_protection::EcsNoRolloutProtection,
    &ecs_failed_deployment::EcsFailedDeployment,
    &ecs_public_task::EcsPublicTask,
    &ecs_no_load_balancer::EcsNoLoadBalancer,
    &ecs_exec_disabled::EcsExecDisabled,
    &migration_failed::MigrationFailed,
    &migration_drift::MigrationDrift,
    &migration_missing::MigrationMissing,
];

/// The ids of all rules.
#[must_use]
pub fn ids() -> Vec<&'static str> {
    REGISTRY.iter().map(|r| r.meta().id).collect()
}

/// The rule with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Rule> {
    REGISTRY.iter().copied().find(|r| r.meta().id == id)
}
