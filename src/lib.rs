//! Holdfast keeps ECS workloads and their RDS databases from losing data.
//!
//! One straight line, from a signal to a proof:
//!
//! ```text
//! EventBridge → SQS ┐
//!                   ├→ Key → WorkQueue → collect → Snapshot → judge → plan → act → verify → report
//! sweep of tags ────┘
//! ```
//!
//! [`watch`] and the sweep supply [`model::key::Key`]s and nothing else. [`collect`] reads AWS into a
//! [`model::snapshot::Snapshot`]; [`judge`] and [`plan`] are pure functions of it; [`act`] carries out what the plan
//! says, if reading and planning again says the same; [`report`] tells. `audit` stops after `plan`.

pub mod model;

pub mod rules;

pub mod judge;

pub mod diagnose;

pub mod checklist;

pub mod plan;

pub mod aws;
pub mod clock;
pub mod collect;
pub mod config;
pub mod connect;

pub mod cloud;
pub mod lease;
pub mod ledger;

pub mod act;
pub mod check;
pub mod cli;
pub mod controller;
pub mod gate;
pub mod iam_policy;
pub mod report;
pub mod serve;
pub mod telemetry;
pub mod watch;
