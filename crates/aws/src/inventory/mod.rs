//! From AWS to a [`Snapshot`]. Everything that can be read at once is; what can't be read becomes an error in its
//! place, and the rest goes on.

mod access;
mod alarms;
mod backups;
mod deployments;
mod ec2;
mod ecs;
mod log_tail;
mod logs;
mod memory;
mod migrations;
mod parameter_groups;
mod parameters;
mod policies;
mod rds;
mod refresh;
mod revisions;
mod secrets;
mod task_definition;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::client::Aws;
pub use alarms::alarms;
pub use backups::backups;
pub(crate) use ecs::DESCRIBE_SERVICES;
use holdfast_core::config::Config;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::resources::{MigrationFamily, Secret};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};
use holdfast_core::model::tags::Tags;
use holdfast_core::rules::follow_up_reads::follow_up_reads;
pub use log_tail::LogTail;
pub use memory::ReadCache;
use policies::Policies;
pub(crate) use task_definition::DESCRIBE as DESCRIBE_TASK_DEFINITION;

/// Learns how far a sweep has come.
pub trait Progress: Send + Sync {
    /// So many more reads are known to be needed.
    fn more(&self, reads: usize);
    /// So many reads are done.
    fn done(&self, reads: usize);
}

/// Nobody watches.
pub struct NoProgress;

impl Progress for NoProgress {
    fn more(&self, _: usize) {}
    fn done(&self, _: usize) {}
}

/// Reads one scope.
#[derive(Clone, Copy)]
pub struct Collector<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// What may be read, and which tags count.
    pub config: &'a Config,
    /// What was read before and may be relied on.
    pub memory: &'a ReadCache,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

impl Collector<'_> {
    /// Reads the whole scope, at the pace of sweeps. `now` is when reading begins.
    pub async fn sweep(&self, now: Timestamp) -> Snapshot {
        let aws = self.aws.for_sweeps();
        Box::pin(Collector { aws: &aws, ..*self }.read_all(now)).await
    }

    async fn read_all(&self, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.aws.scope.clone(), now);
        let (instances, clusters, groups, subnets, (services, definitions), (secrets, policies), migrations) = tokio::join!(
            Box::pin(rds::instances(self, None)),
            Box::pin(rds::clusters(self, None)),
            Box::pin(ec2::groups(self, None)),
            Box::pin(ec2::subnets(self)),
            Box::pin(ecs::services(self)),
            Box::pin(self.secrets_and_policies(now)),
            Box::pin(migrations::discover(self)),
        );
        snapshot.instances = instances.map(CowMap::from);
        snapshot.clusters = clusters.map(CowMap::from);
        snapshot.security_groups = groups.map(CowMap::from);
        snapshot.subnets = subnets.map(CowMap::from);
        snapshot.services = services.found.map(CowMap::from);
        snapshot.unread_services = services.unread.into();
        snapshot.task_definitions = definitions.into();
        snapshot.secrets = secrets;
        snapshot.policies = policies.into();
        snapshot.migrations = migrations.families.map(CowMap::from);
        snapshot.task_definitions.extend(migrations.definitions);
        Box::pin(migrations::runs(self, &mut snapshot)).await;
        Box::pin(self.finish(snapshot, now, Reuse::Allowed)).await
    }

    /// Lists all tagged secrets and reads the resource policies that the list alone calls for. AWS counts these calls apart
    /// from those that describe services and revisions, so reading them beside the descriptions saves their whole time.
    ///
    /// Each of them is among the policies that [`follow_up_reads`] names once everything else is read: it names the
    /// tagged secrets whatever else there is, and [`Self::finish`] reads only those that are not read yet.
    async fn secrets_and_policies(&self, now: Timestamp) -> (Read<CowMap<String, Secret>>, Policies) {
        let mut listed = Snapshot::empty(self.aws.scope.clone(), now);
        listed.secrets = secrets::list(self, None).await.map(CowMap::from);
        let wanted = follow_up_reads(&listed, self.config, now).policies;
        let policies = Box::pin(policies::read(self, &listed, &wanted, now, Reuse::Allowed)).await;
        (listed.secrets, policies)
    }

    /// Reads what the first reads turned out to need: values, what suspicious groups guard, earlier revisions, what a
    /// rollback would choose, what logs say.
    async fn finish(&self, mut snapshot: Snapshot, now: Timestamp, reuse: Reuse) -> Snapshot {
        Box::pin(secrets::follow(self, &mut snapshot, now, reuse)).await;
        let mut reads = follow_up_reads(&snapshot, self.config, now);
        reads.policies.retain(|arn| !snapshot.policies.contains_key(arn));
        let (guarded, earlier, parameter_groups, rollbacks, logs, policies, access) = tokio::join!(
            Box::pin(ec2::guarded(self, &reads.guarded)),
            Box::pin(revisions::durable_revisions(
                self,
                &snapshot,
                &reads.earlier_revisions,
                now,
                reuse
            )),
            Box::pin(parameter_groups::read(self, &reads.parameter_groups)),
            Box::pin(deployments::rollback_targets(
                self,
                &snapshot,
                &reads.rollback_targets,
                now,
                reuse
            )),
            Box::pin(logs::evidence(self, &snapshot, &reads.logs, now, reuse)),
            Box::pin(policies::read(self, &snapshot, &reads.policies, now, reuse)),
            Box::pin(access::read(self, &snapshot, &reads.access, now, reuse)),
        );
        snapshot.guarded = guarded.into();
        snapshot.durable_revisions = earlier.into();
        snapshot.parameter_groups = parameter_groups.into();
        snapshot.rollback_targets = rollbacks.targets.into();
        for definition in rollbacks.definitions {
            snapshot.task_definitions.insert(definition.arn.clone(), Ok(definition));
        }
        snapshot.logs = logs.into();
        snapshot.policies.extend(policies);
        snapshot.access = access.into();
        snapshot.errors = errors(&snapshot);
        snapshot
    }

    fn limit(&self) -> usize {
        self.config.limits.concurrency.max(1)
    }
}

