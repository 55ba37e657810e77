#[cfg(test)]
pub(super) mod cases;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{SECRET_READS, ask_to_read, database_variables, each_running, no_execution_role, readable_as};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{Access, AccessTarget, Service, TaskDefinition, revision_name};
use crate::model::snapshot::ReadError;

/// `ecs-secret-unreadable`
pub struct EcsSecretUnreadable;

static META: Meta = Meta {
    id: "ecs-secret-unreadable",
    severity: Severity::Critical,
    summary: "the execution role may not read a database secret that the service refers to",
    docs: include_str!("doc.md"),
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

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| evaluate_service(w, service, definition))
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            for found in database_variables(w, None, definition) {
                let variable = found.variable;
                ask_to_read(w, definition, &variable.value_from, reads);
            }
        }
    }
}

fn evaluate_service<'a>(
    w: &Workload<'a>,
    service: &'a Service,
    definition: &'a TaskDefinition,
) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Service(service);
    let mut unknown: Option<Arc<ReadError>> = None;
    let mut needed: BTreeSet<Cow<'a, str>> = BTreeSet::new();
    let mut evaluated = false;
    for found in database_variables(w, None, definition) {
        let variable = found.variable;
        evaluated = true;
        match readable_as(w, &variable.value_from) {
            Ok(found) => needed.extend(found),
            Err(e) => unknown = unknown.or(Some(e)),
        }
    }
    if !evaluated {
        return None;
    }
    let Some(role) = &definition.execution_role else {
        let failure = no_role(service, definition);
        return Some(RuleResult::fail(subject, &service.tags, failure));
    };
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    let mut absent = false;
    for arn in &needed {
        match w.snapshot.access.get(&(role.clone(), AccessTarget::from(arn.as_ref()))) {
            Some(Ok(Access::Allowed)) => {}
            Some(Ok(Access::Denied { missing: actions })) => missing.extend(actions.iter().map(String::as_str)),
            Some(Ok(Access::NoRole)) => absent = true,
            Some(Err(e)) => unknown = unknown.or_else(|| Some(Arc::clone(e))),
            None => unknown = unknown.or_else(|| Some(not_simulated(role, arn))),
        }
    }
    if absent {
        let failure = unknown_role(service, definition, role);
        return Some(RuleResult::fail(subject, &service.tags, failure).relating(needed));
    }
    let result = match (missing.is_empty(), unknown) {
        (false, _) => RuleResult::fail(subject, &service.tags, denied(service, definition, role, &missing)),
        (true, Some(e)) => RuleResult::unknown(subject, &service.tags, &e),
        // Every reference leads to nothing: `ecs-secret-reference-mismatch` speaks of that.
        (true, None) if needed.is_empty() => return None,
        (true, None) => RuleResult::pass(subject),
    };
    Some(result.relating(needed))
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
