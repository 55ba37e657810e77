#[cfg(test)]
pub(super) mod cases;
mod statements;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{SECRET_READS, StartNeeds, each_running, no_execution_role, runs_steadily, start_needs};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{Access, AccessTarget, Service, TaskDefinition, revision_name};
use crate::model::snapshot::ReadError;
use statements::remedy;

/// `ecs-secret-unreadable`
pub struct EcsSecretUnreadable;

static META: Meta = Meta {
    id: "ecs-secret-unreadable",
    severity: Severity::Critical,
    summary: "the execution role may not fetch something that the service's tasks need at start",
    docs: include_str!("doc.md"),
    reads: READS,
    ..Meta::DEFAULT
};

const MORE_READS: [&str; 7] = [
    "secretsmanager:GetResourcePolicy",
    "iam:SimulatePrincipalPolicy",
    "iam:GetRole",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "ssm:DescribeParameters",
];

const READS: &[&str] = &{
    let mut reads = [""; SECRET_READS.len() + MORE_READS.len()];
    let mut i = 0;
    while i < reads.len() {
        reads[i] = if i < SECRET_READS.len() {
            SECRET_READS[i]
        } else {
            MORE_READS[i - SECRET_READS.len()]
        };
        i += 1;
    }
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
            let Some(role) = &definition.execution_role else {
                continue;
            };
            for target in start_needs(w, service, definition).targets.into_keys() {
                reads.may(role, target);
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
    let needs = start_needs(w, service, definition);
    let Some(role) = &definition.execution_role else {
        let failure = || no_role(service, definition, &needs);
        return needs
            .needs_role
            .then(|| RuleResult::fail(subject, &service.tags, failure()));
    };
    let found = look_up(w, service, role, needs);
    let result = if found.no_role {
        RuleResult::fail(subject, &service.tags, unknown_role(service, definition, role))
    } else if !found.missing.is_empty() {
        let failure = denied(service, definition, role, &found);
        RuleResult::fail(subject, &service.tags, failure)
    } else if let Some(e) = &found.unknown {
        RuleResult::unknown(subject, &service.tags, e)
    } else if found.asked == 0 {
        // Nothing is fetched, or every reference leads to nothing: `ecs-secret-reference-mismatch` speaks of that.
        return None;
    } else {
        RuleResult::pass(subject)
    };
    Some(result.relating(found.read))
}

/// What is known of a role's permissions.
#[derive(Default)]
struct Found {
    asked: usize,
    /// ARNs of secrets and parameters that it reads.
    read: Vec<String>,
    missing: BTreeSet<String>,
    /// The same, with who needs it.
    told: BTreeSet<String>,
    no_role: bool,
    unknown: Option<Arc<ReadError>>,
}

fn look_up(w: &Workload<'_>, service: &Service, role: &str, needs: StartNeeds) -> Found {
    let mut found = Found {
        unknown: needs.unknown,
        ..Found::default()
    };
    let steady = runs_steadily(service);
    for (target, who) in needs.targets {
        found.asked += 1;
        if let AccessTarget::Resource(arn) = &target {
            found.read.push(arn.clone());
        }
        let makes_group = matches!(target, AccessTarget::LogGroup(_));
        let unknown = match w.snapshot.access.get(&(role.to_owned(), target)) {
            Some(Ok(Access::Allowed)) => None,
            // The tasks that run have fetched it. That is no proof of what the own policies say by now, but of the others.
            Some(Ok(Access::AllowedHere { .. })) if steady => None,
            Some(Ok(Access::AllowedHere { unread })) => Some(not_known(role, format!("{who}: {unread} is not known"))),
            // The driver creates a group only where there is none, and the tasks that run have one.
            Some(Ok(Access::Denied { .. })) if makes_group && steady => None,
            Some(Ok(Access::Denied { missing })) if makes_group => Some(not_known(
                role,
                format!(
                    "{who}: {role} may not {}, which it needs only where the group does not exist",
                    missing.join(", nor ")
                ),
            )),
            Some(Ok(Access::Denied { missing })) => {
                found.told.extend(missing.iter().map(|m| format!("lacks {m}: {who}")));
                found.missing.extend(missing.iter().cloned());
                None
            }
            Some(Ok(Access::NoRole)) => {
                found.no_role = true;
                None
            }
            Some(Err(e)) => Some(Arc::clone(e)),
            None => Some(not_known(
                role,
                format!("{who}: what {role} may do was not asked in this sweep; the next one asks"),
            )),
        };
        found.unknown = found.unknown.or(unknown);
    }
    found
}

fn not_known(role: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "iam".into(),
        operation: "SimulatePrincipalPolicy".into(),
        resource: role.to_owned(),
        code: "NotRead".into(),
        message,
    })
}

fn no_role(service: &Service, definition: &TaskDefinition, needs: &StartNeeds) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let what: BTreeSet<&str> = needs.targets.values().map(String::as_str).collect();
    let needed = if what.is_empty() {
        "secrets".to_owned()
    } else {
        what.into_iter().collect::<Vec<_>>().join(", ")
    };
    Failure {
        severity: None,
        message: format!(
            "{name} fetches at start: {needed}; but {}: its next task won't start",
            no_execution_role(definition)
        ),
        evidence: vec![Evidence::new(
            "executionRoleArn",
            serde_json::Value::Null,
            "a role that may fetch all of it",
        )],
        remedy: Remedy::manual(format!(
            "register a new revision of {} with an executionRoleArn, and deploy {name}",
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
            "create the role {role}, or register a new revision of {} with another executionRoleArn and deploy {name}",
            revision_name(&definition.arn)
        )),
    }
}

/// A task that can't write to its log stream runs all the same.
const LOG_ONLY: &str = "logs:PutLogEvents ";

fn denied(service: &Service, definition: &TaskDefinition, role: &str, found: &Found) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let list: Vec<&str> = found.missing.iter().map(String::as_str).collect();
    let starts = list.iter().all(|m| m.starts_with(LOG_ONLY));
    let effect = if starts {
        "what its tasks log is lost"
    } else {
        "its next task won't start"
    };
    Failure {
        severity: starts.then_some(Severity::Medium),
        message: format!(
            "{name} runs {}, whose execution role {role} may not {}: {effect}",
            revision_name(&definition.arn),
            list.join(", nor ")
        ),
        evidence: vec![Evidence::new(
            format!("permissions of {role}"),
            found.told.iter().map(String::as_str).collect::<Vec<_>>(),
            "all that the tasks need to start",
        )],
        remedy: Remedy::manual(remedy(role, &found.missing)),
    }
}
