//! The kinds of reasons for which a correction is held.

use serde::{Deserialize, Serialize};

/// Defines [`HoldCode`] with the names that JSON, metrics and the API use.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident $name:literal;)+) => {
        /// The kind of a [`HoldReason`](super::HoldReason), for programs. There are few, and they are stable, so that a
        /// metric can have it as a label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum HoldCode {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $code,)+
        }

        impl HoldCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The name used in output.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }
        }
    };
}

codes! {
    /// A person must do it.
    Manual "manual";
    /// Evidence is missing.
    Incomplete "incomplete";
    /// Somebody accepted the finding for a time.
    Waived "waived";
    /// The rule corrects only where that is asked for.
    OptIn "opt-in";
    /// A tag or the configuration asks for audit.
    Audit "audit";
    /// The configuration does not allow the risk.
    Risk "risk";
    /// Too much of the fleet fails.
    TooManyFailing "too-many-failing";
    /// No change window is open.
    Window "window";
    /// The resource does not carry the workload's tag.
    Untagged "untagged";
    /// Others use what would be taken away, or would be affected.
    Consumers "consumers";
    /// The database is not available, or has other changes pending.
    DatabaseBusy "database-busy";
    /// A deployment is under way, or runs what would be taken away.
    Deployment "deployment";
    /// AWS offers no such change for this resource here.
    Unsupported "unsupported";
    /// A role does not have the permissions that the change needs.
    Permission "permission";
    /// There is no secret to refer to, or the one there is will not do.
    Secret "secret";
    /// Several choices would do, and Holdfast makes none.
    Ambiguous "ambiguous";
    /// Corrections are paused.
    Pause "pause";
    /// Another process looks after the scope.
    Lease "lease";
    /// Another correction of the same target is under way.
    UnderWay "under-way";
    /// The same correction was made a short time ago.
    Cooldown "cooldown";
    /// Something undoes the correction each time.
    Fight "fight";
    /// The sweep's budget is spent.
    Budget "budget";
    /// The ledger can't be read or written.
    Ledger "ledger";
    /// What the correction was planned on has changed.
    Changed "changed";
    /// The process that was about to do it stopped.
    Stopped "stopped";
}

impl std::fmt::Display for HoldCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plan that an earlier version saved has no codes: a person decides about what it holds.
impl Default for HoldCode {
    fn default() -> Self {
        Self::Manual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_of_their_own_and_are_read_again() {
        let mut names: Vec<&str> = HoldCode::ALL.iter().map(|c| c.as_str()).collect();
        for code in HoldCode::ALL {
            let json = serde_json::to_value(code).expect("JSON");
            assert_eq!(json, code.as_str());
            assert_eq!(serde_json::from_value::<HoldCode>(json).expect("a code"), *code);
            let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.as_str().chars().all(is_kebab), "{code}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), HoldCode::ALL.len());
    }
}
