//! Answers the questions that several rules ask of a workload.
//!
//! - [`Workloads`] reads every tag of a snapshot once; a [`Workload`] is one of them, with what belongs to it.
//! - [`Database`]: what its databases are, with their members, hosts and groups ([`each_storage_owner`], [`configure`]).
//! - [`CredentialSource`], [`Reference`]: which secrets and parameters its containers use, what they hold ([`shape`]), and
//!   which database a connection leads to ([`resolves_to`], [`database_usage`]); for one host name, [`lead`].
//! - [`is_allowed`], [`losing_access`], [`reach`]: who is let in, and who would be shut out.
//! - [`each_service`], [`is_durable`], [`roll_out`]: its services, where they keep data, and how they are given another
//!   revision. [`why_failed`]: how a migration ended.
//!
//! Nothing here imports a rule, and no rule imports another rule. What two rules need moves here.

mod credential_source;
mod credentials;
mod database;
mod databases;
mod hosts;
mod index;
mod ingress;
mod leads;
mod migrations;
mod reach;
mod resolution;
mod rollout;
mod secrets;
mod services;
mod storage;
mod usage;
mod users;
mod workload;
mod workloads;

pub use credential_source::{CredentialSource, CredentialValue, Reference};
pub use credentials::{connections, connections_in_use, credential_sources, each_credential_source};
pub use database::{DATABASE_READS, DEFAULT_PORT, Database, RdsResource, not_available};
pub use databases::{configure, each_storage_owner};
pub use hosts::{HostForm, endpoints_to_read, form};
pub use index::Index;
pub use ingress::{close_public_access, guards_others, is_allowed, losing_access, offending, revoke};
pub use leads::{HostLead, hosts_leading_to, lead};
pub use migrations::why_failed;
pub use reach::{Reach, reach};
pub use resolution::{Resolution, led_to, resolves_to};
pub use rollout::{ROLLOUT_WRITES, add_secret, ask_to_roll_out, no_execution_role, roll_out, rollout_refusal};
pub use secrets::{
    SECRET_READS, ask_to_read, database_variables, parameter, readable_as, references, resolve, right_connection,
    right_reference, shape, usable_keys,
};
pub use services::{each_running, each_service};
pub use storage::{has_durable_volume, has_external_database, is_durable, loses_data};
pub use usage::{DatabaseUsage, database_usage, usage_of, users};
pub use users::Users;
pub use workload::{Workload, untagged};
pub use workloads::{Workloads, one_workload};
