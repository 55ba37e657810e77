use super::support::{database_variables, resolve};
use super::{Failure, Judgement, Meta, Remedy, Rule, Subject, Workload};
use crate::model::finding::Evidence;
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

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        match w.migrations() {
            Err(e) => w.unknown(&e),
            Ok(families) => families.iter().copied().filter_map(|f| judge_family(w, f)).collect(),
        }
    }
}

fn judge_family<'a>(w: &Workload<'a>, family: &'a MigrationFamily) -> Option<Judgement<'a>> {
    let subject = Subject::Revision(&family.revision);
    if let Some(e) = &family.unread {
        return Some(Judgement::unknown(subject, &family.tags, e));
    }
    let run = family.last_run.as_ref()?;
    Some(match why_failed(w, run) {
        None => Judgement::pass(subject),
        Some(why) => Judgement::fail(subject, &family.tags, failure(run, &why)).relating(secrets(w, run)),
    })
}

/// The secrets that the task got its database from: one of them may be the cause.
fn secrets(w: &Workload<'_>, run: &TaskRun) -> Vec<String> {
    let Some(Ok(definition)) = w.snapshot.task_definitions.get(&run.task_definition) else {
        return vec![];
    };
    let targets = database_variables(w, definition).filter_map(|(_, v)| match value_from::parse(&v.value_from) {
        // It is not looked up unless a service refers to it too.
        ValueFrom::Secret(target) => Some(
            resolve(w, &target)
                .ok()
                .flatten()
                .map_or(target.arn.to_owned(), |s| s.arn.clone()),
        ),
        ValueFrom::Parameter(_) => None,
    });
    targets.collect()
}

/// Why a run failed, if it did.
pub fn why_failed(w: &Workload<'_>, run: &TaskRun) -> Option<String> {
    if !run.has_stopped() {
        let began = run.started_at?;
        let timeout = w.params.migration_timeout;
        return (began + timeout < w.now).then(|| {
            format!(
                "it is {} since {began}, longer than migrations.timeout ({})",
                run.last_status,
                crate::config::format_duration(timeout)
            )
        });
    }
    let because = |told: Option<&String>| {
        told.map(|t| format!(" ({})", t.trim_end_matches('.')))
            .unwrap_or_default()
    };
    let reason = because(run.stopped_reason.as_ref());
    match run.stop_code.as_deref() {
        Some("TaskFailedToStart") => return Some(format!("it never started{reason}")),
        Some("UserInitiated") => return Some(format!("it was stopped before it ended{reason}")),
        // The task's own end; how that went, its containers tell.
        Some("EssentialContainerExited") | None => {}
        Some(code) => return Some(format!("it was killed: {code}{reason}")),
    }
    let essential = essential(w, run);
    if essential.is_empty() {
        return Some(format!("no container of it ran{reason}"));
    }
    essential.into_iter().find_map(|name| {
        let of_container = because(run.reasons.get(name));
        match run.exit_codes.get(name).copied().flatten() {
            Some(0) => None,
            Some(137) => Some(format!("its container {name} was killed (exit code 137){of_container}")),
            Some(code) => Some(format!("its container {name} exited with {code}{of_container}")),
            None => Some(format!(
                "its container {name} has no exit code: it never ran{of_container}{reason}"
            )),
        }
    })
}

/// The containers that the task ends with; all of them where its revision is not known.
fn essential<'r>(w: &'r Workload<'_>, run: &'r TaskRun) -> Vec<&'r str> {
    match w.snapshot.task_definitions.get(&run.task_definition) {
        Some(Ok(definition)) => {
            let essential = definition.containers.iter().filter(|c| c.essential);
            essential.map(|c| c.name.as_str()).collect()
        }
        _ => run.exit_codes.keys().map(String::as_str).collect(),
    }
}

fn failure(run: &TaskRun, why: &str) -> Failure {
    let revision = revision_name(&run.task_definition);
    let mut evidence = vec![Evidence::new("lastStatus", run.last_status.clone(), "STOPPED")];
    let code = run.stop_code.clone().unwrap_or_default();
    evidence.push(Evidence::new("stopCode", code, "EssentialContainerExited"));
    let exit_codes = run.exit_codes.iter();
    evidence.extend(exit_codes.map(|(name, code)| Evidence::new(format!("containers[{name}].exitCode"), *code, 0)));
    Failure {
        severity: None,
        message: format!("the migration {revision} failed: {why}"),
        evidence,
        remedy: Remedy::manual(format!(
            "find out from the log of {} in {} how far it came, mend it, and run it again",
            run.arn, run.cluster
        )),
    }
}
