//! AWS behind the operator's ports.
//!
//! A sweep goes `cloud` → [`inventory`] → [`client`]: [`cloud::AwsCloud`] implements the operator's `Cloud` port for one
//! account and region, an [`inventory::Collector`] reads that scope into a `Snapshot`, and each of its calls passes
//! [`client::Aws::call`]. A correction goes `cloud` → `mutate` → [`client`].
//!
//! | module | what it is |
//! | --- | --- |
//! | [`client`] | Clients for each target, and the one way to call them: rate limits, concurrency, counts, errors with their cure |
//! | [`inventory`] | Every read, one file for each AWS service or question: `sweep.rs` reads a whole scope, `refresh.rs` one workload |
//! | `mutate` | Every write, one file for each AWS service |
//! | [`cloud`] | The `Cloud` port, for a scope that can be entered and for one that can't be entered yet |
//! | [`dynamodb`] | The `Ledger` and `LeaseStore` ports, each in a DynamoDB table |
//! | [`sqs`], [`bus`], [`ssm`] | The `EventSource`, `Notifier` and `PauseSwitch` ports: a queue, an EventBridge bus, a parameter |
//!
//! # Where the line runs
//!
//! SDK types stay inside: what leaves this crate is the model of `holdfast-core` and the ports of `holdfast-operator`.
//! The exceptions are the clients of [`client::Aws`], with which the command line makes a call of its own, and the SDK
//! configuration of [`client::Connector`]. Secret values stay inside too: `inventory` reduces them to facts in the
//! function that receives them, and overwrites them.
//!
//! # What is deliberately absent
//!
//! - **Decisions.** Nothing here evaluates a rule, plans, or holds an action. Which reads follow the first ones, the rules say
//!   (`follow_up_reads`); which call a correction makes, its `Action` says. `mutate` sends it.
//! - **Retries of our own.** The SDK retries what may be retried. The exceptions state their reasons where they are: the
//!   registration of a revision, which is not idempotent, and entries that a successful `PutEvents` refused.
//! - **A clock for facts.** `now` is a parameter of every read, so that one sweep has one time.
//! - **Loops and state of a workload.** The operator has them. What is kept here is [`inventory::ReadCache`], which saves calls
//!   and decides nothing.
//!
//! `mutate` may use `inventory` for the reads before a write; `inventory` uses neither `mutate` nor `cloud`.

pub mod bus;
pub mod client;
pub mod cloud;
pub mod dynamodb;
pub mod inventory;
mod mutate;
pub mod sqs;
pub mod ssm;
