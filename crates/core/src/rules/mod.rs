//! The rules, one folder each, and the registry that names them all.
//!
//! A rule looks at one workload and returns one result for each resource that it applies to. It reads no clock, makes
//! no call and imports no other rule. `evaluate` and `plan` decide about waivers, modes and budgets. What several rules
//! ask is in [`crate::facts`].

pub mod follow_up_reads;
mod plan_destroys_data;
mod plan_loses_restore_points;
pub mod plan_rule;
pub mod rule;
pub mod settings;
#[cfg(test)]
pub(crate) mod testing;

pub use plan_rule::PlanRule;
pub use rule::Rule;

use rule::Meta;

/// Declares the folder of each rule, the registry, and in tests the cases of each: one line for a rule.
macro_rules! rules {
    ($($folder:ident::$rule:ident $({ $($field:ident),+ })?,)+) => {
        $(mod $folder;)+

        /// Every rule, in the order of the catalogue.
        pub static REGISTRY: &[&dyn Rule] = &[$(&$folder::$rule $({ $($field),+ })?),+];

        /// The folder and the cases of every rule, in the same order.
        #[cfg(test)]
        static CASES: &[(&str, testing::Cases)] = &[$((stringify!($folder), $folder::cases::CASES)),+];

        #[cfg(test)]
        mod cases {
            $(
                mod $folder {
                    use crate::rules::testing::{Table, check};

                    #[test]
                    fn failing() {
                        check(stringify!($folder), Table::Failing);
                    }

                    #[test]
                    fn passing() {
                        check(stringify!($folder), Table::Passing);
                    }

                    #[test]
                    fn unknown() {
                        check(stringify!($folder), Table::Unknown);
                    }
                }
            )+
        }
    };
}

rules! {
    rds_public_access::RdsPublicAccess,
    rds_public_subnet::RdsPublicSubnet,
    rds_open_ingress::RdsOpenIngress,
    rds_unreachable_from_service::RdsUnreachableFromService,
    rds_short_backup_retention::RdsShortBackupRetention,
    rds_stale_restore_point::RdsStaleRestorePoint,
    rds_unencrypted_storage::RdsUnencryptedStorage,
    rds_deletion_unprotected::RdsDeletionUnprotected,
    rds_storage_ceiling::RdsStorageCeiling,
    rds_unenforced_tls::RdsUnenforcedTls,
    rds_no_minor_upgrades::RdsNoMinorUpgrades,
    rds_expiring_certificate::RdsExpiringCertificate,
    rds_unavailable::RdsUnavailable,
    rds_migration_overdue::RdsMigrationOverdue,
    rds_abandoned::RdsAbandoned,
    rds_single_az::RdsSingleAz,
    rds_no_iam_authentication::RdsNoIamAuthentication,
    rds_default_master_name::RdsDefaultMasterName,
    secret_malformed_url::SecretMalformedUrl,
    secret_wrong_database::SecretWrongDatabase,
    secret_uses_master_user::SecretUsesMasterUser,
    secret_no_tls::SecretNoTls,
    secret_deletion_scheduled::SecretDeletionScheduled,
    secret_broad_access::SecretBroadAccess,
    secret_unrotated::SecretUnrotated,
    ecs_missing_database_secret::EcsMissingDatabaseSecret,
    ecs_plaintext_database_url::EcsPlaintextDatabaseUrl,
    ecs_ephemeral_storage::EcsEphemeralStorage,
    ecs_secret_reference_mismatch::EcsSecretReferenceMismatch,
    ecs_secret_unreadable::EcsSecretUnreadable,
    ecs_stale_secret::EcsStaleSecret,
    ecs_no_path_to_secrets::EcsNoPathToSecrets,
    correction_reverted::CorrectionReverted,
    waiver_invalid::WaiverInvalid { ids },
    workload_untagged_part::WorkloadUntaggedPart,
    workload_without_database::WorkloadWithoutDatabase,
    ecs_builtin_database::EcsBuiltinDatabase,
    ecs_unsafe_rollback::EcsUnsafeRollback,
    ecs_no_rollout_protection::EcsNoRolloutProtection,
    ecs_failed_deployment::EcsFailedDeployment,
    ecs_public_task::EcsPublicTask,
    ecs_no_load_balancer::EcsNoLoadBalancer,
    ecs_exec_disabled::EcsExecDisabled,
    migration_failed::MigrationFailed,
    migration_drift::MigrationDrift,
    migration_missing::MigrationMissing,
}

/// Every rule about the changes of a plan, in the order of the catalogue. `check` evaluates them; nothing else does.
pub static PLAN_REGISTRY: &[&dyn PlanRule] = &[
    &plan_destroys_data::PlanDestroysData,
    &plan_loses_restore_points::PlanLosesRestorePoints,
];

/// What is known of every rule, those about plans included, in the order of the catalogue.
pub fn metas() -> impl Iterator<Item = &'static Meta> {
    let plans = PLAN_REGISTRY.iter().map(|r| r.meta());
    REGISTRY.iter().map(|r| r.meta()).chain(plans)
}

/// What is known of the rule with this id, one about plans included.
#[must_use]
pub fn meta(id: &str) -> Option<&'static Meta> {
    metas().find(|meta| meta.id == id)
}

/// The ids of all rules that a configuration can set, those about plans included.
#[must_use]
pub fn all_ids() -> Vec<&'static str> {
    metas().map(|meta| meta.id).collect()
}

/// The ids of the rules about workloads.
#[must_use]
pub fn ids() -> Vec<&'static str> {
    REGISTRY.iter().map(|r| r.meta().id).collect()
}

/// The rule about workloads with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Rule> {
    REGISTRY.iter().copied().find(|r| r.meta().id == id)
}
