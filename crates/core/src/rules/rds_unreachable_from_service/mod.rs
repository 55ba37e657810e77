#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, Rule, RuleResult, Workload};
use crate::action::{Action, AllowIngress};
use crate::facts::{Database, DatabaseUsage, Reach, database_usage, guards_others, reach, untagged};
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{SecurityGroup, Service};
use crate::model::snapshot::{Read, ReadError};

/// `rds-unreachable-from-service`
pub struct RdsUnreachableFromService;

static META: Meta = Meta {
    id: "rds-unreachable-from-service",
    severity: Severity::High,
    summary: "no network path leads from a service of the workload to its database",
    docs: include_str!("doc.md"),
    parameters: &["secret_env"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkInterfaces",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "tag:GetResources",
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
    ],
    writes: &["ec2:AuthorizeSecurityGroupIngress"],
    risk: Risk::None,
    corrects: false,
    ..Meta::DEFAULT
};

impl Rule for RdsUnreachableFromService {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match paths(w) {
            Err(e) => w.unknown(&e),
            Ok(paths) => paths.iter().filter_map(|p| evaluate_one(w, p)).collect(),
        }
    }

    /// Groups that a correction would open: what else they guard must be known first.
    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        let paths = paths(w).unwrap_or_default();
        let failing = paths
            .iter()
            .filter(|p| p.unreached.iter().any(|(_, r)| matches!(r, Reach::NoRule(_))));
        let guards = failing.filter_map(|p| guard(w, p.database));
        reads.guarded.extend(guards.map(|g| g.id.clone()));
    }
}

/// A database, and the services that should reach it and don't.
struct Paths<'w, 'a> {
    database: &'w Database<'a>,
    port: u16,
    /// Whether any service was evaluated.
    looked: bool,
    unreached: Vec<(&'a Service, Reach)>,
    unclear: Option<Arc<ReadError>>,
}

fn paths<'w, 'a>(w: &'w Workload<'a>) -> Read<Vec<Paths<'w, 'a>>> {
    let databases = w.databases()?.iter();
    // One that is being created has no port yet.
    let mut paths: Vec<Paths<'w, 'a>> = databases
        .filter(|d| !d.security_groups.is_empty())
        .filter_map(|database| {
            Some(Paths {
                port: database.port?,
                database,
                looked: false,
                unreached: vec![],
                unclear: w.services_error(),
            })
        })
        .collect();
    for &service in w.services().unwrap_or_default() {
        if !service.security_groups.is_empty() {
            look(w, service, &mut paths)?;
        }
    }
    Ok(paths)
}

/// Notes which of `paths` the service needs but does not have.
fn look<'a>(w: &Workload<'a>, service: &'a Service, paths: &mut [Paths<'_, 'a>]) -> Read<()> {
    let reached: Vec<Reach> = paths
        .iter()
        .map(|p| reach(w, service, p.database, p.port))
        .collect::<Read<_>>()?;
    if reached.iter().all(|r| matches!(r, Reach::Open)) {
        for path in paths {
            path.looked = true;
        }
        return Ok(());
    }
    let (usage, doubt) = match database_usage(w, service) {
        Ok(usage) => {
            let doubt = usage.doubt();
            (usage, doubt)
        }
        Err(e) => (DatabaseUsage::default(), Some(e)),
    };
    let by_proxy = usage
        .connections
        .iter()
        .flat_map(|c| &c.hosts)
        .any(|h| h.host.contains(".proxy-"));
    let named: Vec<bool> = paths.iter().map(|p| usage.includes(p.database)).collect();
    let names_one = named.contains(&true);
    let reaches_one = reached.iter().any(|r| matches!(r, Reach::Open));
    for ((path, reach), named) in paths.iter_mut().zip(reached).zip(named) {
        path.looked = true;
        let missing = match reach {
            Reach::Open => continue,
            Reach::Unclear(e) => Err(e),
            closed => Ok(closed),
        };
        match (missing, &doubt) {
            (Ok(closed), _) if named => path.unreached.push((service, closed)),
            (Err(e), _) if named => path.miss(e),
            // It says what it uses, and this is not it; or it says nothing, and reaches another.
            (_, None) if names_one || reaches_one => {}
            (_, Some(e)) if names_one || reaches_one || by_proxy => path.miss(Arc::clone(e)),
            (Ok(closed), _) => path.unreached.push((service, closed)),
            (Err(e), _) => path.miss(e),
        }
    }
    Ok(())
}

