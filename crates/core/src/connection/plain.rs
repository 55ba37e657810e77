//! A plain string: a URL or a keyword string, perhaps with white space or quotation marks around it.

use super::faults::{nothing, push};
use super::text::trim;
use super::{keywords, url};
use crate::model::connection::{Connection, Fault};

/// What Secrets Manager holds at most, in bytes.
pub(super) const MAX_VALUE: usize = 64 * 1024;

/// Reads a string as a connection: a URL or a keyword string. The caller owns `value` and zeroes it.
#[must_use]
pub fn inspect_plain(value: &str) -> Connection {
    if value.len() > MAX_VALUE {
        return nothing(Fault::NotAConnectionString);
    }
    let mut around = vec![];
    let mut inner = value;
    // Not `while`: of a value that is all quotation marks this takes three pairs, and no more time than that.
    for _ in 0..4 {
        let trimmed = trim(inner);
        if trimmed.len() != inner.len() {
            push(&mut around, Fault::SurroundingWhitespace);
        }
        inner = trimmed;
        let Some(bare) = ['"', '\'', '`']
            .iter()
            .find_map(|q| inner.strip_prefix(*q)?.strip_suffix(*q))
        else {
            break;
        };
        push(&mut around, Fault::Quoted);
        inner = bare;
    }
    if inner.is_empty() {
        return nothing(Fault::Empty);
    }
    // About text that is no connection nothing else is said, not even that it has a space at the end: it may be a
    // password.
    let Some(mut found) = url::url(inner).or_else(|| keywords::keyword_string(inner)) else {
        return nothing(Fault::NotAConnectionString);
    };
    around.append(&mut found.faults);
    found.faults = around;
    found
}
