//! Pure data: what was seen, what is wrong, what would correct it. No SDK type, no clock, no I/O.

pub mod connection;
pub mod finding;
pub mod key;
pub mod policy;
mod purpose;
pub mod read_error;
pub mod remediation;
pub mod resources;
pub mod shared;
pub mod snapshot;
pub mod tags;
pub mod value_from;
