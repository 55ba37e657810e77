//! Evaluates the same rules before the resources exist: on task definitions and Terraform plans, without AWS or
//! credentials.
//!
//! A file becomes a [`Snapshot`], which `evaluate` treats like any other. Two things differ:
//!
//! - What a plan does not know before it is applied is neither good nor bad. So there are two snapshots, one of the best
//!   and one of the worst `World` that the plan may lead to, and a verdict is what holds in both (`offline`).
//! - Nothing has an ARN yet. In the snapshot a resource of a plan has its Terraform address for an id and a placeholder
//!   for an ARN; in findings the ARN is `file:PATH#ADDRESS` (`DisplayName`).

mod case;
mod definition;
mod error;
mod offline;
mod scope;
mod source;
mod terraform;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::config::Config;
use crate::connection::vocabulary::Vocabulary;
use crate::evaluate::Evaluation;
use crate::finding::{Finding, Kind, ResourceRef, finding_id};
use crate::model::resources::Secret;
use crate::model::snapshot::Snapshot;
use crate::model::tags::Tags;
use case::{Case, DisplayName, SERVICE, STAND_IN, UNREADABLE, World, partial_arn};
pub use error::{CheckError, LARGEST, Lookalike, NotJson};

/// The results for one file.
#[derive(Debug)]
pub struct CheckedFile {
    /// The file as a snapshot, for a report.
    pub snapshot: Snapshot,
    /// The verdicts.
    pub evaluation: Evaluation,
    /// What the file can't answer.
    pub unchecked: Unchecked,
}

/// What a file can't answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unchecked {
    /// Rules that gave no verdict on a resource, with the resources.
    pub rules: BTreeMap<String, BTreeSet<String>>,
    /// What is known only after apply: `ADDRESS (ATTRIBUTE)`.
    pub gaps: BTreeSet<String>,
    /// Resources that carry no workload's tag.
    pub nameless: BTreeSet<String>,
}

impl Unchecked {
    /// Adds what another file can't answer.
    pub fn extend(&mut self, other: Self) {
        for (rule, resources) in other.rules {
            self.rules.entry(rule).or_default().extend(resources);
        }
        self.gaps.extend(other.gaps);
        self.nameless.extend(other.nameless);
    }
}

/// Evaluates one file. `path` is how it is called in findings; `workload` names what carries no tag.
///
/// # Errors
/// Why the file is none that can be evaluated, and what was expected.
pub fn check(
    path: &str,
    bytes: &[u8],
    workload: Option<&str>,
    config: &Config,
    now: Timestamp,
) -> Result<CheckedFile, CheckError> {
    let text = source::decode(bytes)?;
    let file = source::parse(&text).map_err(|e| source::not_json(&text, e))?;
    let pairs = match source::recognise(&file)? {
        source::FileKind::Terraform => {
            let terraform = terraform::Terraform::new(&file);
            let tagged = terraform.has_tags(&config.tag_prefix);
            let untagged = workload.or_else(|| (!tagged).then(|| stem(path)));
            let best = terraform.cases(config, World::Best, untagged, now);
            let worst = terraform.cases(config, World::Worst, untagged, now);
            best.into_iter().zip(worst).collect()
        }
        source::FileKind::Definition => {
            let make = || definition_case(path, &file, workload, config, now);
            vec![(make(), make())]
        }
    };
    let mut checked: Option<CheckedFile> = None;
    for (best, worst) in pairs {
        let (evaluation, rules) = offline::verdicts(&best, &worst, config, now);
        let found = present(path, worst, evaluation, rules);
        match &mut checked {
            None => checked = Some(found),
            Some(whole) => merge(whole, found),
        }
    }
    checked.ok_or(CheckError::Empty)
}

/// The name of a file without folders and endings; of standard input, `plan`.
fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.split('.').next().unwrap_or(name) {
        "" | "-" => "plan",
        stem => stem,
    }
}

fn definition_case(
    path: &str,
    file: &serde_json::Value,
    workload: Option<&str>,
    config: &Config,
    now: Timestamp,
) -> Case {
    let mut counts = BTreeMap::new();
    scope::count(Some(file), &mut counts);
    let scope = scope::most(&counts, None);
    let mut snapshot = Snapshot::empty(scope.clone(), now);
    let inner = definition::recognise(file).unwrap_or(file);
    let arn = |name: &str| scope.arn("ecs", &format!("task-definition/{name}"));
    let found = definition::read(file, inner, stem(path), arn, &Vocabulary::of(config));
    let mut tags: Tags = found.tags;
    if tags.workload(&config.tag_prefix).is_none() {
        let name = workload.unwrap_or(&found.revision.family).to_owned();
        tags.0.insert(format!("{}workload", config.tag_prefix), name);
    }
    let revision = found.revision.arn.clone();
    let id = crate::model::resources::revision_name(&revision).to_owned();
    let service = definition::stand_in(&scope, &id, revision.clone(), found.fargate, tags);
    let subjects = BTreeMap::from([(service.arn.clone(), DisplayName::of_definition(&id))]);
    // No secret is in such a file: of a reference only its form can be told.
    let references = found.revision.containers.iter().flat_map(|c| &c.secrets);
    let partial: Vec<(String, Secret)> = references
        .filter_map(|s| match crate::model::value_from::parse(&s.value_from) {
            crate::model::value_from::ValueFrom::Secret(target) => Some((target.arn.to_owned(), partial_arn(&target)?)),
            crate::model::value_from::ValueFrom::Parameter(_) => None,
        })
        .collect();
    for (reference, secret) in partial {
        let lookup = crate::model::snapshot::Lookup::Found(secret.arn.clone());
        snapshot.lookups.insert(reference, Ok(lookup));
        if let Ok(secrets) = &mut snapshot.secrets {
            secrets.insert(secret.arn.clone(), secret);
        }
    }
    snapshot
        .task_definitions
        .insert(revision, Ok(std::sync::Arc::new(found.revision)));
    snapshot.services = Ok([(service.arn.clone(), service)].into());
    Case {
        snapshot,
        definitions_only: true,
        subjects,
        gaps: BTreeSet::new(),
        nameless: BTreeSet::new(),
    }
}

