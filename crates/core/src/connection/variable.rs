//! Reduces a plain setting of a container to facts about its value.

use super::host::host_and_port;
use super::plain::inspect_plain;
use super::text::{name, trim};
use super::vocabulary::Vocabulary;
use crate::model::resources::{PlainValue, PlainVariable};
use crate::model::store::Role;

/// How the names of RDS's endpoints end. A value of this form is a host, whatever its variable is called.
const ENDPOINTS: [&str; 2] = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];

/// Longest word that is kept, in bytes.
const MAX_WORD: usize = 32;

/// What is kept of the plain setting `variable`. The caller zeroes `value`.
#[must_use]
pub fn reduce(variable: String, value: &str, vocabulary: &Vocabulary) -> PlainVariable {
    let text = trim(value);
    let roles = vocabulary.roles(&variable);
    let mut facts = PlainValue {
        empty: text.is_empty(),
        ..PlainValue::default()
    };
    if facts.empty {
        return PlainVariable {
            name: variable,
            value: facts,
        };
    }
    let connection = inspect_plain(value);
    let asks_for_url = roles.contains(&Role::Url);
    // Whatever it is called, a database's URL is one. The address of a web service is none.
    if connection.is_database() || (asks_for_url && connection.looks_intended()) {
        facts.connection = Some(connection);
    } else if roles.contains(&Role::Password) {
        // Nothing else may be known of it.
    } else if is_endpoint(text) || roles.contains(&Role::Host) || asks_for_url {
        if let Some((host, port)) = host_and_port(text) {
            facts.host = Some(host);
            facts.port = port;
        }
    } else {
        if roles.contains(&Role::Port) {
            facts.port = text.parse().ok().filter(|p| *p != 0);
        }
        if roles.contains(&Role::Database) || roles.contains(&Role::User) {
            facts.name = name(text);
        }
    }
    let word = text.to_ascii_lowercase();
    if word.len() <= MAX_WORD && vocabulary.is_word(&variable, &word) {
        facts.word = Some(word);
    }
    PlainVariable {
        name: variable,
        value: facts,
    }
}

fn is_endpoint(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { host } else { text }
    });
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    ENDPOINTS.iter().any(|end| host.ends_with(end))
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}
