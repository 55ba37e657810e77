//! The binary: commands, reports, the HTTP side, and the ledger in a file.

pub mod cli;
pub mod connect;
pub mod ledger_sqlite;
pub mod report;
pub mod serve;
pub mod telemetry;
