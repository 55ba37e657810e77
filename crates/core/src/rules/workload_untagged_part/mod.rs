#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{connections, credential_sources, references, resolve, resolves_to};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::snapshot::ReadError;
use crate::model::tags::Tags;
use crate::model::value_from::ValueFrom;

/// `workload-untagged-part`
pub struct WorkloadUntaggedPart;

static META: Meta = Meta {
    id: "workload-untagged-part",
    severity: Severity::Low,
    summary: "a resource on the workload's path is not tagged for it, so it can't be corrected",
    docs: include_str!("doc.md"),
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameters",
    ],
    ..Meta::DEFAULT
};

/// Parts found so far, each once, and the first error that hides one.
#[derive(Default)]
struct Parts<'a> {
    found: Vec<(ResultSubject<'a>, &'a Tags)>,
    error: Option<Arc<ReadError>>,
}

impl<'a> Parts<'a> {
    fn add(&mut self, subject: ResultSubject<'a>, tags: &'a Tags) {
        if !self.found.iter().any(|(known, _)| *known == subject) {
            self.found.push((subject, tags));
        }
    }

    fn missed(&mut self, error: Arc<ReadError>) {
        self.error.get_or_insert(error);
    }
}

impl Rule for WorkloadUntaggedPart {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let mut parts = Parts::default();
        databases(w, &mut parts);
        secrets(w, &mut parts);
        led_to(w, &mut parts);
        let mut out: Vec<RuleResult> = parts
            .found
            .into_iter()
            .map(|(subject, tags)| result(w, subject, tags))
            .collect();
        if let Some(error) = parts.error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

fn databases<'a>(w: &Workload<'a>, parts: &mut Parts<'a>) {
    let (instances, clusters) = match (w.instances(), w.clusters()) {
        (Ok(instances), Ok(clusters)) => (instances, clusters),
        (Err(e), _) | (_, Err(e)) => return parts.missed(e),
    };
    let mut guards: Vec<&String> = vec![];
    for i in instances {
        parts.add(ResultSubject::Instance(i), &i.tags);
        guards.extend(&i.security_groups);
    }
    for c in clusters {
        parts.add(ResultSubject::Cluster(c), &c.tags);
        guards.extend(&c.security_groups);
    }
    for id in guards {
        match w.group(id) {
            Ok(Some(group)) => parts.add(ResultSubject::Group(group), &group.tags),
            // Of another account, or gone since: nothing that a tag could mend.
            Ok(None) => {}
            Err(e) => parts.missed(e),
        }
    }
}

fn secrets<'a>(w: &Workload<'a>, parts: &mut Parts<'a>) {
    let (references, error) = references(w);
    if let Some(error) = error {
        parts.missed(error);
    }
    for reference in references {
        let ValueFrom::Secret(target) = &reference.target else {
            continue;
        };
        match resolve(w, target) {
            // A secret of another account is not ours to tag.
            Ok(Some(secret)) if secret.arn.split(':').nth(4) == Some(&w.snapshot.scope.account) => {
                parts.add(ResultSubject::Secret(secret), &secret.tags);
            }
            Ok(_) => {}
            Err(e) => parts.missed(e),
        }
    }
}

/// Instances and clusters without any workload that a secret of this one leads to, where it leads to none of its own.
fn led_to<'a>(w: &Workload<'a>, parts: &mut Parts<'a>) {
    let Ok(databases) = w.databases() else { return };
    for source in credential_sources(w).0.iter().filter(|h| h.referenced) {
        for value in &source.values {
            // What can't be read here is told by the rules about secrets.
            let Ok(Some(shape)) = value.shape else { continue };
            for (_, connection) in connections(shape, value.key.as_deref(), true) {
                if resolves_to(w, connection, databases).leads_home() {
                    continue;
                }
                for host in connection.hosts.iter().map(|h| h.host.as_str()) {
                    strays(w, host, parts);
                }
            }
        }
    }
}

fn strays<'a>(w: &Workload<'a>, host: &str, parts: &mut Parts<'a>) {
    let free = |tags: &Tags| tags.workload(w.prefix).is_none();
    for i in w.snapshot.instances.iter().flat_map(|m| m.values()) {
        if free(&i.tags) && i.endpoint.as_ref().is_some_and(|e| e.host == host) {
            parts.add(ResultSubject::Instance(i), &i.tags);
        }
    }
    for c in w.snapshot.clusters.iter().flat_map(|m| m.values()) {
        if free(&c.tags) && c.hosts.iter().any(|h| h == host) {
            parts.add(ResultSubject::Cluster(c), &c.tags);
        }
    }
}

fn result<'a>(w: &Workload<'a>, subject: ResultSubject<'a>, tags: &'a Tags) -> RuleResult<'a> {
    let own = tags.workload(w.prefix);
    if own == Some(w.name) {
        return RuleResult::pass(subject);
    }
    let key = format!("{}workload", w.prefix);
    let belongs = own.map_or("is not tagged".to_owned(), |other| {
        format!("is tagged for the workload {other}")
    });
    let failure = Failure {
        severity: None,
        message: format!(
            "{} is part of {} but {belongs}, so Holdfast corrects nothing about it",
            subject.id(),
            w.name
        ),
        evidence: vec![Evidence::new(key.clone(), own, w.name)],
        remedy: Remedy::manual(format!(
            "tag {} {key}={} if it belongs to it alone",
            subject.id(),
            w.name
        )),
    };
    RuleResult::fail(subject, tags, failure)
}
