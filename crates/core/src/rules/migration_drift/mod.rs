#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{IMAGE, database_variables, images_of_run, migration_containers};
use crate::finding::Evidence;
use crate::model::image::{Image, SameImage, is_companion};
use crate::model::policy::Severity;
use crate::model::resources::{MigrationFamily, Service, TaskDefinition, TaskRun, revision_name};
use crate::model::snapshot::{Lookup, Read, ReadError};
use crate::model::value_from::{self, ValueFrom};

/// `migration-drift`
pub struct MigrationDrift;

static META: Meta = Meta {
    id: "migration-drift",
    severity: Severity::High,
    summary: "a migration task differs from the service it migrates for (image, database secret, network), or would start it",
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
    let run = family.last_run();
    let mut differences = vec![];
    let mut missing: Option<Arc<ReadError>> = None;
    match image(w, family, definition, &services) {
        Compared::Same => {}
        Compared::Differs(image) => differences.push(image),
        Compared::Unknown(e) => missing = Some(e),
    }
    differences.extend(secret(w, definition, &services));
    differences.extend(run.into_iter().flat_map(|run| network(run, &services)));
    let starts = starts_the_application(w, definition, run, &services);
    if differences.is_empty() && starts.is_none() {
        let missing = missing
            .or_else(|| family.unread.clone())
            .or_else(|| run?.unread_groups.clone());
        return Some(match missing {
            Some(e) => unknown(&e)?,
            None => RuleResult::pass(subject),
        });
    }
    Some(RuleResult::fail(
        subject,
        &family.tags,
        failure(definition, &services, differences, starts),
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
    let ran = family.last_run().map(|r| &r.task_definition);
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

/// Whether two images are the same.
enum Compared {
    Same,
    Differs(Difference),
    Unknown(Arc<ReadError>),
}

/// The image that the migration ran with, or would run with, against those of the services: what they run now, and what
/// a deployment under way gives them. By digest where both are known.
fn image<'a>(
    w: &Workload<'a>,
    family: &MigrationFamily,
    definition: &'a TaskDefinition,
    services: &[Running<'_>],
) -> Compared {
    let ran = family.last_run().map(|run| images_of_run(w, run)).unwrap_or_default();
    let own = if ran.is_empty() {
        let containers = migration_containers(w, definition);
        containers.iter().map(|c| Image::of(&c.image)).collect()
    } else {
        ran
    };
    let theirs = images_of_services(w, family, services);
    let mut unknown = None;
    for (a, b) in own.iter().flat_map(|a| theirs.iter().map(move |b| (a, b))) {
        match a.is_same(b) {
            SameImage::ByDigest | SameImage::ByTag => return Compared::Same,
            SameImage::Unknown => unknown = unknown.or(Some((a, b))),
            SameImage::No => {}
        }
    }
    if let Some((a, b)) = unknown {
        return Compared::Unknown(Arc::new(ReadError {
            service: "ecs".into(),
            operation: "DescribeTasks".into(),
            resource: family.family.clone(),
            code: "DigestNotKnown".into(),
            message: format!(
                "whether {a} and {b} are the same image is not known: of the one only the digest is known, of the other only \
                 the tag; name both by digest or both by tag"
            ),
        }));
    }
    let names = |images: &[Image]| images.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (own, theirs) = (names(&own), names(&theirs));
    Compared::Differs(Difference::new(
        IMAGE,
        own.iter().map(String::as_str),
        theirs.iter().map(String::as_str),
    ))
}

/// The images of the services' containers: of the revision that each runs, and of the one that a deployment since the run
/// is about to give it.
fn images_of_services(w: &Workload<'_>, family: &MigrationFamily, services: &[Running<'_>]) -> Vec<Image> {
    let mut found: Vec<Image> = vec![];
    for (service, running) in services {
        let newest = service.deployments.iter().max_by_key(|d| d.created_at);
        let began = family.last_run().and_then(TaskRun::when);
        let next = newest.filter(|d| d.task_definition != running.arn && d.created_at > began);
        let next = next.and_then(|d| match w.snapshot.task_definitions.get(&d.task_definition) {
            Some(Ok(definition)) => Some(&**definition),
            _ => None,
        });
        for (definition, current) in std::iter::once((*running, true)).chain(next.map(|d| (d, false))) {
            let own = definition
                .containers
                .iter()
                .filter(|c| !c.log_router && !is_companion(&c.image));
            found.extend(own.map(|c| {
                let known = family
                    .deployed
                    .iter()
                    .find(|d| current && d.service == service.arn && d.container == c.name);
                Image::of(&c.image).with_digest(known.map(|d| d.digest.as_str()))
            }));
        }
    }
    found
}

/// The container of the migration that runs what a service's container runs, where nothing says that it does something
/// else: same image, same entry point and command, same variables that may choose between what an image does.
fn starts_the_application<'a>(
    w: &Workload<'a>,
    definition: &'a TaskDefinition,
    run: Option<&TaskRun>,
    services: &[Running<'_>],
) -> Option<String> {
    // It was run with a command of its own.
    if run.is_some_and(|r| r.own_command) {
        return None;
    }
    let theirs = || services.iter().flat_map(|(_, d)| &d.containers);
    let migrates = migration_containers(w, definition);
    let same = migrates.iter().all(|own| {
        theirs().any(|c| c.start == own.start && Image::of(&c.image).repository == Image::of(&own.image).repository)
    });
    same.then(|| migrates.first().map(|c| c.name.clone())).flatten()
}

/// A secret or parameter, without the JSON key.
struct SecretReference<'a> {
    written: &'a str,
    arn: String,
    stage: Option<String>,
    version: Option<String>,
}

fn sources<'a>(w: &Workload<'a>, definition: &'a TaskDefinition) -> Vec<SecretReference<'a>> {
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

fn secret<'a>(w: &Workload<'a>, definition: &'a TaskDefinition, services: &[Running<'a>]) -> Option<Difference> {
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

fn failure(
    definition: &TaskDefinition,
    services: &[Running<'_>],
    differences: Vec<Difference>,
    starts: Option<String>,
) -> Failure {
    let names: Vec<String> = services
        .iter()
        .map(|(s, _)| format!("{}/{}", s.cluster, s.name))
        .collect();
    let (revision, names) = (revision_name(&definition.arn), names.join(", "));
    let told: Vec<&str> = differences.iter().map(|d| d.what).collect();
    let told = told.join(", ");
    let mut evidence: Vec<Evidence> = differences
        .into_iter()
        .map(|d| Evidence::new(d.what, d.observed, d.expected))
        .collect();
    let (mut said, mut todo) = (vec![], vec![]);
    if let Some(container) = starts {
        said.push(format!(
            "would start the application of {names}: its container {container} has the same image and no command of its own"
        ));
        todo.push(format!(
            "give the container {container} of {revision} the command that migrates"
        ));
        evidence.push(Evidence::new(COMMAND, "as the service's", "a command of its own"));
    }
    if !told.is_empty() {
        said.push(format!("has another {told} than {names}"));
        todo.push(format!(
            "give {revision} the {told} of {names}, or deploy what the migration is for"
        ));
    }
    Failure {
        severity: None,
        message: format!("the migration {revision} {}", said.join(", and ")),
        evidence,
        remedy: Remedy::manual(todo.join("; ")),
    }
}

/// The evidence's field for a command that is the application's.
const COMMAND: &str = "command";
