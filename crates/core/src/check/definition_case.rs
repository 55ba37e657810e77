//! Task definitions of a file as a snapshot: each as if a service ran it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::case::{Case, DisplayName, partial_arn};
use super::definition::{self, Found};
use super::scope;
use crate::config::Config;
use crate::connection::vocabulary::Vocabulary;
use crate::model::resources::{Secret, revision_name};
use crate::model::snapshot::{Lookup, Snapshot};
use crate::model::tags::Tags;
use crate::model::value_from::{ValueFrom, parse};

/// The definitions of a file. `name` is the family of one that has none.
pub(super) fn definition_case(
    all: &[Found<'_>],
    name: &str,
    workload: Option<&str>,
    config: &Config,
    now: Timestamp,
) -> Case {
    let mut counts = BTreeMap::new();
    for found in all {
        scope::count(Some(found.outer), &mut counts);
    }
    let scope = scope::most(&counts, None);
    let mut case = Case {
        snapshot: Snapshot::empty(scope.clone(), now),
        definitions_only: true,
        subjects: BTreeMap::new(),
        gaps: BTreeSet::new(),
        nameless: BTreeSet::new(),
        diverged: false,
    };
    let mut services = BTreeMap::new();
    for found in all {
        let family = match found.index() {
            Some(n) => format!("{name}[{n}]"),
            None => name.to_owned(),
        };
        let arn = |name: &str| scope.arn("ecs", &format!("task-definition/{name}"));
        let read = definition::read(found, &family, arn, &Vocabulary::of(config));
        let mut tags: Tags = read.tags;
        if tags.workload(&config.tag_prefix).is_none() {
            let name = workload.unwrap_or(&read.revision.family).to_owned();
            tags.0.insert(format!("{}workload", config.tag_prefix), name);
        }
        let revision = read.revision.arn.clone();
        let id = revision_name(&revision).to_owned();
        let service = definition::stand_in(&scope, &id, revision.clone(), read.fargate, tags);
        case.subjects
            .insert(service.arn.clone(), DisplayName::of_definition(&id));
        services.insert(service.arn.clone(), service);
        let references = read.revision.containers.iter().flat_map(|c| &c.secrets);
        let references: Vec<String> = references.map(|s| s.value_from.clone()).collect();
        for reference in &references {
            resolve(reference, &mut case.snapshot);
        }
        case.snapshot
            .task_definitions
            .insert(revision, Ok(Arc::new(read.revision)));
    }
    case.snapshot.services = Ok(services.into());
    case
}

/// No secret is in such a file: of a reference only its form can be told.
fn resolve(reference: &str, snapshot: &mut Snapshot) {
    let ValueFrom::Secret(target) = parse(reference) else {
        return;
    };
    let Some(secret): Option<Secret> = partial_arn(&target) else {
        return;
    };
    let lookup = Lookup::Found(secret.arn.clone());
    snapshot.lookups.insert(target.arn.to_owned(), Ok(lookup));
    if let Ok(secrets) = &mut snapshot.secrets {
        secrets.insert(secret.arn.clone(), secret);
    }
}
