#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{credential_sources, each_credential_source};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::Secret;
use crate::model::snapshot::ReadError;

/// `secret-broad-access`
pub struct SecretBroadAccess;

static META: Meta = Meta {
    id: "secret-broad-access",
    severity: Severity::High,
    summary: "the resource policy of a secret lets in everyone or another account",
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
        "secretsmanager:GetResourcePolicy",
    ],
    ..Meta::DEFAULT
};

impl Rule for SecretBroadAccess {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_credential_source(w, |source| {
            let secret = source.secret.filter(|s| s.deleted_at.is_none())?;
            Some(evaluate_secret(w, secret))
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        let secrets = credential_sources(w).0.iter().filter_map(|s| s.secret);
        let kept = secrets.filter(|s| s.deleted_at.is_none());
        reads.policies.extend(kept.map(|s| s.arn.clone()));
    }
}

fn evaluate_secret<'a>(w: &Workload<'a>, secret: &'a Secret) -> RuleResult<'a> {
    let subject = ResultSubject::Secret(secret);
    let strangers = match w.snapshot.policies.get(&secret.arn) {
        Some(Ok(strangers)) if strangers.is_empty() => return RuleResult::pass(subject),
        Some(Ok(strangers)) => strangers,
        Some(Err(e)) => return RuleResult::unknown(subject, &secret.tags, e),
        None => return RuleResult::unknown(subject, &secret.tags, &not_read(secret)),
    };
    let account = secret.arn.split(':').nth(4).unwrap_or_default();
    let failure = Failure {
        severity: None,
        message: format!(
            "the resource policy of the secret {} lets others than account {account} read it: {}",
            secret.name,
            strangers.join(", ")
        ),
        evidence: vec![Evidence::new(
            "ResourcePolicy.Statement[].Principal",
            strangers.clone(),
            format!("principals of account {account}, or bound by a condition"),
        )],
        remedy: Remedy::manual(match &secret.primary_region {
            None => format!(
                "take them out of the resource policy of {}, or bind them by a condition",
                secret.name
            ),
            Some(primary) => format!(
                "take them out of the resource policy of {} in {primary}, of which this is a replica",
                secret.name
            ),
        }),
    };
    RuleResult::fail(subject, &secret.tags, failure)
}

fn not_read(secret: &Secret) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "secretsmanager".into(),
        operation: "GetResourcePolicy".into(),
        resource: secret.name.clone(),
        code: "NotRead".into(),
        message: format!(
            "the resource policy of {} was not read in this sweep; the next one reads it",
            secret.name
        ),
    })
}
