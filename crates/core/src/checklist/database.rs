//! Items about a database: its backup, its settings, and whether the migration window is closed.

use jiff::Timestamp;

use super::answer::Answer;
use super::item::{Item, ItemVerdict};
use super::list::List;
use crate::diagnose::{arns, condition};
use crate::facts::{Database, RdsResource};
use crate::model::resources::{DbCluster, DbInstance};
use crate::model::tags::Phase;

/// One database with the facts that an instance has for itself and a cluster for its members.
struct Facts<'a> {
    cluster: Option<&'a DbCluster>,
    members: Vec<&'a DbInstance>,
    arns: Vec<String>,
}

impl<'a> Facts<'a> {
    fn of(database: &Database<'a>) -> Self {
        let cluster = match database.resource {
            RdsResource::Instance(_) => None,
            RdsResource::Cluster(cluster) => Some(cluster),
        };
        Self {
            cluster,
            members: database.members.clone(),
            arns: arns(database),
        }
    }

    fn restorable_until(&self) -> Option<Timestamp> {
        match self.cluster {
            Some(c) => c.restorable_until,
            None => self.members.first().and_then(|i| i.restorable_until),
        }
    }

    fn retention(&self) -> i32 {
        self.cluster
            .map(|c| c.backup_retention_days)
            .or_else(|| self.members.first().map(|i| i.backup_retention_days))
            .unwrap_or_default()
    }

    fn engine(&self) -> (&'a str, &'a str) {
        self.cluster
            .map(|c| (c.engine.as_str(), c.engine_version.as_str()))
            .or_else(|| {
                self.members
                    .first()
                    .map(|i| (i.engine.as_str(), i.engine_version.as_str()))
            })
            .unwrap_or_default()
    }

    fn encrypted(&self) -> bool {
        self.cluster.map_or_else(
            || self.members.iter().all(|i| i.storage_encrypted),
            |c| c.storage_encrypted,
        )
    }

    fn protected(&self) -> bool {
        self.cluster.map_or_else(
            || self.members.iter().all(|i| i.deletion_protection),
            |c| c.deletion_protection,
        )
    }

    /// Members with a public address; the cluster, where the flag is its own.
    fn public(&self) -> Vec<&'a str> {
        let members = self
            .members
            .iter()
            .filter(|i| i.publicly_accessible)
            .map(|i| i.id.as_str());
        let cluster = self
            .cluster
            .filter(|c| c.publicly_accessible == Some(true))
            .map(|c| c.id.as_str());
        members.chain(cluster).collect()
    }

    /// Its subnets that route the internet to an internet gateway, by id; `None` if a subnet is not known.
    fn public_subnets(&self, list: &List<'_>) -> Option<Vec<String>> {
        let all = list.w.snapshot.subnets.as_ref().ok()?;
        let mut found = vec![];
        for id in self.members.iter().flat_map(|i| &i.subnets) {
            let subnet = all.get(id)?;
            if subnet.internet_gateway.is_some() && !found.contains(id) {
                found.push(id.clone());
            }
        }
        Some(found)
    }
}

/// A backup exists.
pub(super) fn backup(list: &List<'_>, database: &Database<'_>) -> Vec<Item> {
    let facts = Facts::of(database);
    let newest = list.extras.backups.as_ref().map(|all| {
        all.iter()
            .find(|b| b.database == database.resource.identity() && b.status == "available")
    });
    let answer = match (facts.restorable_until(), newest) {
        (Some(until), newest) => {
            let stale = list.finding_about("rds-stale-restore-point", &facts.arns);
            stale.unwrap_or_else(|| {
                let answer = Answer::proved(format!("it can be restored to any instant up to {until}"))
                    .fact("LatestRestorableTime", until.to_string())
                    .fact("BackupRetentionPeriod", facts.retention())
                    .at(Some(until));
                match newest {
                    Ok(Some(b)) => answer.fact("DBSnapshotIdentifier", b.id.as_str()),
                    _ => answer,
                }
            })
        }
        (None, Ok(Some(b))) => Answer::proved(format!("the snapshot {} is available", b.id))
            .fact("DBSnapshotIdentifier", b.id.as_str())
            .fact("BackupRetentionPeriod", facts.retention())
            .at(b.created_at),
        (None, Err(e)) => Answer::unread(e),
        (None, Ok(None)) => Answer::disproved(
            "it has neither a restorable time nor a snapshot",
            format!("switch automated backups on for {}, or take a snapshot", database.id),
        )
        .fact("BackupRetentionPeriod", facts.retention()),
    };
    let title = format!("A backup of {} exists", database.id);
    vec![list.item("backup", "backup-exists", database.id, title, answer)]
}

