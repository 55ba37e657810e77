//! Whether roles may do what they are needed for: fetch what a task needs at start, run ECS Exec.

mod keys;
mod questions;
mod simulate;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use crate::client::{Api, Family};
use holdfast_core::config::Inspect;
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{Access, AccessTarget, Secret};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};
use keys::{Keys, of_parameters};
use questions::{
    DECRYPT, Key, Question, account_of, common_context, context_of, is_known_to_lack, questions, region_of,
};
use simulate::{Decision, Decisions, simulate};
use verdict::{Asking, Verdict};

const GET_ROLE: Api = Api {
    service: "iam",
    operation: "GetRole",
    family: Family::Iam,
};

type Found = BTreeMap<(String, AccessTarget), Read<Access>>;
/// Keys of parameters, by the parameter's ARN.
type ParameterKeys = BTreeMap<String, Read<Option<String>>>;

/// What each role of `asked` may do: by role and target.
///
/// Only permissions are cached, not denials: what someone fixes must show in the next sweep.
pub(super) async fn read(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    asked: &BTreeMap<String, BTreeSet<AccessTarget>>,
    now: Timestamp,
    reuse: Reuse,
) -> Found {
    let mut found = Found::new();
    let mut unread: Vec<(String, Vec<AccessTarget>)> = vec![];
    for (role, resources) in asked {
        let mut rest = vec![];
        for resource in resources {
            let key = (role.clone(), resource.clone());
            match c.cache.access.get(&key, now).filter(|_| reuse == Reuse::Allowed) {
                Some(access) => {
                    found.insert(key, Ok(access));
                }
                None => rest.push(resource.clone()),
            }
        }
        if !rest.is_empty() {
            unread.push((role.clone(), rest));
        }
    }
    let parameters = parameters_of(c, &unread);
    let parameters = &Box::pin(of_parameters(c, &parameters)).await;
    let keys = &Keys::default();
    let read = stream::iter(unread)
        .map(|(role, targets)| async move {
            let asking = Asking {
                c,
                role: &role,
                keys,
                now,
            };
            Box::pin(of_role(&asking, snapshot, parameters, &targets)).await
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<Found>>()
        .await;
    for (key, access) in read.into_iter().flatten() {
        if let Ok(allowed @ (Access::Allowed | Access::AllowedHere { .. })) = &access {
            c.cache.access.put(key.clone(), allowed.clone(), now);
        }
        found.insert(key, access);
    }
    found
}

fn parameters_of(c: &Collector<'_>, unread: &[(String, Vec<AccessTarget>)]) -> BTreeSet<String> {
    if c.config.secrets.inspect == Inspect::Off {
        return BTreeSet::new();
    }
    let arns = unread.iter().flat_map(|(_, targets)| targets).filter_map(|t| match t {
        AccessTarget::Resource(arn) if arn.split(':').nth(2) == Some("ssm") => Some(arn.clone()),
        _ => None,
    });
    arns.collect()
}

/// One thing that a role is needed for, with what is known of it.
struct Need<'a> {
    target: &'a AccessTarget,
    secret: Option<&'a Secret>,
    key: Read<Option<Key>>,
}

async fn of_role(
    asking: &Asking<'_>,
    snapshot: &Snapshot,
    parameters: &ParameterKeys,
    targets: &[AccessTarget],
) -> Found {
    let role = asking.role;
    let all = |access: Read<Access>| {
        let each = targets.iter().map(|r| ((role.to_owned(), r.clone()), access.clone()));
        each.collect::<Found>()
    };
    let mut needs = vec![];
    for target in targets {
        needs.push(need(asking, snapshot, parameters, target).await);
    }
    let questions: Vec<Vec<Question<'_>>> = needs
        .iter()
        .map(|n| questions(n.target, n.secret, n.key.as_ref().ok().and_then(Option::as_ref)))
        .collect();
    let flat: Vec<&Question<'_>> = questions.iter().flatten().collect();
    let decisions = match decide(asking.c, role, &flat).await {
        Ok(decisions) => decisions,
        Err(e) if is_absent(&e) => return all(Ok(Access::NoRole)),
        Err(e) => return all(Err(e)),
    };
    let mut found = Found::new();
    for (need, questions) in needs.iter().zip(&questions) {
        let access = answer(asking, need, questions, &decisions).await;
        found.insert((role.to_owned(), need.target.clone()), access);
    }
    // An emulator denies everything to a role that it does not know; AWS says so in its first answer.
    let denied = |access: &Read<Access>| matches!(access, Ok(Access::Denied { .. }));
    if found.values().all(denied) && is_unknown(asking.c, role).await {
        return all(Ok(Access::NoRole));
    }
    found
}

async fn need<'a>(
    asking: &Asking<'_>,
    snapshot: &'a Snapshot,
    parameters: &ParameterKeys,
    target: &'a AccessTarget,
) -> Need<'a> {
    let AccessTarget::Resource(arn) = target else {
        return Need {
            target,
            secret: None,
            key: Ok(None),
        };
    };
    let secret = snapshot.secrets.as_ref().ok().and_then(|all| all.get(arn));
    let key = match (secret, parameters.get(arn)) {
        (Some(secret), _) => asking.keys.of_secret(asking.c, secret).await.map(Some),
        (None, Some(Ok(Some(key)))) => asking.keys.resolve(asking.c, key, arn).await.map(Some),
        (None, Some(Err(e))) => Err(Arc::clone(e)),
        (None, Some(Ok(None)) | None) => Ok(None),
    };
    Need { target, secret, key }
}