/// Names everything as the file does, and takes out of remedies what only a real account could do.
fn present(
    path: &str,
    case: Case,
    mut evaluation: Evaluation,
    rules: BTreeMap<String, BTreeSet<String>>,
) -> CheckedFile {
    let Case {
        mut snapshot,
        definitions_only,
        subjects,
        gaps,
        nameless,
    } = case;
    let mut ids = BTreeMap::new();
    for finding in &mut evaluation.findings {
        let before = std::mem::take(&mut finding.id);
        let called = finding.resource.id.clone();
        rename(path, &subjects, &mut finding.resource);
        // A secret is told by its name, which is not where it is to be found in the file.
        if finding.resource.kind == Kind::SecretsmanagerSecret && called != finding.resource.id {
            let both = format!("{called} ({})", finding.resource.id);
            finding.message = finding.message.replacen(&called, &both, 1);
        }
        finding.id = finding_id(&finding.rule, &finding.resource);
        ids.insert(before, finding.id.clone());
        retell(finding);
    }
    for passed in &mut evaluation.passed {
        rename(path, &subjects, &mut passed.resource);
    }
    for finding in &mut evaluation.findings {
        finding.caused_by = finding.caused_by.take().and_then(|id| ids.get(&id).cloned());
    }
    if definitions_only {
        let definitions = evaluation.resources.remove(&Kind::EcsService).unwrap_or_default();
        evaluation.resources = BTreeMap::from([(Kind::EcsTaskDefinition, definitions)]);
    }
    let unreadable = snapshot.task_definitions.values().filter_map(|d| d.as_ref().err());
    snapshot.errors = unreadable.filter(|e| e.code == UNREADABLE).cloned().collect();
    let shown = |arn: String| subjects.get(&arn).map_or(arn, |s| s.id.clone());
    CheckedFile {
        evaluation,
        unchecked: Unchecked {
            rules: rules
                .into_iter()
                .map(|(rule, arns)| (rule, arns.into_iter().map(shown).collect()))
                .collect(),
            gaps: gaps
                .into_iter()
                .map(|(address, attribute)| format!("{address} ({attribute})"))
                .collect(),
            nameless,
        },
        snapshot,
    }
}

/// Gives a resource the name that the file has for it.
fn rename(path: &str, subjects: &BTreeMap<String, DisplayName>, resource: &mut ResourceRef) {
    if let Some(subject) = subjects.get(&resource.arn) {
        resource.id.clone_from(&subject.id);
        resource.kind = subject.kind.unwrap_or(resource.kind);
    }
    if resource.kind != Kind::Workload {
        resource.arn = format!("file:{path}#{}", resource.id);
    }
}

/// Rewrites a finding for a file: removes the markers of stand-ins, the calls, and the reasons to hold them.
fn retell(finding: &mut Finding) {
    let plain = |text: &mut String| {
        *text = text
            .replace(&format!("/{SERVICE}"), "")
            .replace(SERVICE, "")
            .replace(&format!("/{STAND_IN}"), "a service of ")
            .replace(STAND_IN, "a service of ");
    };
    plain(&mut finding.message);
    for evidence in &mut finding.evidence {
        plain(&mut evidence.field);
        for value in [&mut evidence.observed, &mut evidence.expected] {
            if let serde_json::Value::String(text) = value {
                plain(text);
            }
        }
    }
    if let Some(remediation) = &mut finding.remediation {
        plain(&mut remediation.summary);
        remediation.actions.clear();
        remediation.calls.clear();
        remediation.blocked_by = None;
        remediation.risk = crate::model::policy::Risk::Manual;
    }
}

fn merge(whole: &mut CheckedFile, more: CheckedFile) {
    whole.evaluation.findings.extend(more.evaluation.findings);
    crate::evaluate::sort(&mut whole.evaluation.findings);
    whole.evaluation.passed.extend(more.evaluation.passed);
    whole.evaluation.passes += more.evaluation.passes;
    whole.evaluation.workloads.extend(more.evaluation.workloads);
    for (kind, n) in more.evaluation.resources {
        *whole.evaluation.resources.entry(kind).or_default() += n;
    }
    whole.snapshot.errors.extend(more.snapshot.errors);
    whole.unchecked.extend(more.unchecked);
}
