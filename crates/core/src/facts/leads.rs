//! Where a host name leads.

use std::sync::Arc;

use super::database::{Database, RdsResource};
use super::hosts::{HostForm, form, normal};
use super::workload::Workload;
use crate::model::resources::{DatabaseId, EndpointTarget, RdsEndpoint};
use crate::model::snapshot::ReadError;

/// Most steps from a replica to its source that are followed. RDS allows three.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html>
const MAX_CASCADE: usize = 5;

/// Where a host name leads.
#[derive(Debug, Clone)]
pub enum HostLead<'a> {
    /// To these instances or clusters of the scope, tagged or not: mostly one.
    Databases(Vec<RdsResource<'a>>),
    /// To the workload's database: `database_aliases` says so.
    Alias,
    /// To a database that is not in the scope's lists: gone, or of another account or region. What to call the host, for a
    /// message.
    Elsewhere(String),
    /// Nothing tells.
    Unknown(Arc<ReadError>),
}

/// Where `host` leads, as `w` sees it.
#[must_use]
pub fn lead<'a>(w: &Workload<'a>, host: &str) -> HostLead<'a> {
    let host = &*normal(host);
    if w.params.database_aliases.iter().any(|alias| normal(alias) == host) {
        return HostLead::Alias;
    }
    if let Some(error) = [w.snapshot.instances.as_ref().err(), w.snapshot.clusters.as_ref().err()]
        .into_iter()
        .flatten()
        .next()
    {
        return HostLead::Unknown(Arc::clone(error));
    }
    let found = w.index.at_host(w.snapshot, host);
    if !found.is_empty() {
        return HostLead::Databases(found.to_vec());
    }
    match form(host) {
        HostForm::Other => HostLead::Unknown(alias_needed(w, host, "is no endpoint of RDS that Holdfast can follow")),
        HostForm::Instance(region) | HostForm::Cluster(region) => {
            if region != w.snapshot.scope.region && has_kin_in(w, region) {
                HostLead::Unknown(alias_needed(w, host, "may be a copy of it in another region"))
            } else {
                HostLead::Elsewhere(host.to_owned())
            }
        }
        HostForm::Custom | HostForm::Proxy | HostForm::ProxyEndpoint | HostForm::Global => by_endpoint(w, host),
    }
}

fn by_endpoint<'a>(w: &Workload<'a>, host: &str) -> HostLead<'a> {
    let endpoint = match w.snapshot.endpoints.get(host) {
        Some(Ok(Some(endpoint))) => endpoint,
        // The list of custom endpoints is whole. A proxy may be another account's, whose VPC is shared.
        Some(Ok(None)) if form(host) == HostForm::Custom => return HostLead::Elsewhere(host.to_owned()),
        Some(Ok(None)) => {
            return HostLead::Unknown(alias_needed(
                w,
                host,
                "is an endpoint of RDS that this account and region don't have",
            ));
        }
        Some(Err(e)) => return HostLead::Unknown(Arc::clone(e)),
        None => return HostLead::Unknown(alias_needed(w, host, "was not looked up in this sweep")),
    };
    let here: Vec<RdsResource<'a>> = endpoint.targets.iter().filter_map(|t| resource(w, t)).collect();
    if !here.is_empty() {
        return HostLead::Databases(here);
    }
    if endpoint.targets.is_empty() {
        return HostLead::Unknown(alias_needed(
            w,
            host,
            &format!("is {}, which has no target", endpoint.name),
        ));
    }
    HostLead::Elsewhere(format!(
        "{host} ({}, which leads to {})",
        endpoint.name,
        targets(endpoint)
    ))
}

