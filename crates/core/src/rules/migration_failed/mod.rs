#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{MigrationState, database_variables, migration_state, resolve};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{MigrationFamily, TaskRun, revision_name};
use crate::model::value_from::{self, ValueFrom};

/// `migration-failed`
pub struct MigrationFailed;

static META: Meta = Meta {
    id: "migration-failed",
    severity: Severity::Critical,
    summary: "the last run of a migration task failed, was stopped, never started, or does not end",
    docs: include_str!("doc.md"),
    reads: &[
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTasks",
        "tag:GetResources",
    ],
    caused_by: &["secret-malformed-url", "secret-wrong-database", "migration-drift"],
    ..Meta::DEFAULT
};

impl Rule for MigrationFailed {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match w.migrations() {
            Err(e) => w.unknown(&e),
            Ok(families) => families.iter().copied().map(|f| evaluate_family(w, f)).collect(),
        }
    }
}

fn evaluate_family<'a>(w: &Workload<'a>, family: &'a MigrationFamily) -> RuleResult<'a> {
    let subject = ResultSubject::Revision(&family.revision);
    let failed = |run, why: &str, rerun: bool| {
        RuleResult::fail(subject, &family.tags, failure(run, why, rerun)).relating(secrets(w, run))
    };
    match migration_state(w, family) {
        MigrationState::Unknown(e) => RuleResult::unknown(subject, &family.tags, &e),
        MigrationState::Failed(run, why) => failed(run, &why, false),
        MigrationState::Running(_, Some((run, why))) => failed(run, &why, true),
        MigrationState::Running(_, None) | MigrationState::Succeeded(_) => RuleResult::pass(subject),
    }
}

/// The secrets that the task got its database from: one of them may be the cause.
fn secrets(w: &Workload<'_>, run: &TaskRun) -> Vec<String> {
    let Some(Ok(definition)) = w.snapshot.task_definitions.get(&run.task_definition) else {
        return vec![];
    };
    let targets = database_variables(w, None, definition).into_iter().filter_map(|v| {
        match value_from::parse(&v.variable.value_from) {
            // It is not looked up unless a service refers to it too.
            ValueFrom::Secret(target) => Some(
                resolve(w, &target)
                    .ok()
                    .flatten()
                    .map_or(target.arn.to_owned(), |s| s.arn.clone()),
            ),
            ValueFrom::Parameter(_) => None,
        }
    });
    targets.collect()
}

fn failure(run: &TaskRun, why: &str, rerun: bool) -> Failure {
    let revision = revision_name(&run.task_definition);
    let since = match run.stopped_at {
        _ if rerun => "; it is running again".to_owned(),
        Some(at) if run.remembered => format!("; that was at {at}, and no run since has succeeded"),
        _ => String::new(),
    };
    let mut evidence = vec![Evidence::new("lastStatus", run.last_status.clone(), "STOPPED")];
    let code = run.stop_code.clone().unwrap_or_default();
    evidence.push(Evidence::new("stopCode", code, "EssentialContainerExited"));
    let exit_codes = run.exit_codes.iter();
    evidence.extend(exit_codes.map(|(name, code)| Evidence::new(format!("containers[{name}].exitCode"), *code, 0)));
    Failure {
        severity: None,
        message: format!("the migration {revision} failed: {why}{since}"),
        evidence,
        remedy: Remedy::manual(format!(
            "find out from the log of {} in {} how far it came, mend it, and run it again",
            run.arn, run.cluster
        )),
    }
}
