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
pub mod index;
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
mod secret_broad_access;
mod secret_deletion_scheduled;
mod secret_malformed_url;
mod secret_no_tls;
mod secret_unrotated;
mod secret_uses_master_user;
mod secret_wrong_database;
mod subject;
pub mod support;
#[cfg(test)]
pub(crate) mod testing;
mod waiver_invalid;
pub mod wants;
mod warm;
pub mod workload;
mod workload_untagged_part;
mod workload_without_database;

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::Action;
use crate::model::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::snapshot::ReadError;
use crate::model::tags::Tags;
pub use migration_failed::why_failed;
pub use subject::Subject;
pub use workload::Workload;

/// What is known about a rule without running it.
#[derive(Debug)]
pub struct Meta {
    /// Names the defect.
    pub id: &'static str,
    /// How bad it is, unless the configuration or the finding says otherwise.
    pub severity: Severity,
    /// Whether it runs unless the configuration says otherwise.
    pub enabled: bool,
    /// One line: when it fails.
    pub summary: &'static str,
    /// Markdown: what it checks, why it matters, what Holdfast does, how to do it by hand.
    pub docs: &'static str,
    /// Controls of other catalogues that say the same.
    pub controls: &'static [&'static str],
    /// Configuration keys that it heeds, under `defaults` or `workloads.<name>`.
    pub parameters: &'static [&'static str],
    /// IAM actions that judging needs.
    pub reads: &'static [&'static str],
    /// IAM actions that correcting needs; empty for a rule that only reports.
    pub writes: &'static [&'static str],
    /// The costliest risk that a correction can have.
    pub risk: Risk,
    /// Whether its corrections may be carried out unless `rules.<id>.correct` says otherwise.
    pub corrects: bool,
    /// Rules whose failure, on the same resource or on one that the judgement names as related, explains a failure of
    /// this one: then this is their consequence and no second problem. The nearest cause first.
    pub caused_by: &'static [&'static str],
}

impl Meta {
    /// What most rules share, for `..Meta::DEFAULT`: a rule that is on, reports only, and has no known cause.
    pub const DEFAULT: Self = Self {
        id: "",
        severity: Severity::Low,
        enabled: true,
        summary: "",
        docs: "",
        controls: &[],
        parameters: &[],
        reads: &[],
        writes: &[],
        risk: Risk::Manual,
        corrects: true,
        caused_by: &[],
    };
}

/// One invariant.
pub trait Rule: Sync {
    /// What is known without running it.
    fn meta(&self) -> &'static Meta;
    /// Judges one workload. Resources that the rule does not apply to are left out.
    fn judge<'a>(&self, workload: &Workload<'a>) -> Vec<Judgement<'a>>;
}

/// What a rule says about one resource.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    /// The resource.
    pub subject: Subject<'a>,
    /// What the rule found.
    pub outcome: Outcome,
    /// Tags of the resource, and of others that a person would put a waiver or a mode on. A mode on any of them
    /// restrains; a waiver must be on the first or on all of the rest.
    pub tags: Vec<&'a Tags>,
    /// `migrating` or `migrated`.
    pub phase: &'static str,
    /// ARNs of other resources that it rests on: where one of them fails a rule that can cause this one, that is the
    /// root.
    pub related: Vec<Cow<'a, str>>,
}

/// The outcome for one resource.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The invariant holds.
    Pass,
    /// It does not.
    Fail(Box<Failure>),
    /// Evidence is missing.
    Unknown(Arc<ReadError>),
}

/// A broken invariant.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where it differs from the rule's own.
    pub severity: Option<Severity>,
    /// One sentence.
    pub message: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// What would correct it.
    pub remedy: Remedy,
}

/// What would correct a failure.
#[derive(Debug, Clone)]
pub struct Remedy {
    /// One line: what to do.
    pub summary: String,
    /// The corrections; empty if a person must do it.
    pub actions: Vec<Action>,
    /// Why they may not be carried out, if they may not.
    pub refused: Option<HoldReason>,
}

impl Remedy {
    /// A correction that Holdfast can carry out.
    pub fn act(summary: impl Into<String>, actions: Vec<Action>) -> Self {
        Self {
            summary: summary.into(),
            actions,
            refused: None,
        }
    }

    /// A correction that would do harm as things stand.
    pub fn refuse(summary: impl Into<String>, actions: Vec<Action>, why: HoldReason) -> Self {
        Self {
            summary: summary.into(),
            actions,
            refused: Some(why),
        }
    }

    /// Something that a person must do.
    pub fn manual(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            actions: vec![],
            refused: None,
        }
    }
}

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
