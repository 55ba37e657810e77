//! Ledger and leases in DynamoDB.

pub mod lease;
pub mod ledger;
