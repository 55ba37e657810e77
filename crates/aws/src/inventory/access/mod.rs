//! Whether roles may do what they are needed for: read what containers refer to, run ECS Exec.

mod simulate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::policies;
use crate::client::{Api, Family};
use holdfast_core::iam_document::Admits;
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{Access, AccessTarget, Secret};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};
use simulate::{Context, Decision, Decisions, SIMULATE, simulate};

const GET_ROLE: Api = Api {
    service: "iam",
    operation: "GetRole",
    family: Family::Iam,
};

const READ_SECRET: &str = "secretsmanager:GetSecretValue";
const READ_PARAMETER: &str = "ssm:GetParameters";
const DECRYPT: &str = "kms:Decrypt";
/// What ECS Exec needs of a task's role, on every resource.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>
const EXEC: [&str; 4] = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

type Found = BTreeMap<(String, AccessTarget), Read<Access>>;

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
    let read = stream::iter(unread)
        .map(|(role, resources)| async move { Box::pin(of_role(c, snapshot, &role, &resources)).await })
        .buffer_unordered(c.limit())
        .collect::<Vec<Found>>()
        .await;
    for (key, access) in read.into_iter().flatten() {
        if matches!(access, Ok(Access::Allowed)) {
            c.cache.access.put(key.clone(), Access::Allowed, now);
        }
        found.insert(key, access);
    }
    found
}

/// One action on one resource, which a target needs.
#[derive(Debug)]
struct Question<'a> {
    target: &'a AccessTarget,
    action: &'static str,
    resource: String,
    /// The secret that is read, or decrypted.
    secret: Option<&'a Secret>,
}

async fn of_role(c: &Collector<'_>, snapshot: &Snapshot, role: &str, resources: &[AccessTarget]) -> Found {
    let all = |access: Read<Access>| {
        let each = resources.iter().map(|r| ((role.to_owned(), r.clone()), access.clone()));
        each.collect::<Found>()
    };
    let secrets = snapshot.secrets.as_ref().ok();
    let questions: Vec<Question<'_>> = resources
        .iter()
        .flat_map(|target| {
            let secret = match target {
                AccessTarget::EcsExec => None,
                AccessTarget::Resource(arn) => secrets.and_then(|all| all.get(arn)),
            };
            questions(target, secret)
        })
        .collect();
    let decisions = match decide(c, role, &questions).await {
        Ok(decisions) => decisions,
        Err(e) if is_absent(&e) => return all(Ok(Access::NoRole)),
        Err(e) => return all(Err(e)),
    };
    let mut found = Found::new();
    for resource in resources {
        let asked: Vec<&Question<'_>> = questions.iter().filter(|q| q.target == resource).collect();
        found.insert(
            (role.to_owned(), resource.clone()),
            answer(c, role, &asked, &decisions).await,
        );
    }
    // An emulator denies everything to a role that it does not know; AWS says so in its first answer.
    let denied = |access: &Read<Access>| matches!(access, Ok(Access::Denied { .. }));
    if found.values().all(denied) && is_unknown(c, role).await {
        return all(Ok(Access::NoRole));
    }
    found
}

fn questions<'a>(target: &'a AccessTarget, secret: Option<&'a Secret>) -> Vec<Question<'a>> {
    let ask = |action: &'static str, resource: String| Question {
        target,
        action,
        resource,
        secret,
    };
    let arn = match target {
        AccessTarget::EcsExec => return EXEC.iter().map(|action| ask(action, "*".to_owned())).collect(),
        AccessTarget::Resource(arn) => arn,
    };
    if arn.split(':').nth(2) == Some("ssm") {
        return vec![ask(READ_PARAMETER, arn.clone())];
    }
    let key = secret.and_then(|s| key_arn(s.kms_key.as_deref()?, &s.arn));
    let read = ask(READ_SECRET, arn.clone());
    std::iter::once(read).chain(key.map(|key| ask(DECRYPT, key))).collect()
}

/// The ARN of a key that is given by ARN or id. Policies name keys so; an alias leads to one that only KMS could tell.
fn key_arn(key: &str, secret: &str) -> Option<String> {
    if key.contains(":alias/") || key.starts_with("alias/") {
        return None;
    }
    if key.starts_with("arn:") {
        return Some(key.to_owned());
    }
    let fields: Vec<&str> = secret.split(':').collect();
    let [_, partition, _, region, account, ..] = fields.as_slice() else {
        return None;
    };
    Some(format!("arn:{partition}:kms:{region}:{account}:key/{key}"))
}

