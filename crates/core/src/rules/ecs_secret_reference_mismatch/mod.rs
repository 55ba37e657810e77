#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::SecretChange;
use crate::facts::{
    Database, ROLLOUT_WRITES, Resolution, SECRET_READS, ask_to_roll_out, database_variables, each_running, parameter,
    resolve, resolves_to, right_reference, roll_out, shape, usable_keys,
};
use crate::finding::Evidence;
use crate::model::connection::{MAX_KEY, MAX_KEYS, SecretShape};
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Secret, SecretVariable, Service, TaskDefinition, revision_name};
use crate::model::snapshot::{Read, ReadError};
use crate::model::value_from::{self, SecretRef, Selector, ValueFrom};

/// `ecs-secret-reference-mismatch`
pub struct EcsSecretReferenceMismatch;

static META: Meta = Meta {
    id: "ecs-secret-reference-mismatch",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database variable's `valueFrom` does not fit the secret it refers to",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: ROLLOUT_WRITES,
    risk: Risk::Brief,
    follow_up: FollowUp::With("ecs-secret-unreadable"),
    ..Meta::DEFAULT
};

impl Rule for EcsSecretReferenceMismatch {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| evaluate_service(w, service, definition))
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        ask_to_roll_out(w, self.evaluate(w), reads);
    }
}

/// What is wrong with one reference.
struct Mismatch {
    container: String,
    variable: SecretVariable,
    /// What is wrong with it, in words.
    why: String,
    /// The reference that would be right, or why there is none.
    right: Result<String, HoldReason>,
}

fn evaluate_service<'a>(w: &Workload<'a>, service: &'a Service, definition: &TaskDefinition) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Service(service);
    let mut mismatches = vec![];
    let mut unknown: Option<Arc<ReadError>> = None;
    let mut evaluated = false;
    for (container, variable) in database_variables(w, definition) {
        evaluated = true;
        let found = match value_from::parse(&variable.value_from) {
            ValueFrom::Parameter(name) => evaluate_parameter(w, name),
            ValueFrom::Secret(target) => evaluate_secret(w, &target),
        };
        match found {
            Ok(None) => {}
            Ok(Some((why, right))) => mismatches.push(Mismatch {
                container: container.to_owned(),
                variable: variable.clone(),
                why,
                right,
            }),
            Err(e) => unknown = unknown.or(Some(e)),
        }
    }
    if !evaluated {
        return None;
    }
    Some(match (mismatches.as_slice(), unknown) {
        ([], None) => RuleResult::pass(subject),
        ([], Some(e)) => RuleResult::unknown(subject, &service.tags, &e),
        (found, _) => RuleResult::fail(subject, &service.tags, failure(w, service, definition, found)),
    })
}

type Wrong = Option<(String, Result<String, HoldReason>)>;

/// A reference that ECS takes for a parameter's name.
fn evaluate_parameter(w: &Workload<'_>, name: &str) -> Read<Wrong> {
    if !value_from::is_parameter(name) {
        let why = "it is an ARN of neither a secret nor a parameter".to_owned();
        return Ok(Some((why, right_reference(w))));
    }
    match parameter(w, name)? {
        // ECS hands over the whole value: a reference to a parameter has no place for a key.
        Some(SecretShape::Json { .. }) => {
            let why = format!("the parameter {name} is JSON, and the variable gets all of it");
            Ok(Some((why, right_reference(w))))
        }
        Some(_) => Ok(None),
        None => Ok(Some(evaluate_missing_parameter(w, name))),
    }
}

/// A reference to no parameter: perhaps a secret was meant.
fn evaluate_missing_parameter(w: &Workload<'_>, name: &str) -> (String, Result<String, HoldReason>) {
    let secrets = w.snapshot.secrets.iter().flat_map(|m| m.values());
    if let Some(namesake) = secrets.into_iter().find(|s| s.name == name) {
        let why =
            format!("it is the name of the secret {name}, but ECS takes a bare name for a Parameter Store parameter");
        return (why, corrected(w, namesake, &Selector::default()));
    }
    let scope = &w.snapshot.scope;
    let arn = value_from::parameter_arn(name, scope);
    let mut place = arn.split(':').skip(3);
    let (region, account) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
    let why = format!("the parameter {name} does not exist in region {region} of account {account}");
    (why, right_reference(w))
}

