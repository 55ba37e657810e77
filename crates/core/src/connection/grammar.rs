//! What a variable of an unknown application holds, by its name alone: `APP_DB_HOST` a host, `databaseUrl` a URL.
//!
//! A name is read as words: a word for a database (`DB`, `POSTGRES`, `RDS`, a *stem*), and after it what is held of it
//! (`HOST`, `PASSWORD`, a *role*), perhaps with words between (`DB_MASTER_HOST`) and after (`DB_HOST_READ`) that say which of
//! several. A name that is read otherwise holds nothing that we know of: `DB_POOL_SIZE`, `HOST`, `DATABASE_LOG_LEVEL`.

mod words;

#[cfg(test)]
mod tests;

use crate::model::store::{Engine, Role};
use words::{
    Word, engine_of, is_between, is_denied, is_reader, is_reference, is_stem, is_trailing, is_verb, is_writer, phrases,
    split,
};

/// What a name says about the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRole {
    /// What the variables of one connection have in common: `APP_DB` for `APP_DB_HOST` and `appDatabasePassword`.
    pub group: String,
    /// What it holds.
    pub role: Role,
    /// What the name says of the engine. Unknown where it says `DB`, `DATABASE`, `RDS` or `SQL` only.
    pub engine: Engine,
    /// Whether it is about a read replica, whose other settings are often those of the writer.
    pub reader: bool,
    /// Whether it holds the path of a file with the value, not the value (`DB_PASSWORD_FILE`).
    pub in_file: bool,
}

/// What the variable holds, if its name says so.
#[must_use]
pub fn role_of(variable: &str) -> Option<NamedRole> {
    let mut words = split(variable);
    let in_file = words.len() > 2 && words.last().is_some_and(|w| w.key == "FILE");
    if in_file {
        words.pop();
    }
    let found = forward(&words).or_else(|| backward(&words))?;
    Some(NamedRole { in_file, ..found })
}

/// The group of settings whose engine the variable names, as `DB_TYPE`, `DB_ENGINE` and Laravel's `DB_CONNECTION` do:
/// `engine::named` reads its value.
#[must_use]
pub fn selector_of(variable: &str) -> Option<String> {
    const ENDS: &[&[&str]] = &[
        &["DRIVER", "CLASS", "NAME"],
        &["DRIVER", "CLASS"],
        &["DRIVERCLASSNAME"],
        &["TYPE"],
        &["ENGINE"],
        &["DRIVER"],
        &["DIALECT"],
        &["CLIENT"],
        &["ADAPTER"],
        &["CONNECTION"],
        &["VENDOR"],
        &["KIND"],
        &["PROVIDER"],
    ];
    let words = split(variable);
    let before = ENDS.iter().find_map(|end| without(&words, end))?;
    before.last().is_some_and(is_stem).then(|| group(before, &[]))
}

/// Whether the variable, by its name, holds the path of a file that is a database: `SQLITE_PATH`, `DATABASE_FILE`.
#[must_use]
pub fn names_a_database_file(variable: &str) -> bool {
    const ENDS: [&str; 6] = ["PATH", "FILE", "FILENAME", "FILEPATH", "DIR", "LOCATION"];
    match split(variable).as_slice() {
        [before @ .., end] => ENDS.contains(&end.key.as_str()) && before.last().is_some_and(is_stem),
        [] => false,
    }
}

/// Whether the variable, by its name, holds several settings of a database at once, as a secret of RDS does: `DB_SECRET`,
/// `RDS_CREDENTIALS`.
#[must_use]
pub fn names_whole_credentials(variable: &str) -> bool {
    const ENDS: [&str; 8] = [
        "SECRET",
        "SECRETS",
        "CREDENTIALS",
        "CREDENTIAL",
        "CREDS",
        "CONFIG",
        "JSON",
        "SETTINGS",
    ];
    match split(variable).as_slice() {
        [before @ .., end] => {
            let mut rest = before.iter().rev().skip_while(|w| is_between(&w.key, Role::Password));
            ENDS.contains(&end.key.as_str()) && rest.next().is_some_and(is_stem)
        }
        [] => false,
    }
}

