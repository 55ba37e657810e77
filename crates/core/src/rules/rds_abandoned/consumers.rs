//! Who else may use a database: services of other workloads, runs of migrations, and whoever its groups let in.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::{Database, Workload, database_usage, hosts_leading_to, usage_of, users};
use crate::model::resources::{IngressRule, ManagedSecret, MigrationFamily, Service, Source};
use crate::model::snapshot::ReadError;

/// What is known of the others.
pub(super) enum Others {
    /// One of them uses it.
    Use,
    /// One of them may.
    Unclear(Arc<ReadError>),
    /// None of them can.
    None,
}

/// Whether anything but the workload's own services uses `database`, or did after `since`.
pub(super) fn others<'a>(w: &Workload<'a>, database: &Database<'a>, since: Timestamp) -> Others {
    let hosts = hosts_leading_to(w, database);
    let reads = |secret: &ManagedSecret| !users(w).reading(&secret.arn).is_empty();
    if hosts.iter().any(|host| !users(w).naming(host).is_empty()) || database.managed_secret.is_some_and(reads) {
        return Others::Use;
    }
    let (let_in, groups) = let_in(w, database);
    let strangers = groups.iter().flat_map(|id| users(w).in_group(id)).copied();
    let mut strangers = strangers.filter(|s| s.tags.workload(w.prefix) != Some(w.name));
    match (migrations(w, database, since), let_in) {
        (Others::Use, _) => Others::Use,
        (Others::Unclear(e), _) | (Others::None, Some(e)) => Others::Unclear(e),
        (Others::None, None) => strangers
            .find_map(|s| doubt(w, s))
            .map_or(Others::None, Others::Unclear),
    }
}

/// Why it is unknown which databases a service of another workload uses, if it is.
fn doubt(w: &Workload<'_>, service: &Service) -> Option<Arc<ReadError>> {
    match database_usage(w, service) {
        Ok(usage) => usage.doubt(w),
        Err(e) => Some(e),
    }
}

/// Families that run the workload's migrations: what ran lately used what it led to.
fn migrations<'a>(w: &Workload<'a>, database: &Database<'a>, since: Timestamp) -> Others {
    let families = match w.migrations() {
        Ok(families) => families,
        Err(e) => return Others::Unclear(e),
    };
    let mut unclear = None;
    for family in families {
        match migration(w, database, family, since) {
            Others::Use => return Others::Use,
            Others::Unclear(e) => unclear = unclear.or(Some(e)),
            Others::None => {}
        }
    }
    unclear.map_or(Others::None, Others::Unclear)
}

fn migration<'a>(w: &Workload<'a>, database: &Database<'a>, family: &MigrationFamily, since: Timestamp) -> Others {
    let revision = family.last_run().map_or(&family.revision, |r| &r.task_definition);
    let definition = match w.snapshot.task_definitions.get(revision) {
        Some(Ok(definition)) => definition,
        Some(Err(e)) => return Others::Unclear(Arc::clone(e)),
        None => {
            let message = format!("the revision {revision} was not read");
            return Others::Unclear(unread("ecs", "DescribeTaskDefinition", revision, message));
        }
    };
    let usage = usage_of(w, definition, None, &family.family);
    let leads = usage.includes_copy_of(w, database);
    let ran = family.last_run().and_then(|r| r.started_at);
    match (leads, usage.doubt(w), ran) {
        (true, _, Some(at)) if at > since => Others::Use,
        // ECS forgets a stopped task after an hour: no run that is known is none that was not.
        (true, _, None) => Others::Unclear(family.unread.clone().unwrap_or_else(|| {
            let message = format!("no run of {}, which leads to {}, is known", family.family, database.id);
            unread("ecs", "ListTasks", &family.family, message)
        })),
        (false, Some(e), ran) if ran.is_none_or(|at| at > since) => Others::Unclear(e),
        // It led there once, or leads elsewhere.
        _ => Others::None,
    }
}

/// The groups of services that the database's groups let in, and the first rule that lets in anything else: a Lambda
/// function, an instance, an untagged service.
fn let_in<'a>(w: &Workload<'a>, database: &Database<'a>) -> (Option<Arc<ReadError>>, BTreeSet<&'a str>) {
    let mut groups = BTreeSet::new();
    let mut unclear = None;
    for id in database.security_groups {
        let group = match w.group(id) {
            Ok(Some(group)) => group,
            // Of another account, or newer than the list.
            Ok(None) => {
                let message = "it is not among the account's security groups, so whom it lets in is unknown".into();
                unclear.get_or_insert_with(|| unread("ec2", "DescribeSecurityGroups", id, message));
                continue;
            }
            Err(e) => {
                unclear.get_or_insert(e);
                continue;
            }
        };
        let reaching = |r: &&IngressRule| database.port.is_none_or(|port| r.reaches(port));
        for rule in group.ingress.iter().filter(reaching) {
            match &rule.source {
                Source::Group { id, account }
                    if account.as_deref().is_none_or(|a| a == w.snapshot.scope.account) && is_only_services(w, id) =>
                {
                    groups.insert(id.as_str());
                }
                _ => {
                    let message = format!(
                        "{} lets in {}, and what is behind that is not read: the metric DatabaseConnections of {} tells \
                         whether it is used",
                        group.id,
                        rule.describe(),
                        database.id
                    );
                    unclear.get_or_insert_with(|| unread("ec2", "DescribeNetworkInterfaces", &group.id, message));
                }
            }
        }
    }
    (unclear, groups)
}

/// Whether a group is one of a known service or migration, or is known to hold nothing else.
fn is_only_services(w: &Workload<'_>, group: &str) -> bool {
    let has = |groups: &[String]| groups.iter().any(|id| id == group);
    let runs = w
        .snapshot
        .migrations
        .iter()
        .flat_map(|m| m.values())
        .filter_map(|f| f.last_run());
    !users(w).in_group(group).is_empty()
        || runs.into_iter().any(|r| has(&r.security_groups))
        || matches!(w.snapshot.guarded.get(group), Some(Ok(guarded)) if guarded.others.is_empty())
}

fn unread(service: &str, operation: &str, resource: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: service.into(),
        operation: operation.into(),
        resource: resource.to_owned(),
        code: "NotRead".into(),
        message,
    })
}
