use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::secret_malformed_url::SECRET_READS;
use super::support::{database_variables, each_running, no_execution_role, readable_as};
use super::{Failure, Judgement, Meta, Remedy, Rule, Subject, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::remediation::revision_name;
use crate::model::resources::{Access, Service, TaskDefinition};
use crate::model::snapshot::ReadError;

/// `ecs-secret-unreadable`
pub struct EcsSecretUnreadable;

static META: Meta = Meta {
    id: "ecs-secret-unreadable",
    severity: Severity::Critical,
    summary: "the execution role may not read a database secret that the service refers to",
    docs: "\
## What it checks
That the running revision has an execution role, that IAM knows the role, and that, by IAM's own simulator, it may call \
`secretsmanager:GetSecretValue` on every secret that a database variable refers to (and `kms:Decrypt` on its key, if \
that is the customer's), or `ssm:GetParameters` on the parameter. A denial that hangs on the secret's tags, or on other \
things that are known of the request, is simulated again with those. A denial is set aside where the secret's own \
resource policy names the role.

What the simulator does not see: a `Deny` in the secret's resource policy; the policy of a KMS key, which may allow the \
role by itself (grant it in the role's policy too, or waive the rule); the key behind an alias, and the key of a \
parameter; of a secret in another account, what that account's policies say. Where the decision hangs on something that \
only the real call shows (a VPC endpoint, say), the verdict is unknown.

## Why it matters
ECS fetches secrets when a task starts. Tasks that run go on; the next one fails with `ResourceInitializationError`, and \
the service shrinks until nothing is left.

## What Holdfast does
It reports, with the policy statement that is missing. While it is missing, no rollout that refers to the secret is \
carried out.

## By hand
Attach what the finding prints to the execution role: `aws iam put-role-policy --role-name ROLE --policy-name \
database-secret --policy-document '{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \
\"secretsmanager:GetSecretValue\", \"Resource\": \"SECRET_ARN\"}]}'`, and for a customer-managed key a second statement \
with `kms:Decrypt` on the key's ARN. Then `aws ecs update-service --cluster CLUSTER --service SERVICE \
--force-new-deployment`. Ask the simulator yourself: `aws iam simulate-principal-policy --policy-source-arn ROLE_ARN \
--action-names secretsmanager:GetSecretValue --resource-arns SECRET_ARN`. A revision without an execution role needs a \
new one with `executionRoleArn`.
",
    parameters: &["secret_env"],
    reads: READS,
    ..Meta::DEFAULT
};

const READS: &[&str] = &{
    let mut reads = [""; SECRET_READS.len() + 3];
    let mut i = 0;
    while i < SECRET_READS.len() {
        reads[i] = SECRET_READS[i];
        i += 1;
    }
    reads[i] = "secretsmanager:GetResourcePolicy";
    reads[i + 1] = "iam:SimulatePrincipalPolicy";
    reads[i + 2] = "iam:GetRole";
    reads
};

impl Rule for EcsSecretUnreadable {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        each_running(w, |service, definition| judge_service(w, service, definition))
    }
}

