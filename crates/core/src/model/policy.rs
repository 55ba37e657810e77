//! Modes, severities and risks: what Holdfast may do, how bad a finding is, and what a correction costs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word that is none of those its type knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of: {}", valid.join(", "))]
pub struct UnknownWord {
    /// The word given.
    pub word: String,
    /// The words that would have been valid, in order.
    pub valid: &'static [&'static str],
}

/// Gives an enum of unit variants its lower-case words: `ALL`, `WORDS`, `as_str`, `Display` and `FromStr`. The words are
/// exactly serde's, which a test holds true.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, lowest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word of each value of [`Self::ALL`].
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word, as in the configuration, tags and reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            /// Reads the exact lower-case word.
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { word: word.to_owned(), valid: Self::WORDS }),
                }
            }
        }
    };
}

/// How far Holdfast may go. Ordered: the lesser of two modes is the one that touches less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Report only.
    #[default]
    Audit,
    /// Report, correct what may be corrected, and verify.
    Enforce,
}
words!(Mode { Audit => "audit", Enforce => "enforce" });

/// How bad a finding is. Ordered: low < medium < high < critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Weakens a defence.
    Medium,
    /// Data or access is at risk once something else goes wrong.
    High,
    /// Data is being lost or exposed now.
    Critical,
}
words!(Severity { Low => "low", Medium => "medium", High => "high", Critical => "critical" });

/// What a correction costs those who use the resource. Ordered: none < brief < outage < manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nobody notices.
    None,
    /// Tasks are replaced, connections reconnect.
    Brief,
    /// The database is unavailable for a time.
    Outage,
    /// No call can do it: a person has to.
    Manual,
}
words!(Risk { None => "none", Brief => "brief", Outage => "outage", Manual => "manual" });

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<T>(all: &[T], words: &[&str])
    where
        T: Copy + fmt::Debug + fmt::Display + PartialEq + PartialOrd + FromStr + Serialize,
        T::Err: fmt::Debug,
    {
        assert_eq!(all.len(), words.len());
        assert!(all.is_sorted());
        for (value, word) in all.iter().zip(words) {
            assert_eq!(serde_json::to_value(value).unwrap(), *word);
            assert_eq!(value.to_string(), *word);
            assert_eq!(word.parse::<T>().unwrap(), *value);
        }
    }

    #[test]
    fn words_are_those_of_serde_and_ordered() {
        agrees(Mode::ALL, Mode::WORDS);
        agrees(Severity::ALL, Severity::WORDS);
        agrees(Risk::ALL, Risk::WORDS);
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_valid_ones() {
        assert_eq!(
            "Enforce".parse::<Mode>().unwrap_err().to_string(),
            "\"Enforce\" is not one of: audit, enforce"
        );
    }
}
