//! AWS behind the operator's ports.

pub mod bus;
pub mod client;
pub mod cloud;
pub mod dynamodb;
pub mod inventory;
mod mutate;
pub mod sqs;
pub mod ssm;
