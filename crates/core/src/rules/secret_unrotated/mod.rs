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
    let age = format_duration(w.params.rotation_age);
    let late = secret
        .rotation
        .last
        .is_none_or(|last| w.now.duration_since(last).unsigned_abs() > w.params.rotation_age && last < w.now);
    let last = secret
        .rotation
        .last
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    let what = match (secret.rotation.enabled, late) {
        (true, false) => return RuleResult::pass(subject),
        (false, _) => format!("is not rotated by itself (rotated last: {last})"),
        (true, true) => format!("was not rotated for longer than {age} (rotated last: {last})"),
    };
    let failure = Failure {
        severity: None,
        message: format!("the secret {} {what}", secret.name),
        evidence: vec![
            Evidence::new("RotationEnabled", secret.rotation.enabled, true),
            Evidence::new("LastRotatedDate", last, format!("within {age}")),
        ],
        remedy: Remedy::manual(format!(
            "set up the rotation of {}, and see that it succeeds",
            secret.name
        )),
    };
    RuleResult::fail(subject, &secret.tags, failure)
}
