//! Builds a snapshot from the model of AWS, as the crate `holdfast-aws` reads one from AWS.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_core::config::Config;
use holdfast_core::model::connection::SecretShape;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{Service, TaskDefinition, VolumeKind};
use holdfast_core::model::snapshot::{Guarded, Lookup, Read, SecretValue, Snapshot};
use holdfast_core::model::value_from::{self, Selector, ValueFrom};
use holdfast_core::refresh::RefreshSet;
use jiff::Timestamp;

use crate::faults::error;
use crate::generate::connection;
use crate::sim::Sim;
use crate::world::World;

/// The reads that one snapshot is made of. Each fails, or is stale, independently of the others.
pub struct Reads {
    pub rds: Read<Arc<World>>,
    pub ec2: Read<Arc<World>>,
    pub ecs: Read<Arc<World>>,
    pub secrets: Read<Arc<World>>,
    pub values: Read<Arc<World>>,
    pub definitions: Read<Arc<World>>,
    pub interfaces: Read<Arc<World>>,
}

impl Reads {
    pub fn new(sim: &Sim, scope: &Scope) -> Self {
        Self {
            rds: sim.read(scope, "rds", "DescribeDBInstances"),
            ec2: sim.read(scope, "ec2", "DescribeSecurityGroups"),
            ecs: sim.read(scope, "ecs", "DescribeServices"),
            secrets: sim.read(scope, "secretsmanager", "ListSecrets"),
            values: sim.read(scope, "secretsmanager", "GetSecretValue"),
            definitions: sim.read(scope, "ecs", "DescribeTaskDefinition"),
            interfaces: sim.read(scope, "ec2", "DescribeNetworkInterfaces"),
        }
    }

    /// Reads that neither fail nor are stale.
    pub fn perfect(world: &Arc<World>) -> Self {
        let read = || Ok(Arc::clone(world));
        Self {
            rds: read(),
            ec2: read(),
            ecs: read(),
            secrets: read(),
            values: read(),
            definitions: read(),
            interfaces: read(),
        }
    }
}

/// One part of what a read shows.
fn part<T>(read: &Read<Arc<World>>, part: impl FnOnce(&World) -> T) -> Read<T> {
    match read {
        Ok(world) => Ok(part(world)),
        Err(e) => Err(Arc::clone(e)),
    }
}

/// Only services with the tag are described.
fn tagged(world: &World) -> CowMap<String, Service> {
    let mut services = world.services.clone();
    services.retain(|_, s| s.tags.workload("holdfast:").is_some());
    services
}

/// A snapshot of a whole scope.
pub fn sweep(reads: &Reads, scope: &Scope, config: &Config, now: Timestamp) -> Snapshot {
    let mut s = Snapshot::empty(scope.clone(), now);
    s.instances = part(&reads.rds, |w| w.instances.clone());
    if let Err(e) = &reads.rds {
        s.clusters = Err(Arc::clone(e));
    }
    s.security_groups = part(&reads.ec2, |w| w.groups.clone());
    s.subnets = part(&reads.ec2, |w| w.subnets.clone());
    s.services = part(&reads.ecs, tagged);
    s.secrets = part(&reads.secrets, |w| w.secrets.clone());
    add_follow_up_reads(s, reads, config)
}

/// A snapshot in which one workload is read again.
pub fn refresh(reads: &Reads, base: &Snapshot, set: &RefreshSet, config: &Config, now: Timestamp) -> Snapshot {
    let all = set.before_call.all_databases;
    let mut s = Snapshot::empty(base.scope.clone(), now);
    s.fights.clone_from(&base.fights);
    // If a list failed, its members are unknown, so the whole list is read.
    let no_databases = base.instances.is_err() || base.clusters.is_err();
    if set.instances.is_empty() && !all && !no_databases {
        s.instances.clone_from(&base.instances);
    } else {
        s.instances = part(&reads.rds, |w| {
            replace(
                &base.instances,
                &set.instances,
                w.instances.clone(),
                all || no_databases,
            )
        });
    }
    if let Err(e) = &reads.rds
        && (all || no_databases || !set.clusters.is_empty())
    {
        s.clusters = Err(Arc::clone(e));
    }
    let no_groups = no_databases || base.services.is_err() || base.security_groups.is_err();
    s.security_groups = part(&reads.ec2, |w| {
        replace(&base.security_groups, &set.groups, w.groups.clone(), no_groups)
    });
    s.subnets = base
        .subnets
        .clone()
        .or_else(|_| part(&reads.ec2, |w| w.subnets.clone()));
    refresh_services(&mut s, reads, base, set);
    s.secrets = match (&set.workload, &set.secret) {
        (None, None) => Ok(CowMap::new()),
        _ => part(&reads.secrets, |w| w.secrets.clone()),
    };
    if set.workload.is_none() {
        return s;
    }
    add_follow_up_reads(s, reads, config)
}

