//! The real binary against both emulators. Each case runs on `ministack` and on `moto`; where one of them does not do
//! what AWS does, the case names the row of EMULATORS.md ([`quirks::Quirk`]) that makes it expect less.
//!
//! A rule's cases are in a file of its family: `rds_*`, `secrets_*`, `ecs_*`, [`migrations`]; the first line of each names its
//! rules. `waiver-invalid` is in [`policy`], `correction-reverted` in [`operator`], `workload-*` in the core alone. The other files
//! are named by a command ([`apply`], [`check`], [`gate`], ...) or by what goes wrong ([`denials`], [`faults`],
//! [`kills`], [`outages`]). [`test_env`] has the emulator and the binary, [`world`] what is laid out on it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines on real processes need the real clock"
)]
#![allow(clippy::too_many_lines, reason = "a case is told in one piece")]
#![allow(clippy::needless_pass_by_value, reason = "cases read better with json!() in place")]

mod apply;
mod canary;
mod chaos;
mod check;
mod checklist;
mod cost;
mod denials;
mod diagnose;
mod ecs_logs;
mod ecs_rollouts;
mod ecs_secret_access;
mod ecs_secret_references;
mod ecs_settings;
mod ecs_start;
mod ecs_storage;
mod ecs_strategies;
mod ecs_way_back;
mod edge_cases;
mod event_burst;
mod faults;
mod gate;
mod iam;
mod kills;
mod leases;
mod ledger;
mod link;
mod migration_memory;
mod migrations;
mod operator;
mod outages;
mod policy;
mod postgres;
mod quirks;
mod rds_backups;
mod rds_endpoints;
mod rds_lifecycle;
mod rds_network;
mod rds_settings;
mod rds_status;
mod rds_tls;
mod replicas;
mod report;
mod secrets_access;
mod secrets_parameters;
mod secrets_values;
mod test_env;
mod world;

/// Turns functions of one [`test_env::Kind`] into a test for each emulator.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod ministack {
            $(#[test] fn $case() { super::$case(crate::test_env::Kind::Ministack); })+
        }
        mod moto {
            $(#[test] fn $case() { super::$case(crate::test_env::Kind::Moto); })+
        }
    };
}
pub(crate) use on_both;