/// Asks the simulator: everything about resources of one account and region at once, and again, one by one and with all
/// that is known of the request, where the decision depends on that.
async fn decide(c: &Collector<'_>, role: &str, questions: &[&Question<'_>]) -> Read<Decisions> {
    // By account and region, and `*` apart: actions and resources.
    type Group = (BTreeSet<&'static str>, BTreeSet<String>);
    let mut groups: BTreeMap<(&str, &str, bool), Group> = BTreeMap::new();
    for question in questions {
        for resource in &question.resources {
            let place = (account_of(resource), region_of(resource), resource == "*");
            let (actions, resources) = groups.entry(place).or_default();
            actions.insert(question.action);
            resources.insert(resource.clone());
        }
    }
    let mut decisions = Decisions::new();
    for ((account, region, everything), (actions, resources)) in groups {
        let resources: Vec<String> = resources.into_iter().collect();
        let context = if everything {
            common_context(role, account_of(role), &c.aws.scope.region)
        } else {
            common_context(role, account, region)
        };
        let actions: Vec<&str> = actions.into_iter().collect();
        decisions.extend(simulate(c, role, &actions, &resources, &context).await?);
    }
    let here = &c.aws.scope.region;
    for question in questions {
        for resource in &question.resources {
            let key = (question.action.to_owned(), resource.clone());
            if decisions.get(&key).is_some_and(|d| may_change(question, role, here, d)) {
                let context = context_of(question, role, here);
                let one = std::slice::from_ref(resource);
                let repeated = simulate(c, role, &[question.action], one, &context).await?;
                let certain = |d| match d {
                    // What is still missing then is not there: the secret lacks the tag.
                    Decision::DependsOn(keys) if keys.iter().all(|k| is_known_to_lack(question, k)) => {
                        Decision::NotAllowed { by_boundary: false }
                    }
                    certain => certain,
                };
                decisions.extend(repeated.into_iter().map(|(key, d)| (key, certain(d))));
            }
        }
    }
    Ok(decisions)
}

/// Whether more context can change a decision: a denial of the organization, or a missing key that is known.
fn may_change(question: &Question<'_>, role: &str, here: &str, decision: &Decision) -> bool {
    match decision {
        Decision::ByOrganization => true,
        Decision::DependsOn(missing) => {
            let context = context_of(question, role, here);
            let known = |key: &String| context.iter().any(|(k, _)| k.eq_ignore_ascii_case(key));
            missing.iter().all(|key| known(key) || is_known_to_lack(question, key))
        }
        _ => false,
    }
}

/// What the decisions on all that one target takes come to.
async fn answer(
    asking: &Asking<'_>,
    need: &Need<'_>,
    questions: &[Question<'_>],
    decisions: &Decisions,
) -> Read<Access> {
    let (mut missing, mut here) = (vec![], None);
    let mut unclear: Option<Arc<ReadError>> = need.key.as_ref().err().cloned();
    for question in questions {
        let each = question.resources.iter();
        let found = each.filter_map(|r| decisions.get(&(question.action.to_owned(), r.clone())));
        // The first is how AWS names the resource; that another name is allowed shows how the policy was meant.
        let found: Vec<&Decision> = found.collect();
        let decision = found
            .iter()
            .find(|d| ***d == Decision::Allowed)
            .or(found.first())
            .copied();
        match asking.judge(question, decision).await {
            Verdict::Yes => {}
            Verdict::Here(unread) => here = here.or(Some(unread)),
            Verdict::Lacks(reason) => missing.push(format!("{} on {}{reason}", question.action, question.shown)),
            Verdict::Unclear(e) => unclear = unclear.or(Some(e)),
        }
    }
    if let (Some(secret), Ok(Some(Key::Aws))) = (need.secret, &need.key)
        && account_of(&secret.arn) != account_of(asking.role)
    {
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
        missing.push(format!("{DECRYPT} on {}{}", secret.arn, Access::MANAGED_KEY));
    }
    match (missing.is_empty(), unclear, here) {
        (false, _, _) => Ok(Access::Denied { missing }),
        (true, Some(e), _) => Err(e),
        (true, None, Some(unread)) => Ok(Access::AllowedHere { unread }),
        (true, None, None) => Ok(Access::Allowed),
    }
}

/// Whether IAM knows no such role. Where it does not say, there is one.
async fn is_unknown(c: &Collector<'_>, role: &str) -> bool {
    let name = role.rsplit('/').next().unwrap_or(role);
    c.progress.more(1);
    let answer = c
        .aws
        .call(GET_ROLE, role, c.aws.iam.get_role().role_name(name).send())
        .await;
    c.progress.done(1);
    answer.is_err_and(|e| is_absent(&e))
}

#[cfg(test)]
mod tests;