/// It is deployed as specified.
pub(super) fn specified(list: &List<'_>, database: &Database<'_>) -> Vec<Item> {
    let facts = Facts::of(database);
    let id = database.id;
    let finding_about = |rule: &str| list.finding_about(rule, &facts.arns);
    let item = |name, title: String, answer| list.item("database", name, id, title, answer);
    let (engine, version) = facts.engine();
    let ours = engine.contains("postgres");
    let retention = facts.retention();
    let wanted = list.w.params.backup_retention_days;
    vec![
        item(
            "database-available",
            format!("{id} is available"),
            finding_about("rds-unavailable").unwrap_or_else(|| Answer::of_hop(&condition(database))),
        ),
        item(
            "database-engine",
            format!("{id} is PostgreSQL"),
            if ours {
                Answer::proved(format!("{engine} {version}"))
            } else {
                Answer::disproved(format!("its engine is {engine} {version}"), "migrate to PostgreSQL")
            }
            .fact("Engine", engine)
            .fact("EngineVersion", version),
        ),
        item(
            "database-encrypted",
            format!("The storage of {id} is encrypted"),
            finding_about("rds-unencrypted-storage").unwrap_or_else(|| {
                if facts.encrypted() {
                    Answer::proved("StorageEncrypted is set")
                } else {
                    let todo = "take a snapshot, copy it encrypted, restore that, and switch over";
                    Answer::disproved("StorageEncrypted is not set", todo)
                }
                .fact("StorageEncrypted", facts.encrypted())
            }),
        ),
        item("database-private", format!("{id} is private"), private(list, &facts)),
        item(
            "database-retention",
            format!("{id} keeps backups for {wanted} days"),
            finding_about("rds-short-backup-retention").unwrap_or_else(|| {
                if i64::from(retention) >= i64::from(wanted) {
                    Answer::proved(format!("it keeps them for {retention} days"))
                } else {
                    Answer::disproved(
                        format!("it keeps them for {retention} days"),
                        format!("raise it to {wanted} days"),
                    )
                }
                .fact("BackupRetentionPeriod", retention)
            }),
        ),
        item(
            "database-protected",
            format!("{id} refuses to be deleted"),
            finding_about("rds-deletion-unprotected").unwrap_or_else(|| {
                if facts.protected() {
                    Answer::proved("DeletionProtection is set")
                } else {
                    Answer::disproved("DeletionProtection is not set", "switch deletion protection on")
                }
                .fact("DeletionProtection", facts.protected())
            }),
        ),
    ]
}

/// Neither a public address nor a route to the internet: whether or not a window allows it.
fn private(list: &List<'_>, facts: &Facts<'_>) -> Answer {
    let public = facts.public();
    let subnets = facts.public_subnets(list);
    let answer = match (public.as_slice(), &subnets) {
        ([], Some(open)) if open.is_empty() => Answer::proved("it has no public address, and no route to the internet"),
        ([], Some(open)) => Answer::disproved(
            format!(
                "it has no public address, but {} lead to an internet gateway",
                open.join(", ")
            ),
            "move it to a subnet group of private subnets",
        ),
        ([], None) => Answer::unknown(
            "it has no public address; the routes of its subnets are not known",
            "grant Holdfast ec2:DescribeRouteTables and ec2:DescribeSubnets",
        ),
        (some, _) => Answer::disproved(
            format!("{} has a public address", some.join(", ")),
            "clear PubliclyAccessible once nothing outside of the VPC needs it",
        ),
    };
    answer
        .fact("PubliclyAccessible", !public.is_empty())
        .fact("subnets with an internet gateway", subnets.unwrap_or_default())
}

