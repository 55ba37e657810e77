#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, Rule, RuleResult, Workload};
use crate::action::{Action, ForceTls};
use crate::facts::{Database, RdsResource, database_usage, each_storage_owner, untagged};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::ParameterGroup;
use crate::model::snapshot::{Read, ReadError};

/// `rds-unenforced-tls`
pub struct RdsUnenforcedTls;

static META: Meta = Meta {
    id: "rds-unenforced-tls",
    severity: Severity::Medium,
    summary: "a PostgreSQL database lets clients in without TLS",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:RDS.38"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "rds:DescribeDBParameters",
        "rds:DescribeDBClusterParameters",
        "rds:ListTagsForResource",
    ],
    writes: &["rds:ModifyDBParameterGroup", "rds:ModifyDBClusterParameterGroup"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

impl Rule for RdsUnenforcedTls {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| evaluate_one(w, database))
    }

    /// The custom parameter groups that apply to a database of the workload.
    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        let databases = w.databases().unwrap_or_default().iter();
        let deciding = databases.filter(|d| !d.is_orphaned_member()).filter_map(deciding);
        let own = deciding.filter(|(_, name)| !is_default(name));
        reads
            .parameter_groups
            .extend(own.map(|(of_cluster, name)| (of_cluster, name.to_owned())));
    }
}

/// The parameter group that decides: whether it is one of clusters, and its name. `None` for other engines.
fn deciding<'a>(database: &Database<'a>) -> Option<(bool, &'a str)> {
    if !matches!(database.resource.engine(), "postgres" | "aurora-postgresql") {
        return None;
    }
    match database.resource {
        // An instance has exactly one.
        RdsResource::Instance(i) => i.parameter_groups.first().map(|name| (false, name.as_str())),
        RdsResource::Cluster(c) => c.parameter_group.as_deref().map(|name| (true, name)),
    }
}

/// Whether AWS made the group: it sets nothing, and can't be changed.
fn is_default(name: &str) -> bool {
    name.starts_with("default.")
}

/// Whether the engine requires TLS unless a parameter group says otherwise. `None` if the version is not known.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html>
fn enforced_by_default(database: &Database<'_>) -> Option<bool> {
    let major: u32 = database
        .resource
        .engine_version()
        .split(['.', '-'])
        .next()?
        .parse()
        .ok()?;
    let since = if database.resource.engine().starts_with("aurora") {
        17
    } else {
        15
    };
    Some(major >= since)
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> Option<RuleResult<'a>> {
    let (of_cluster, name) = deciding(database)?;
    let group = if is_default(name) {
        None
    } else {
        match read(w, of_cluster, name) {
            Err(e) => return Some(database.unknown(&e)),
            Ok(group) => Some(group),
        }
    };
    let set = group.and_then(|g| g.force_ssl.as_deref());
    let enforced = match (set, enforced_by_default(database)) {
        (Some(value), _) => value == "1",
        (None, Some(default)) => default,
        (None, None) => {
            let error = ReadError {
                service: "rds".into(),
                operation: "DescribeDBInstances".into(),
                resource: database.id.into(),
                code: "NoVersion".into(),
                message: format!(
                    "the version {:?} does not tell what rds.force_ssl is by default",
                    database.resource.engine_version()
                ),
            };
            return Some(database.unknown(&Arc::new(error)));
        }
    };
    if enforced {
        return Some(database.pass());
    }
    let mut result = database.fail(failure(w, database, name, group, set));
    // A mode or waiver may stand on the group that would be changed, too.
    result.tags.extend(group.map(|g| &g.tags));
    Some(result)
}

