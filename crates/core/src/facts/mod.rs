//! Answers the questions that several rules ask of a workload.
//!
//! - [`Workloads`] reads every tag of a snapshot once; a [`Workload`] is one of them, with what belongs to it.
//! - [`Database`]: what its databases are, with their members, hosts and groups ([`each_storage_owner`], [`configure`]).
//! - [`CredentialSource`], [`Reference`]: which secrets and parameters its containers use, what they hold ([`shape`]), and
//!   which database a connection leads to ([`resolves_to`], [`database_usage`]); for one host name, [`lead`].
//! - [`is_allowed`], [`losing_access`], [`reach`]: who is let in, and who would be shut out.
//! - [`rollout_state`], [`late_since`], [`traffic`]: how far a deployment has come, and which revision serves.
//! - [`each_service`], [`ServiceData`], [`roll_out`]: its services, where they keep data, and how they are given another
//!   revision. [`migration_state`]: how a migration ended.
//! - [`stale_secrets`]: which tasks hold an earlier version of a secret.
//! - [`start_needs`], [`start_paths`]: what a task fetches before it runs, and whether its role and its network allow it.
//! - [`planned`]: which planned changes lose data, for rules about files.
//!
//! Nothing here imports a rule, and no rule imports another rule. What two rules need moves here.

mod add_secret;
mod container_data;
mod credential_source;
mod credentials;
mod data;
mod database;
mod databases;
mod deployments;
mod evidence;
mod hosts;
mod index;
mod ingress;
mod kept;
mod leads;
mod migrations;
pub mod planned;
mod reach;
mod resolution;
mod rollout;
mod secrets;
mod service_data;
mod services;
mod start_needs;
mod start_paths;
mod task_starts;
mod untold;
mod usage;
mod users;
mod workload;
mod workloads;

pub use add_secret::add_secret;
pub use credential_source::{CredentialSource, CredentialValue, Reference};
pub use credentials::{connections, connections_in_use, credential_sources, each_credential_source};
pub use database::{DATABASE_READS, DEFAULT_PORT, Database, RdsResource, not_available};
pub use databases::{configure, each_storage_owner};
pub use deployments::{RolloutState, Traffic, is_under_way, late_since, patience, rollout_state, traffic};
pub use evidence::{ContainerData, Durability, Evidence, durability};
pub use hosts::{HostForm, endpoints_to_read, form};
pub use index::Index;
pub use ingress::{close_public_access, guards_others, is_allowed, losing_access, offending, revoke};
pub use leads::{HostLead, hosts_leading_to, lead};
pub use migrations::{
    IMAGE, MigrationState, NO_RUN, RunOutcome, images_of_run, migration_containers, migration_runs, migration_state,
    run_outcome,
};
pub use reach::{Reach, reach};
pub use resolution::{Resolution, led_to, resolves_to};
pub use rollout::{ROLLOUT_WRITES, ask_to_roll_out, no_execution_role, roll_out, rollout_refusal, setting_refusal};
pub use secrets::{
    DatabaseVariable, SECRET_READS, ask_to_read, database_variables, parameter, readable_as, references, resolve,
    right_connection, right_reference, shape, usable_keys,
};
pub use service_data::{DatabaseSecret, Declared, Loss, ServiceData, Storage};
pub use services::{each_running, each_service};
pub use start_needs::{EcrImage, StartNeeds, runs_steadily, start_needs, start_references};
pub use start_paths::{MissingPath, StartPaths, StartServices, start_paths, start_services, vpcs_of};
pub use task_starts::{StaleSecret, StaleSecrets, no_older_than, stale_secrets, starts_to_read};
pub use untold::{ask_for_earlier, earlier, untold, what_tells};
pub use usage::{DatabaseUsage, database_usage, usage_of, users};
pub use users::Users;
pub use workload::{Workload, untagged};
pub use workloads::{Workloads, one_workload};