impl Paths<'_, '_> {
    fn miss(&mut self, error: Arc<ReadError>) {
        self.unclear.get_or_insert(error);
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, path: &Paths<'_, 'a>) -> Option<RuleResult<'a>> {
    let (database, subject) = (path.database, path.database.subject());
    let mut result = match (path.unreached.as_slice(), &path.unclear) {
        ([], Some(e)) => RuleResult::unknown(subject, database.tags, e),
        ([], None) if !path.looked => return None,
        ([], None) => RuleResult::pass(subject),
        _ => RuleResult::fail(subject, database.tags, failure(w, path)).in_phase(database.phase),
    };
    result.tags.extend(guards(w, database).map(|g| &g.tags));
    result.tags.extend(path.unreached.iter().map(|(s, _)| &s.tags));
    Some(result.relating(path.unreached.iter().map(|(s, _)| s.arn.clone())))
}

fn name(service: &Service) -> String {
    format!("{}/{}", service.cluster, service.name)
}

fn failure(w: &Workload<'_>, path: &Paths<'_, '_>) -> Failure {
    let (id, port) = (path.database.id, path.port);
    let why = |reach: &Reach| match reach {
        Reach::NoRule(why) | Reach::NoRoute(why) => why.clone(),
        Reach::Open | Reach::Unclear(_) => String::new(),
    };
    let told: Vec<String> = path
        .unreached
        .iter()
        .map(|(s, reach)| format!("{}: {}", name(s), why(reach)))
        .collect();
    Failure {
        severity: None,
        message: format!("{id} can't be reached by {}", told.join("; by ")),
        evidence: path
            .unreached
            .iter()
            .map(|(s, reach)| Evidence::new(format!("path {} → {id}:{port}", name(s)), why(reach), "a path"))
            .collect(),
        remedy: remedy(w, path),
    }
}

fn guards<'a>(w: &Workload<'a>, database: &Database<'_>) -> impl Iterator<Item = &'a SecurityGroup> {
    let groups = w.snapshot.security_groups.as_ref().ok();
    let ids = database.security_groups.to_vec();
    ids.into_iter().filter_map(move |id| groups?.get(&id))
}

/// The database's group that would be opened for a service: tagged, if one is.
fn guard<'a>(w: &Workload<'a>, database: &Database<'_>) -> Option<&'a SecurityGroup> {
    let tagged = |g: &&SecurityGroup| g.tags.workload(w.prefix) == Some(w.name);
    guards(w, database).find(tagged).or_else(|| guards(w, database).next())
}

fn remedy(w: &Workload<'_>, path: &Paths<'_, '_>) -> Remedy {
    let (id, port) = (path.database.id, path.port);
    let (mut actions, mut todo, mut refused) = (vec![], vec![], None);
    for (service, reach) in &path.unreached {
        let name = name(service);
        let (Reach::NoRule(_), Some(guard)) = (reach, guard(w, path.database)) else {
            todo.push(format!(
                "connect the VPCs of {name} and {id}, with routes both ways, then allow its addresses"
            ));
            continue;
        };
        if apart(w, service, guard) {
            todo.push(format!(
                "allow the addresses of {name} in {}: it comes from another VPC",
                guard.id
            ));
            continue;
        }
        let source = own_group(w, service);
        let group = source.as_ref().map_or_else(|shared| shared.0.clone(), Clone::clone);
        todo.push(format!("allow tcp {port} from {group} in {}", guard.id));
        actions.push(Action::AllowIngress(AllowIngress {
            group: guard.id.clone(),
            source: group,
            port,
        }));
        refused = refused
            .or_else(|| untagged(w, &guard.id, &guard.tags))
            .or_else(|| guards_others(w, guard))
            .or_else(|| source.err().map(|shared| shared.1));
    }
    let unique: BTreeSet<String> = todo.into_iter().collect();
    actions.sort();
    actions.dedup();
    Remedy {
        summary: unique.into_iter().collect::<Vec<_>>().join("; "),
        actions,
        refused,
    }
}

/// Whether the service's groups are of another VPC than `guard`.
fn apart(w: &Workload<'_>, service: &Service, guard: &SecurityGroup) -> bool {
    let of = |id: &String| w.group(id).ok().flatten();
    service
        .security_groups
        .iter()
        .filter_map(of)
        .any(|g| g.vpc != guard.vpc)
}

/// The group that only this service uses; else a shared one, and the reason not to let it in.
fn own_group(w: &Workload<'_>, service: &Service) -> Result<String, (String, HoldReason)> {
    let others = || {
        let all = w.snapshot.services.iter().flat_map(|m| m.values());
        all.filter(|s| s.tags.workload(w.prefix) != Some(w.name))
    };
    let shared_with = |id: &String| others().find(|s| s.security_groups.contains(id));
    let groups = &service.security_groups;
    if let Some(own) = groups.iter().find(|id| shared_with(id).is_none()) {
        return Ok(own.clone());
    }
    let first = groups.first().cloned().unwrap_or_default();
    let other = shared_with(&first).map(name).unwrap_or_default();
    let why = HoldReason::SourceShared {
        group: first.clone(),
        other,
    };
    Err((first, why))
}
