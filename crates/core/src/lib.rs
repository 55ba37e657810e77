//! What Holdfast decides. Everything here is a pure function of what was read.
//!
//! ```text
//! message ─ event ─→ Key      (the caller reads AWS)      (the caller makes the calls)
//!                                      ↓                               ↑
//!                    Snapshot ─→ evaluate ─→ Evaluation ─→ plan ─→ Plan
//!                        ↑           ↑                       ↑
//!                     refresh      rules ← facts           config
//! ```
//!
//! A [`Snapshot`](model::snapshot::Snapshot) holds what was read of one account and region.
//! [`evaluate`](evaluate::evaluate) runs the rules over it and returns findings. [`plan`](plan::plan) turns findings
//! into exact AWS calls, or says why a correction is held. The caller reads AWS before, and makes the calls after:
//! `crates/operator` drives the line, `crates/aws` reads and writes, and the binary in `src/` offers the commands.
//!
//! # What is here
//!
//! From the bottom up. A module imports only modules above it in this list; `xtask/src/tidy/layers.rs` says which, and
//! `cargo xtask tidy` checks it.
//!
//! - [`model`]: what was read, and the words for it: keys, resources, tags, read errors, hold reasons.
//! - [`iam_document`]: reads the principals that a resource policy lets in.
//! - [`event`]: parses the body of a queue message into the keys of what changed.
//! - [`config`]: parses the text of the configuration into settings, with every error at its line and column.
//! - [`connection`]: reduces the value of a database secret to facts, without the password, and knows which settings of
//!   which images and frameworks make a connection.
//! - [`action`]: the corrections that Holdfast can make, one file each.
//! - [`finding`]: a failed or unknown result, as reports write it.
//! - [`rule_result`]: what a rule returns for one resource.
//! - [`facts`]: what several rules ask of a workload.
//! - [`rules`]: the rules, one folder each, and the registry.
//! - [`evaluate`]: runs the rules and applies waivers, severities and modes.
//! - [`plan`]: turns findings into calls, or into reasons to hold them.
//! - [`refresh`]: what to read again after an event or before a call.
//! - [`diagnose`]: why a service does not reach its database, hop by hop.
//! - [`checklist`]: whether a migration is finished, item by item.
//! - [`check`]: evaluates task definitions, Terraform plans and CloudFormation templates before the resources exist, and what
//!   plans and change sets do to those that do.
//! - [`gate`]: whether a deployment may go ahead.
//! - [`iam_policy`]: the least-privilege policy for a configuration.
//!
//! # What is absent on purpose
//!
//! - No tokio and no AWS SDK: a rule and its tests build without either.
//! - No file, environment variable, network or clock. Callers pass texts, snapshots and the current time. The
//!   `clippy.toml` of this crate forbids the functions of `std` that would reach them.
//! - No failed read that passes for a fact. A part of a snapshot that could not be read holds the
//!   [`ReadError`](model::read_error::ReadError) in its place, and rules that need it return *unknown*.
//!
//! # Where to begin
//!
//! - **A rule**: copy a folder of [`rules`], and add its line to the registry in `rules/mod.rs`.
//! - **A correction**: add a file to [`action`] with a type that implements [`Correction`](action::Correction), and a
//!   variant of [`Action`](action::Action). The compiler names the places that still lack it.
//! - **A parameter of a rule**: declare one field in `config/parameters.rs`.
//!
//! CONTRIBUTING.md shows each of them step by step.

pub mod action;
pub mod check;
pub mod checklist;
pub mod config;
pub mod connection;
pub mod diagnose;
pub mod evaluate;
pub mod event;
pub mod facts;
pub mod finding;
pub mod gate;
pub mod iam_document;
pub mod iam_policy;
pub mod model;
pub mod plan;
pub mod refresh;
pub mod rule_result;
pub mod rules;
mod yaml;
