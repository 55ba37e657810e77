//! The corrections that Holdfast can make. Each has one file with everything that must be known before it is made.
//!
//! To add one, write a file with a type that implements [`Correction`], and add a variant to [`Action`] and an arm to
//! [`Action::correction`]. The compiler then asks for an arm in the crate that talks to AWS. No method of the trait has
//! a default, so none can be forgotten.

mod allow_ingress;
mod call;
mod close_public_access;
mod configure_database;
mod correction;
mod database;
mod deregister;
mod force_tls;
mod raise_retention;
mod redeploy;
mod refresh;
mod restore_secret;
mod revoke_ingress;
mod roll_back;
mod roll_out;
mod rollout;
mod secret_change;
mod set_up_service;
mod takes_away;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::model::policy::Risk;
pub use allow_ingress::AllowIngress;
pub use call::Call;
pub use close_public_access::ClosePublicAccess;
pub use configure_database::{ConfigureDatabase, DatabaseSetting};
pub use correction::{Correction, Execution, Merge};
pub use deregister::Deregister;
pub use force_tls::ForceTls;
pub use raise_retention::RaiseRetention;
pub use redeploy::Redeploy;
pub use refresh::RefreshBeforeCall;
pub use restore_secret::RestoreSecret;
pub use revoke_ingress::RevokeIngress;
pub use roll_back::RollBack;
pub use roll_out::RollOut;
pub use rollout::{Revision, Rollout};
pub use secret_change::SecretChange;
pub use set_up_service::{ServiceSetting, SetUpService};
pub use takes_away::{Clients, TakesAway};

/// One correction. Findings that need the same one share it.
///
/// The ledger and saved plans hold its JSON, and the id of an action is computed from it, so the names and the order of
/// the fields must not change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Takes a public address from an instance.
    ClosePublicAccess(ClosePublicAccess),
    /// Revokes one rule of a security group.
    RevokeIngress(RevokeIngress),
    /// Keeps automated backups for longer.
    RaiseRetention(RaiseRetention),
    /// Changes one field of a database without an effect on clients.
    #[serde(rename = "configure")]
    ConfigureDatabase(ConfigureDatabase),
    /// Makes a parameter group refuse connections without TLS.
    ForceTls(ForceTls),
    /// Opens one port of a security group to one other group.
    AllowIngress(AllowIngress),
    /// Cancels the deletion of a secret.
    RestoreSecret(RestoreSecret),
    /// Changes one setting of a service.
    SetUpService(SetUpService),
    /// Replaces the tasks of a service.
    Redeploy(Redeploy),
    /// Deregisters a task definition.
    Deregister(Deregister),
    /// Gives a service a new revision with other references.
    RollOut(RollOut),
    /// Gives a service a revision that exists.
    RollBack(RollBack),
}

impl Action {
    /// The only match over all corrections.
    #[must_use]
    pub fn correction(&self) -> &dyn Correction {
        match self {
            Self::ClosePublicAccess(c) => c,
            Self::RevokeIngress(c) => c,
            Self::RaiseRetention(c) => c,
            Self::ConfigureDatabase(c) => c,
            Self::ForceTls(c) => c,
            Self::AllowIngress(c) => c,
            Self::RestoreSecret(c) => c,
            Self::SetUpService(c) => c,
            Self::Redeploy(c) => c,
            Self::Deregister(c) => c,
            Self::RollOut(c) => c,
            Self::RollBack(c) => c,
        }
    }

    /// See [`Correction::calls`].
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.correction().calls()
    }

    /// See [`Correction::risk`].
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.correction().risk()
    }

    /// See [`Correction::takes_away`].
    #[must_use]
    pub fn takes_away(&self) -> TakesAway<'_> {
        self.correction().takes_away()
    }

    /// See [`Correction::preconditions`].
    #[must_use]
    pub fn preconditions(&self) -> Vec<String> {
        self.correction().preconditions()
    }

    /// See [`Correction::refresh`].
    #[must_use]
    pub fn refresh(&self) -> RefreshBeforeCall {
        self.correction().refresh()
    }

    /// See [`Correction::execution`].
    #[must_use]
    pub fn execution(&self) -> Execution<'_> {
        self.correction().execution()
    }

    /// See [`Correction::target`].
    #[must_use]
    pub fn target(&self) -> String {
        self.correction().target()
    }

    /// See [`Correction::purpose`].
    #[must_use]
    pub fn purpose(&self) -> String {
        self.correction().purpose()
    }

    /// See [`Correction::describe`].
    #[must_use]
    pub fn describe(&self) -> String {
        self.correction().describe()
    }

    /// Corrections with the same key are planned as one.
    #[must_use]
    pub fn merge_key(&self) -> MergeKey {
        match self.correction().merge() {
            Merge::Identical => MergeKey::Action(self.clone()),
            Merge::OneRevision(r) => MergeKey::Service(r.cluster.to_owned(), r.service.to_owned()),
        }
    }

    /// One correction for this and another one of the same key.
    #[must_use]
    pub fn merged_with(&self, other: &Self) -> Self {
        let (Merge::OneRevision(one), Merge::OneRevision(two)) =
            (self.correction().merge(), other.correction().merge())
        else {
            return self.clone();
        };
        match (one.revision, two.revision) {
            (Revision::Register(first), Revision::Register(second)) => Self::RollOut(RollOut {
                cluster: one.cluster.to_owned(),
                service: one.service.to_owned(),
                base: one.before.to_owned(),
                changes: secret_change::union(first, second),
            }),
            // Never a step back where a step forward does.
            (Revision::Existing(_), Revision::Register(_)) => other.clone(),
            (Revision::Register(_) | Revision::Existing(_), Revision::Existing(_)) => self.clone(),
        }
    }
}

/// What makes two corrections one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MergeKey {
    /// Both give the same service (cluster, name) a revision.
    Service(String, String),
    /// Both are the same.
    Action(Action),
}