/// An instance or cluster of the scope that an endpoint leads to.
fn resource<'a>(w: &Workload<'a>, target: &EndpointTarget) -> Option<RdsResource<'a>> {
    match target {
        EndpointTarget::Here(DatabaseId::Instance(id)) => {
            let found = w.snapshot.instances.as_ref().ok()?.get(id)?;
            Some(RdsResource::Instance(found))
        }
        EndpointTarget::Here(DatabaseId::Cluster(id)) => {
            let found = w.snapshot.clusters.as_ref().ok()?.get(id)?;
            Some(RdsResource::Cluster(found))
        }
        EndpointTarget::Elsewhere(_) => None,
    }
}

/// The targets of an endpoint, for a message.
fn targets(endpoint: &RdsEndpoint) -> String {
    let names: Vec<&str> = endpoint
        .targets
        .iter()
        .map(|t| match t {
            EndpointTarget::Here(id) => id.id(),
            EndpointTarget::Elsewhere(arn) => arn,
        })
        .collect();
    names.join(", ")
}

/// Whether a database of the workload has a copy in that region, or may have: it is of a global database.
fn has_kin_in(w: &Workload<'_>, region: &str) -> bool {
    let in_region = |arn: &String| arn.split(':').nth(3) == Some(region);
    let databases = w.databases().unwrap_or_default();
    databases.iter().any(|d| {
        let source = d.resource.replica_of().map(str::to_owned);
        let members = d.members.iter().flat_map(|i| &i.replicas);
        let is_global = matches!(d.resource, RdsResource::Cluster(c) if c.global_cluster.is_some());
        is_global
            || d.resource
                .replicas()
                .iter()
                .chain(members)
                .chain(&source)
                .any(in_region)
    })
}

/// The host names by which one gets to `database` or to what replicates it: its own, those of replicas, proxies and other
/// endpoints, and the declared aliases where it is the workload's only database.
#[must_use]
pub fn hosts_leading_to<'a>(w: &Workload<'a>, database: &Database<'a>) -> Vec<String> {
    let one = std::slice::from_ref(database);
    let leads = |host: &str| match lead(w, host) {
        HostLead::Databases(found) => found.iter().any(|r| home_of(w, one, *r).is_some()),
        HostLead::Alias => w.databases().is_ok_and(|all| all.len() == 1),
        HostLead::Elsewhere(_) | HostLead::Unknown(_) => false,
    };
    let resources = std::iter::once(database.resource).chain(database.members.iter().map(|i| RdsResource::Instance(i)));
    let instances = w.snapshot.instances.as_ref().ok();
    let clusters = w.snapshot.clusters.as_ref().ok();
    let copies = resources.flat_map(|r| r.replicas()).flat_map(|id| {
        let id = id.rsplit(':').next().unwrap_or(id);
        let instance = instances.and_then(|all| all.get(id)).and_then(|i| i.endpoint.as_ref());
        let cluster = clusters.and_then(|all| all.get(id));
        let of_cluster = cluster.iter().flat_map(|c| c.hosts.clone()).collect::<Vec<_>>();
        instance.map(|e| e.host.clone()).into_iter().chain(of_cluster)
    });
    let further = w.snapshot.endpoints.iter().map(|(host, _)| host.clone());
    let candidates = copies.chain(further).chain(w.params.database_aliases.iter().cloned());
    let mut hosts: Vec<String> = candidates.filter(|host| leads(host)).collect();
    hosts.extend(database.hosts.iter().map(|h| (*h).to_owned()));
    hosts
}

/// The database of `databases` that `resource` is, or that it replicates.
#[must_use]
pub fn home_of<'d, 'a>(
    w: &Workload<'a>,
    databases: &'d [Database<'a>],
    resource: RdsResource<'a>,
) -> Option<&'d Database<'a>> {
    let mut at = resource;
    for _ in 0..MAX_CASCADE {
        if let Some(found) = databases.iter().find(|d| d.is(&at)) {
            return Some(found);
        }
        // In the same region AWS names an instance by its identifier, a cluster by its ARN.
        let source = at.replica_of()?;
        let id = source.rsplit(':').next().unwrap_or(source);
        let instance = || Some(RdsResource::Instance(w.snapshot.instances.as_ref().ok()?.get(id)?));
        let cluster = || Some(RdsResource::Cluster(w.snapshot.clusters.as_ref().ok()?.get(id)?));
        at = if source.contains(":cluster:") {
            cluster()
        } else {
            instance()
        }?;
        if source.contains(':') && at.arn() != source {
            return None;
        }
    }
    None
}

