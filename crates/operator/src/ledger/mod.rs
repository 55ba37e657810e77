//! What must be remembered from one process to the next: when findings were first seen, and every correction that was
//! begun, with how far it came. AWS stays the only source of what *is*; the ledger tells what *was done*.
//!
//! [`crate::ports::Ledger`] says what a ledger does, [`conformance`] holds each of them to it.

pub mod conformance;
mod memory;
mod run_book;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use memory::MemoryLedger;
pub use run_book::RunBook;

/// How long what has ended is kept: a year, so that "when was this last touched?" has an answer after an annual audit, and
/// a month for whoever asks late. What is open is kept as long as it is open.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// How long runs of migrations are kept, of which there are at most [`holdfast_core::model::resources::RUNS_KEPT`] of a family:
/// what ran last decides, however long ago that was.
pub const RUNS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(3 * 400 * 24);

/// Characters kept of [`crate::attempt::Attempt::detail`]. A sentence has a few hundred; an error that a library puts together may have any
/// number, and an item of DynamoDB no more than 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const LONGEST_DETAIL: usize = 4000;

/// The part of an attempt's detail that is kept.
#[must_use]
pub fn kept(detail: &str) -> &str {
    detail
        .char_indices()
        .nth(LONGEST_DETAIL)
        .map_or(detail, |(end, _)| &detail[..end])
}

/// An instant with all of its digits: unlike RFC 3339's shortest form, sorted as text it is sorted by time.
#[must_use]
pub fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}
