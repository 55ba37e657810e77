//! What a parser found: the facts to be kept, and beside them what only a comparison or a connection needs.

use zeroize::Zeroizing;

use super::faults::empty;
use super::parameters::is_known;
use crate::model::connection::{Connection, ConnectionForm, Fault, Fingerprint, Fingerprints, Note};

/// A text that is zeroed after use.
pub(super) type Hidden = Zeroizing<String>;

/// Most names of unknown parameters that are kept.
const MAX_NOTES: usize = 8;
/// Longest name of an unknown parameter that is kept, in bytes.
const MAX_PARAMETER: usize = 64;

/// A connection with its secret parts.
pub(super) struct Found {
    /// The facts.
    pub(super) connection: Connection,
    /// The form and scheme as written, in lower case.
    pub(super) form: Hidden,
    /// The address as written, for where no host is kept.
    pub(super) address: Hidden,
    pub(super) database: Option<Hidden>,
    pub(super) user: Option<Hidden>,
    /// Decoded.
    pub(super) password: Option<Hidden>,
    pub(super) parameters: Parameters,
}

impl Found {
    pub(super) fn new(form: ConnectionForm) -> Self {
        Self {
            connection: empty(form),
            form: Hidden::default(),
            address: Hidden::default(),
            database: None,
            user: None,
            password: None,
            parameters: Parameters::default(),
        }
    }

    /// A value of which only a fault is known.
    pub(super) fn fault(fault: Fault) -> Self {
        let mut found = Self::new(ConnectionForm::Url);
        found.connection.faults.push(fault);
        found
    }

    /// Adds the notes and fingerprints of a well-formed connection.
    pub(super) fn finish(mut self) -> (Connection, Option<Hidden>) {
        let password = self.password.take().filter(|p| !p.is_empty());
        let mut connection = self.connection;
        connection.has_password |= password.is_some();
        if !connection.faults.is_empty() {
            connection.notes.clear();
            return (connection, password);
        }
        connection.notes.append(&mut self.parameters.notes);
        let hosts: Vec<String> = connection
            .hosts
            .iter()
            .map(|h| format!("{}:{}", h.host, h.port))
            .collect();
        let address = if hosts.is_empty() {
            Fingerprint::of_all(&["as written", &self.address])
        } else {
            Fingerprint::of_all(&["hosts", &hosts.join(",")])
        };
        let of = |text: &Option<Hidden>| text.as_ref().filter(|t| !t.is_empty()).map(|t| Fingerprint::of(t));
        connection.fingerprints = Some(Box::new(Fingerprints {
            form: Fingerprint::of_all(&[&format!("{:?}", connection.form), &self.form]),
            address,
            database: of(&self.database),
            user: of(&self.user),
            password: of(&password),
            parameters: self.parameters.fingerprint(),
        }));
        (connection, password)
    }
}

/// The parameters that are neither host, port, database, user nor password.
#[derive(Default)]
pub(super) struct Parameters {
    pairs: Vec<(Hidden, Hidden)>,
    notes: Vec<Note>,
    /// Whether a secret parameter was there: what follows may be a torn piece of it.
    after_secret: bool,
}

impl Parameters {
    /// A parameter, its value decoded. The name is compared in lower case.
    pub(super) fn push(&mut self, key: &str, value: Hidden) {
        if !is_known(key) {
            self.note(key);
        }
        self.pairs.push((Hidden::new(key.to_ascii_lowercase()), value));
    }

    /// A parameter that is known to the dialect.
    pub(super) fn push_known(&mut self, key: &str, value: Hidden) {
        let key = key.chars().filter(|c| *c != ' ').collect::<String>();
        self.pairs.push((Hidden::new(key.to_ascii_lowercase()), value));
    }

    /// A secret parameter other than the password.
    pub(super) fn push_secret(&mut self, key: &str, value: &str) {
        self.after_secret = true;
        self.pairs
            .push((Hidden::new(key.to_ascii_lowercase()), Hidden::new(value.to_owned())));
    }

    /// The password was here.
    pub(super) const fn secret_seen(&mut self) {
        self.after_secret = true;
    }

    fn note(&mut self, key: &str) {
        if self.notes.len() == MAX_NOTES {
            return;
        }
        let identifier = key.len() <= MAX_PARAMETER
            && key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-. ".contains(&c));
        let name = (identifier && !self.after_secret).then(|| key.to_owned());
        let note = Note::UnknownParameter { name };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// In the order of their names; several of the same name in theirs.
    fn fingerprint(&mut self) -> Fingerprint {
        self.pairs.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        let flat: Vec<&str> = self.pairs.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()]).collect();
        Fingerprint::of_all(&flat)
    }
}
