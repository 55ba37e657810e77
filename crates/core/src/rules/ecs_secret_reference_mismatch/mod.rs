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
use crate::model::connection::{MAX_KEY, MAX_KEYS, SecretShape, ValueInRole, role_of_key};
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Secret, SecretVariable, Service, TaskDefinition, revision_name};
use crate::model::snapshot::{Read, ReadError};
use crate::model::store::Role;
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

/// A reference that is wrong.
struct Mismatch {
    container: String,
    variable: SecretVariable,
    wrong: Wrong,
}

/// What is wrong with one reference.
struct Wrong {
    /// In words.
    why: String,
    /// The reference of the same role that would be right, or why there is none.
    right: Result<String, HoldReason>,
    /// Whether AWS resolves it all the same today.
    resolves: bool,
}

impl Wrong {
    fn new(why: String, right: Result<String, HoldReason>) -> Self {
        Self {
            why,
            right,
            resolves: false,
        }
    }
}

fn evaluate_service<'a>(
    w: &Workload<'a>,
    service: &'a Service,
    definition: &'a TaskDefinition,
) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Service(service);
    let mut mismatches = vec![];
    let mut unknown: Option<Arc<ReadError>> = None;
    let mut evaluated = false;
    let of_databases = database_variables(w, Some(service), definition);
    for found in &of_databases {
        evaluated = true;
        let (container, variable, role) = (found.container, found.variable, found.role);
        let found = match value_from::parse(&variable.value_from) {
            ValueFrom::Parameter(name) => evaluate_parameter(w, name, role),
            ValueFrom::Secret(target) => match value_from::refused_parts(&variable.value_from) {
                Some(parts) => Ok(Some(refused(w, &target, role, parts))),
                None => evaluate_secret(w, &target, role),
            },
        };
        match found {
            Ok(None) => {}
            Ok(Some(wrong)) => mismatches.push(Mismatch {
                container: container.to_owned(),
                variable: variable.clone(),
                wrong,
            }),
            Err(e) => unknown = unknown.or(Some(e)),
        }
    }
    // Of a variable that leads to no database only this is known: with it, no task starts.
    for container in &definition.containers {
        for variable in &container.secrets {
            let known = of_databases.iter().any(|d| std::ptr::eq(d.variable, variable));
            if let Some(parts) = value_from::refused_parts(&variable.value_from).filter(|_| !known) {
                evaluated = true;
                mismatches.push(Mismatch {
                    container: container.name.clone(),
                    variable: variable.clone(),
                    wrong: Wrong::new(refused_why(parts), Err(HoldReason::NoRemedy)),
                });
            }
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

/// A reference that ECS takes for a parameter's name.
fn evaluate_parameter(w: &Workload<'_>, name: &str, role: Role) -> Read<Option<Wrong>> {
    if !value_from::is_parameter(name) {
        let why = "it is an ARN of neither a secret nor a parameter".to_owned();
        return Ok(Some(Wrong::new(why, right_for(w, role))));
    }
    let Some(shape) = parameter(w, name)? else {
        return Ok(Some(evaluate_missing_parameter(w, name, role)));
    };
    Ok(match shape.value_for(role, None) {
        // ECS hands over the whole value: a reference to a parameter has no place for a key.
        ValueInRole::Object(_) => Some(format!("the parameter {name} is JSON, and the variable gets all of it")),
        ValueInRole::Text {
            rather: Some(other), ..
        } => Some(format!("the parameter {name} holds {}", a(other))),
        _ => None,
    }
    .map(|why| Wrong::new(why, right_for(w, role))))
}

/// The right reference of a role, where the workload tells it.
fn right_for(w: &Workload<'_>, role: Role) -> Result<String, HoldReason> {
    match role {
        Role::Url => right_reference(w),
        _ => Err(HoldReason::NoRightValue(role)),
    }
}

/// What a role holds, with its article.
const fn a(role: Role) -> &'static str {
    match role {
        Role::Url => "a whole connection string",
        Role::Host => "a host",
        Role::Port => "a port",
        Role::Database => "the name of a database",
        Role::User => "a user's name",
        Role::Password => "a password",
        Role::Tls => "a TLS mode",
    }
}

/// A reference to no parameter: perhaps a secret was meant.
fn evaluate_missing_parameter(w: &Workload<'_>, name: &str, role: Role) -> Wrong {
    let secrets = w.snapshot.secrets.iter().flat_map(|m| m.values());
    if let Some(namesake) = secrets.into_iter().find(|s| s.name == name) {
        let why =
            format!("it is the name of the secret {name}, but ECS takes a bare name for a Parameter Store parameter");
        return Wrong::new(why, corrected(w, namesake, &Selector::default(), role));
    }
    let scope = &w.snapshot.scope;
    let arn = value_from::parameter_arn(name, scope);
    let mut place = arn.split(':').skip(3);
    let (region, account) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
    let why = format!("the parameter {name} does not exist in region {region} of account {account}");
    Wrong::new(why, right_for(w, role))
}

/// A reference with a number of parts that ECS does not take.
fn refused(w: &Workload<'_>, target: &SecretRef<'_>, role: Role, parts: usize) -> Wrong {
    let right = match resolve(w, target) {
        Ok(Some(secret)) => corrected(w, secret, &target.selector, role),
        Ok(None) => right_for(w, role),
        Err(_) => Err(HoldReason::NoRemedy),
    };
    Wrong::new(refused_why(parts), right)
}

fn refused_why(parts: usize) -> String {
    format!(
        "{parts} parts follow the secret's name where ECS takes none or three (KEY:STAGE:VERSION, which may be empty): the \
         task can't start"
    )
}

fn evaluate_secret(w: &Workload<'_>, target: &SecretRef<'_>, role: Role) -> Read<Option<Wrong>> {
    let Some(secret) = resolve(w, target)? else {
        return Ok(Some(evaluate_missing(w, target, role)));
    };
    let s = &target.selector;
    let wrong = |why: String| Ok(Some(Wrong::new(why, corrected(w, secret, s, role))));
    let known_version = |version: &str| secret.versions.is_empty() || secret.versions.contains_key(version);
    if let Some(version) = s.version.as_deref().filter(|v| !known_version(v)) {
        return wrong(format!(
            "it pins the version {version}, which {} does not have",
            secret.name
        ));
    }
    let known_stage =
        |stage: &String| secret.versions.is_empty() || secret.versions.values().any(|v| v.contains(stage));
    if let Some(stage) = s.stage.as_ref().filter(|stage| !known_stage(stage)) {
        return wrong(format!(
            "it pins the stage {stage}, which {} does not have",
            secret.name
        ));
    }
    let key = s.json_key.as_deref();
    let is_partial = secret.arn != target.arn;
    let found = match shape(w, secret, s) {
        Ok(Some(found)) => found,
        Ok(None) => return wrong(format!("it pins a stage or version that {} does not have", secret.name)),
        // What is certain without the value is said.
        Err(_) if is_partial => return Ok(Some(partial_but_resolved(w, secret, s, role))),
        Err(e) => return Err(e),
    };
    let name = &secret.name;
    match (found.value_for(role, key), key) {
        (ValueInRole::NotJson, key) => {
            let key = key.unwrap_or_default();
            wrong(format!("it asks for the key `{key}`, but {name} is a plain string"))
        }
        (ValueInRole::Binary, _) => wrong(format!("{name} is binary, which ECS can't inject")),
        (ValueInRole::Object(_), _) => wrong(format!(
            "it asks for no key, but {name} is JSON: the variable gets all of it"
        )),
        (ValueInRole::TooLarge, _) => Err(too_large(secret)),
        (ValueInRole::NoKey, key) => {
            let key = key.unwrap_or_default();
            wrong(format!("it asks for the key `{key}`, which {name} does not have"))
        }
        (
            ValueInRole::Text {
                rather: Some(other), ..
            },
            Some(key),
        ) => wrong(format!("the key `{key}` of {name} holds {}, not {}", a(other), a(role))),
        (
            ValueInRole::Text {
                rather: Some(other), ..
            },
            None,
        ) => wrong(format!("{name} holds {}, not {}", a(other), a(role))),
        (ValueInRole::Text { .. }, _) if is_partial => Ok(Some(partial_but_resolved(w, secret, s, role))),
        (ValueInRole::Text { .. }, _) => Ok(None),
    }
}

/// A partial ARN that matches one secret. Secrets Manager resolves it, until a second secret has a name that begins so.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen>
fn partial_but_resolved(w: &Workload<'_>, secret: &Secret, asked: &Selector, role: Role) -> Wrong {
    Wrong {
        resolves: true,
        ..Wrong::new(partial(secret), corrected(w, secret, asked, role))
    }
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
fn evaluate_missing(w: &Workload<'_>, target: &SecretRef<'_>, role: Role) -> Wrong {
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
    let right = namesake.map_or_else(|| right_for(w, role), |s| corrected(w, s, &target.selector, role));
    Wrong::new(why, right)
}

/// The reference to `secret` that is right for a role: the key that was asked for if it is, else the only one that is.
fn corrected(w: &Workload<'_>, secret: &Secret, asked: &Selector, role: Role) -> Result<String, HoldReason> {
    if secret.deleted_at.is_some() {
        return Err(HoldReason::SecretBeingDeleted(secret.name.clone()));
    }
    let found = shape(w, secret, &Selector::default())
        .map_err(|error| HoldReason::SecretValueUnknown {
            secret: secret.name.clone(),
            error,
        })?
        .ok_or_else(|| HoldReason::NoSecretValue(secret.name.clone()))?;
    let keys = if role == Role::Url {
        let databases = w.databases().map_err(HoldReason::DatabasesUnknown)?;
        let keys = usable_keys(w, found, databases);
        if keys.is_empty() {
            return Err(unusable(w, found, &secret.name, databases));
        }
        keys
    } else {
        keys_for(found, role)
    };
    let key = match keys.as_slice() {
        several if several.contains(&asked.json_key) => asked.json_key.clone(),
        [one] => one.clone(),
        [] => return Err(HoldReason::NoRightValue(role)),
        _ => return Err(HoldReason::SeveralKeys(secret.name.clone())),
    };
    Ok(value_from::write(
        &secret.arn,
        &Selector {
            json_key: key,
            ..Selector::default()
        },
    ))
}

/// The keys (`None`: the whole value) under which a secret holds what a role asks for.
fn keys_for(shape: &SecretShape, role: Role) -> Vec<Option<String>> {
    let fits = |key: Option<&str>| {
        let found = shape.value_for(role, key);
        matches!(found, ValueInRole::Text { faults, rather: None, .. } if faults.is_empty())
    };
    match shape {
        SecretShape::Plain(_) => [None].into_iter().filter(|_| fits(None)).collect(),
        SecretShape::Json { keys, .. } => keys
            .keys()
            .filter(|key| role_of_key(key) == Some(role) && fits(Some(key)))
            .map(|key| Some(key.clone()))
            .collect(),
        SecretShape::Binary => vec![],
    }
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
        .map(|m| format!("{} in {}: {}", m.variable.name, m.container, m.wrong.why))
        .collect();
    let summary = format!(
        "correct the reference in the task definition of {}/{}",
        service.cluster, service.name
    );
    let changes: Result<Vec<SecretChange>, HoldReason> = found
        .iter()
        .filter(|m| !m.wrong.resolves || m.wrong.right.is_ok())
        .map(|m| {
            m.wrong.right.clone().map(|after| SecretChange {
                container: m.container.clone(),
                variable: m.variable.name.clone(),
                before: Some(m.variable.value_from.clone()),
                after,
            })
        })
        .collect();
    let harmless = found.iter().all(|m| m.wrong.resolves);
    Failure {
        severity: harmless.then_some(Severity::Medium),
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
                    .wrong
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
            // Nothing is broken yet: not worth replacing tasks for.
            _ if harmless => Remedy::manual(summary),
            Ok(changes) => roll_out(w, service, summary, changes),
            Err(why) => Remedy::refuse(summary, vec![], why),
        },
    }
}
