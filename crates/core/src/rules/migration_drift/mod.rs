#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::database_variables;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{MigrationFamily, Service, TaskDefinition, TaskRun, revision_name};
use crate::model::snapshot::{Lookup, Read, ReadError};
use crate::model::value_from::{self, ValueFrom};

/// `migration-drift`
pub struct MigrationDrift;

static META: Meta = Meta {
    id: "migration-drift",
    severity: Severity::High,
    summary: "a migration task differs from the service it migrates for: image, database secret, or network",
    docs: include_str!("doc.md"),
    parameters: &["secret_env"],
    reads: &[
        "ec2:DescribeNetworkInterfaces",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTasks",
        "tag:GetResources",
    ],
    ..Meta::DEFAULT
};

impl Rule for MigrationDrift {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match w.migrations() {
            Err(e) => w.unknown(&e),
            Ok(families) => families.iter().copied().filter_map(|f| evaluate_family(w, f)).collect(),
        }
    }
}

fn evaluate_family<'a>(w: &Workload<'a>, family: &'a MigrationFamily) -> Option<RuleResult<'a>> {
    let subject = ResultSubject::Revision(&family.revision);
    let unknown = |e: &Arc<ReadError>| Some(RuleResult::unknown(subject, &family.tags, e));
    let services = match services(w) {
        Ok(services) if services.is_empty() => return None,
        Ok(services) => services,
        Err(e) => return unknown(&e),
    };
    let definition = match definition(w, family) {
        Ok(definition) => definition,
        Err(e) => return unknown(&e),
    };
    let run = family.last_run.as_ref();
    let mut differences: Vec<Difference> = image(run, definition, &services).into_iter().collect();
    differences.extend(secret(w, definition, &services));
    differences.extend(run.into_iter().flat_map(|run| network(run, &services)));
    if differences.is_empty() {
        let missing = family.unread.as_ref().or_else(|| run?.unread_groups.as_ref());
        return Some(match missing {
            Some(e) => unknown(e)?,
            None => RuleResult::pass(subject),
        });
    }
    Some(RuleResult::fail(
        subject,
        &family.tags,
        failure(definition, &services, differences),
    ))
}

type Running<'a> = (&'a Service, &'a TaskDefinition);

/// Every service of the workload with what it runs: one that is not known might be the one that it is like.
fn services<'a>(w: &Workload<'a>) -> Read<Vec<Running<'a>>> {
    if let Some(e) = w.services_error() {
        return Err(e);
    }
    w.services()?.iter().copied().map(|s| Ok((s, w.running(s)?))).collect()
}

/// The revision that was run last, else the newest one.
fn definition<'a>(w: &Workload<'a>, family: &MigrationFamily) -> Read<&'a TaskDefinition> {
    let ran = family.last_run.as_ref().map(|r| &r.task_definition);
    let arn = ran.filter(|arn| matches!(w.snapshot.task_definitions.get(*arn), Some(Ok(_))));
    match w.snapshot.task_definitions.get(arn.unwrap_or(&family.revision)) {
        Some(Ok(definition)) => Ok(definition),
        Some(Err(e)) => Err(Arc::clone(e)),
        None => Err(Arc::new(ReadError {
            service: "ecs".into(),
            operation: "DescribeTaskDefinition".into(),
            resource: family.revision.clone(),
            code: "NotRead".into(),
            message: "the migration's revision was not read; the next sweep reads it".into(),
        })),
    }
}

/// A field in which the two differ.
struct Difference {
    what: &'static str,
    observed: Vec<String>,
    expected: Vec<String>,
}

impl Difference {
    fn new<'a>(
        what: &'static str,
        observed: impl IntoIterator<Item = &'a str>,
        expected: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let sorted = |list: BTreeSet<&str>| list.into_iter().map(str::to_owned).collect();
        Self {
            what,
            observed: sorted(observed.into_iter().collect()),
            expected: sorted(expected.into_iter().collect()),
        }
    }
}

