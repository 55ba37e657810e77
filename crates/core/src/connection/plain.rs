//! A plain string: a connection in any form, perhaps with white space or quotation marks around it.

use super::address;
use super::faults::{nothing, push};
use super::found::{Found, Hidden};
use super::text::trim;
use super::{file, jdbc, keywords, pairs, url};
use crate::model::connection::{Connection, Fault, TextFacts};

/// What Secrets Manager holds at most, in bytes.
pub(super) const MAX_VALUE: usize = 64 * 1024;

/// Reads a string as a connection in whatever dialect it is written. The caller owns `value` and zeroes it.
#[must_use]
pub fn inspect_plain(value: &str) -> Connection {
    with_password(value).0
}

/// The same, with the password, decoded.
pub(super) fn with_password(value: &str) -> (Connection, Option<Hidden>) {
    let (mut facts, password) = if value.len() > MAX_VALUE {
        (nothing(Fault::NotAConnectionString), None)
    } else {
        read(value)
    };
    facts.text = Some(TextFacts::of(value));
    (facts, password)
}

fn read(value: &str) -> (Connection, Option<Hidden>) {
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
        return (nothing(Fault::Empty), None);
    }
    // About text that is no connection nothing else is said, not even that it has a space at the end: it may be a
    // password.
    let Some(mut found) = recognize(inner) else {
        return (nothing(Fault::NotAConnectionString), None);
    };
    around.append(&mut found.connection.faults);
    found.connection.faults = around;
    found.finish()
}

/// The first form that it has.
fn recognize(s: &str) -> Option<Found> {
    jdbc::jdbc(s)
        .or_else(|| jdbc::r2dbc(s))
        .or_else(|| file::file(s))
        .or_else(|| url::url(s))
        .or_else(|| pairs::pdo(s))
        .or_else(|| words_or_pairs(s))
        .or_else(|| jdbc::go_mysql(s))
        .or_else(|| address::without_scheme(s))
        .or_else(|| address::alone(s))
}

/// A keyword string or pairs: a `;` may belong to a value of the first, and a space to one of the second.
fn words_or_pairs(s: &str) -> Option<Found> {
    let words = keywords::keyword_string(s);
    match words {
        Some(words) if words.connection.faults.is_empty() || !s.contains(';') => Some(words),
        words => pairs::pairs(s).or(words),
    }
}