fn judge_service<'a>(w: &Workload<'a>, service: &'a Service, definition: &'a TaskDefinition) -> Option<Judgement<'a>> {
    let subject = Subject::Service(service);
    let mut unknown: Option<Arc<ReadError>> = None;
    let mut needed: BTreeSet<Cow<'a, str>> = BTreeSet::new();
    let mut judged = false;
    for (_, variable) in database_variables(w, definition) {
        judged = true;
        match readable_as(w, &variable.value_from) {
            Ok(found) => needed.extend(found),
            Err(e) => unknown = unknown.or(Some(e)),
        }
    }
    if !judged {
        return None;
    }
    let Some(role) = &definition.execution_role else {
        let failure = no_role(service, definition);
        return Some(Judgement::fail(subject, &service.tags, failure));
    };
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    let mut absent = false;
    for arn in &needed {
        match w.snapshot.access.get(&(role.clone(), arn.to_string())) {
            Some(Ok(Access::Allowed)) => {}
            Some(Ok(Access::Denied { missing: actions })) => missing.extend(actions.iter().map(String::as_str)),
            Some(Ok(Access::NoRole)) => absent = true,
            Some(Err(e)) => unknown = unknown.or_else(|| Some(Arc::clone(e))),
            None => unknown = unknown.or_else(|| Some(not_simulated(role, arn))),
        }
    }
    if absent {
        let failure = unknown_role(service, definition, role);
        return Some(Judgement::fail(subject, &service.tags, failure).relating(needed));
    }
    let judgement = match (missing.is_empty(), unknown) {
        (false, _) => Judgement::fail(subject, &service.tags, denied(service, definition, role, &missing)),
        (true, Some(e)) => Judgement::unknown(subject, &service.tags, &e),
        // Every reference leads to nothing: `ecs-secret-reference-mismatch` speaks of that.
        (true, None) if needed.is_empty() => return None,
        (true, None) => Judgement::pass(subject),
    };
    Some(judgement.relating(needed))
}

fn not_simulated(role: &str, arn: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "iam".into(),
        operation: "SimulatePrincipalPolicy".into(),
        resource: role.to_owned(),
        code: "NotRead".into(),
        message: format!("whether {role} may read {arn} was not asked in this sweep; the next one asks"),
    })
}

fn no_role(service: &Service, definition: &TaskDefinition) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    Failure {
        severity: None,
        message: format!(
            "{name} refers to a database secret, but {}: its next task won't start",
            no_execution_role(definition)
        ),
        evidence: vec![Evidence::new(
            "executionRoleArn",
            serde_json::Value::Null,
            "a role that may read the secret",
        )],
        remedy: Remedy::manual(format!(
            "register {} anew with an executionRoleArn, and deploy {name}",
            revision_name(&definition.arn)
        )),
    }
}

fn unknown_role(service: &Service, definition: &TaskDefinition, role: &str) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    Failure {
        severity: None,
        message: format!(
            "{name} runs {}, whose execution role {role} does not exist: its next task won't start",
            revision_name(&definition.arn)
        ),
        evidence: vec![Evidence::new("executionRoleArn", role, "a role that IAM knows")],
        remedy: Remedy::manual(format!(
            "make the role {role} anew, or register {} anew with another executionRoleArn and deploy {name}",
            revision_name(&definition.arn)
        )),
    }
}

fn denied(service: &Service, definition: &TaskDefinition, role: &str, missing: &BTreeSet<&str>) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let list: Vec<&str> = missing.iter().copied().collect();
    // Which policy of a key allows what is beyond the simulator.
    let by_key = if list.iter().all(|m| m.starts_with("kms:")) {
        ", unless the key's own policy allows it"
    } else {
        ""
    };
    Failure {
        severity: None,
        message: format!(
            "{name} runs {}, whose execution role {role} may not {}{by_key}: its next task won't start",
            revision_name(&definition.arn),
            list.join(", nor ")
        ),
        evidence: vec![Evidence::new(
            format!("permissions of {role}"),
            list.iter().map(|m| format!("lacks {m}")).collect::<Vec<_>>(),
            "all that the tasks need to start",
        )],
        remedy: Remedy::manual(format!("allow {role}: {}", statements(missing))),
    }
}

/// The policy statements that are missing, ready to be pasted: one for each action.
fn statements(missing: &BTreeSet<&str>) -> String {
    let mut by_action: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (action, resource) in missing.iter().filter_map(|m| m.split_once(" on ")) {
        by_action.entry(action).or_default().push(resource);
    }
    let statements: Vec<String> = by_action
        .into_iter()
        .map(|(action, resources)| json!({"Effect": "Allow", "Action": action, "Resource": resources}).to_string())
        .collect();
    statements.join(", ")
}