fn image(run: Option<&TaskRun>, definition: &TaskDefinition, services: &[Running<'_>]) -> Option<Difference> {
    let of = |d: &TaskDefinition| d.containers.iter().map(|c| c.image.clone()).collect::<BTreeSet<_>>();
    let ran: BTreeSet<String> = run.into_iter().flat_map(|r| r.images.values().cloned()).collect();
    let own = if ran.is_empty() { of(definition) } else { ran };
    let theirs: BTreeSet<String> = services.iter().flat_map(|(_, d)| of(d)).collect();
    own.is_disjoint(&theirs).then(|| {
        Difference::new(
            "image",
            own.iter().map(String::as_str),
            theirs.iter().map(String::as_str),
        )
    })
}

/// A secret or parameter, without the JSON key.
struct SecretReference<'a> {
    written: &'a str,
    arn: String,
    stage: Option<String>,
    version: Option<String>,
}

fn sources<'a>(w: &'a Workload<'_>, definition: &'a TaskDefinition) -> Vec<SecretReference<'a>> {
    let variables = database_variables(w, None, definition)
        .into_iter()
        .map(|v| v.variable.value_from.as_str());
    variables
        .map(|written| match value_from::parse(written) {
            ValueFrom::Secret(target) => SecretReference {
                written,
                arn: match w.snapshot.lookups.get(target.arn) {
                    Some(Ok(Lookup::Found(arn))) => arn.clone(),
                    _ => target.arn.to_owned(),
                },
                // What is pinned to the current version is not pinned.
                stage: target.selector.stage.filter(|s| s != "AWSCURRENT"),
                version: target.selector.version,
            },
            // By name, or by an ARN that ends with it.
            ValueFrom::Parameter(name) => SecretReference {
                written,
                arn: name
                    .rsplit(":parameter")
                    .next()
                    .unwrap_or(name)
                    .trim_start_matches('/')
                    .to_owned(),
                stage: None,
                version: None,
            },
        })
        .collect()
}

fn is_same(a: &SecretReference<'_>, b: &SecretReference<'_>) -> bool {
    let partial = |whole: &str, part: &str| value_from::without_suffix(whole) == Some(part);
    let arn = a.arn == b.arn || partial(&a.arn, &b.arn) || partial(&b.arn, &a.arn);
    arn && a.stage == b.stage && a.version == b.version
}

fn secret(w: &Workload<'_>, definition: &TaskDefinition, services: &[Running<'_>]) -> Option<Difference> {
    let theirs: Vec<SecretReference<'_>> = services.iter().flat_map(|(_, d)| sources(w, d)).collect();
    // Services without a secret are other rules' concern.
    if theirs.is_empty() {
        return None;
    }
    let own = sources(w, definition);
    let shared = own.iter().any(|a| theirs.iter().any(|b| is_same(a, b)));
    (!shared).then(|| {
        Difference::new(
            "database secret",
            own.iter().map(|s| s.written),
            theirs.iter().map(|s| s.written),
        )
    })
}

/// What of the run's network lies outside of every service's.
fn network(run: &TaskRun, services: &[Running<'_>]) -> Vec<Difference> {
    let mut found = vec![];
    for (what, own, of) in [
        (
            "subnets",
            &run.subnets,
            (|s| &s.subnets) as fn(&Service) -> &Vec<String>,
        ),
        ("security groups", &run.security_groups, |s| &s.security_groups),
    ] {
        let theirs: Vec<&Vec<String>> = services
            .iter()
            .map(|(s, _)| of(s))
            .filter(|list| !list.is_empty())
            .collect();
        let within = theirs.iter().any(|list| own.iter().all(|item| list.contains(item)));
        if !own.is_empty() && !theirs.is_empty() && !within {
            let all = theirs.into_iter().flatten().map(String::as_str);
            found.push(Difference::new(what, own.iter().map(String::as_str), all));
        }
    }
    found
}

fn failure(definition: &TaskDefinition, services: &[Running<'_>], differences: Vec<Difference>) -> Failure {
    let names: Vec<String> = services
        .iter()
        .map(|(s, _)| format!("{}/{}", s.cluster, s.name))
        .collect();
    let (revision, names) = (revision_name(&definition.arn), names.join(", "));
    let told: Vec<&str> = differences.iter().map(|d| d.what).collect();
    let told = told.join(", ");
    Failure {
        severity: None,
        message: format!("the migration {revision} has another {told} than {names}"),
        evidence: differences
            .into_iter()
            .map(|d| Evidence::new(d.what, d.observed, d.expected))
            .collect(),
        remedy: Remedy::manual(format!(
            "give {revision} the {told} of {names}, or deploy what the migration is for"
        )),
    }
}