fn evaluate_secret(w: &Workload<'_>, target: &SecretRef<'_>) -> Read<Wrong> {
    let Some(secret) = resolve(w, target)? else {
        return Ok(Some(evaluate_missing(w, target)));
    };
    if secret.arn != target.arn {
        return Ok(Some((partial(secret), corrected(w, secret, &target.selector))));
    }
    let s = &target.selector;
    let known_version = |version: &str| secret.versions.is_empty() || secret.versions.contains_key(version);
    if let Some(version) = s.version.as_deref().filter(|v| !known_version(v)) {
        let why = format!("it pins the version {version}, which {} does not have", secret.name);
        return Ok(Some((why, corrected(w, secret, s))));
    }
    let known_stage =
        |stage: &String| secret.versions.is_empty() || secret.versions.values().any(|v| v.contains(stage));
    if let Some(stage) = s.stage.as_ref().filter(|stage| !known_stage(stage)) {
        let why = format!("it pins the stage {stage}, which {} does not have", secret.name);
        return Ok(Some((why, corrected(w, secret, s))));
    }
    let Some(found) = shape(w, secret, s)? else {
        let why = format!("it pins a stage or version that {} does not have", secret.name);
        return Ok(Some((why, corrected(w, secret, s))));
    };
    let why = match (found, s.json_key.as_deref()) {
        (SecretShape::Plain(_), Some(key)) => {
            format!("it asks for the key `{key}`, but {} is a plain string", secret.name)
        }
        (SecretShape::Binary, _) => format!("{} is binary, which ECS can't inject", secret.name),
        (SecretShape::Json { .. }, None) => {
            format!(
                "it asks for no key, but {} is JSON: the variable gets all of it",
                secret.name
            )
        }
        (SecretShape::Json { keys, .. }, Some(key)) if !keys.contains_key(key) && may_be_there(keys.len(), key) => {
            return Err(too_large(secret));
        }
        (SecretShape::Json { keys, .. }, Some(key)) if !keys.contains_key(key) => {
            format!("it asks for the key `{key}`, which {} does not have", secret.name)
        }
        _ => return Ok(None),
    };
    Ok(Some((why, corrected(w, secret, s))))
}

/// Whether a key that was not kept may be there all the same.
fn may_be_there(kept: usize, key: &str) -> bool {
    kept >= MAX_KEYS || key.len() > MAX_KEY
}

fn too_large(secret: &Secret) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "secretsmanager".into(),
        operation: "GetSecretValue".into(),
        resource: secret.name.clone(),
        code: "TooLarge".into(),
        message: format!(
            "of the JSON in {} only {MAX_KEYS} keys of at most {MAX_KEY} bytes are looked at; keep the database's URL in a \
             secret of its own",
            secret.name
        ),
    })
}

fn partial(secret: &Secret) -> String {
    format!(
        "its ARN is partial: the six-character suffix of {} is missing",
        secret.name
    )
}

/// A reference that leads nowhere. The secret may have been re-created with another suffix.
fn evaluate_missing(w: &Workload<'_>, target: &SecretRef<'_>) -> (String, Result<String, HoldReason>) {
    let name = value_from::without_suffix(target.resource).unwrap_or(target.resource);
    let here = target.region == w.snapshot.scope.region && target.account == w.snapshot.scope.account;
    let named = |name: &str| w.snapshot.secrets.as_ref().ok()?.values().find(|s| s.name == name);
    // A name may itself end like a suffix, so the whole of it is tried first.
    let namesake = named(target.resource).or_else(|| named(name));
    let why = match (namesake, here) {
        (Some(s), true) if s.name == target.resource => partial(s),
        (Some(s), true) => {
            format!("no secret has that ARN; {} exists with another suffix", s.name)
        }
        (Some(s), false) => format!(
            "no secret has that ARN in region {} of account {}; {} exists here",
            target.region, target.account, s.name
        ),
        (None, _) => format!(
            "the secret {name} does not exist in region {} of account {}",
            target.region, target.account
        ),
    };
    let right = namesake.map_or_else(|| right_reference(w), |s| corrected(w, s, &target.selector));
    (why, right)
}

