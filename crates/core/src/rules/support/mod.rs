//! Questions that several rules ask of a workload.

mod databases;
mod holders;
mod reach;
mod secrets;
mod uses;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::workload::DatabaseView;
use super::{Judgement, Remedy, Subject, Workload};
use crate::action::{Action, ClosePublicAccess, RevokeIngress, RollOut, SecretChange};
use crate::model::hold::HoldReason;
use crate::model::resources::{
    Access, DbInstance, IngressRule, SecurityGroup, Service, Source, Subnet, TaskDefinition, VolumeKind, revision_name,
};
use crate::model::snapshot::{ReadError, Seen};
use crate::model::tags::Tags;
pub use databases::{DATABASE_READS, Whole, configure, each_whole, not_available, wholes};
pub use holders::{Held, Holder, connections, each_holder, holders, in_use};
pub use reach::{Reach, reach};
pub use secrets::{
    Leads, Reference, database_variables, leads, parameter, readable_as, references, resolve, right_connection,
    right_reference, shape, usable_keys,
};
pub use uses::{Uses, uses};

/// The port of a PostgreSQL server that has not said otherwise.
pub const DEFAULT_PORT: u16 = 5432;

/// Why a resource that lacks the workload's tag may not be changed, if it lacks it.
#[must_use]
pub fn untagged(w: &Workload<'_>, what: &str, tags: &Tags) -> Option<HoldReason> {
    (tags.workload(w.prefix) != Some(w.name)).then(|| HoldReason::Untagged {
        resource: what.to_owned(),
        prefix: w.prefix.to_owned(),
        workload: w.name.to_owned(),
    })
}

// ---- network -------------------------------------------------------------------------------------------------

/// Whether a rule lets in only what the workload allows: its own services, its own groups, `allowed_ingress`.
/// `None` where that can't be told because the services could not be read.
#[must_use]
pub fn is_allowed(w: &Workload<'_>, group: &SecurityGroup, rule: &IngressRule) -> Option<bool> {
    match &rule.source {
        // No configuration makes the world a neighbour.
        Source::Cidr(net) => {
            Some(net.prefix_len() > 0 && w.params.allowed_cidrs.iter().any(|allowed| allowed.contains(net)))
        }
        Source::PrefixList(_) | Source::Other(_) => Some(false),
        Source::Group { id, account } => {
            let foreign = account.as_ref().is_some_and(|a| *a != w.snapshot.scope.account);
            if w.params.allowed_groups.contains(id) {
                return Some(true);
            }
            if foreign {
                return Some(false);
            }
            let ours =
                id == &group.id || matches!(w.group(id), Ok(Some(g)) if g.tags.workload(w.prefix) == Some(w.name));
            if ours {
                return Some(true);
            }
            match (w.services(), w.services_error()) {
                (Ok(services), _) if services.iter().any(|s| s.security_groups.contains(id)) => Some(true),
                (_, Some(_)) => None,
                _ => Some(false),
            }
        }
    }
}

/// Services that would have no way to `database` once only private, allowed paths are left, with the reason for
/// each.
///
/// # Errors
/// What kept the services or the groups from being read.
pub fn cut_off(w: &Workload<'_>, database: &DatabaseView<'_>) -> Seen<Vec<String>> {
    if let Some(error) = w.services_error() {
        return Err(error);
    }
    let groups = w.snapshot.security_groups.as_ref().map_err(Arc::clone)?;
    let guards: Vec<&SecurityGroup> = database
        .security_groups
        .iter()
        .filter_map(|id| groups.get(id))
        .collect();
    let port = database.port.unwrap_or(DEFAULT_PORT);
    let mut lost = vec![];
    for service in w.services()? {
        let name = format!("{}/{}", service.cluster, service.name);
        if service.security_groups.is_empty() {
            lost.push(format!(
                "{name} (it has no awsvpc network, so its path can't be proved)"
            ));
            continue;
        }
        let by_group = |rule: &IngressRule, guard: &SecurityGroup| match &rule.source {
            Source::Group { id, account } => {
                account.as_deref().is_none_or(|a| a == w.snapshot.scope.account)
                    && service.security_groups.contains(id)
                    && groups.get(id).is_some_and(|g| g.vpc == guard.vpc)
            }
            Source::Cidr(net) => {
                w.params.allowed_cidrs.iter().any(|a| a.contains(net)) && service_within(w, service, guard, net)
            }
            _ => false,
        };
        let reachable = guards
            .iter()
            .any(|g| g.ingress.iter().any(|r| r.reaches(port) && by_group(r, g)));
        if !reachable {
            lost.push(format!(
                "{name} (no rule lets its security group reach port {port} inside the VPC)"
            ));
        }
    }
    Ok(lost)
}

