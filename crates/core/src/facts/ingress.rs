//! What the security groups of a database let in, and who would lose access without a rule.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::database::{DEFAULT_PORT, Database, not_available};
use super::workload::{Workload, untagged};
use crate::action::{Action, ClosePublicAccess, RevokeIngress};
use crate::model::hold::HoldReason;
use crate::model::resources::{DbInstance, IngressRule, SecurityGroup, Service, Source, Subnet};
use crate::model::snapshot::{Read, ReadError};
use crate::rule_result::Remedy;

/// Whether a rule lets in only what the workload allows: its own services, its own groups, `allowed_ingress`. `None` if
/// the services could not be read.
#[must_use]
pub fn is_allowed(w: &Workload<'_>, group: &SecurityGroup, rule: &IngressRule) -> Option<bool> {
    match &rule.source {
        // No configuration makes the world a neighbour.
        Source::Cidr(net) => Some(net.prefix_len() > 0 && w.params.allowed_ingress.contains(net)),
        Source::PrefixList(_) | Source::Other(_) => Some(false),
        Source::Group { id, account } => {
            let foreign = account.as_ref().is_some_and(|a| *a != w.snapshot.scope.account);
            if w.params.allowed_ingress.security_groups.contains(id) {
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

/// Services that would have no path to `database` if only private, allowed paths were left, with the reason for each.
///
/// # Errors
/// What kept the services or the groups from being read.
pub fn losing_access(w: &Workload<'_>, database: &Database<'_>) -> Read<Vec<String>> {
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
            Source::Cidr(net) => w.params.allowed_ingress.contains(net) && service_within(w, service, guard, net),
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
fn also_guards(w: &Workload<'_>, group: &SecurityGroup) -> Read<Vec<String>> {
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

/// The reason to hold a change of a group, if others depend on it or may do so.
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
pub fn revoke(w: &Workload<'_>, group: &SecurityGroup, databases: &[&Database<'_>], rules: &[&IngressRule]) -> Remedy {
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

/// The reason to hold a change that takes away the path of a service.
fn path_refusal(w: &Workload<'_>, database: &Database<'_>) -> Option<HoldReason> {
    match losing_access(w, database) {
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

/// The rules of `group` that wrongly reach a database, and those for which that is unknown.
pub fn offending<'g>(
    w: &Workload<'_>,
    group: &'g SecurityGroup,
    databases: &[&Database<'_>],
) -> (Vec<&'g IngressRule>, bool) {
    let mut offending = vec![];
    let mut undetermined = false;
    for rule in &group.ingress {
        let too_much = databases.iter().any(|d| {
            rule.reaches(d.port.unwrap_or(DEFAULT_PORT)) && !(d.phase.phase.is_migrating() && rule.is_single_address())
        });
        if !too_much {
            continue;
        }
        match is_allowed(w, group, rule) {
            Some(true) => {}
            Some(false) => offending.push(rule),
            None => undetermined = true,
        }
    }
    (offending, undetermined)
}