/// The window of the migration is closed, and so is what it allowed.
pub(super) fn window(list: &List<'_>, database: &Database<'_>) -> Vec<Item> {
    let facts = Facts::of(database);
    let id = database.id;
    let open = match database.phase.phase {
        Phase::Migrating { until } => Some(until),
        Phase::Migrated => None,
    };
    let todo = "close the window: remove the tag `phase`, and what it allowed";
    let phase = match open {
        Some(until) => Answer::disproved(format!("a migration window is open until {until}"), todo).at(Some(until)),
        None => list
            .finding_about("rds-migration-overdue", &facts.arns)
            .unwrap_or_else(|| Answer::proved("its phase is migrated")),
    }
    .fact("phase", database.phase.phase.name());
    let public = facts.public();
    let flag = list.finding_about("rds-public-access", &facts.arns).unwrap_or_else(|| {
        if public.is_empty() {
            Answer::proved("PubliclyAccessible is not set")
        } else {
            Answer::disproved("PubliclyAccessible is set, which the open window allows", todo)
        }
        .fact("PubliclyAccessible", !public.is_empty())
    });
    let subnet =
        list.finding_about("rds-public-subnet", &facts.arns)
            .unwrap_or_else(|| match facts.public_subnets(list) {
                None => Answer::unknown(
                    "the routes of its subnets are not known",
                    "grant Holdfast ec2:DescribeRouteTables and ec2:DescribeSubnets",
                ),
                Some(open) if open.is_empty() => Answer::proved("no subnet of its group leads to an internet gateway"),
                Some(open) => Answer::disproved(
                    format!("{} lead to an internet gateway", open.join(", ")),
                    "move it to a subnet group of private subnets",
                ),
            });
    let item = |name, title: String, answer| list.item("window", name, id, title, answer);
    vec![
        item(
            "window-closed",
            format!("The migration window of {id} is closed"),
            phase,
        ),
        item("window-address", format!("{id} has no public address"), flag),
        item("window-subnets", format!("{id} has no route to the internet"), subnet),
        item(
            "window-ingress",
            format!("Only the workload's services reach {id}"),
            ingress(list, database),
        ),
    ]
}

fn ingress(list: &List<'_>, database: &Database<'_>) -> Answer {
    let scope = &list.w.snapshot.scope;
    let groups = match &list.w.snapshot.security_groups {
        Ok(groups) => groups,
        Err(e) => return Answer::unread(e),
    };
    let mut rules = vec![];
    for id in database.security_groups {
        let Some(group) = groups.get(id) else {
            return Answer::unknown(format!("the security group {id} was not found"), "look at it by hand");
        };
        let arn = scope.arn("ec2", &format!("security-group/{id}"));
        if let Some(found) = list.finding_about("rds-open-ingress", &[arn]) {
            return found;
        }
        rules.extend(group.ingress.iter().map(|r| (r, format!("{id}: {}", r.describe()))));
    }
    // Inside of a window the rule allows single addresses.
    let single: Vec<&str> = rules
        .iter()
        .filter(|(r, _)| {
            r.is_single_address()
                && !matches!(&r.source, crate::model::resources::Source::Cidr(c) if list.w.params.allowed_ingress.contains(c))
        })
        .map(|(_, text)| text.as_str())
        .collect();
    let texts: Vec<String> = rules.iter().map(|(_, text)| text.clone()).collect();
    let answer = if single.is_empty() {
        Answer::proved(
            "its security groups let in nothing but the workload's services and what `allowed_ingress` names",
        )
    } else {
        Answer::disproved(
            format!("the open window allows single addresses: {}", single.join(", ")),
            "close the window, and revoke them",
        )
    };
    debug_assert!(answer.verdict != ItemVerdict::Unknown);
    answer.fact("SecurityGroupRules", texts)
}
