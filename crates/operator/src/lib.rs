//! The operator: queues of keys, and what is done for each.

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
