//! The reasons for which a correction is held.

mod code;
mod kind;
mod reason;
#[cfg(test)]
mod tests;

pub use code::HoldCode;
pub use reason::HoldReason;
