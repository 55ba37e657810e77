//! Clients for each account and region, and the one way to call them: under the rate of the API, with bounded
//! concurrency, counted, and with every failure turned into a `ReadError` that names its cure.

mod adaptive_throttle;
mod aws;
mod bucket;
mod context;
mod error;
mod limits;
mod recorder;
mod targets;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod xml_complete;

pub use aws::Aws;
pub use error::explain;
pub use limits::{Api, CallPriority, Family, Limits};
pub use recorder::{CallCounts, CallObserver, Recorder};
pub use targets::{Connector, TargetError};