/// Whether all subnets of a service are in the VPC of `guard`, and their IPv4 addresses inside `net`: a database has no
/// other address for certain, so that a rule for IPv6 is no path to rely on.
fn service_within(w: &Workload<'_>, service: &Service, guard: &SecurityGroup, net: &ipnet::IpNet) -> bool {
    let Ok(subnets) = &w.snapshot.subnets else { return false };
    !service.subnets.is_empty()
        && service.subnets.iter().all(|id| {
            subnets
                .get(id)
                .is_some_and(|s| guard.vpc.as_deref() == Some(&s.vpc) && is_inside(s, net))
        })
}

fn is_inside(subnet: &Subnet, net: &ipnet::IpNet) -> bool {
    let mut own = subnet
        .cidrs
        .iter()
        .filter(|c| matches!(c, ipnet::IpNet::V4(_)))
        .peekable();
    own.peek().is_some() && own.all(|cidr| net.contains(cidr))
}

/// What a group guards besides this workload's databases.
///
/// # Errors
/// What kept that from being read.
pub fn also_guards(w: &Workload<'_>, group: &SecurityGroup) -> Seen<Vec<String>> {
    let mut others = vec![];
    let mine: BTreeSet<&str> = w.databases()?.iter().map(|d| d.id).collect();
    let members: BTreeSet<&str> = w.instances()?.iter().map(|i| i.id.as_str()).collect();
    let s = w.snapshot;
    for i in s.instances.as_ref().map_err(Arc::clone)?.values() {
        if i.security_groups.contains(&group.id) && !mine.contains(i.id.as_str()) && !members.contains(i.id.as_str()) {
            others.push(format!("RDS instance {}", i.id));
        }
    }
    for c in s.clusters.as_ref().map_err(Arc::clone)?.values() {
        if c.security_groups.contains(&group.id) && !mine.contains(c.id.as_str()) {
            others.push(format!("RDS cluster {}", c.id));
        }
    }
    for service in s.services.as_ref().map_err(Arc::clone)?.values() {
        if service.security_groups.contains(&group.id) {
            others.push(format!("ECS service {}/{}", service.cluster, service.name));
        }
    }
    match s.guarded.get(&group.id) {
        Some(Ok(guarded)) => others.extend(guarded.others.iter().cloned()),
        Some(Err(e)) => return Err(Arc::clone(e)),
        None => {
            return Err(Arc::new(ReadError {
                service: "ec2".into(),
                operation: "DescribeNetworkInterfaces".into(),
                resource: group.id.clone(),
                code: "NotRead".into(),
                message: "what else the group guards was not read; the next sweep reads it".into(),
            }));
        }
    }
    others.sort();
    others.dedup();
    Ok(others)
}

/// Why a group may not be changed for the workload's database, if others depend on it, or may.
#[must_use]
pub fn guards_others(w: &Workload<'_>, group: &SecurityGroup) -> Option<HoldReason> {
    let group_id = group.id.clone();
    match also_guards(w, group) {
        Err(error) => Some(HoldReason::GuardedUnknown { group: group_id, error }),
        Ok(others) if others.is_empty() => None,
        Ok(others) => Some(HoldReason::GuardsOthers {
            group: group_id,
            others,
        }),
    }
}

