//! One request of a role, as a policy sees it.

use std::collections::BTreeMap;

use super::value::{ACCOUNT_DIGITS, account_of};

/// Condition keys in lower case, with what is known of their values.
pub type Context = BTreeMap<String, String>;

/// Something that a role is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The IAM action.
    pub action: &'a str,
    /// ARN of the resource.
    pub resource: &'a str,
    /// ARN of the role.
    pub role: &'a str,
    /// What is known of the request. A key that is missing may still be there.
    pub context: &'a Context,
}

/// Whether a policy says something of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// A condition decides, which only the real call meets.
    Perhaps,
}

impl Admits {
    /// One of two statements is enough.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Perhaps,
        }
    }

    /// Both conditions must hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }
}

impl Request<'_> {
    /// Whether a principal, as written, is the role or everyone.
    pub(super) fn is_named_by(&self, principal: &str) -> bool {
        principal == "*" || principal == self.role
    }

    /// Whether it is the role's account.
    pub(super) fn is_account_named_by(&self, principal: &str) -> bool {
        let own = account_of(self.role);
        let bare = principal.len() == ACCOUNT_DIGITS && Some(principal) == own;
        bare || (principal.ends_with(":root") && account_of(principal).is_some() && account_of(principal) == own)
    }

    /// Whether it is a session of the role: which name ECS gives to sessions can't be known before.
    pub(super) fn is_session_named_by(&self, principal: &str) -> bool {
        let name = self.role.rsplit('/').next().unwrap_or_default();
        let session = format!(":assumed-role/{name}/");
        principal.contains(&session) && account_of(principal) == account_of(self.role)
    }
}