impl<'a> Workload<'a> {
    /// The database whose master password is in this secret, which RDS keeps and rotates: as the database says, or as the
    /// secret's own tags do.
    #[must_use]
    pub fn managed_secret_of(&self, secret_arn: &str) -> Option<&Database<'a>> {
        let databases = self.databases().ok()?;
        let told = |d: &&Database<'_>| d.managed_secret.is_some_and(|m| m.arn == secret_arn);
        databases.iter().find(told).or_else(|| {
            let secret = self.secret(secret_arn).filter(|s| s.is_managed_by_rds())?;
            let owner = secret.managed_for()?;
            let is_owner = |d: &&Database<'_>| d.arn == owner || d.members.iter().any(|i| i.arn == owner);
            databases.iter().find(is_owner)
        })
    }
}

/// Why it is unknown where a host leads, with the key that would tell.
fn alias_needed(w: &Workload<'_>, host: &str, why: &str) -> Arc<ReadError> {
    not_known(
        host,
        format!(
            "{host} {why}; if it leads to the workload's database, name it in `workloads.{}.database_aliases`",
            w.name
        ),
    )
}

/// An error for what can't be compared.
pub(super) fn not_known(resource: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "rds".into(),
        operation: "DescribeDBInstances".into(),
        resource: resource.to_owned(),
        code: "NotComparable".into(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::facts::one_workload;
    use crate::model::resources::{ManagedSecret, Secret};
    use crate::model::snapshot::Snapshot;
    use crate::rules::testing::databases::{former, replica, second};
    use crate::rules::testing::workload::{HOST, clean, cluster, db, now, shop, tags};

    const MANAGED: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-7c1f0a2e-AbC123";

    fn owner(s: &Snapshot, secret: &str) -> Option<String> {
        let config = Config::default();
        let w = one_workload("shop", s, &config, now());
        w.managed_secret_of(secret).map(|d| d.id.to_owned())
    }

    /// A secret that RDS keeps, with these tags.
    fn kept(s: &mut Snapshot, more: &[(&str, &str)]) {
        let mut own = shop(&[]);
        own.0
            .extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let secret = Secret {
            arn: MANAGED.into(),
            name: "rds!db-7c1f0a2e".into(),
            tags: own,
            ..Secret::default()
        };
        s.secrets.as_mut().expect("read").insert(MANAGED.into(), secret);
    }

    #[test]
    fn whose_password_it_is() {
        let managed = || ManagedSecret {
            arn: MANAGED.into(),
            ..ManagedSecret::default()
        };
        let mut s = clean();
        kept(&mut s, &[]);
        assert_eq!(owner(&s, MANAGED), None, "the name alone does not tell");
        db(&mut s).managed_secret = Some(managed());
        assert_eq!(owner(&s, MANAGED).as_deref(), Some("shop-db"));
        assert_eq!(owner(&s, "arn:other"), None);

        let mut s = clean();
        cluster(&mut s).managed_secret = Some(managed());
        assert_eq!(owner(&s, MANAGED).as_deref(), Some("fleet"));

        let mut s = clean();
        let arn = db(&mut s).arn.clone();
        kept(&mut s, &[("aws:rds:primaryDBInstanceArn", &arn)]);
        assert_eq!(owner(&s, MANAGED).as_deref(), Some("shop-db"));
        let mut s = clean();
        let arn = cluster(&mut s).arn.clone();
        kept(&mut s, &[("aws:rds:primaryDBClusterArn", &arn)]);
        assert_eq!(owner(&s, MANAGED).as_deref(), Some("fleet"));
        let mut s = clean();
        kept(
            &mut s,
            &[(
                "aws:rds:primaryDBInstanceArn",
                "arn:aws:rds:us-east-1:123456789012:db:bank",
            )],
        );
        assert_eq!(owner(&s, MANAGED), None, "another's");
    }

    #[test]
    fn a_name_that_anyone_may_choose_proves_nothing() {
        let mut s = clean();
        let arn = db(&mut s).arn.clone();
        kept(&mut s, &[("aws:rds:primaryDBInstanceArn", &arn)]);
        let secret = s.secrets.as_mut().expect("read").get_mut(MANAGED).expect("there");
        secret.name = "rds-db-7c1f0a2e".into();
        assert!(!secret.is_managed_by_rds());
        secret
            .tags
            .0
            .insert("aws:secretsmanager:owningService".into(), "rds".into());
        assert!(secret.is_managed_by_rds());
        assert_eq!(owner(&s, MANAGED).as_deref(), Some("shop-db"));
    }

    /// A replica, or a replica of that, leads to its source, where nobody else claims it.
    #[test]
    fn home_is_the_source() {
        let home = |change: fn(&mut Snapshot)| {
            let mut s = clean();
            let copy = replica(&mut s);
            copy.tags = tags(&[]);
            let host = copy.endpoint.as_ref().expect("there").host.clone();
            change(&mut s);
            let config = Config::default();
            let w = one_workload("shop", &s, &config, now());
            let databases = w.databases().expect("read");
            match lead(&w, &host) {
                HostLead::Databases(found) => home_of(&w, databases, *found.first()?).map(|d| d.id.to_owned()),
                _ => None,
            }
        };
        assert_eq!(home(|_| ()).as_deref(), Some("shop-db"));
        assert_eq!(home(|s| db(s).tags = tags(&[])), None);
        assert_eq!(
            home(|s| {
                second(s);
                let all = s.instances.as_mut().expect("read");
                let two = all.get_mut("shop-two").expect("there");
                (two.replica_of, two.tags) = (Some("shop-db".into()), tags(&[]));
                let copy = all.get_mut("shop-copy").expect("there");
                copy.replica_of = Some("shop-two".into());
            })
            .as_deref(),
            Some("shop-db")
        );
        assert_eq!(
            home(|s| {
                let all = s.instances.as_mut().expect("read");
                let copy = all.get_mut("shop-copy").expect("there");
                copy.replica_of = Some("arn:aws:rds:eu-west-1:123456789012:db:shop-db".into());
            }),
            None,
            "one of that name in another region"
        );
    }

    #[test]
    fn both_sides_of_a_blue_green_deployment() {
        let sides = |id: &str| {
            let mut s = clean();
            former(&mut s);
            let all = s.instances.as_mut().expect("read");
            all.get_mut("shop-db-old1").expect("there").id = id.to_owned();
            let config = Config::default();
            let w = one_workload("shop", &s, &config, now());
            let databases = w.databases().expect("read");
            let find = |id: &str| databases.iter().find(|d| d.id == id).expect("there");
            let (other, own) = (find(id), find("shop-db"));
            assert!(own.has_host(HOST) && !own.is_former(other) && !own.is_staged_for(other));
            (other.is_former(own), other.is_staged_for(own))
        };
        assert_eq!(sides("shop-db-old1"), (true, false));
        assert_eq!(sides("shop-db-old12"), (true, false));
        assert_eq!(sides("shop-db-green-x7k2ab"), (false, true));
        for near in [
            "shop-db-old",
            "shop-db-older",
            "shop-db-green-",
            "shop-db-green-blue",
            "shop-dbx",
            "other-db-old1",
        ] {
            assert_eq!(sides(near), (false, false), "{near}");
        }
    }
}
