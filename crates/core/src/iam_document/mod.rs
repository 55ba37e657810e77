//! Reads resource policies: which strangers may read a secret's value, and what a policy makes of one request
//! ([`Policy::admits`] and its kin, for secrets and KMS keys).
//!
//! Text that can't be understood is an error, never a guess. Format:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>
//!
//! A statement lets a principal in if it allows `GetSecretValue`, or `PutResourcePolicy`, which is enough to grant the
//! other. These principals are strangers:
//!
//! - everyone (`*`), everyone but some (`NotPrincipal`), and each principal of another account;
//! - not a principal of the secret's own account, nor an AWS service, which acts for the account that set it up;
//! - not what a condition binds (`condition`): to the account, to an organization, to a network;
//! - not a principal that a `Deny` keeps out because it is outside of such a binding.

mod condition;
mod request;
mod value;

use serde::Deserialize;

use condition::Binding;
pub use request::{Admits, Context, Request};
use value::{ACCOUNT_DIGITS, OneOrMany, account_of, matches};

/// What allows reading the value, at once or in two steps.
const READING: [&str; 2] = ["secretsmanager:GetSecretValue", "secretsmanager:PutResourcePolicy"];

/// Why a policy can't be read. It says nothing of what the policy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the resource policy is not one that Holdfast understands")]
pub struct Malformed;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMany<Statement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    principal: Option<Principals>,
    not_principal: Option<Principals>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: condition::Conditions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

/// `"*"`, or principals by kind.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Principals {
    Text(String),
    ByKind(std::collections::BTreeMap<String, OneOrMany<String>>),
}

impl Principals {
    /// AWS principals, federated and other ones: all but services.
    fn people(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::ByKind(kinds) => kinds
                .iter()
                .filter(|(kind, _)| *kind != "Service")
                .flat_map(|(_, names)| names.items())
                .map(String::as_str)
                .collect(),
        }
    }

    fn is_everyone(&self) -> bool {
        self.people().contains(&"*")
    }
}

/// A resource policy.
#[derive(Debug)]
pub struct Policy(Vec<Statement>);

impl Policy {
    /// Reads a document.
    pub fn parse(document: &str) -> Result<Self, Malformed> {
        let document: Document = serde_json::from_str(document).map_err(|_| Malformed)?;
        let statements = match document.statement {
            OneOrMany::One(statement) => vec![statement],
            OneOrMany::Many(statements) => statements,
        };
        let whole = |s: &Statement| {
            (s.principal.is_some() != s.not_principal.is_some()) && (s.action.is_some() != s.not_action.is_some())
        };
        if statements.iter().all(whole) {
            Ok(Self(statements))
        } else {
            Err(Malformed)
        }
    }