fn read<'a>(w: &Workload<'a>, of_cluster: bool, name: &str) -> Read<&'a ParameterGroup> {
    match w.snapshot.parameter_groups.get(&(of_cluster, name.to_owned())) {
        Some(Ok(group)) => Ok(group),
        Some(Err(e)) => Err(Arc::clone(e)),
        None => Err(Arc::new(ReadError {
            service: "rds".into(),
            operation: if of_cluster {
                "DescribeDBClusterParameters".into()
            } else {
                "DescribeDBParameters".into()
            },
            resource: name.into(),
            code: "NotRead".into(),
            message: format!("the parameter group {name} was not read; the next sweep reads it"),
        })),
    }
}

fn failure(
    w: &Workload<'_>,
    database: &Database<'_>,
    name: &str,
    group: Option<&ParameterGroup>,
    set: Option<&str>,
) -> Failure {
    let id = database.id;
    let (why, observed) = match set {
        Some(value) => (
            format!("its parameter group {name} sets rds.force_ssl to {value}"),
            value,
        ),
        None => (
            format!(
                "rds.force_ssl is 0 by default in {} {}, and its parameter group {name} leaves it so",
                database.resource.engine(),
                database.resource.engine_version()
            ),
            "0",
        ),
    };
    Failure {
        severity: None,
        message: format!("{id} lets clients in without TLS: {why}"),
        evidence: vec![Evidence::new(format!("{name}: rds.force_ssl"), observed, "1")],
        remedy: match group {
            Some(group) => force(w, group),
            None => Remedy::manual(format!(
                "create a parameter group with rds.force_ssl=1, attach it to {id} instead of {name}, and reboot: \
                 AWS's own groups can't be changed"
            )),
        },
    }
}

fn force(w: &Workload<'_>, group: &ParameterGroup) -> Remedy {
    let action = Action::ForceTls(ForceTls {
        of_cluster: group.of_cluster,
        group: group.name.clone(),
    });
    let refused = untagged(w, &group.name, &group.tags)
        .or_else(|| match strangers(w, group) {
            Err(error) => Some(HoldReason::ParameterGroupUsersUnknown {
                group: group.name.clone(),
                error,
            }),
            Ok(others) if others.is_empty() => None,
            Ok(others) => Some(HoldReason::ParameterGroupShared {
                group: group.name.clone(),
                others,
                workload: w.name.to_owned(),
            }),
        })
        .or_else(|| refuses_tls(w));
    Remedy {
        summary: format!("set rds.force_ssl=1 in the parameter group {}", group.name),
        actions: vec![action],
        refused,
    }
}

/// Databases of others, or of nobody, that the group decides for too.
fn strangers(w: &Workload<'_>, group: &ParameterGroup) -> Read<Vec<String>> {
    let mine: Vec<&str> = w.databases()?.iter().map(|d| d.id).collect();
    let mut found = vec![];
    if group.of_cluster {
        let clusters = w.snapshot.clusters.as_ref().map_err(Arc::clone)?;
        let using = clusters
            .values()
            .filter(|c| c.parameter_group.as_ref() == Some(&group.name));
        found.extend(using.map(|c| c.id.as_str()).filter(|id| !mine.contains(id)));
    } else {
        let instances = w.snapshot.instances.as_ref().map_err(Arc::clone)?;
        let using = instances.values().filter(|i| i.parameter_groups.contains(&group.name));
        found.extend(using.map(|i| i.id.as_str()).filter(|id| !mine.contains(id)));
    }
    Ok(found.into_iter().map(str::to_owned).collect())
}

/// Why the workload's own services would be shut out, if they are known to refuse TLS. Where no mode is given, clients
/// try TLS first.
fn refuses_tls(w: &Workload<'_>) -> Option<HoldReason> {
    w.services().unwrap_or_default().iter().find_map(|service| {
        let usage = database_usage(w, service).ok()?;
        let plain = |c: &&crate::model::connection::Connection| c.sslmode.as_deref() == Some("disable");
        let name = || format!("{}/{}", service.cluster, service.name);
        let is_plain = usage.connections.iter().any(plain);
        is_plain.then(|| HoldReason::ConnectsWithoutTls(name()))
    })
}
