//! What the decisions of the simulator, and of the policies that it does not look at, come to.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>

use std::sync::Arc;

use jiff::Timestamp;

use super::keys::{Keys, granted};
use super::questions::{DECRYPT, PULL, Question, READ_SECRET, account_of, context_of, known};
use super::simulate::{Decision, SIMULATE};
use crate::inventory::collector::Collector;
use crate::inventory::policies;
use holdfast_core::iam_document::{Admits, Request};
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::Access;
use holdfast_core::model::snapshot::ReadError;

/// What one question comes to.
pub(super) enum Verdict {
    Yes,
    /// As far as this account's policies say; the rest is this.
    Here(String),
    /// A permission is missing, for this reason (see [`Access`]; empty: no statement allows it).
    Lacks(&'static str),
    Unclear(Arc<ReadError>),
}

/// Who asks, and with what.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub c: &'a Collector<'a>,
    pub role: &'a str,
    pub keys: &'a Keys,
    pub now: Timestamp,
}

impl Asking<'_> {
    pub(super) async fn judge(&self, question: &Question<'_>, decision: Option<&Decision>) -> Verdict {
        let Some(decision) = decision else {
            let message = format!(
                "IAM's simulator did not say whether {} may {} on {}",
                self.role, question.action, question.shown
            );
            return Verdict::Unclear(self.c.aws.error(SIMULATE, self.role, "NoAnswer", message));
        };
        match decision {
            // No statement anywhere outweighs these.
            Decision::Forbidden => return Verdict::Lacks(Access::EXPLICITLY),
            Decision::DependsOn(keys) => return Verdict::Unclear(self.hangs_on(question, &keys.join(", "))),
            Decision::ByOrganization => return Verdict::Unclear(self.by_organization(question)),
            Decision::Allowed | Decision::NotAllowed { .. } => {}
        }
        match question.action {
            READ_SECRET => self.by_secret(question, decision).await,
            DECRYPT => self.by_key(question, decision).await,
            action if PULL.contains(&action) && self.is_foreign(question) => {
                with_other_account(question, decision, "the policy of the repository")
            }
            _ => by_role(decision),
        }
    }

    fn is_foreign(&self, question: &Question<'_>) -> bool {
        account_of(resource_of(question)) != account_of(self.role)
    }

    /// The policy of a secret: of the role's own account it may let the role in whatever the role's policies say; of
    /// another account it has to.
    async fn by_secret(&self, question: &Question<'_>, decision: &Decision) -> Verdict {
        let context = known(&context_of(question, self.role, &self.c.aws.scope.region));
        let secret = resource_of(question);
        let request = Request {
            action: question.action,
            resource: secret,
            role: self.role,
            context: &context,
        };
        let is_foreign = self.is_foreign(question);
        if *decision == Decision::Allowed && !is_foreign {
            // Read for another rule: it costs no call of its own.
            let changed_at = question.secret.and_then(|s| s.changed_at);
            let policy = self.c.cache.denying.get(&(secret.to_owned(), changed_at), self.now);
            let forbidden = policy.is_some_and(|p| p.forbids(&request) == Admits::Yes);
            return if forbidden {
                Verdict::Lacks(Access::EXPLICITLY)
            } else {
                Verdict::Yes
            };
        }
        if *decision != Decision::Allowed && is_foreign {
            return by_role(decision);
        }
        let policy = match policies::of_secret(self.c, secret).await {
            Ok(policy) => policy,
            Err(_) if is_foreign => return with_other_account(question, decision, "the policy of"),
            // Gone, or on its way: then no policy lets anyone in.
            Err(e) if is_absent(&e) || e.code == "InvalidRequestException" => None,
            Err(e) => return Verdict::Unclear(e),
        };
        let Some(policy) = policy else {
            return if is_foreign {
                Verdict::Lacks(Access::RESOURCE_POLICY)
            } else {
                by_role(decision)
            };
        };
        if policy.forbids(&request) == Admits::Yes {
            return Verdict::Lacks(Access::EXPLICITLY);
        }
        let conditional = || Verdict::Unclear(self.hangs_on(question, "conditions of the secret's own policy"));
        if is_foreign {
            return match policy.delegates(&request) {
                Admits::Yes => Verdict::Yes,
                Admits::No => Verdict::Lacks(Access::RESOURCE_POLICY),
                Admits::Perhaps => conditional(),
            };
        }
        if let Decision::NotAllowed { by_boundary: true } = decision {
            // A grant to the role's ARN is limited by the boundary; one to the session is not.
            return if policy.may_admit_session(&request) {
                conditional()
            } else {
                Verdict::Lacks(Access::BOUNDARY)
            };
        }
        match policy.admits(&request) {
            Admits::Yes => Verdict::Yes,
            Admits::No => by_role(decision),
            Admits::Perhaps => conditional(),
        }
    }

    /// A key's policy decides: by itself where it names the role, with the role's own policies where it names the
    /// account. Else a grant is left.
    async fn by_key(&self, question: &Question<'_>, decision: &Decision) -> Verdict {
        if self.is_foreign(question) {
            // GetKeyPolicy answers only in the key's own account.
            return with_other_account(question, decision, "the policy of the key");
        }
        let key = resource_of(question);
        let policy = match self.keys.policy(self.c, key).await {
            Ok(policy) => policy,
            Err(e) => return Verdict::Unclear(e),
        };
        let context = known(&context_of(question, self.role, &self.c.aws.scope.region));
        let request = Request {
            action: question.action,
            resource: key,
            role: self.role,
            context: &context,
        };
        if policy.forbids(&request) == Admits::Yes {
            return Verdict::Lacks(Access::EXPLICITLY);
        }
        let allowed = *decision == Decision::Allowed;
        let by_boundary = *decision == Decision::NotAllowed { by_boundary: true };
        let (admits, delegates) = (policy.admits(&request), policy.delegates(&request));
        match (admits, delegates) {
            _ if by_boundary && policy.may_admit_session(&request) => {
                return Verdict::Unclear(self.hangs_on(question, "whom the key's own policy means"));
            }
            _ if by_boundary => return Verdict::Lacks(Access::BOUNDARY),
            (Admits::Yes, _) => return Verdict::Yes,
            (_, Admits::Yes) if allowed => return Verdict::Yes,
            (Admits::Perhaps, _) => {
                return Verdict::Unclear(self.hangs_on(question, "conditions of the key's own policy"));
            }
            (_, Admits::Perhaps) if allowed => {
                return Verdict::Unclear(self.hangs_on(question, "conditions of the key's own policy"));
            }
            _ => {}
        }
        match granted(self.c, key, self.role).await {
            Ok(Admits::Yes) => Verdict::Yes,
            Ok(Admits::Perhaps) => Verdict::Unclear(self.hangs_on(question, "the constraints of a grant")),
            Ok(Admits::No) if allowed || delegates == Admits::No => Verdict::Lacks(Access::KEY_POLICY),
            Ok(Admits::No) => by_role(decision),
            Err(e) => Verdict::Unclear(e),
        }
    }

    fn hangs_on(&self, question: &Question<'_>, what: &str) -> Arc<ReadError> {
        let message = format!(
            "whether {} may {} on {} hangs on {what}, which IAM's simulator can't know",
            self.role, question.action, question.shown
        );
        self.c.aws.error(SIMULATE, self.role, "Conditional", message)
    }

    fn by_organization(&self, question: &Question<'_>) -> Arc<ReadError> {
        let message = format!(
            "IAM's simulator says that a policy of the organization denies {} to {} on {}; a condition of it that only the \
             real request meets would not show, so that is no proof: look at the service control policies",
            question.action, self.role, question.shown
        );
        self.c.aws.error(SIMULATE, self.role, "ByOrganization", message)
    }
}

fn resource_of<'q>(question: &'q Question<'_>) -> &'q str {
    question.resources.first().map(String::as_str).unwrap_or_default()
}

/// What the role's own policies say, where no other policy is asked.
fn by_role(decision: &Decision) -> Verdict {
    match decision {
        Decision::NotAllowed { by_boundary: true } => Verdict::Lacks(Access::BOUNDARY),
        Decision::Allowed => Verdict::Yes,
        _ => Verdict::Lacks(""),
    }
}

/// What the role's own policies say, where the other account's can't be read.
fn with_other_account(question: &Question<'_>, decision: &Decision, what: &str) -> Verdict {
    match by_role(decision) {
        Verdict::Yes => Verdict::Here(format!("{what} {}, of another account,", resource_of(question))),
        other => other,
    }
}
