//! The operator: what happens between a signal and a proof, without knowing AWS.
//!
//! ```text
//! EventSource ─ consume ─┐
//!                        ├→ queue ─→ controller::reconcile ─→ Cloud (read) ─→ evaluate ─→ plan ─→ execute ─→ Cloud (write)
//! timers and sweeps ─────┘                  │                                                       │
//!                                           └──→ internal_events: log, metrics, API, notifier       └──→ Ledger
//! ```
//!
//! # What is here
//!
//! From the bottom up; a module imports only modules above it in this list.
//!
//! - [`attempt`]: a correction that was begun, and how far it has come; findings as the ledger remembers them.
//! - [`clock`]: the current instant, which tests move.
//! - [`ports`]: every trait behind which the world outside stands: one account and region ([`ports::Cloud`]), the ledger,
//!   leases, the kill switch, the event queue, and who is notified.
//! - [`ledger`]: a ledger in memory, and [`ledger::conformance`], the cases that every ledger must pass.
//! - [`lease`]: which scopes this process may act in.
//! - [`queue`]: a work queue of keys: each runs once at a time, with back-off, priorities and lanes.
//! - [`metrics`]: every metric, one file for each kind of thing that is counted.
//! - [`published`]: what the HTTP server shows.
//! - [`internal_events`]: one struct for each thing that happens; its `emit` feeds log, metrics, API and notifier.
//! - [`execute`]: carries out one planned correction, step by step, and proves it.
//! - [`consume`]: the event queue: receive, parse, queue the keys, delete what was handled.
//! - [`controller`]: what is done for a key: collect, evaluate, plan, execute, and when to look again.
//!
//! # What is absent on purpose
//!
//! - No AWS SDK, no HTTP server, no file. `holdfast-aws` and the binary bring them, behind [`ports`].
//! - No decision about what is wrong or what may be done: that is `holdfast-core`, on a fresh snapshot each time.
//! - No wait inside a worker: what needs time says when to look again.
//!
//! `tests/simulation` runs all of this against a model of AWS, in simulated time.

pub mod attempt;
pub mod clock;
pub mod consume;
pub mod controller;
pub mod execute;
pub mod internal_events;
pub mod lease;
pub mod ledger;
pub mod metrics;
pub mod ports;
pub mod published;
pub mod queue;