fn refresh_services(s: &mut Snapshot, reads: &Reads, base: &Snapshot, set: &RefreshSet) {
    match &reads.ecs {
        Ok(world) => {
            let fresh = tagged(world);
            let mut asked = set.services.clone();
            if set.before_call.discover_services {
                let own = |s: &&Service| s.tags.workload("holdfast:") == set.workload.as_deref();
                asked.extend(fresh.values().filter(own).map(|s| s.arn.clone()));
            }
            s.services = Ok(replace(&base.services, &asked, fresh, base.services.is_err()));
        }
        Err(e) if base.services.is_err() || set.before_call.discover_services => s.services = Err(Arc::clone(e)),
        Err(e) => {
            s.services.clone_from(&base.services);
            for arn in &set.services {
                if let Ok(services) = &mut s.services {
                    services.remove(arn);
                }
                let workload = set.workload.clone().unwrap_or_default();
                s.unread_services.insert(arn.clone(), (workload, Arc::clone(e)));
            }
        }
    }
}

/// The known items, with those `asked` for as they are read now; or, if `all` were read, just those.
fn replace<T>(
    known: &Read<CowMap<String, T>>,
    asked: &BTreeSet<String>,
    fresh: CowMap<String, T>,
    all: bool,
) -> CowMap<String, T> {
    let (Ok(known), false) = (known, all) else {
        return fresh;
    };
    let mut merged = known.clone();
    for id in asked {
        merged.take(id, &fresh);
    }
    merged
}

/// Reads what the first reads refer to: task definitions, secrets and network interfaces.
fn add_follow_up_reads(mut s: Snapshot, reads: &Reads, config: &Config) -> Snapshot {
    let services = s.services.clone();
    let running: BTreeSet<&String> = services
        .iter()
        .flat_map(|m| m.values())
        .map(|s| &s.task_definition)
        .collect();
    for arn in running {
        add_definition(&mut s, reads, config, arn);
    }
    let secrets = s.secrets.clone();
    // The value of a secret that is scheduled for deletion can't be read.
    let readable = secrets
        .iter()
        .flat_map(|m| m.values())
        .filter(|s| s.deleted_at.is_none());
    for secret in readable {
        let workload = secret.name.trim_end_matches("-url");
        let value = part(&reads.values, |_| {
            SecretValue::Shape(SecretShape::Plain(connection(workload)))
        });
        s.values.insert((secret.arn.clone(), Selector::default()), value);
    }
    let groups = s.security_groups.clone();
    for id in groups.iter().flat_map(|m| m.keys()) {
        s.guarded
            .insert(id.clone(), part(&reads.interfaces, |_| Guarded::default()));
    }
    s.errors = [
        &reads.rds,
        &reads.ec2,
        &reads.ecs,
        &reads.secrets,
        &reads.values,
        &reads.definitions,
        &reads.interfaces,
    ]
    .into_iter()
    .filter_map(|r| r.as_ref().err().cloned())
    .collect();
    s
}

fn add_definition(s: &mut Snapshot, reads: &Reads, config: &Config, arn: &str) {
    let definition = reads.definitions.clone().and_then(|w| {
        let found = w.definitions.get(arn).cloned();
        found.ok_or_else(|| error("ecs", "DescribeTaskDefinition", "ClientException"))
    });
    if let Ok(definition) = &definition {
        for variable in definition.containers.iter().flat_map(|c| &c.secrets) {
            look_up(s, reads, &variable.value_from);
        }
        // A workload that keeps its data on a volume needs its last revision that has one.
        if config.workloads.contains_key(&definition.family) && !is_on_volume(definition) {
            let all = reads.definitions.iter().flat_map(|w| w.definitions.values());
            let earlier = all.filter(|d| d.family == definition.family && d.revision < definition.revision);
            if let Some(last) = earlier.filter(|d| d.active && is_on_volume(d)).last() {
                s.durable_revisions.insert(arn.to_owned(), Arc::clone(last));
            }
        }
    }
    s.task_definitions.insert(arn.to_owned(), definition);
}

fn is_on_volume(definition: &TaskDefinition) -> bool {
    definition.volumes.iter().any(|v| v.kind == VolumeKind::Shared)
}

/// Finds the secret that a variable refers to, by its ARN or by its ARN without the six random characters.
fn look_up(s: &mut Snapshot, reads: &Reads, reference: &str) {
    let ValueFrom::Secret(target) = value_from::parse(reference) else {
        return;
    };
    let found = part(&reads.secrets, |w| {
        let is_target = |arn: &&String| **arn == target.arn || arn.trim_end_matches("-AbC123") == target.arn;
        let arn = w.secrets.keys().find(is_target);
        arn.map_or(Lookup::Missing, |arn| Lookup::Found(arn.clone()))
    });
    s.lookups.insert(target.arn.to_owned(), found);
}
