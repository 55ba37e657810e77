//! The configuration: read, checked, merged, described and shown.
//!
//! The structs of [`settings`] and [`operation`] are the one source of keys, types, defaults and bounds. Their derived JSON Schema
//! ([`schema()`]) drives the check of a file ([`load()`]), so that no key can be known to one and not the other.
//!
//! ```text
//! text → tree (YAML with places) → check (against the schema) + conflicts (between keys) → Config
//! ```

mod check;
mod conflicts;
pub mod forms;
mod load;
pub mod operation;
mod schema;
pub mod settings;
mod show;
mod tree;

#[cfg(test)]
mod tests;

pub use forms::{Percent, format_duration, parse_duration};
pub use load::{ConfigError, ConfigErrors, Loaded, load, load_text};
pub use operation::{ApiLimits, ApiService, Lease, LeaseKind, Ledger, LedgerKind, Limits, ReportTo};
pub use schema::schema;
pub use settings::{
    AllowedIngress, ChangeWindow, Config, Datastore, Defaults, Events, IngressOverrides, Inspect, Migration,
    Migrations, Pause, RuleSettings, Safety, Secrets, Sweep, Target, WorkloadOverrides,
};
pub use show::show;

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
    /// Whether it must have a migration task definition.
    pub migrations_required: bool,
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
            migrations_required: own.migrations.unwrap_or(defaults.migrations) == Migrations::Required,
        }
    }

    /// What is set for a rule; nothing set where the configuration doesn't name it.
    #[must_use]
    pub fn rule(&self, id: &str) -> RuleSettings {
        self.rules.get(id).cloned().unwrap_or_default()
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