    /// Whether any statement denies something.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.0.iter().any(|s| s.effect == Effect::Deny)
    }

    /// Who is let in besides the account of `secret`, as written, each once.
    pub fn strangers(&self, secret: &str) -> Vec<String> {
        let own = account_of(secret).unwrap_or_default();
        let mut all: Vec<String> = READING.iter().flat_map(|a| self.let_in(secret, a, own)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Strangers who may do one action.
    fn let_in(&self, secret: &str, action: &str, own: &str) -> Vec<String> {
        let mut found: Vec<String> = vec![];
        for statement in self.about(secret, Effect::Allow, action) {
            let strangers = statement.strangers(own);
            found.extend(match statement.condition.binding(own) {
                // What the condition names is narrower than whom the principal does.
                Binding::To(bound) if !strangers.is_empty() => bound,
                Binding::To(_) | Binding::None => strangers,
            });
        }
        for fence in self.about(secret, Effect::Deny, action).filter_map(|s| s.fence(own)) {
            let within = |stranger: String| {
                if account_of(&stranger).is_none() && stranger.len() != ACCOUNT_DIGITS {
                    return fence.clone();
                }
                let same = |f: &String| account_of(f).unwrap_or(f) == account_of(&stranger).unwrap_or(&stranger);
                if fence.iter().any(same) { vec![stranger] } else { vec![] }
            };
            found = found.into_iter().flat_map(within).collect();
        }
        found
    }

    /// Whether the policy by itself lets the role do what is asked, whatever the role's own policies say: a statement names
    /// the role, or everyone.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>
    #[must_use]
    pub fn admits(&self, request: &Request<'_>) -> Admits {
        self.allows(request, |s| s.means(|p| request.is_named_by(p)))
    }

    /// Whether the policy leaves it to the role's own policies: a statement names the role, its account, or everyone.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
    #[must_use]
    pub fn delegates(&self, request: &Request<'_>) -> Admits {
        self.allows(request, |s| {
            s.means(|p| request.is_named_by(p) || request.is_account_named_by(p))
        })
    }

    /// Whether a statement may let in the role's session in spite of its permissions boundary: one that names a session of
    /// it, or everyone. One that names the role does not: an implicit denial of the boundary limits that.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-eval-logic>
    #[must_use]
    pub fn may_admit_session(&self, request: &Request<'_>) -> bool {
        let names = |p: &str| p == "*" || request.is_session_named_by(p);
        self.allows(request, |s| s.means(names)) != Admits::No
    }

    /// Whether a statement denies what is asked: that outweighs every other policy.
    #[must_use]
    pub fn forbids(&self, request: &Request<'_>) -> Admits {
        let named =
            |p: &str| request.is_named_by(p) || request.is_account_named_by(p) || request.is_session_named_by(p);
        let applies = |s: &&Statement| match (&s.principal, &s.not_principal) {
            (Some(principals), _) => {
                let people = principals.people();
                people
                    .iter()
                    .any(|p| request.is_named_by(p) || request.is_account_named_by(p))
            }
            // Of exceptions that concern the role in any way it is not decided here whether they are complete.
            (None, Some(but)) => !but.people().into_iter().any(named),
            (None, None) => false,
        };
        let each = self.about(request.resource, Effect::Deny, request.action);
        let holds = each.filter(applies).map(|s| s.condition.holds(request.context));
        holds.fold(Admits::No, Admits::or)
    }

    /// What the `Allow` statements that `names` selects come to, and the `Deny` ones.
    fn allows(&self, request: &Request<'_>, names: impl Fn(&Statement) -> bool) -> Admits {
        let allow = self.about(request.resource, Effect::Allow, request.action);
        let allowed = allow
            .filter(|s| names(s))
            .map(|s| s.condition.holds(request.context))
            .fold(Admits::No, Admits::or);
        match (allowed, self.forbids(request)) {
            (Admits::No, _) | (_, Admits::Yes) => Admits::No,
            (Admits::Yes, Admits::No) => Admits::Yes,
            _ => Admits::Perhaps,
        }
    }

    fn about(&self, secret: &str, effect: Effect, action: &str) -> impl Iterator<Item = &Statement> {
        let applies = move |s: &&Statement| s.effect == effect && s.speaks_of(action) && s.covers(secret);
        self.0.iter().filter(applies)
    }
}

impl Statement {
    /// Whether it is about `action`; actions are the same in upper and lower case.
    fn speaks_of(&self, action: &str) -> bool {
        let action = action.to_lowercase();
        let any = |list: &OneOrMany<String>| list.items().iter().any(|p| matches(&p.to_lowercase(), &action));
        match (&self.action, &self.not_action) {
            (Some(list), _) => any(list),
            (None, Some(list)) => !any(list),
            (None, None) => false,
        }
    }

    fn covers(&self, secret: &str) -> bool {
        let any = |list: &OneOrMany<String>| list.items().iter().any(|p| matches(p, secret));
        match (&self.resource, &self.not_resource) {
            (Some(list), _) => any(list),
            (None, Some(list)) => !any(list),
            (None, None) => true,
        }
    }

    /// Whether it is about a principal that `names` knows, as written.
    fn means(&self, names: impl Fn(&str) -> bool) -> bool {
        match (&self.principal, &self.not_principal) {
            (Some(principals), _) => principals.people().into_iter().any(names),
            (None, Some(but)) => !but.people().into_iter().any(names),
            (None, None) => false,
        }
    }

    fn strangers(&self, own: &str) -> Vec<String> {
        match (&self.principal, &self.not_principal) {
            (Some(principals), _) => {
                let people = principals.people().into_iter();
                people.filter(|p| is_stranger(p, own)).map(str::to_owned).collect()
            }
            (None, Some(but)) => vec![format!("everyone but {}", but.people().join(", "))],
            (None, None) => vec![],
        }
    }

    /// Of a `Deny`: the only strangers (accounts, or ARNs in them) that it leaves, if it holds for everyone outside of a
    /// binding.
    fn fence(&self, own: &str) -> Option<Vec<String>> {
        match (&self.principal, &self.not_principal) {
            (Some(p), _) if p.is_everyone() => match self.condition.negated_binding(own) {
                Binding::To(bound) => Some(bound),
                Binding::None => None,
            },
            // Everyone but these is denied.
            (None, Some(but)) if self.condition.is_empty() => {
                let people = but.people().into_iter();
                Some(people.filter(|p| is_stranger(p, own)).map(str::to_owned).collect())
            }
            _ => None,
        }
    }
}

/// Whether a principal, as written, is not of the account `own`. A unique id (`AIDA...`, `AROA...`) appears in a policy
/// where the principal was deleted: nobody has it any more.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn is_stranger(principal: &str, own: &str) -> bool {
    let deleted = principal.len() >= 16
        && principal.starts_with('A')
        && principal.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    !deleted && principal != own && account_of(principal) != Some(own)
}

#[cfg(test)]
mod tests;
