//! From AWS to a snapshot. Everything that can be read at once is; what can't be read becomes an error in its place, and
//! the rest goes on.

mod access;
mod alarms;
mod answer_fields;
mod backups;
mod collector;
mod convert;
mod deployments;
mod ec2;
mod ecs;
mod endpoints;
mod log_tail;
mod logs;
mod migration_runs;
mod migrations;
mod pages;
mod parameter_groups;
mod parameters;
mod policies;
mod rds;
mod read_cache;
mod refresh;
mod revisions;
mod secret_shape;
mod secrets;
mod service;
mod service_deployments;
mod start_references;
mod sweep;
mod task_definition;
mod task_starts;
mod tasks;

pub use alarms::alarms;
pub(crate) use answer_fields::{Fields, KeepFields, lost_by};
pub use backups::backups;
pub use collector::{Collector, NoProgress, Progress};
pub(crate) use ecs::DESCRIBE_SERVICES;
pub use log_tail::LogTail;
pub use read_cache::ReadCache;
pub(crate) use task_definition::{DESCRIBE as DESCRIBE_TASK_DEFINITION, is_active, registration};
