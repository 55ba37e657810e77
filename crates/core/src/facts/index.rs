//! Which tagged resources belong to which workload.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::database::RdsResource;
use super::users::Users;
use crate::finding::Kind;
use crate::model::resources::{DbCluster, DbInstance, MigrationFamily, Secret, SecurityGroup, Service};
use crate::model::snapshot::{ReadError, Snapshot};
use crate::model::tags::Tags;

/// The resources of every workload of a snapshot. The index is made once, so the evaluation is linear in the snapshot's
/// size. Resources that are being deleted or drained are counted, but left out otherwise.
///
/// A workload is a position in the list of names, and the resources of a kind are in one list in that order. With a
/// hundred thousand workloads, the time goes to fetching memory.
#[derive(Debug, Default)]
pub struct Index<'a> {
    /// The workloads that anything is tagged for, in order.
    pub names: Vec<&'a str>,
    /// How many resources of each kind carry the tag.
    pub counts: BTreeMap<Kind, usize>,
    /// Instances, by identifier: those that carry the tag, and members of the clusters that do.
    pub(super) instances: Grouped<&'a DbInstance>,
    /// Clusters, by identifier: those that carry the tag, and those with a member that does.
    pub(super) clusters: Grouped<&'a DbCluster>,
    /// Services, by ARN.
    pub(super) services: Grouped<&'a Service>,
    /// Services that could not be described, by ARN.
    pub(super) unread_services: Grouped<(&'a str, &'a Arc<ReadError>)>,
    /// Secrets, by ARN.
    pub(super) secrets: Grouped<&'a Secret>,
    /// Security groups, by id.
    pub(super) groups: Grouped<&'a SecurityGroup>,
    /// Families that run schema migrations, by name.
    pub(super) migrations: Grouped<&'a MigrationFamily>,
    /// Instances and clusters of the whole scope by their hosts. Made when a host is met that is no workload's own.
    by_host: OnceLock<HashMap<&'a str, Vec<RdsResource<'a>>>>,
    /// The services of the whole scope by what they name. Made when a database is met that its workload does not use.
    pub(super) users: OnceLock<Users<'a>>,
}

impl<'a> Index<'a> {
    /// Reads every tag once, and keeps what belongs to the workloads of `only`, or to any.
    #[must_use]
    pub fn new(s: &'a Snapshot, prefix: &str, only: Option<&BTreeSet<String>>) -> Self {
        let mut met = Met {
            prefix,
            only,
            names: vec![],
            numbers: HashMap::with_capacity(s.services.iter().map(|m| m.len()).sum()),
            last: 0,
            counts: BTreeMap::new(),
        };
        let (instances, clusters) = databases(&mut met, s);
        let services = s.services.iter().flat_map(|m| m.values());
        let services = met.tagged(Kind::EcsService, services, |s| &s.tags, |s| s.status == "ACTIVE");
        let secrets = s.secrets.iter().flat_map(|m| m.values());
        let secrets = met.tagged(Kind::SecretsmanagerSecret, secrets, |s| &s.tags, |_| true);
        let groups = s.security_groups.iter().flat_map(|m| m.values());
        let groups = met.tagged(Kind::Ec2SecurityGroup, groups, |g| &g.tags, |_| true);
        let families = s.migrations.iter().flat_map(|m| m.values());
        let families = met.tagged(Kind::EcsTaskDefinition, families, |f| &f.tags, |_| true);
        let unread = s.unread_services.iter();
        let unread = unread
            .filter_map(|(arn, (name, error))| Some((met.number(name)?, (arn.as_str(), error))))
            .collect();
        let (names, places) = met.places();
        Self {
            instances: Grouped::new(instances, &places),
            clusters: Grouped::new(clusters, &places),
            services: Grouped::new(services, &places),
            unread_services: Grouped::new(unread, &places),
            secrets: Grouped::new(secrets, &places),
            groups: Grouped::new(groups, &places),
            migrations: Grouped::new(families, &places),
            names,
            counts: met.counts,
            by_host: OnceLock::new(),
            users: OnceLock::new(),
        }
    }

    /// The instances and clusters of the scope, tagged or not, whose own endpoint has this name. On an emulator they may be
    /// several.
    pub(super) fn at_host(&self, s: &'a Snapshot, host: &str) -> &[RdsResource<'a>] {
        let all = self.by_host.get_or_init(|| {
            let mut all: HashMap<&str, Vec<RdsResource<'a>>> = HashMap::new();
            for i in s.instances.iter().flat_map(|m| m.values()) {
                if let Some(endpoint) = &i.endpoint {
                    all.entry(&endpoint.host).or_default().push(RdsResource::Instance(i));
                }
            }
            for c in s.clusters.iter().flat_map(|m| m.values()) {
                for host in &c.hosts {
                    all.entry(host).or_default().push(RdsResource::Cluster(c));
                }
            }
            all
        });
        all.get(host).map(Vec::as_slice).unwrap_or_default()
    }

    /// The position of a workload; for an unknown one, a position without resources.
    #[must_use]
    pub fn place(&self, name: &str) -> usize {
        self.names.binary_search(&name).unwrap_or(usize::MAX)
    }
}

/// Things, each with the number of its workload.
type Numbered<T> = Vec<(usize, T)>;

/// The workloads met so far, with numbers in the order in which they were met.
struct Met<'a, 'o> {
    prefix: &'o str,
    only: Option<&'o BTreeSet<String>>,
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
    last: usize,
    counts: BTreeMap<Kind, usize>,
}

