//! Whether two values are equal, without the values: keyed hashes that mean nothing outside of this process.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// Two keys that the process draws once.
static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();

/// A keyed hash of a text. Equal texts have equal ones within a process, and nothing else can be learned from it: it is
/// never printed or serialized, and the key ends with the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u64; 2]);

impl Fingerprint {
    /// The fingerprint of a text, as it is.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::of_all(&[text])
    }

    /// The fingerprint of several texts together, in this order.
    #[must_use]
    pub fn of_all(texts: &[&str]) -> Self {
        let keys = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
        // The hash of a slice covers the length of each text, so that no two lists run together.
        Self([keys[0].hash_one(texts), keys[1].hash_one(texts)])
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The fingerprints of a connection's parts. What the value does not give is a part too, and equal if neither has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprints {
    /// The form and scheme: a JDBC URL and a libpq URL have different readers.
    pub form: Fingerprint,
    /// Hosts and ports, with the default ports filled in.
    pub address: Fingerprint,
    /// The database.
    pub database: Option<Fingerprint>,
    /// The user.
    pub user: Option<Fingerprint>,
    /// The password; equal to [`TextFacts::exact`] of a value that is this password alone.
    pub password: Option<Fingerprint>,
    /// Every other parameter, whatever their order.
    pub parameters: Fingerprint,
}

/// What is known of any text, whatever it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFacts {
    /// Nothing, or only white space.
    pub empty: bool,
    /// White space or a line break before or after it.
    pub surrounding_whitespace: bool,
    /// A line break at its end: what an editor or `echo` left.
    pub line_break_at_end: bool,
    /// A number from 1 to 65535, without anything around it.
    pub is_port: bool,
    /// Of the text as it is. Absent once it was serialized.
    #[serde(skip)]
    pub exact: Option<Fingerprint>,
    /// Of the text in lower case and without white space around it, as host names are compared.
    #[serde(skip)]
    pub as_host: Option<Fingerprint>,
}

impl TextFacts {
    /// The facts about `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let inner = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let host = zeroize::Zeroizing::new(inner.to_ascii_lowercase());
        Self {
            empty: inner.is_empty(),
            surrounding_whitespace: inner.len() != text.len(),
            line_break_at_end: text.ends_with(['\n', '\r']),
            is_port: text.bytes().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|p| p != 0),
            exact: Some(Fingerprint::of(text)),
            as_host: Some(Fingerprint::of(&host)),
        }
    }

    /// Whether it is exactly `text`: a user's or database's name that is known from elsewhere.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.exact == Some(Fingerprint::of(text))
    }

    /// Whether it is `host`, in any case and with or without white space around it.
    #[must_use]
    pub fn is_host(&self, host: &str) -> bool {
        self.as_host == Some(Fingerprint::of(&host.to_ascii_lowercase()))
    }
}
