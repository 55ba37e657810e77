//! Names everything as the file does, and takes out of remedies what only a real account could do.

use std::collections::{BTreeMap, BTreeSet};

use super::advice::Written;
use super::case::{Case, DisplayName, SERVICE, STAND_IN, UNREADABLE};
use super::checked_file::{CheckedFile, Unchecked};
use crate::evaluate::Evaluation;
use crate::finding::{Finding, Kind, ResourceRef, finding_id};
use crate::model::policy::Risk;

pub(super) fn present(
    written: &Written<'_>,
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
        diverged: _,
    } = case;
    let mut ids = BTreeMap::new();
    for finding in &mut evaluation.findings {
        let before = std::mem::take(&mut finding.id);
        let called = finding.resource.id.clone();
        rename(written.path, &subjects, &mut finding.resource);
        // A secret is told by its name, which is not where it is to be found in the file.
        if finding.resource.kind == Kind::SecretsmanagerSecret && called != finding.resource.id {
            let both = format!("{called} ({})", finding.resource.id);
            finding.message = finding.message.replacen(&called, &both, 1);
        }
        finding.id = finding_id(&finding.rule, &finding.resource);
        ids.insert(before, finding.id.clone());
        retell(finding);
        written.advise(finding);
    }
    for passed in &mut evaluation.passed {
        rename(written.path, &subjects, &mut passed.resource);
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
                .map(|(address, attribute)| format!("{address} ({})", written.attribute(&attribute)))
                .collect(),
            nameless,
            ..Unchecked::default()
        },
        snapshot,
        allowed: BTreeSet::new(),
        held: false,
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
        remediation.risk = Risk::Manual;
    }
}