/// The reference to `secret` that is right: the key that was asked for if it is, else the only one that is.
fn corrected(w: &Workload<'_>, secret: &Secret, asked: &Selector) -> Result<String, HoldReason> {
    if secret.deleted_at.is_some() {
        return Err(HoldReason::SecretBeingDeleted(secret.name.clone()));
    }
    let databases = w.databases().map_err(HoldReason::DatabasesUnknown)?;
    let found = shape(w, secret, &Selector::default())
        .map_err(|error| HoldReason::SecretValueUnknown {
            secret: secret.name.clone(),
            error,
        })?
        .ok_or_else(|| HoldReason::NoSecretValue(secret.name.clone()))?;
    let keys = usable_keys(w, found, databases);
    let key = match keys.as_slice() {
        several if several.contains(&asked.json_key) => asked.json_key.clone(),
        [one] => one.clone(),
        [] => return Err(unusable(w, found, &secret.name, databases)),
        _ => {
            return Err(HoldReason::SeveralKeys(secret.name.clone()));
        }
    };
    Ok(value_from::write(
        &secret.arn,
        &Selector {
            json_key: key,
            ..Selector::default()
        },
    ))
}

fn unusable<'a>(w: &Workload<'a>, shape: &SecretShape, name: &str, databases: &[Database<'a>]) -> HoldReason {
    let name = name.to_owned();
    match shape {
        SecretShape::Plain(c) if !c.is_well_formed() => HoldReason::SecretMalformed(name),
        SecretShape::Plain(c)
            if matches!(
                resolves_to(w, c, databases),
                Resolution::Elsewhere(..) | Resolution::OtherName(..)
            ) =>
        {
            HoldReason::SecretOfOtherDatabase(name)
        }
        SecretShape::Plain(_) => HoldReason::SecretDatabaseUnknown(name),
        _ => HoldReason::NoUsableKey(name),
    }
}

fn failure(w: &Workload<'_>, service: &Service, definition: &TaskDefinition, found: &[Mismatch]) -> Failure {
    let told: Vec<String> = found
        .iter()
        .map(|m| format!("{} in {}: {}", m.variable.name, m.container, m.why))
        .collect();
    let summary = format!(
        "correct the reference in the task definition of {}/{}",
        service.cluster, service.name
    );
    let changes: Result<Vec<SecretChange>, HoldReason> = found
        .iter()
        .map(|m| {
            m.right.clone().map(|after| SecretChange {
                container: m.container.clone(),
                variable: m.variable.name.clone(),
                before: Some(m.variable.value_from.clone()),
                after,
            })
        })
        .collect();
    Failure {
        severity: None,
        message: format!(
            "{}/{} runs {} with a wrong secret reference: {}",
            service.cluster,
            service.name,
            revision_name(&definition.arn),
            told.join("; ")
        ),
        evidence: found
            .iter()
            .map(|m| {
                let expected = m
                    .right
                    .clone()
                    .unwrap_or_else(|_| "a reference to the workload's secret".into());
                let field = format!(
                    "containerDefinitions[{}].secrets[{}].valueFrom",
                    m.container, m.variable.name
                );
                Evidence::new(field, m.variable.value_from.clone(), expected)
            })
            .collect(),
        remedy: match changes {
            Ok(changes) => roll_out(w, service, summary, changes),
            Err(why) => Remedy::refuse(summary, vec![], why),
        },
    }
}
