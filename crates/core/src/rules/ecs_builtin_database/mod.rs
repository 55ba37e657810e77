#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;
use std::time::Duration;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::config::Datastore;
use crate::facts::{database_variables, each_running, resolve};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{LogEvidence, Service, TaskDefinition};
use crate::model::snapshot::ReadError;
use crate::model::store::Engine;
use crate::model::value_from::{self, ValueFrom};

/// `ecs-builtin-database`
pub struct EcsBuiltinDatabase;

/// How long a service may run before its log must show a connection.
const GRACE: Duration = Duration::from_mins(10);

static META: Meta = Meta {
    id: "ecs-builtin-database",
    severity: Severity::Critical,
    summary: "a service's log tells of a database inside the container, or of no connection to the workload's",
    docs: include_str!("doc.md"),
    parameters: &[
        "datastore",
        "builtin_database_patterns",
        "database_log_pattern",
        "secret_env",
    ],
    reads: &[
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:ListServices",
        "logs:FilterLogEvents",
        "tag:GetResources",
    ],
    caused_by: &[
        "ecs-missing-database-secret",
        "ecs-secret-reference-mismatch",
        "secret-malformed-url",
    ],
    ..Meta::DEFAULT
};

impl Rule for EcsBuiltinDatabase {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| evaluate_service(w, service, definition))
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            if w.running(service)
                .is_ok_and(|definition| is_concerned(w, service, definition))
            {
                reads.logs.insert(service.arn.clone());
            }
        }
    }
}

/// Whether a service should use a PostgreSQL outside of its containers.
fn is_expected(w: &Workload<'_>, service: &Service) -> bool {
    let Ok(data) = w.data(service) else { return false };
    let connects = || {
        data.data_connections()
            .any(|(_, c)| matches!(c.engine, Engine::Postgres | Engine::Unknown))
    };
    match data.declared.datastore {
        Datastore::Postgres => true,
        Datastore::Auto => connects(),
        Datastore::Volume | Datastore::Other | Datastore::None => false,
    }
}

/// Whether the log of a service is to be read.
fn is_concerned(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> bool {
    is_expected(w, service)
        && service.deployment_controller == "ECS"
        && definition.containers.iter().any(|c| c.log.is_some())
        && !(w.params.builtin_database_patterns.is_empty() && w.params.database_log_pattern.is_none())
}

fn evaluate_service<'a>(
    w: &Workload<'a>,
    service: &'a Service,
    definition: &'a TaskDefinition,
) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Service(service);
    if !is_concerned(w, service, definition) {
        let asked = w.params.database_log_pattern.is_some() && is_expected(w, service);
        return asked.then(|| RuleResult::unknown(subject, &service.tags, &no_log(service)));
    }
    let evidence = match w.snapshot.logs.get(&service.arn) {
        Some(Ok(evidence)) => evidence,
        Some(Err(e)) => return Some(RuleResult::unknown(subject, &service.tags, e)),
        None => return Some(RuleResult::unknown(subject, &service.tags, &not_read(service))),
    };
    let failure = builtin(service, evidence).or_else(|| unconnected(w, service, definition, evidence));
    Some(match failure {
        None => RuleResult::pass(subject),
        Some(failure) => RuleResult::fail(subject, &service.tags, failure).relating(secrets(w, definition)),
    })
}

/// The secrets behind the database variables: one of them may be the cause.
fn secrets<'a>(w: &Workload<'a>, definition: &'a TaskDefinition) -> Vec<&'a str> {
    let targets = database_variables(w, None, definition).into_iter().filter_map(|v| {
        match value_from::parse(&v.variable.value_from) {
            ValueFrom::Secret(target) => resolve(w, &target).ok().flatten(),
            ValueFrom::Parameter(_) => None,
        }
    });
    targets.map(|s| s.arn.as_str()).collect()
}

fn builtin(service: &Service, evidence: &LogEvidence) -> Option<Failure> {
    let found = evidence.builtin.as_ref()?;
    let name = format!("{}/{}", service.cluster, service.name);
    Some(Failure {
        severity: None,
        message: format!(
            "{name} uses a database inside its container: at {} it logged {:?}; what is written there ends with the task",
            found.at, found.pattern
        ),
        evidence: vec![
            Evidence::new(
                "log",
                format!("{:?} in {} at {}", found.pattern, found.stream, found.at),
                "no such line",
            ),
            since(evidence),
        ],
        remedy: Remedy::manual(format!(
            "mend the database URL of {name}, save what its built-in database holds, and deploy it"
        )),
    })
}

/// No line of a connection, after a time in which there should be one.
fn unconnected(
    w: &Workload<'_>,
    service: &Service,
    definition: &TaskDefinition,
    evidence: &LogEvidence,
) -> Option<Failure> {
    let pattern = w.params.database_log_pattern.as_ref()?;
    let ran_long = evidence.since.is_some_and(|since| since + GRACE < w.now);
    if evidence.connected.is_some() || service.running_count == 0 || !ran_long {
        return None;
    }
    let name = format!("{}/{}", service.cluster, service.name);
    let targets = definition.containers.iter().filter_map(|c| c.log.as_ref());
    let missing: Vec<&str> = targets
        .map(|t| t.group.as_str())
        .filter(|g| !evidence.groups.iter().any(|known| known == g))
        .collect();
    let why = match missing.as_slice() {
        [] => String::new(),
        groups => format!("; the log group {} does not exist", groups.join(", ")),
    };
    Some(Failure {
        severity: None,
        message: format!(
            "{name} has run for more than {} minutes and logged nothing with {pattern:?}: nothing shows that it uses \
             the workload's database{why}",
            GRACE.as_secs() / 60
        ),
        evidence: vec![
            Evidence::new("log", "no such line", format!("a line with {pattern:?}")),
            since(evidence),
        ],
        remedy: Remedy::manual(format!(
            "look at the log of {name} for why it does not connect, or correct `database_log_pattern`"
        )),
    })
}

fn since(evidence: &LogEvidence) -> Evidence {
    let since = evidence.since.map(|s| s.to_string()).unwrap_or_default();
    Evidence::new(
        "searched",
        format!("{} since {since}", evidence.groups.join(", ")),
        "the whole deployment",
    )
}

fn error(service: &Service, code: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "logs".into(),
        operation: "FilterLogEvents".into(),
        resource: service.arn.clone(),
        code: code.into(),
        message,
    })
}

/// `database_log_pattern` asks for a line that the log does not have.
fn no_log(service: &Service) -> Arc<ReadError> {
    let name = format!("{}/{}", service.cluster, service.name);
    let message = if service.deployment_controller == "ECS" {
        format!(
            "no container of {name} logs to CloudWatch Logs; set logConfiguration with the driver awslogs, or \
             leave `database_log_pattern` out for the workload"
        )
    } else {
        format!(
            "{name} is deployed by {}, so that since when to search its log is not known; leave \
             `database_log_pattern` out for the workload",
            service.deployment_controller
        )
    };
    error(service, "NoLog", message)
}

fn not_read(service: &Service) -> Arc<ReadError> {
    let message = "its log was not read, or AWS did not tell when its deployment began; the next sweep tries again";
    error(service, "NotRead", message.into())
}