/// Asks the simulator: each action with its resources, and again, one by one and with what is known of the request,
/// where the decision depends on that.
async fn decide(c: &Collector<'_>, role: &str, questions: &[Question<'_>]) -> Read<Decisions> {
    let mut decisions = Decisions::new();
    for action in [READ_SECRET, READ_PARAMETER, DECRYPT] {
        let of_action = questions.iter().filter(|q| q.action == action);
        let resources: BTreeSet<String> = of_action.map(|q| q.resource.clone()).collect();
        let resources: Vec<String> = resources.into_iter().collect();
        // Actions on resources of different kinds don't go into one simulation.
        decisions.extend(simulate(c, role, &[action], &resources, &[]).await?);
    }
    if questions.iter().any(|q| q.action == EXEC[0]) {
        decisions.extend(simulate(c, role, &EXEC, &["*".to_owned()], &[]).await?);
    }
    for question in questions {
        let key = (question.action.to_owned(), question.resource.clone());
        let Some(Decision::DependsOn(missing)) = decisions.get(&key) else {
            continue;
        };
        if let Some(context) = known_context(question, role, missing) {
            let resource = std::slice::from_ref(&question.resource);
            let repeated = simulate(c, role, &[question.action], resource, &context).await?;
            // What is still missing then is not there: the secret lacks the tag.
            decisions.extend(repeated.into_iter().map(|(key, decision)| match decision {
                Decision::DependsOn(_) => (key, Decision::NotAllowed),
                certain => (key, certain),
            }));
        }
    }
    Ok(decisions)
}

/// What is known of the request that ECS will make, for each of `missing`; `None` if one of them can't be known.
fn known_context(question: &Question<'_>, role: &str, missing: &[String]) -> Option<Vec<Context>> {
    let secret = question.secret?;
    let region = secret.arn.split(':').nth(3)?;
    let mut context = vec![];
    for key in missing {
        let lower = key.to_lowercase();
        let tag = ["aws:resourcetag/", "secretsmanager:resourcetag/"]
            .iter()
            .any(|prefix| lower.starts_with(prefix))
            .then(|| key.split_once('/').map(|(_, tag)| tag))
            .flatten();
        let value = match (tag, lower.as_str()) {
            (Some(tag), _) if question.action == READ_SECRET => secret.tags.0.get(tag).cloned(),
            (None, "secretsmanager:secretid" | "kms:encryptioncontext:secretarn") => Some(secret.arn.clone()),
            (None, "secretsmanager:versionstage") => Some("AWSCURRENT".to_owned()),
            (None, "kms:viaservice") => Some(format!("secretsmanager.{region}.amazonaws.com")),
            (None, "aws:requestedregion") => Some(region.to_owned()),
            (None, "aws:resourceaccount") => question.resource.split(':').nth(4).map(str::to_owned),
            (None, "aws:principalaccount" | "kms:calleraccount") => role.split(':').nth(4).map(str::to_owned),
            (None, "aws:securetransport") => Some("true".to_owned()),
            _ => return None,
        };
        context.extend(value.map(|value| (key.clone(), value)));
    }
    Some(context)
}

/// What the decisions on all that one resource takes come to.
async fn answer(c: &Collector<'_>, role: &str, asked: &[&Question<'_>], decisions: &Decisions) -> Read<Access> {
    let mut missing = vec![];
    let mut unclear: Option<Arc<ReadError>> = None;
    for question in asked {
        let decision = decisions.get(&(question.action.to_owned(), question.resource.clone()));
        let denied = format!("{} on {}", question.action, question.resource);
        match decision {
            Some(Decision::Allowed) => {}
            Some(Decision::Forbidden) => missing.push(denied),
            Some(Decision::NotAllowed) => match let_in_by_policy(c, role, question).await {
                Ok(true) => {}
                Ok(false) => missing.push(denied),
                Err(e) => unclear = unclear.or(Some(e)),
            },
            Some(Decision::DependsOn(keys)) => unclear = unclear.or_else(|| Some(hangs_on(c, role, question, keys))),
            None => {
                let message = format!("IAM's simulator did not say whether {role} may {denied}");
                unclear = unclear.or_else(|| Some(c.aws.error(SIMULATE, role, "NoAnswer", message)));
            }
        }
    }
    match (missing.is_empty(), unclear) {
        (false, _) => Ok(Access::Denied { missing }),
        (true, Some(e)) => Err(e),
        (true, None) => Ok(Access::Allowed),
    }
}

fn hangs_on(c: &Collector<'_>, role: &str, question: &Question<'_>, keys: &[String]) -> Arc<ReadError> {
    let message = format!(
        "whether {role} may {} on {} hangs on {}, which IAM's simulator can't know",
        question.action,
        question.resource,
        keys.join(", ")
    );
    c.aws.error(SIMULATE, role, "Conditional", message)
}

/// Whether the policy of a secret of the role's own account lets it in, whatever the role's policies say. (A key's own
/// policy may do so too, but can't be read without KMS.)
async fn let_in_by_policy(c: &Collector<'_>, role: &str, question: &Question<'_>) -> Read<bool> {
    let secret = &question.resource;
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    if question.action != READ_SECRET || account(secret) != account(role) {
        return Ok(false);
    }
    match policies::of_secret(c, secret).await {
        Ok(None) => Ok(false),
        Ok(Some(policy)) => match policy.admits(secret, role) {
            Admits::Yes => Ok(true),
            Admits::No => Ok(false),
            Admits::Perhaps => Err(hangs_on(
                c,
                role,
                question,
                &["conditions of the secret's own policy".to_owned()],
            )),
        },
        // Gone, or on its way: then no policy lets anyone in.
        Err(e) if is_absent(&e) || e.code == "InvalidRequestException" => Ok(false),
        Err(e) => Err(e),
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
