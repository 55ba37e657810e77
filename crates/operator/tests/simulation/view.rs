//! From a world to a snapshot, as `collect` reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::config::Config;
use holdfast_core::model::connection::SecretShape;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{SecurityGroup, Service, VolumeKind};
use holdfast_core::model::snapshot::{Guarded, Lookup, Read, SecretValue, Snapshot};
use holdfast_core::model::value_from::{self, Selector, ValueFrom};
use holdfast_core::refresh::RefreshSet;
use jiff::Timestamp;

use crate::layout::connection;
use crate::sim::Sim;
use crate::weather::error;
use crate::world::World;

/// Each of the reads of a look, with its own luck.
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

    /// The world as it is.
    pub fn truth(world: &Arc<World>) -> Self {
        let seen = || Ok(Arc::clone(world));
        Self {
            rds: seen(),
            ec2: seen(),
            ecs: seen(),
            secrets: seen(),
            values: seen(),
            definitions: seen(),
            interfaces: seen(),
        }
    }
}

fn tagged(services: &BTreeMap<String, Service>) -> BTreeMap<String, Service> {
    let tagged = services.iter().filter(|(_, s)| s.tags.workload("holdfast:").is_some());
    tagged.map(|(arn, s)| (arn.clone(), s.clone())).collect()
}

fn groups(world: &World) -> BTreeMap<String, SecurityGroup> {
    let mut groups = world.groups.clone();
    for group in groups.values_mut() {
        group.ingress.sort();
    }
    groups
}

/// All of a scope.
pub fn sweep(reads: &Reads, scope: &Scope, config: &Config, now: Timestamp) -> Snapshot {
    let mut s = Snapshot::empty(scope.clone(), now);
    s.instances = reads.rds.clone().map(|w| w.instances.clone().into());
    if let Err(e) = &reads.rds {
        s.clusters = Err(Arc::clone(e));
    }
    s.security_groups = reads.ec2.clone().map(|w| groups(&w).into());
    s.subnets = reads.ec2.clone().map(|w| w.subnets.clone().into());
    s.services = reads.ecs.clone().map(|w| tagged(&w.services).into());
    s.secrets = reads.secrets.clone().map(|w| w.secrets.clone().into());
    finish(s, reads, config)
}

