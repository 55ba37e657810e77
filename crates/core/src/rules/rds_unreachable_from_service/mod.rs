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
    parameters: &["secret_env", "database_aliases"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "rds:DescribeDBProxies",
        "rds:DescribeDBProxyEndpoints",
        "rds:DescribeDBProxyTargets",
        "rds:DescribeDBClusterEndpoints",
        "rds:DescribeGlobalClusters",
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

/// Notes which of `paths` the service needs but does not have. It needs those to the databases that a connection of its
/// leads to.
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
            let doubt = usage.doubt(w);
            (usage, doubt)
        }
        Err(e) => (DatabaseUsage::default(), Some(e)),
    };
    for (path, reach) in paths.iter_mut().zip(reached) {
        let missing = match reach {
            Reach::Open => {
                path.looked = true;
                continue;
            }
            Reach::Unclear(e) => Err(e),
            closed => Ok(closed),
        };
        let (leads, straight) = (
            usage.includes(w, path.database),
            usage.goes_straight_to(w, path.database),
        );
        path.looked |= leads || doubt.is_some();
        match (missing, &doubt) {
            (Ok(closed), _) if straight => path.unreached.push((service, closed)),
            (Err(e), _) if straight => path.miss(e),
            (_, _) if leads => path.miss(indirect(service, path.database)),
            (_, Some(e)) => path.miss(Arc::clone(e)),
            // It says what it uses, and this is not it; or it uses no database at all.
            (_, None) => {}
        }
    }
    Ok(())
}

/// Why it is unknown whether a service reaches a database that it uses by something in between.
fn indirect(service: &Service, database: &Database<'_>) -> Arc<ReadError> {
    let (name, id) = (name(service), database.id);
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: "DescribeSecurityGroupRules".into(),
        resource: id.to_owned(),
        code: "NotComparable".into(),
        message: format!("{name} reaches {id} by a proxy or an alias, and the groups in between are not evaluated"),
    })
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
