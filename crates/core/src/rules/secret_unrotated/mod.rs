#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::config::format_duration;
use crate::facts::each_credential_source;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::Secret;

/// `secret-unrotated`
pub struct SecretUnrotated;

static META: Meta = Meta {
    id: "secret-unrotated",
    severity: Severity::Low,
    enabled: false,
    summary: "a secret is not rotated, or was not for longer than `rotation_age`",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:SecretsManager.1",
        "SecurityHub:SecretsManager.4",
        "Config:secretsmanager-rotation-enabled-check",
        "Config:secretsmanager-secret-periodic-rotation",
    ],
    parameters: &["secret_env", "rotation_age"],
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
    ..Meta::DEFAULT
};

impl Rule for SecretUnrotated {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_credential_source(w, |source| {
            let own = |s: &&Secret| s.deleted_at.is_none() && s.primary_region.is_none();
            Some(evaluate_secret(w, source.secret.filter(own)?))
        })
    }
}

fn evaluate_secret<'a>(w: &Workload<'a>, secret: &'a Secret) -> RuleResult<'a> {
    let subject = ResultSubject::Secret(secret);
    let managed = w.managed_secret_of(&secret.arn).and_then(|d| d.managed_secret);
    let what = match managed {
        // It can be used, and RDS can't rotate it any more.
        Some(m) if m.status == "impaired" => "is rotated by RDS, which can no longer do so (impaired)".to_owned(),
        // A new one has no rotation behind it yet: RDS rotates every 7 days, unless somebody chose another schedule.
        _ if secret.is_managed_by_rds() && secret.rotation.last.is_none() => return RuleResult::pass(subject),
        _ => match unrotated(w, secret) {
            Some(what) => what,
            None => return RuleResult::pass(subject),
        },
    };
    let age = format_duration(w.params.rotation_age);
    let last = last_rotation(secret);
    let failure = Failure {
        severity: None,
        message: format!("the secret {} {what}", secret.name),
        evidence: vec![
            Evidence::new("RotationEnabled", secret.rotation.enabled, true),
            Evidence::new("LastRotatedDate", last, format!("within {age}")),
        ],
        remedy: Remedy::manual(if managed.is_some() {
            format!("let RDS use {} and its KMS key again", secret.name)
        } else {
            format!("set up the rotation of {}, and see that it succeeds", secret.name)
        }),
    };
    RuleResult::fail(subject, &secret.tags, failure)
}

fn last_rotation(secret: &Secret) -> String {
    secret
        .rotation
        .last
        .map_or_else(|| "never".to_owned(), |at| at.to_string())
}

/// How a secret is not rotated, if it isn't.
fn unrotated(w: &Workload<'_>, secret: &Secret) -> Option<String> {
    let age = format_duration(w.params.rotation_age);
    let late = secret
        .rotation
        .last
        .is_none_or(|last| w.now.duration_since(last).unsigned_abs() > w.params.rotation_age && last < w.now);
    let last = last_rotation(secret);
    match (secret.rotation.enabled, late) {
        (true, false) => None,
        (false, _) => Some(format!("is not rotated by itself (rotated last: {last})")),
        (true, true) => Some(format!("was not rotated for longer than {age} (rotated last: {last})")),
    }
}