/// One workload again, see `collect::set`.
pub fn refresh(reads: &Reads, base: &Snapshot, set: &RefreshSet, config: &Config, now: Timestamp) -> Snapshot {
    let all = set.before_call.all_databases;
    let mut s = Snapshot::empty(base.scope.clone(), now);
    s.fights.clone_from(&base.fights);
    // What a list that could not be read would have named is not known: the whole list is read.
    let blind = base.instances.is_err() || base.clusters.is_err();
    let instances = reads.rds.clone().map(|w| w.instances.clone());
    s.instances = instances.map(|i| others(&base.instances, &set.instances, i, all || blind));
    if let Err(e) = &reads.rds
        && (all || blind || !set.clusters.is_empty())
    {
        s.clusters = Err(Arc::clone(e));
    }
    if set.instances.is_empty() && !all && !blind {
        // Nothing is asked.
        s.instances.clone_from(&base.instances);
    }
    let unknown_groups = blind || base.services.is_err() || base.security_groups.is_err();
    let groups = reads.ec2.clone().map(|w| groups(&w));
    s.security_groups = groups.map(|g| others(&base.security_groups, &set.groups, g, unknown_groups));
    s.subnets = base
        .subnets
        .clone()
        .or_else(|_| reads.ec2.clone().map(|w| w.subnets.clone().into()));
    match &reads.ecs {
        Ok(w) => {
            let fresh = tagged(&w.services);
            let mut asked = set.services.clone();
            let own = |s: &&Service| s.tags.workload("holdfast:") == set.workload.as_deref();
            if set.before_call.discover_services {
                asked.extend(fresh.values().filter(own).map(|s| s.arn.clone()));
            }
            s.services = Ok(others(&base.services, &asked, fresh, base.services.is_err()));
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
    s.secrets = match (&set.workload, &set.secret) {
        (None, None) => Ok(CowMap::new()),
        _ => reads.secrets.clone().map(|w| w.secrets.clone().into()),
    };
    if set.workload.is_none() {
        return s;
    }
    finish(s, reads, config)
}

/// What was asked for as it was read, the rest as it was known.
fn others<T: Clone>(
    base: &Read<CowMap<String, T>>,
    asked: &BTreeSet<String>,
    fresh: BTreeMap<String, T>,
    complete: bool,
) -> CowMap<String, T> {
    match base {
        Ok(known) if !complete => {
            let found = fresh.into_iter().filter(|(id, _)| asked.contains(id));
            let rest = known.iter().filter(|(id, _)| !asked.contains(*id));
            found
                .chain(rest.map(|(id, item)| (id.clone(), T::clone(item))))
                .collect()
        }
        _ => fresh.into(),
    }
}

/// What the first reads turn out to need.
fn finish(mut s: Snapshot, reads: &Reads, config: &Config) -> Snapshot {
    let running: BTreeSet<String> = s
        .services
        .iter()
        .flat_map(|m| m.values())
        .map(|s| s.task_definition.clone())
        .collect();
    for arn in running {
        let definition = reads.definitions.clone().and_then(|w| {
            let found = w.definitions.get(&arn).cloned();
            found.ok_or_else(|| error("ecs", "DescribeTaskDefinition", "ClientException"))
        });
        if let Ok(definition) = &definition {
            let variables = definition.containers.iter().flat_map(|c| &c.secrets);
            for variable in variables {
                look_up(&mut s, reads, &variable.value_from);
            }
            let earlier = reads.definitions.iter().flat_map(|w| w.definitions.values());
            let keeps = |d: &&Arc<holdfast_core::model::resources::TaskDefinition>| {
                d.family == definition.family && d.revision < definition.revision && is_on_volume(d)
            };
            let on_volume = config.workloads.contains_key(&definition.family);
            if let (true, false, Some(found)) = (on_volume, is_on_volume(definition), earlier.clone().rfind(keeps)) {
                s.durable_revisions.insert(arn.clone(), Arc::clone(found));
            }
        }
        s.task_definitions.insert(arn, definition);
    }
    // The value of one that is about to be deleted can't be read.
    let kept = s
        .secrets
        .iter()
        .flat_map(|m| m.values())
        .filter(|s| s.deleted_at.is_none());
    let all: Vec<String> = kept.map(|s| s.arn.clone()).collect();
    for arn in all {
        let name = arn
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .trim_end_matches("-url-AbC123")
            .to_owned();
        let value = reads
            .values
            .clone()
            .map(|_| SecretValue::Shape(SecretShape::Plain(connection(&name))));
        s.values.insert((arn, Selector::default()), value);
    }
    let guarded: Vec<String> = s.security_groups.iter().flat_map(|m| m.keys().cloned()).collect();
    for id in guarded {
        s.guarded
            .insert(id, reads.interfaces.clone().map(|_| Guarded::default()));
    }
    s.errors = [&reads.rds, &reads.ec2, &reads.ecs, &reads.secrets, &reads.values]
        .into_iter()
        .chain([&reads.definitions, &reads.interfaces])
        .filter_map(|r| r.as_ref().err().cloned())
        .collect();
    s
}

fn is_on_volume(definition: &holdfast_core::model::resources::TaskDefinition) -> bool {
    definition.volumes.iter().any(|v| v.kind == VolumeKind::Shared)
}

fn look_up(s: &mut Snapshot, reads: &Reads, reference: &str) {
    let ValueFrom::Secret(target) = value_from::parse(reference) else {
        return;
    };
    let found = reads.secrets.clone().map(|w| {
        let by = |arn: &&String| **arn == target.arn || arn.trim_end_matches("-AbC123") == target.arn;
        w.secrets
            .keys()
            .find(by)
            .map_or(Lookup::Missing, |arn| Lookup::Found(arn.clone()))
    });
    s.lookups.insert(target.arn.to_owned(), found);
}