/// A stem, and then the role.
fn forward(words: &[Word]) -> Option<NamedRole> {
    // What says which of several may come last: `DATABASE_URL_PROD`, `DB_HOST_READ_ONLY`, `DB_HOST_2`.
    let longest = words.iter().rev().take_while(|w| is_trailing(&w.key)).count().min(3);
    (0..=longest).find_map(|after| {
        let (named, after) = words.split_at(words.len() - after);
        phrases().find_map(|(phrase, role)| read(without(named, phrase)?, after, role))
    })
}

/// `PASSWORD_DB`: two words the other way round. Not for a user or a name, since `USER_DB` is a database of users.
fn backward(words: &[Word]) -> Option<NamedRole> {
    let [role, stem] = words else { return None };
    let role = match role.key.as_str() {
        "URL" | "URI" | "DSN" => Role::Url,
        "HOST" | "HOSTNAME" => Role::Host,
        "PORT" => Role::Port,
        "PASSWORD" | "PASS" => Role::Password,
        "USERNAME" => Role::User,
        _ => return None,
    };
    is_stem(stem).then(|| named(std::slice::from_ref(stem), &[], role))
}

/// The words before `end`, if they end with it.
fn without<'a>(words: &'a [Word], end: &[&str]) -> Option<&'a [Word]> {
    let (before, last) = words.split_at_checked(words.len().checked_sub(end.len())?)?;
    let same = last.iter().zip(end).all(|(w, e)| w.key == **e);
    (same && !before.is_empty()).then_some(before)
}

/// Reads the words before a role: there must be a stem, and between the two nothing that gives the role another meaning.
fn read(before: &[Word], after: &[Word], role: Role) -> Option<NamedRole> {
    let stem = before.iter().rposition(is_stem)?;
    let between = &before[stem + 1..];
    if between.iter().any(|w| is_denied(&w.key)) || before.iter().any(|w| is_reference(&w.key)) {
        return None;
    }
    let strange = between.iter().filter(|w| !is_between(&w.key, role)).count();
    // `DB_ORDERS_PASSWORD` is a password of a database, `DB_ORDERS_URL` may be the address of an API.
    let bearable = usize::from(matches!(role, Role::Host | Role::User | Role::Password));
    let verb = role != Role::Tls && is_verb(&before[0].key);
    (strange <= bearable && between.len() <= 4 && !verb).then(|| named(before, after, role))
}

fn named(before: &[Word], after: &[Word], role: Role) -> NamedRole {
    NamedRole {
        group: group(before, after),
        role,
        engine: before.iter().rev().find_map(engine_of).unwrap_or_default(),
        reader: before.iter().chain(after).any(|w| is_reader(&w.key)),
        in_file: false,
    }
}

/// What is common to the names of one connection: the words before the role without those that tell its endpoints apart,
/// and those after it that tell environments apart.
fn group(before: &[Word], after: &[Word]) -> String {
    let last_stem = before.iter().rposition(is_stem).unwrap_or_default();
    let endpoint = |w: &Word| is_reader(&w.key) || is_writer(&w.key);
    let mut kept: Vec<&Word> = vec![];
    for (at, word) in before.iter().enumerate() {
        let dropped = endpoint(word) || (at > last_stem && is_between(&word.key, Role::Host) && !word.has_number());
        // `RDS_DB` and `DATASOURCE_JDBC` are `RDS` and `DATASOURCE`.
        let again = words::is_general(&word.key) && kept.last().is_some_and(|w| is_stem(w)) && !word.has_number();
        if !dropped && !again {
            kept.push(word);
        }
    }
    kept.extend(after.iter().filter(|w| !endpoint(w)));
    let texts: Vec<String> = kept.into_iter().map(Word::canonical).collect();
    texts.join("_")
}

/// The words of a name in upper case, joined by `_`: `DB_SECRET_ARN` for `dbSecretArn` and `Db__Secret__Arn`.
pub(super) fn normalized(variable: &str) -> String {
    let words: Vec<String> = split(variable).into_iter().map(|w| w.text).collect();
    words.join("_")
}