impl<'a> Met<'a, '_> {
    /// The number of a workload, if it is looked for.
    fn number(&mut self, name: &'a str) -> Option<usize> {
        if self.only.is_some_and(|only| !only.contains(name)) {
            return None;
        }
        // Resources of a kind often come in the order of their workloads, as those of the kind before did.
        let likely = [self.last, self.last + 1];
        let guessed = likely.into_iter().find(|n| self.names.get(*n) == Some(&name));
        self.last = guessed.unwrap_or_else(|| {
            *self.numbers.entry(name).or_insert_with(|| {
                self.names.push(name);
                self.names.len() - 1
            })
        });
        Some(self.last)
    }

    /// The number of the workload that a resource is tagged for, under which it is counted.
    fn count(&mut self, kind: Kind, tags: &'a Tags) -> Option<usize> {
        let number = self.number(tags.workload(self.prefix)?)?;
        *self.counts.entry(kind).or_default() += 1;
        Some(number)
    }

    fn tagged<T: 'a>(
        &mut self,
        kind: Kind,
        all: impl Iterator<Item = &'a T>,
        tags: impl Fn(&'a T) -> &'a Tags,
        is_kept: impl Fn(&T) -> bool,
    ) -> Numbered<&'a T> {
        let mut numbered = vec![];
        for item in all {
            let number = self.count(kind, tags(item));
            numbered.extend(number.filter(|_| is_kept(item)).map(|number| (number, item)));
        }
        numbered
    }

    /// The names in order, and for each number its place among them.
    fn places(&self) -> (Vec<&'a str>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        // Resources come in the order of their names, which are often like their workloads': there is little to sort.
        order.sort_by_key(|number| self.names[*number]);
        let mut places = vec![0; order.len()];
        for (place, number) in order.iter().enumerate() {
            places[*number] = place;
        }
        (order.into_iter().map(|number| self.names[number]).collect(), places)
    }
}

/// Instances and clusters, each with its own tag's workload, and with that of its cluster or of its members.
fn databases<'a>(met: &mut Met<'a, '_>, s: &'a Snapshot) -> (Numbered<&'a DbInstance>, Numbered<&'a DbCluster>) {
    let is_kept = |status: &str| status != "deleting";
    let all = s.clusters.iter().flat_map(|m| m.values());
    let mut clusters = met.tagged(Kind::RdsDbCluster, all, |c| &c.tags, |c| is_kept(&c.status));
    let mut instances = vec![];
    let all = s.instances.iter().flat_map(|m| m.values());
    for i in all {
        let own = i.tags.workload(met.prefix);
        let number = own.and_then(|_| met.count(Kind::RdsDbInstance, &i.tags));
        if !is_kept(&i.status) {
            continue;
        }
        let above = i.cluster.as_deref().zip(s.clusters.as_ref().ok());
        let cluster = above.and_then(|(id, all)| all.get(id)).filter(|c| is_kept(&c.status));
        let of_cluster = cluster.and_then(|c| c.tags.workload(met.prefix));
        let number = match own {
            Some(_) => number,
            None => of_cluster.and_then(|name| met.number(name)),
        };
        let Some(number) = number else { continue };
        instances.push((number, i));
        if own != of_cluster && own.is_some() {
            clusters.extend(cluster.map(|c| (number, c)));
        }
    }
    clusters.sort_by(|(a, x), (b, y)| (a, &x.id).cmp(&(b, &y.id)));
    clusters.dedup_by(|(a, x), (b, y)| a == b && x.id == y.id);
    (instances, clusters)
}

/// Things by the places of their workloads.
#[derive(Debug)]
pub(super) struct Grouped<T> {
    items: Vec<T>,
    /// Where the things of each workload begin; those of the last end with the list.
    starts: Vec<usize>,
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self {
            items: vec![],
            starts: vec![],
        }
    }
}

impl<T> Grouped<T> {
    /// Keeps the order of the things of one workload. `places` has the place of each number.
    fn new(mut numbered: Numbered<T>, places: &[usize]) -> Self {
        for (number, _) in &mut numbered {
            *number = places[*number];
        }
        numbered.sort_by_key(|(place, _)| *place);
        let mut starts = vec![0; places.len()];
        let mut filled = 0;
        for (at, (place, _)) in numbered.iter().enumerate() {
            starts[filled..=*place].fill(at);
            filled = filled.max(place + 1);
        }
        starts[filled..].fill(numbered.len());
        Self {
            items: numbered.into_iter().map(|(_, item)| item).collect(),
            starts,
        }
    }

    /// The resources of the workload at this position.
    pub fn of(&self, place: usize) -> &[T] {
        let Some(&start) = self.starts.get(place) else {
            return &[];
        };
        let end = self.starts.get(place + 1).copied().unwrap_or(self.items.len());
        &self.items[start..end]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each workload has its own, in the order in which they came, and nothing of another's.
        #[test]
        fn grouping_is_filtering(things in prop::collection::vec((0..7_usize, any::<u16>()), 0..40), seed in any::<u64>()) {
            let mut places: Vec<usize> = (0..7).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut places);
            let grouped = Grouped::new(things.clone(), &places);
            for (number, place) in places.iter().enumerate() {
                let own: Vec<u16> = things.iter().filter(|(n, _)| *n == number).map(|(_, t)| *t).collect();
                prop_assert_eq!(grouped.of(*place), own.as_slice());
            }
            prop_assert!(grouped.of(7).is_empty() && grouped.of(usize::MAX - 1).is_empty());
        }
    }
}
