//! What several rules ask of a workload. Nothing here knows a rule.

mod credentials;
mod database;
mod databases;
mod index;
mod ingress;
mod migrations;
mod reach;
mod rollout;
mod secrets;
mod services;
mod storage;
mod usage;
pub mod workload;
pub mod workloads;

pub use credentials::{Held, Holder, connections, each_holder, holders, in_use};
pub use database::{DATABASE_READS, DEFAULT_PORT, Database, RdsResource, not_available};
pub use databases::{configure, each_storage_owner};
pub use index::Index;
pub use ingress::{close_public_access, cut_off, guards_others, is_allowed, offending, revoke};
pub use migrations::why_failed;
pub use reach::{Reach, reach};
pub use rollout::{ROLLOUT_WRITES, add_secret, ask_to_roll_out, no_execution_role, roll_out, rollout_refusal};
pub use secrets::{
    Leads, Reference, SECRET_READS, ask_to_read, database_variables, leads, parameter, readable_as, references,
    resolve, right_connection, right_reference, shape, usable_keys,
};
pub use services::{each_running, each_service};
pub use storage::{has_durable_volume, has_external_database, is_durable, loses_data};
pub use usage::{Uses, uses};
pub use workload::{Workload, untagged};
pub use workloads::{Viewer, view};
