//! Parses, validates, merges and shows the configuration.
//!
//! The structs of [`settings`], [`parameters`] and [`operation`] are the one source of keys, types, defaults and bounds. The
//! JSON Schema derived from them ([`schema()`]) validates a file ([`load_text()`]), so the two can't know different keys.
//!
//! ```text
//! text → tree (YAML with places) → validate (against the schema) + conflicts (between keys) → explain → Config
//! ```

pub mod change_windows;
mod conflicts;
mod explain;
pub mod family;
pub mod forms;
mod load;
pub mod operation;
pub mod parameters;
mod schema;
pub mod settings;
mod show;
mod validate;

#[cfg(test)]
mod tests;

pub use family::Family;
pub use forms::{FormError, Percent, format_duration, parse_duration};
pub use load::{ConfigError, ConfigErrors, Loaded, MAX_BYTES, load_bytes, load_text, read_families};
pub use operation::{ApiLimits, ApiService, Lease, LeaseKind, Ledger, LedgerKind, Limits, ReportTo};
pub use parameters::{
    AllowedIngress, DatabaseEnv, Datastore, IngressOverrides, Migrations, Overridable, Parameters, ServiceOverrides,
    WorkloadOverrides,
};
pub use schema::schema;
pub use settings::{
    ChangeWindow, Config, Events, Inspect, Migration, MigrationTasks, Pause, RuleSettings, Safety, Secrets, Sweep,
    Target,
};
pub use show::show;

use crate::model::policy::Mode;

impl Config {
    /// The parameters of a workload: the defaults with its own overrides laid over them.
    #[must_use]
    pub fn params(&self, workload: &str) -> Parameters {
        match self.workloads.get(workload) {
            Some(own) => self.defaults.overridden_by(own),
            None => self.defaults.clone(),
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