/// Whether facts that were read before may stand in for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// A sweep: see [`ReadCache`].
    Allowed,
    /// A second look: everything is read.
    Never,
}

/// Every error that stands in a snapshot, once.
fn errors(s: &Snapshot) -> BTreeSet<Arc<ReadError>> {
    let lists = [
        s.instances.as_ref().err(),
        s.clusters.as_ref().err(),
        s.services.as_ref().err(),
        s.security_groups.as_ref().err(),
        s.subnets.as_ref().err(),
        s.secrets.as_ref().err(),
        s.migrations.as_ref().err(),
    ];
    let parts = s
        .task_definitions
        .values()
        .filter_map(|r| r.as_ref().err())
        .chain(s.unread_services.values().map(|(_, e)| e))
        .chain(s.guarded.values().filter_map(|r| r.as_ref().err()))
        .chain(s.lookups.values().filter_map(|r| r.as_ref().err()))
        .chain(s.values.values().filter_map(|r| r.as_ref().err()))
        .chain(s.parameters.values().filter_map(|r| r.as_ref().err()))
        .chain(s.policies.values().filter_map(|r| r.as_ref().err()))
        .chain(s.access.values().filter_map(|r| r.as_ref().err()))
        .chain(s.parameter_groups.values().filter_map(|r| r.as_ref().err()))
        .chain(s.rollback_targets.values().filter_map(|r| r.as_ref().err()))
        .chain(s.logs.values().filter_map(|r| r.as_ref().err()))
        .chain(
            s.services
                .iter()
                .flat_map(|m| m.values())
                .filter_map(|s| s.unread_tasks.as_ref()),
        )
        .chain(s.migrations.iter().flat_map(|m| m.values()).flat_map(unread));
    lists.into_iter().flatten().chain(parts).cloned().collect()
}

