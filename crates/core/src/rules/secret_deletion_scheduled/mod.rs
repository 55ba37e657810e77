#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::{Action, RestoreSecret};
use crate::facts::{database_variables, untagged};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Secret, Service};
use crate::model::snapshot::{Lookup, ReadError};
use crate::model::value_from::{self, SecretRef, ValueFrom};

/// `secret-deletion-scheduled`
pub struct SecretDeletionScheduled;

static META: Meta = Meta {
    id: "secret-deletion-scheduled",
    severity: Severity::Critical,
    summary: "a secret that a running revision refers to is scheduled for deletion",
    docs: include_str!("doc.md"),
    parameters: &["secret_env"],
    reads: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "tag:GetResources",
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
    ],
    writes: &["secretsmanager:RestoreSecret"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

impl Rule for SecretDeletionScheduled {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let (used, error) = used(w);
        let each = used.chunk_by(|(a, _), (b, _)| a.arn == b.arn);
        let mut out: Vec<RuleResult<'a>> = each.filter_map(|used| evaluate_secret(w, used)).collect();
        if let Some(error) = error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

/// A secret, and a service that refers to it.
type Used<'a> = (&'a Secret, &'a Service);

/// Secrets that running revisions refer to, by ARN and service, and the first error that hides one.
fn used<'a>(w: &Workload<'a>) -> (Vec<Used<'a>>, Option<Arc<ReadError>>) {
    let mut error = w.services_error();
    let secrets = match &w.snapshot.secrets {
        Ok(secrets) => secrets,
        Err(e) => return (vec![], Some(Arc::clone(e))),
    };
    let mut used = vec![];
    for &service in w.services().unwrap_or_default() {
        let definition = match w.running(service) {
            Ok(definition) => definition,
            Err(e) => {
                error = error.or(Some(e));
                continue;
            }
        };
        let of_databases = database_variables(w, Some(service), definition);
        for variable in definition.containers.iter().flat_map(|c| &c.secrets) {
            let ValueFrom::Secret(target) = value_from::parse(&variable.value_from) else {
                continue;
            };
            let of_database = of_databases.iter().any(|d| std::ptr::eq(d.variable, variable));
            let arn = match w.snapshot.lookups.get(target.arn) {
                Some(Ok(Lookup::Found(arn))) => arn.as_str(),
                Some(Ok(Lookup::Missing)) => continue,
                Some(Err(e)) => {
                    error = error.or_else(|| Some(Arc::clone(e)));
                    continue;
                }
                // What is not a database's is not looked up: it is known only if it is tagged.
                None if !of_database || secrets.contains_key(target.arn) => target.arn,
                None => {
                    error = error.or_else(|| Some(not_looked_up(&target)));
                    continue;
                }
            };
            used.extend(w.secret(arn).map(|secret| (secret, service)));
        }
    }
    let key = |(secret, service): &Used<'a>| (secret.arn.as_str(), service.arn.as_str());
    used.sort_by_key(key);
    used.dedup_by_key(|used| key(used));
    (used, error)
}

fn not_looked_up(target: &SecretRef<'_>) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "secretsmanager".into(),
        operation: "DescribeSecret".into(),
        resource: target.arn.to_owned(),
        code: "NotRead".into(),
        message: "the secret was not looked up; `secrets.inspect: off` forbids it".into(),
    })
}

fn evaluate_secret<'a>(w: &Workload<'a>, used: &[Used<'a>]) -> Option<RuleResult<'a>> {
    let (secret, _) = *used.first()?;
    let subject = ResultSubject::Secret(secret);
    let Some(at) = secret.deleted_at else {
        return Some(RuleResult::pass(subject));
    };
    let services = || used.iter().map(|(_, service)| *service);
    let names: Vec<String> = services().map(|s| format!("{}/{}", s.cluster, s.name)).collect();
    let names = names.join(", ");
    let failure = Failure {
        severity: None,
        message: format!(
            "the secret {}, which {names} runs with, is scheduled for deletion (at {at}): tasks that start from now on can't \
             read it",
            secret.name
        ),
        evidence: vec![Evidence::new("DeletedDate", at.to_string(), "absent")],
        remedy: remedy(w, secret),
    };
    Some(RuleResult::fail(subject, &secret.tags, failure).relating(services().map(|s| &s.arn)))
}

fn remedy(w: &Workload<'_>, secret: &Secret) -> Remedy {
    let summary = format!("cancel the deletion of {}", secret.name);
    let mut place = secret.arn.split(':').skip(3);
    let (region, account) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
    let scope = &w.snapshot.scope;
    let elsewhere = (region != scope.region || account != scope.account).then(|| HoldReason::SecretElsewhere {
        region: region.to_owned(),
        account: account.to_owned(),
        arn: secret.arn.clone(),
    });
    let replica = secret.primary_region.clone().map(HoldReason::SecretReplica);
    let action = Action::RestoreSecret(RestoreSecret {
        secret: secret.arn.clone(),
    });
    Remedy {
        summary,
        actions: vec![action],
        refused: untagged(w, &secret.name, &secret.tags).or(elsewhere).or(replica),
    }
}
