//! The real binary against both emulators. Each case runs on `ministack` and on `moto`; where one of them does not do
//! what AWS does, the case names the row of EMULATORS.md ([`lies::Lie`]) that makes it expect less.

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
mod catalogue_ecs;
mod catalogue_migrations;
mod catalogue_rds;
mod catalogue_secrets;
mod chaos;
mod check;
mod checklist;
mod corners;
mod cost;
mod databases;
mod denials;
mod diagnose;
mod faults;
mod gate;
mod iam;
mod kills;
mod leases;
mod ledger;
mod lies;
mod operator;
mod outages;
mod policy;
mod postgres;
mod replicas;
mod report;
mod secrets;
mod services;
mod stage;
mod storm;
mod world;

/// Turns functions of one [`stage::Kind`] into a test for each emulator.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod ministack {
            $(#[test] fn $case() { super::$case(crate::stage::Kind::Ministack); })+
        }
        mod moto {
            $(#[test] fn $case() { super::$case(crate::stage::Kind::Moto); })+
        }
    };
}
pub(crate) use on_both;
