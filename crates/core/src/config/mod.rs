//! The configuration: read, checked, merged, described and shown.
//!
//! The structs of [`settings`] and [`operation`] are the one source of keys, types, defaults and bounds. Their derived JSON Schema
//! ([`schema()`]) drives the check of a file ([`load_text()`]), so that no key can be known to one and not the other.
//!
//! ```text
//! text → tree (YAML with places) → check (against the schema) + conflicts (between keys) → Config
//! ```

mod check;
mod conflicts;
pub mod forms;
mod load;
pub mod operation;
pub mod parameters;
mod schema;
pub mod settings;
mod show;
mod tree;

#[cfg(test)]
mod tests;

pub use forms::{Percent, format_duration, parse_duration};
pub use load::{ConfigError, ConfigErrors, Loaded, MAX_BYTES, load_bytes, load_text};
pub use operation::{ApiLimits, ApiService, Lease, LeaseKind, Ledger, LedgerKind, Limits, ReportTo};
pub use parameters::{AllowedIngress, Datastore, Defaults, IngressOverrides, Migrations, WorkloadOverrides};
pub use schema::schema;
pub use settings::{
    ChangeWindow, Config, Events, Inspect, Migration, MigrationTasks, Pause, RuleSettings, Safety, Secrets, Sweep,
    Target,
};
pub use show::show;

use std::time::Duration;

use ipnet::IpNet;

use crate::model::policy::Mode;

/// What holds for one workload: the defaults with its own overrides laid over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadParams {
    /// Where its data belongs.
    pub datastore: Datastore,
    /// Environment variables of which one must come from a secret.
    pub secret_env: Vec<String>,
    /// Absolute paths inside its containers that must be durable.
    pub data_paths: Vec<String>,
    /// Fewest days of backups of its database, 0 to 35.
    pub backup_retention_days: u32,
    /// Address blocks that may reach its database besides its own services.
    pub allowed_cidrs: Vec<IpNet>,
    /// Security groups that may reach its database besides its own services'.
    pub allowed_groups: Vec<String>,
    /// How many times the allocated storage the ceiling of storage autoscaling must be.
    pub storage_headroom: u32,
    /// How old the latest restorable time may be.
    pub restore_point_age: Duration,
    /// How long before its end a server certificate is reported.
    pub certificate_notice: Duration,
    /// How long its database may go without a service that refers to it.
    pub abandoned_after: Duration,
    /// How old the last rotation of a secret may be.
    pub rotation_age: Duration,
    /// How long a deployment may be in progress.
    pub deployment_timeout: Duration,
    /// Texts in a log that tell of a database inside the container.
    pub builtin_database_patterns: Vec<String>,
    /// A text in a log that tells of a connection to the database.
    pub database_log_pattern: Option<String>,
    /// PostgreSQL extensions that it needs.
    pub required_extensions: Vec<String>,
    /// Whether it must have a migration task definition.
    pub migrations_required: bool,
    /// A migration task that runs longer than this has failed.
    pub migration_timeout: Duration,
}

impl Config {
    /// What holds for a workload. A list that it overrides replaces the default list as a whole.
    #[must_use]
    pub fn params(&self, workload: &str) -> WorkloadParams {
        let defaults = &self.defaults;
        let none = WorkloadOverrides::default();
        let own = self.workloads.get(workload).unwrap_or(&none);
        let ingress = &own.allowed_ingress;
        let or = |own: &Option<Vec<String>>, default: &Vec<String>| own.as_ref().unwrap_or(default).clone();
        WorkloadParams {
            datastore: own.datastore.unwrap_or(defaults.datastore),
            secret_env: or(&own.secret_env, &defaults.secret_env),
            data_paths: or(&own.data_paths, &defaults.data_paths),
            backup_retention_days: own.backup_retention_days.unwrap_or(defaults.backup_retention_days),
            allowed_cidrs: ingress
                .cidrs
                .as_ref()
                .unwrap_or(&defaults.allowed_ingress.cidrs)
                .clone(),
            allowed_groups: or(&ingress.security_groups, &defaults.allowed_ingress.security_groups),
            storage_headroom: own.storage_headroom.unwrap_or(defaults.storage_headroom),
            restore_point_age: own.restore_point_age.unwrap_or(defaults.restore_point_age),
            certificate_notice: own.certificate_notice.unwrap_or(defaults.certificate_notice),
            abandoned_after: own.abandoned_after.unwrap_or(defaults.abandoned_after),
            rotation_age: own.rotation_age.unwrap_or(defaults.rotation_age),
            deployment_timeout: own.deployment_timeout.unwrap_or(defaults.deployment_timeout),
            builtin_database_patterns: or(&own.builtin_database_patterns, &defaults.builtin_database_patterns),
            database_log_pattern: own
                .database_log_pattern
                .as_ref()
                .or(defaults.database_log_pattern.as_ref())
                .cloned(),
            required_extensions: or(&own.required_extensions, &defaults.required_extensions),
            migration_timeout: self.migrations.timeout,
            migrations_required: own.migrations.unwrap_or(defaults.migrations) == Migrations::Required,
        }
    }

    /// What is set for a rule; nothing set where the configuration doesn't name it.
    #[must_use]
    pub fn rule(&self, id: &str) -> RuleSettings {
        self.rules.get(id).cloned().unwrap_or_default()
    }

    /// Whether a rule is judged: as the configuration says, else as the rule itself.
    #[must_use]
    pub fn judges(&self, meta: &crate::model::rule_meta::Meta) -> bool {
        self.rules.get(meta.id).and_then(|r| r.enabled).unwrap_or(meta.enabled)
    }

    /// Whether the rule with this id is judged; false if there is none.
    #[must_use]
    pub fn judges_id(&self, id: &str) -> bool {
        crate::rules::find(id).is_some_and(|r| self.judges(r.meta()))
    }

    /// Whether the corrections of a rule may be carried out, its mode apart.
    #[must_use]
    pub fn corrects(&self, meta: &crate::model::rule_meta::Meta) -> bool {
        self.rules.get(meta.id).and_then(|r| r.correct).unwrap_or(meta.corrects)
    }

    /// The mode of a rule: its own, but never above the global one.
    #[must_use]
    pub fn mode_of(&self, rule: &str) -> Mode {
        self.rule(rule).mode.map_or(self.mode, |own| own.min(self.mode))
    }

    /// The limits of one service's API; nothing set where the configuration doesn't name it.
    #[must_use]
    pub fn api_limits(&self, service: ApiService) -> ApiLimits {
        self.limits.api.get(&service).cloned().unwrap_or_default()
    }
}
