//! Reduces a plain setting of a container to facts about its value.

use std::iter::Peekable;

use zeroize::Zeroizing;

use super::engine;
use super::grammar::{names_a_database_file, selector_of};
use super::plain::inspect_plain;
use super::program;
use super::text::{is_one_of, name, trim};
use super::vocabulary::Vocabulary;
use crate::model::connection::{Connection, ConnectionForm};
use crate::model::resources::{PlainValue, PlainVariable};
use crate::model::store::{Engine, Role};

/// How the names of RDS's endpoints end. A value of this form is a host, whatever its variable is called.
const ENDPOINTS: [&str; 2] = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];

/// Longest word that is looked at, in bytes.
const MAX_WORD: usize = 64;

/// Values that say: log in with IAM, not with a password. Coder has `awsiamrds`.
const IAM: [&str; 6] = ["awsiamrds", "iam", "rds-iam", "rds_iam", "aws-iam", "aws_iam"];

/// Values that switch something on.
const ON: [&str; 5] = ["1", "true", "yes", "on", "enabled"];

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
    let asks_for = |role| roles.contains(&role);
    // Whatever it is called, a database's URL is one; the address of a web service is none, and a text that only looks
    // like one, in a variable that asks for a password, is a password.
    if is_database(&connection) || (asks_for(Role::Url) && connection.looks_intended()) {
        facts.connection = Some(connection);
    } else if asks_for(Role::Password) {
        facts.password = true;
    } else if let (ConnectionForm::Address, [one]) = (connection.form, connection.hosts.as_slice())
        && (asks_for(Role::Host) || asks_for(Role::Url) || is_endpoint(&one.host))
    {
        facts.host = Some(one.host.clone());
        facts.port = text.contains(':').then_some(one.port);
    } else if asks_for(Role::Host) && is_host(text) {
        facts.host = Some(text.to_ascii_lowercase());
    } else {
        if asks_for(Role::Port) {
            facts.port = text.parse().ok().filter(|p| *p != 0);
        }
        if asks_for(Role::Database) || asks_for(Role::User) {
            facts.name = name(text);
        }
    }
    let names_path =
        asks_for(Role::Database) || vocabulary.families().is_data_path(&variable) || names_a_database_file(&variable);
    if facts.connection.is_none() && !facts.password && names_path && is_path(text) {
        facts.path = Some(text.to_owned());
    }
    if text.len() <= MAX_WORD && !roles.contains(&Role::Password) {
        if vocabulary.is_selected(&variable, text) {
            facts.word = Some(text.to_owned());
        }
        if selector_of(&variable).is_some() {
            facts.engine = engine::named(text);
        }
        facts.iam = says_iam(&variable, text);
    }
    PlainVariable {
        name: variable,
        value: facts,
    }
}

/// What is kept of the settings that a command gives as `--name=value` or `--name value`.
#[must_use]
pub fn arguments(
    entry_point: &[Zeroizing<String>],
    command: &[Zeroizing<String>],
    vocabulary: &Vocabulary,
) -> Vec<PlainVariable> {
    let words = entry_point.iter().chain(command).map(|w| w.as_str());
    let mut found = vec![];
    let mut before = "";
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if program::is_shell(before) && word.starts_with('-') && word.ends_with('c') {
            // What a shell runs is words, too.
            let text = words.next().unwrap_or_default();
            given_in(&mut text.split_whitespace().peekable(), vocabulary, &mut found);
        } else {
            given_by(word, &mut words, vocabulary, &mut found);
        }
        before = word;
    }
    found
}

fn given_in<'w>(
    words: &mut Peekable<impl Iterator<Item = &'w str>>,
    vocabulary: &Vocabulary,
    found: &mut Vec<PlainVariable>,
) {
    while let Some(word) = words.next() {
        given_by(word, words, vocabulary, found);
    }
}

/// The setting that `word` gives, with the word after it where that is its value.
fn given_by<'w>(
    word: &str,
    words: &mut Peekable<impl Iterator<Item = &'w str>>,
    vocabulary: &Vocabulary,
    found: &mut Vec<PlainVariable>,
) {
    if !word.starts_with('-') {
        // MinIO's `server /data`.
        if vocabulary.families().is_data_path(word)
            && let Some(path) = words.next_if(|next| is_path(next))
        {
            found.push(reduce(word.to_owned(), path, vocabulary));
        }
        return;
    }
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, words.next_if(|next| !next.starts_with('-'))),
    };
    // Of a flag that no family reads nothing is known, and what it may hold is not looked at.
    if vocabulary.reads_flag(name) {
        found.push(reduce(name.to_owned(), value.unwrap_or_default(), vocabulary));
    }
}

/// Whether a value is a database's connection string by its own form.
fn is_database(connection: &Connection) -> bool {
    let known = match &connection.engine {
        Engine::Postgres | Engine::Builtin(_) => true,
        Engine::Other(name) => name != "http",
        Engine::Unknown => false,
    };
    known && connection.looks_intended() && connection.form != ConnectionForm::Parts
}

fn is_endpoint(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    ENDPOINTS.iter().any(|end| host.ends_with(end))
}

/// Whether a text can be a host's name, an address or a socket's directory.
fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'/' | b'[' | b']'))
}

/// Whether a text is an absolute path of plain characters, and no template.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 256
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/'))
}

fn says_iam(variable: &str, text: &str) -> bool {
    let mut parts = variable.split(|c: char| !c.is_ascii_alphanumeric());
    is_one_of(text, &IAM) || (is_one_of(text, &ON) && parts.any(|part| part.eq_ignore_ascii_case("iam")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(entry_point: &[&str], command: &[&str]) -> Vec<PlainVariable> {
        let hidden = |words: &[&str]| {
            words
                .iter()
                .map(|w| Zeroizing::new((*w).to_owned()))
                .collect::<Vec<_>>()
        };
        arguments(&hidden(entry_point), &hidden(command), Vocabulary::embedded())
    }

    /// A value with spaces is one value, whatever it holds; what a shell runs is words.
    #[test]
    fn arguments_are_whole() {
        let whole = told(
            &["coder"],
            &[
                "server",
                "--postgres-url",
                "host=db.example.com user=app password=hunter2 dbname=app",
            ],
        );
        let [url] = whole.as_slice() else { panic!("{whole:?}") };
        let connection = url.value.connection.as_ref().expect("a connection");
        assert!(connection.has_password && connection.database.as_deref() == Some("app"));

        let path = |found: &[PlainVariable]| found.iter().find_map(|v| v.value.path.clone());
        let shell: &[&[&str]] = &[
            &["sh", "-c", "exec mysqld --datadir=/efs/db"],
            &["/bin/bash", "-ec", "sleep 1 && mysqld --datadir /efs/db"],
        ];
        for words in shell {
            assert_eq!(path(&told(words, &[])).as_deref(), Some("/efs/db"), "{words:?}");
        }
        // The value of a flag that nobody reads is not looked at.
        assert_eq!(told(&[], &["--note", "--datadir=/x is not here"]).len(), 1);
        assert_eq!(told(&[], &["--note", "mysqld --datadir=/x"]), []);
        assert_eq!(
            path(&told(&["minio"], &["server", "/efs/objects"])).as_deref(),
            Some("/efs/objects")
        );
    }
}
