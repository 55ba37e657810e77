//! Who else may use a database: services of other workloads, runs of migrations, and whoever its groups let in.

use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::{Database, Reach, Workload, database_usage, reach, usage_of};
use crate::model::resources::{MigrationFamily, SecurityGroup, Service, Source};
use crate::model::snapshot::{Read, ReadError};

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
    let mut unclear = None;
    let mut note = |found| match found {
        Others::Use => true,
        Others::Unclear(e) => {
            unclear.get_or_insert(e);
            false
        }
        Others::None => false,
    };
    let strangers = w.snapshot.services.iter().flat_map(|m| m.values());
    let mut strangers = strangers.filter(|s| s.tags.workload(w.prefix) != Some(w.name));
    let used = strangers.any(|s| note(stranger(w, database, s)));
    let used = used || note(migrations(w, database, since)) || note(let_in(w, database));
    match (used, unclear) {
        (true, _) => Others::Use,
        (false, Some(e)) => Others::Unclear(e),
        (false, None) => Others::None,
    }
}

/// A service of another workload, or of none.
fn stranger<'a>(w: &Workload<'a>, database: &Database<'a>, service: &'a Service) -> Others {
    let doubt = match database_usage(w, service) {
        Ok(usage) if usage.includes_copy_of(w, database) => return Others::Use,
        Ok(usage) => usage.doubt(w),
        Err(e) => Some(e),
    };
    let Some(doubt) = doubt else { return Others::None };
    // Of a service without a network of its own, nothing tells what it reaches.
    let has_network = !service.security_groups.is_empty();
    match database
        .port
        .filter(|_| has_network)
        .map(|port| reach(w, service, database, port))
    {
        Some(Ok(Reach::NoRule(_) | Reach::NoRoute(_))) => Others::None,
        _ => Others::Unclear(doubt),
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
        None => return Others::Unclear(unread(revision, format!("the revision {revision} was not read"))),
    };
    let usage = usage_of(w, definition, None, &family.family);
    let leads = usage.includes_copy_of(w, database);
    let ran = family.last_run().and_then(|r| r.started_at);
    match (leads, usage.doubt(w), ran) {
        (true, _, Some(at)) if at > since => Others::Use,
        // ECS forgets a stopped task after an hour: no run that is known is none that was not.
        (true, _, None) => Others::Unclear(family.unread.clone().unwrap_or_else(|| {
            unread(
                &family.family,
                format!("no run of {}, which leads to {}, is known", family.family, database.id),
            )
        })),
        (false, Some(e), ran) if ran.is_none_or(|at| at > since) => Others::Unclear(e),
        // It led there once, or leads elsewhere.
        _ => Others::None,
    }
}

/// Whoever the database's groups let in besides services that are known: a Lambda function, an instance, an untagged service.
fn let_in<'a>(w: &Workload<'a>, database: &Database<'a>) -> Others {
    let mut guards: Vec<&SecurityGroup> = vec![];
    for id in database.security_groups {
        match w.group(id) {
            Ok(Some(group)) => guards.push(group),
            Ok(None) => return Others::Unclear(unread(id, format!("the security group {id} was not read"))),
            Err(e) => return Others::Unclear(e),
        }
    }
    let rules = guards.iter().flat_map(|g| g.ingress.iter().map(move |r| (g, r)));
    let reaching = rules.filter(|(_, r)| database.port.is_none_or(|port| r.reaches(port)));
    for (group, rule) in reaching {
        let is_known = match &rule.source {
            Source::Group { id, account } => {
                account.as_deref().is_none_or(|a| a == w.snapshot.scope.account) && is_only_services(w, id)
            }
            _ => false,
        };
        if !is_known {
            let message = format!(
                "{} lets in {}, and what is behind that is not read: the metric DatabaseConnections of {} tells whether it is used",
                group.id,
                rule.describe(),
                database.id
            );
            return Others::Unclear(unread(&group.id, message));
        }
    }
    Others::None
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
    let empty: Option<&Read<_>> = w.snapshot.guarded.get(group);
    w.snapshot
        .services
        .iter()
        .flat_map(|m| m.values())
        .any(|s| has(&s.security_groups))
        || runs.into_iter().any(|r| has(&r.security_groups))
        || matches!(empty, Some(Ok(guarded)) if guarded.others.is_empty())
}

fn unread(resource: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: "DescribeNetworkInterfaces".into(),
        resource: resource.to_owned(),
        code: "NotRead".into(),
        message,
    })
}