/// The correction that revokes `rules` of `group`, which guards `databases`.
#[must_use]
pub fn revoke(
    w: &Workload<'_>,
    group: &SecurityGroup,
    databases: &[&DatabaseView<'_>],
    rules: &[&IngressRule],
) -> Remedy {
    let list: Vec<String> = rules.iter().map(|r| format!("{} ({})", r.describe(), r.id)).collect();
    let summary = format!("revoke from {}: {}", group.id, list.join(", "));
    let actions = rules
        .iter()
        .map(|r| {
            Action::RevokeIngress(RevokeIngress {
                group: group.id.clone(),
                rule: (*r).clone(),
            })
        })
        .collect();
    let refused = untagged(w, &group.id, &group.tags)
        .or_else(|| guards_others(w, group))
        .or_else(|| databases.iter().find_map(|d| path_refusal(w, d)));
    Remedy {
        summary,
        actions,
        refused,
    }
}

/// Why a service would lose its path, if one would.
fn path_refusal(w: &Workload<'_>, database: &DatabaseView<'_>) -> Option<HoldReason> {
    match cut_off(w, database) {
        Err(error) => Some(HoldReason::PathsUnknown {
            database: database.id.to_owned(),
            error,
        }),
        Ok(lost) if lost.is_empty() => None,
        Ok(lost) => Some(HoldReason::CutsOff(lost)),
    }
}

/// The correction that closes public access to an instance.
#[must_use]
pub fn close_public_access(w: &Workload<'_>, instance: &DbInstance) -> Remedy {
    let summary = format!("set PubliclyAccessible=false on {}", instance.id);
    let actions = vec![Action::ClosePublicAccess(ClosePublicAccess {
        instance: instance.id.clone(),
    })];
    let database = w.databases().map(|all| {
        all.iter()
            .find(|d| d.id == instance.id || instance.cluster.as_deref() == Some(d.id))
    });
    let refused = untagged(w, &instance.id, &instance.tags)
        .or_else(|| not_available(&instance.id, &instance.status))
        .or_else(|| match database {
            Ok(Some(database)) => path_refusal(w, database),
            Ok(None) => None,
            Err(e) => Some(HoldReason::ClusterUnknown(e)),
        });
    Remedy {
        summary,
        actions,
        refused,
    }
}

// ---- services ------------------------------------------------------------------------------------------------

/// The correction that gives a service other references, unless the service is not in a state to be changed.
#[must_use]
pub fn roll_out(w: &Workload<'_>, service: &Service, summary: String, changes: Vec<SecretChange>) -> Remedy {
    let refused = rollout_refusal(w, service).or_else(|| unreadable(w, service, &changes));
    let action = Action::RollOut(RollOut {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        base: service.task_definition.clone(),
        changes,
    });
    Remedy {
        summary,
        actions: vec![action],
        refused,
    }
}

/// Why the tasks could not read what `changes` refer to, if it is known that they could not.
///
/// Only a proved denial refuses. Where the simulator could not be asked, or IAM knows no such role, the rollout goes on:
/// a task that can't fetch its secret does not start, the deployment is not steady in time, and what ran before is set
/// back. To refuse would leave a service without its database for want of a permission that only this check needs.
fn unreadable(w: &Workload<'_>, service: &Service, changes: &[SecretChange]) -> Option<HoldReason> {
    let definition = w.running(service).ok()?;
    let Some(role) = &definition.execution_role else {
        return Some(no_execution_role(definition));
    };
    changes.iter().find_map(|change| {
        let resource = readable_as(w, &change.after).ok()??;
        match w.snapshot.access.get(&(role.clone(), resource.into_owned())) {
            Some(Ok(Access::Denied { missing })) => Some(HoldReason::ExecutionRoleDenied {
                role: role.clone(),
                missing: missing.clone(),
            }),
            _ => None,
        }
    })
}

/// Why a revision can't be given a secret.
#[must_use]
pub fn no_execution_role(definition: &TaskDefinition) -> HoldReason {
    HoldReason::NoExecutionRole(revision_name(&definition.arn).to_owned())
}

/// Why a service may not be given another revision now, if it may not.
#[must_use]
pub fn rollout_refusal(w: &Workload<'_>, service: &Service) -> Option<HoldReason> {
    let name = format!("{}/{}", service.cluster, service.name);
    if service.deployment_controller != "ECS" {
        return Some(HoldReason::DeployedByOthers {
            service: name,
            controller: service.deployment_controller.clone(),
        });
    }
    if let Some(why) = untagged(w, &name, &service.tags) {
        return Some(why);
    }
    // A primary deployment whose tasks fail to start is what a wrong reference looks like: waiting for it to
    // complete would be waiting for ever.
    let primary = service.deployments.first();
    let under_way = service.deployments.len() > 1
        && primary.is_some_and(|d| d.rollout_state.as_deref() == Some("IN_PROGRESS") && d.failed_tasks == 0);
    under_way.then_some(HoldReason::DeploymentUnderWay(name))
}

/// Whether a revision keeps what is written under one of `paths` on a volume that outlives the task.
#[must_use]
pub fn has_durable_volume(definition: &TaskDefinition, paths: &[String], fargate: bool) -> bool {
    let durable = |name: &str| {
        definition.volumes.iter().any(|v| {
            v.name == name
                && match v.kind {
                    VolumeKind::Shared => true,
                    VolumeKind::DockerDriver => !fargate,
                    VolumeKind::Host | VolumeKind::TaskEbs => false,
                }
        })
    };
    definition
        .containers
        .iter()
        .flat_map(|c| &c.mounts)
        .any(|m| !m.read_only && durable(&m.volume) && paths.iter().any(|p| is_at_or_above(&m.path, p)))
}

/// Whether `mount` is `path` or a directory above it.
fn is_at_or_above(mount: &str, path: &str) -> bool {
    let parts = |s: &str| -> Vec<String> { s.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
    parts(path).starts_with(&parts(mount))
}

/// Whether a revision reaches a database outside of its own containers: by a secret, a parameter, or a plain URL.
#[must_use]
pub fn has_external_database(w: &Workload<'_>, definition: &TaskDefinition) -> bool {
    database_variables(w, definition).next().is_some()
        || definition
            .containers
            .iter()
            .flat_map(|c| &c.plain_databases)
            .any(|d| d.external)
}

/// Whether a revision would keep its data through a deployment.
#[must_use]
pub fn is_durable(w: &Workload<'_>, definition: &TaskDefinition, fargate: bool) -> bool {
    let by_database = w.params.datastore == crate::config::Datastore::Postgres && has_external_database(w, definition);
    by_database || has_durable_volume(definition, &w.params.data_paths, fargate)
}

/// How a revision would lose data as a workload's, where another one keeps it: what `ecs-ephemeral-storage` or
/// `ecs-missing-database-secret` would say of it.
#[must_use]
pub fn loses_data(w: &Workload<'_>, definition: &TaskDefinition, fargate: bool) -> Option<&'static str> {
    if !is_durable(w, definition, fargate) {
        return Some("keeps its data in the container");
    }
    let needs_secret = w.params.datastore == crate::config::Datastore::Postgres;
    (needs_secret && database_variables(w, definition).next().is_none()).then_some("gets no database secret")
}

/// What `judge` says of each service, and that something is unknown where one could not be read.
#[must_use]
pub fn each_service<'a>(
    w: &Workload<'a>,
    judge: impl FnMut(&'a Service) -> Option<Judgement<'a>>,
) -> Vec<Judgement<'a>> {
    let services = match w.services() {
        Ok(services) => services,
        Err(e) => return w.unknown(&e),
    };
    let mut out: Vec<Judgement<'a>> = services.iter().copied().filter_map(judge).collect();
    if let Some((_, error)) = w.unread_services().first() {
        out.extend(w.unknown(error));
    }
    out
}

/// What `judge` says of each service and the revision that it runs; unknown where that could not be read.
#[must_use]
pub fn each_running<'a>(
    w: &Workload<'a>,
    mut judge: impl FnMut(&'a Service, &'a TaskDefinition) -> Option<Judgement<'a>>,
) -> Vec<Judgement<'a>> {
    each_service(w, |service| match w.running(service) {
        Err(e) => Some(Judgement::unknown(Subject::Service(service), &service.tags, &e)),
        Ok(definition) => judge(service, definition),
    })
}