/// What of a migration could not be read.
fn unread(family: &MigrationFamily) -> impl Iterator<Item = &Arc<ReadError>> {
    let groups = family.last_run.as_ref().and_then(|r| r.unread_groups.as_ref());
    family.unread.iter().chain(groups)
}

/// Tags from pairs; a pair without a key is none. AWS sends each key once. Should one come with two values, it is taken
/// for empty, which every tag reads as its strictest: no workload, no window, no waiver, and the mode `audit`.
fn tags<'t>(pairs: impl Iterator<Item = (Option<&'t str>, Option<&'t str>)>) -> Tags {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in pairs.filter_map(|(k, v)| Some((k?, v.unwrap_or_default()))) {
        match found.get_mut(key) {
            Some(other) if other != value => other.clear(),
            Some(_) => {}
            None => {
                found.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    Tags(found)
}

/// An SDK instant.
fn instant(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// Keeps asking for pages until there is no more, and no more than `MAX_PAGES`: a list without end is an error, not a
/// reason to run out of memory.
const MAX_PAGES: usize = 2_000;

/// The items of a list of the SDK's, as long as the snapshot keeps them. What is collected from a list that is used up
/// takes over that one's memory, of which it may need a tenth.
fn collect_exact<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = items.collect();
    list.shrink_to_fit();
    list
}

fn by_key<K: Ord, T>(items: Vec<T>, key: impl Fn(&T) -> K) -> BTreeMap<K, T> {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

fn endless(collector: &Collector<'_>, api: crate::client::Api) -> Arc<ReadError> {
    collector.aws.error(
        api,
        &collector.aws.scope.to_string(),
        "TooManyPages",
        format!("{}:{} did not end after {MAX_PAGES} pages", api.service, api.operation),
    )
}

type Pages<T> = Read<Vec<T>>;

/// Reads pages one after the other.
macro_rules! pages {
    ($collector:expr, $api:expr, $token:ident => $request:expr, $items:ident, $next:ident) => {{
        let collector = $collector;
        let scope = collector.aws.scope.to_string();
        let mut all = Vec::new();
        let mut $token: Option<String> = None;
        let mut result: crate::inventory::Pages<_> = Err(crate::inventory::endless(collector, $api));
        for _ in 0..crate::inventory::MAX_PAGES {
            collector.progress.more(1);
            let page = collector.aws.call($api, &scope, $request.send()).await;
            collector.progress.done(1);
            match page {
                Err(e) => {
                    result = Err(e);
                    break;
                }
                Ok(page) => {
                    all.extend(page.$items.unwrap_or_default());
                    let next = page.$next.filter(|t| !t.is_empty());
                    // The same token twice would be a loop.
                    if next.is_none() || next == $token {
                        result = Ok(std::mem::take(&mut all));
                        break;
                    }
                    $token = next;
                }
            }
        }
        result
    }};
}
use pages;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tag_tests {
    use super::*;

    #[test]
    fn a_tag_with_two_values_means_its_strictest() {
        let key = |name: &str| format!("holdfast:{name}");
        let (workload, mode) = (key("workload"), key("mode"));
        let pairs = [
            (&workload, "shop"),
            (&mode, "enforce"),
            (&workload, "bank"),
            (&mode, "enforce"),
        ];
        let read = tags(pairs.iter().map(|(k, v)| (Some(k.as_str()), Some(*v))));
        assert_eq!(read.workload("holdfast:"), None);
        assert_eq!(
            read.mode("holdfast:"),
            Some(holdfast_core::model::policy::Mode::Enforce)
        );
        let again = [(&mode, "enforce"), (&mode, "audit"), (&mode, "enforce")];
        let read = tags(again.iter().map(|(k, v)| (Some(k.as_str()), Some(*v))));
        assert_eq!(read.mode("holdfast:"), Some(holdfast_core::model::policy::Mode::Audit));
    }
}
