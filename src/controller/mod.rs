//! The operator: a queue of keys, and what is done for each.

pub mod queue;
