//! Reads the `holdfast:` tags: workload, mode, phase and waivers.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::Mode;

/// All tags of one resource, as AWS returned them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);

impl Tags {
    /// The tags of what has none.
    pub const NONE: &Self = &Self(BTreeMap::new());

    /// The value of `{prefix}{name}`.
    #[must_use]
    pub fn get(&self, prefix: &str, name: &str) -> Option<&str> {
        // A resource has few tags, and this is asked often: a key made for a look-up would cost more.
        let mut tags = self.0.iter();
        let (_, value) = tags.find(|(key, _)| key.strip_prefix(prefix) == Some(name))?;
        Some(value)
    }

    /// The workload that the resource belongs to. An empty value is no workload.
    #[must_use]
    pub fn workload(&self, prefix: &str) -> Option<&str> {
        self.get(prefix, "workload").map(str::trim).filter(|w| !w.is_empty())
    }

    /// The mode that the resource asks for. A value that is neither `audit` nor `enforce` means `audit`, because a
    /// misspelt restriction must still restrict.
    #[must_use]
    pub fn mode(&self, prefix: &str) -> Option<Mode> {
        self.get(prefix, "mode").map(|v| {
            if v.trim() == "enforce" {
                Mode::Enforce
            } else {
                Mode::Audit
            }
        })
    }

    /// The phase at `now`. Every malformed, expired or overlong window means [`Phase::Migrated`].
    #[must_use]
    pub fn phase(&self, prefix: &str, now: Timestamp, max_window: Duration) -> PhaseReading {
        if self.get(prefix, "phase").map(str::trim) != Some("migrating") {
            return PhaseReading::MIGRATED;
        }
        let lapsed = match self.get(prefix, "migration-until").map(str::trim) {
            None => Some(Lapse::NoEnd),
            Some(text) => match text.parse::<Timestamp>() {
                Err(_) => Some(Lapse::MalformedEnd),
                Ok(end) if end <= now => Some(Lapse::Ended { at: end }),
                Ok(end) if end.duration_since(now).unsigned_abs() > max_window => Some(Lapse::TooFarAhead { at: end }),
                Ok(end) => {
                    return PhaseReading {
                        phase: Phase::Migrating { until: end },
                        lapsed: None,
                    };
                }
            },
        };
        PhaseReading {
            phase: Phase::Migrated,
            lapsed,
        }
    }

    /// The waiver of `rule` that holds at `now`, if there is one.
    #[must_use]
    pub fn waiver(&self, prefix: &str, rule: &str, now: Timestamp) -> Option<Waiver> {
        let reason = self
            .get(prefix, "waive-reason")
            .map(str::trim)
            .filter(|r| !r.is_empty())?;
        self.get(prefix, "waive")?
            .split(' ')
            .filter_map(|entry| entry.split_once('@'))
            .filter(|(id, _)| *id == rule)
            .filter_map(|(_, until)| until.parse::<Timestamp>().ok())
            .filter(|until| *until > now)
            .max()
            .map(|until| Waiver {
                until,
                reason: reason.to_owned(),
            })
    }
}

/// Why an entry of `holdfast:waive` does not count. A tag's value is anyone's text: it is quoted in a finding, never
/// interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaiverFault {
    /// `holdfast:waive-reason` is absent or empty: no waiver of the resource counts.
    NoReason,
    /// It is not `rule-id@RFC3339-instant`.
    Malformed {
        /// The entry.
        entry: String,
    },
    /// No rule has that id.
    UnknownRule {
        /// The id.
        rule: String,
    },
    /// It has expired.
    Expired {
        /// The rule's id.
        rule: String,
        /// When.
        at: Timestamp,
    },
}

impl Tags {
    /// What is wrong with the waivers of this resource at `now`, in order. `known` are the ids of all rules.
    #[must_use]
    pub fn waiver_faults(&self, prefix: &str, known: &[&str], now: Timestamp) -> Vec<WaiverFault> {
        let Some(text) = self.get(prefix, "waive") else {
            return vec![];
        };
        let mut faults = vec![];
        if self.get(prefix, "waive-reason").is_none_or(|r| r.trim().is_empty()) {
            faults.push(WaiverFault::NoReason);
        }
        let mut entries = text.split(' ').filter(|e| !e.is_empty()).peekable();
        if entries.peek().is_none() {
            faults.push(WaiverFault::Malformed { entry: String::new() });
        }
        // A later entry for the same rule may hold where an earlier one has expired.
        let holds = |rule: &str| {
            let of_rule = text
                .split(' ')
                .filter_map(|e| e.split_once('@'))
                .filter(|(id, _)| *id == rule);
            of_rule
                .filter_map(|(_, until)| until.parse::<Timestamp>().ok())
                .any(|t| t > now)
        };
        for entry in entries {
            let parsed = entry
                .split_once('@')
                .and_then(|(rule, until)| Some((rule, until.parse::<Timestamp>().ok()?)));
            match parsed {
                None => faults.push(WaiverFault::Malformed {
                    entry: entry.to_owned(),
                }),
                Some((rule, _)) if !known.contains(&rule) => {
                    faults.push(WaiverFault::UnknownRule { rule: rule.to_owned() });
                }
                Some((rule, at)) if at <= now && !holds(rule) => faults.push(WaiverFault::Expired {
                    rule: rule.to_owned(),
                    at,
                }),
                Some(_) => {}
            }
        }
        faults
    }
}

/// Whether a database is inside its migration window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Inside a bounded window.
    Migrating {
        /// When the window ends.
        until: Timestamp,
    },
    /// The default.
    Migrated,
}

impl Phase {
    /// `migrating` or `migrated`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Migrating { .. } => "migrating",
            Self::Migrated => "migrated",
        }
    }

    /// Whether the window is open.
    #[must_use]
    pub fn is_migrating(self) -> bool {
        matches!(self, Self::Migrating { .. })
    }
}

/// Why a window that was asked for does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// It ended.
    Ended {
        /// When.
        at: Timestamp,
    },
    /// It has no end.
    NoEnd,
    /// Its end is not an RFC 3339 instant.
    MalformedEnd,
    /// Its end is further ahead than `migration.max_window`.
    TooFarAhead {
        /// The end asked for.
        at: Timestamp,
    },
}

/// The phase, and why a window that was asked for lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseReading {
    /// The phase that counts.
    pub phase: Phase,
    /// Set if `holdfast:phase=migrating` was asked for and does not count.
    pub lapsed: Option<Lapse>,
}

impl PhaseReading {
    /// No window was asked for.
    pub const MIGRATED: Self = Self {
        phase: Phase::Migrated,
        lapsed: None,
    };
}

/// A waiver in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// When it expires.
    pub until: Timestamp,
    /// Why it was given.
    pub reason: String,
}
