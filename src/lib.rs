//! The binary. It reads arguments, files and the environment, connects the three crates below it, and prints what they
//! answer. It decides nothing about a workload.
//!
//! ```text
//!                 ┌ holdfast_aws       reads AWS (Snapshot), and changes it
//! command ─ cli ──┼ holdfast_core      Snapshot and Config → findings, Plan, Diagnosis, Checklist, gate: pure
//!                 ├ holdfast_operator  queues, leases and executes, for `run` and `apply`
//!                 └ report             → table, JSON, SARIF, OCSF, JUnit, Markdown, HTML: pure
//! ```
//!
//! | module | what is in it |
//! | --- | --- |
//! | `cli` | One file for each command, and what commands share: `session` (configuration and clients), `selection`, `output`, `failure` |
//! | `exit` | The exit codes |
//! | `report` | `Report`, which is the JSON report, and one pure function for each other format. `sample` has one finding of each kind, for tests |
//! | `serve` | The read-only HTTP server of `run`: metrics, health, API |
//! | `telemetry` | Log lines |
//! | `connect` | One PostgreSQL connection, for `diagnose --connect` |
//! | `ledger_sqlite` | The ledger in a file, which is the default |
//!
//! Start with `cli/mod.rs` for the commands, and with `cli/audit.rs` for the shortest path from AWS to a report.
//!
//! Not here: rules, plans and everything else that is decided (`holdfast_core`), the order of work
//! (`holdfast_operator`), and AWS calls (`holdfast_aws`), except the one with which `connect` reads a value.
//!
//! This is a library only because a program can't be imported. `main.rs` uses `cli`; `benches/operator.rs` and
//! `tests/emulators` use `ledger_sqlite`. Nothing else is public, and nothing here is meant for other crates.

pub mod cli;
mod connect;
mod exit;
pub mod ledger_sqlite;
mod report;
mod serve;
mod telemetry;
