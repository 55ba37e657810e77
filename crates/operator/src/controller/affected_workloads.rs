//! Which workloads a resource concerns.

use std::collections::BTreeSet;

use holdfast_core::config::Config;
use holdfast_core::model::key::Subject;
use holdfast_core::model::snapshot::{Lookup, Snapshot};
use holdfast_core::model::tags::Tags;
use holdfast_core::model::value_from::{self, ValueFrom};

/// The workloads that `subject` concerns, as far as `snapshot` knows.
pub(super) fn affected_workloads(snapshot: &Snapshot, config: &Config, subject: &Subject) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut own = |tags: &Tags| found.extend(tags.workload(&config.tag_prefix).map(str::to_owned));
    let instances = || snapshot.instances.iter().flat_map(|m| m.values());
    let clusters = || snapshot.clusters.iter().flat_map(|m| m.values());
    let services = || snapshot.services.iter().flat_map(|m| m.values());
    match subject {
        Subject::Everything => {}
        Subject::Workload(name) => {
            found.insert(name.clone());
        }
        Subject::DbInstance(id) => {
            for instance in instances().filter(|i| i.id == *id) {
                own(&instance.tags);
                let above = clusters().filter(|c| instance.cluster.as_deref() == Some(&c.id));
                above.for_each(|c| own(&c.tags));
            }
        }
        Subject::DbCluster(id) => {
            clusters().filter(|c| c.id == *id).for_each(|c| own(&c.tags));
            instances()
                .filter(|i| i.cluster.as_deref() == Some(id))
                .for_each(|i| own(&i.tags));
        }
        Subject::Service { cluster, service } => {
            services()
                .filter(|s| s.cluster == *cluster && s.name == *service)
                .for_each(|s| own(&s.tags));
            let suffix = format!("/{cluster}/{service}");
            let unread = snapshot
                .unread_services
                .iter()
                .filter(|(arn, _)| arn.ends_with(&suffix));
            found.extend(unread.map(|(_, (workload, _))| workload.clone()));
        }
        Subject::TaskFamily(name) => {
            let families = snapshot.migrations.iter().filter_map(|m| m.get(name));
            families.for_each(|f| own(&f.tags));
        }
        Subject::SecurityGroup(id) => {
            instances()
                .filter(|i| i.security_groups.contains(id))
                .for_each(|i| own(&i.tags));
            clusters()
                .filter(|c| c.security_groups.contains(id))
                .for_each(|c| own(&c.tags));
            services()
                .filter(|s| s.security_groups.contains(id))
                .for_each(|s| own(&s.tags));
            snapshot
                .security_groups
                .iter()
                .filter_map(|m| m.get(id))
                .for_each(|g| own(&g.tags));
        }
        Subject::Secret(id) => {
            let matches = |arn: &str, name: &str| arn == id || name == id;
            let secrets = snapshot
                .secrets
                .iter()
                .flat_map(|m| m.values())
                .filter(|s| matches(&s.arn, &s.name));
            let arns: BTreeSet<&str> = secrets.clone().map(|s| s.arn.as_str()).collect();
            secrets.for_each(|s| own(&s.tags));
            // A secret that is only referred to concerns those who refer to it.
            for service in services() {
                let Some(Ok(definition)) = snapshot.task_definitions.get(&service.task_definition) else {
                    continue;
                };
                let refers = definition.containers.iter().flat_map(|c| &c.secrets).any(|s| {
                    let ValueFrom::Secret(target) = value_from::parse(&s.value_from) else {
                        return false;
                    };
                    let led = match snapshot.lookups.get(target.arn) {
                        Some(Ok(Lookup::Found(arn))) => arns.contains(arn.as_str()),
                        _ => false,
                    };
                    led || target.arn == *id
                        || target.resource == *id
                        || value_from::without_suffix(target.resource) == Some(id)
                });
                if refers {
                    own(&service.tags);
                }
            }
        }
    }
    found
}
