//! Items about what follows a migration: alarms, and whether the old database is backed up and deleted.

use super::answer::Answer;
use super::item::Item;
use super::list::List;
use crate::diagnose::{Status, arns};
use crate::facts::Database;
use crate::model::resources::{Alarm, DatabaseId, DbInstance, Service, TaskDefinition, revision_name};
use crate::model::tags::Tags;

/// An alarm names the database.
pub(super) fn monitoring(list: &List<'_>, database: &Database<'_>) -> Vec<Item> {
    let members = &database.members;
    let title = format!("An alarm watches {}", database.id);
    let answer = match &list.extras.alarms {
        Err(e) => Answer::unread(e),
        Ok(alarms) => {
            let mine: Vec<&Alarm> = alarms
                .iter()
                .filter(|a| a.databases.contains(database.id) || members.iter().any(|i| a.databases.contains(&i.id)))
                .collect();
            alarmed(database, &mine)
        }
    };
    let exported: Vec<&str> = members
        .iter()
        .flat_map(|i| &i.exported_logs)
        .map(String::as_str)
        .collect();
    let interval = members.iter().map(|i| i.monitoring_interval).max().unwrap_or_default();
    let answer = answer
        .fact("MonitoringInterval", interval)
        .fact(
            "PerformanceInsightsEnabled",
            members.iter().any(|i| i.performance_insights),
        )
        .fact("EnabledCloudwatchLogsExports", exported);
    vec![list.item("monitoring", "alarm-exists", database.id, title, answer)]
}

fn alarmed(database: &Database<'_>, mine: &[&Alarm]) -> Answer {
    let names: Vec<String> = mine
        .iter()
        .map(|a| match &a.metric {
            Some(metric) => format!("{} ({metric}, {})", a.name, a.state),
            None => format!("{} ({})", a.name, a.state),
        })
        .collect();
    let loud: Vec<&&Alarm> = mine.iter().filter(|a| a.tells).collect();
    let todo = format!(
        "make alarms on FreeStorageSpace, CPUUtilization and DatabaseConnections of {} that tell someone",
        database.id
    );
    let answer = match (mine, loud.as_slice()) {
        ([], _) => Answer::disproved("no CloudWatch alarm names it", todo),
        (_, []) => Answer::disproved(
            format!("{} tell nobody: they have no action, or it is off", names.join(", ")),
            todo,
        ),
        (_, loud) => {
            let names: Vec<&str> = loud.iter().map(|a| a.name.as_str()).collect();
            Answer::proved(format!("{} watch it and tell someone", names.join(", ")))
                .at(loud.iter().filter_map(|a| a.state_since).max())
        }
    };
    answer.fact("alarms", names)
}

/// What is left behind.
pub(super) fn items(list: &List<'_>, databases: &[Database<'_>]) -> Vec<Item> {
    let mut items: Vec<Item> = databases.iter().map(|d| final_backup(list, d)).collect();
    items.extend(databases.iter().map(|d| in_use(list, d)));
    items.push(leftovers(list, databases));
    items.extend(rollback(list));
    items
}

/// A snapshot that a person asked for, newer than the last deployment.
fn final_backup(list: &List<'_>, database: &Database<'_>) -> Item {
    let title = format!("A final snapshot of {} was taken", database.id);
    let deployed = list
        .w
        .services()
        .unwrap_or_default()
        .iter()
        .filter_map(|s| s.deployments.first())
        .filter_map(|d| d.updated_at.or(d.created_at))
        .max();
    let command = match database.resource.identity() {
        DatabaseId::Instance(id) => {
            format!("aws rds create-db-snapshot --db-instance-identifier {id} --db-snapshot-identifier {id}-migrated")
        }
        DatabaseId::Cluster(id) => format!(
            "aws rds create-db-cluster-snapshot --db-cluster-identifier {id} --db-cluster-snapshot-identifier {id}-migrated"
        ),
    };
    let newest = list.extras.backups.as_ref().map(|all| {
        all.iter()
            .find(|b| b.manual && b.database == database.resource.identity() && b.status == "available")
    });
    let answer = match (newest, deployed) {
        (Err(e), _) => Answer::unread(e),
        (Ok(None), _) => Answer::disproved("nobody took a snapshot of it", command),
        (Ok(Some(b)), Some(deployed)) if b.created_at.is_some_and(|at| at < deployed) => Answer::disproved(
            format!("{} is older than the last deployment, of {deployed}", b.id),
            command,
        )
        .fact("DBSnapshotIdentifier", b.id.as_str())
        .at(b.created_at),
        (Ok(Some(b)), Some(deployed)) => Answer::proved(format!("{} is newer than the last deployment", b.id))
            .fact("DBSnapshotIdentifier", b.id.as_str())
            .fact("last deployment", deployed.to_string())
            .at(b.created_at),
        (Ok(Some(b)), None) => Answer::unknown(
            format!("{} is there; when the services were deployed last is not known", b.id),
            "compare its date with the last deployment's",
        )
        .fact("DBSnapshotIdentifier", b.id.as_str())
        .at(b.created_at),
    };
    list.item("clean-up", "final-backup", database.id, title, answer)
}

/// A service leads to the database: none was left behind.
fn in_use(list: &List<'_>, database: &Database<'_>) -> Item {
    let paths = &list.diagnosis.paths;
    let answer = list.finding_about("rds-abandoned", &arns(database)).unwrap_or_else(|| {
        let user = paths.iter().find(|w| {
            w.database.as_deref() == Some(database.id) && w.hop("database").is_some_and(|h| h.status == Status::Proved)
        });
        match user {
            Some(path) => Answer::proved(format!("{} leads to it", path.service)),
            None if paths
                .iter()
                .any(|w| w.hop("database").is_none_or(|h| h.status != Status::Proved)) =>
            {
                Answer::unknown("where some service leads is not known", "see `holdfast diagnose`")
            }
            None => Answer::disproved(
                "no service leads to it",
                format!("take a final snapshot of {}, then delete it", database.id),
            ),
        }
    });
    let title = format!("{} is in use", database.id);
    list.item("clean-up", "database-in-use", database.id, title, answer)
}

/// No database without a tag that looks as if it were of this workload.
fn leftovers(list: &List<'_>, databases: &[Database<'_>]) -> Item {
    let title = format!("No untagged database of {} is left", list.w.name);
    let item = |answer| list.item("clean-up", "no-leftovers", list.w.name, title.clone(), answer);
    let (instances, clusters) = match (&list.w.snapshot.instances, &list.w.snapshot.clusters) {
        (Ok(instances), Ok(clusters)) => (instances, clusters),
        (Err(e), _) | (_, Err(e)) => return item(Answer::unread(e)),
    };
    let groups: Vec<&String> = databases.iter().flat_map(|d| d.security_groups).collect();
    let name = list.w.name.to_lowercase();
    let is_like = |id: &str, tags: &Tags, guards: &[String]| {
        let named = name.len() >= 3 && id.to_lowercase().contains(&name);
        tags.workload(list.w.prefix).is_none() && (named || guards.iter().any(|g| groups.contains(&g)))
    };
    let of_ours = |i: &DbInstance| databases.iter().any(|d| i.cluster.as_deref() == Some(d.id));
    let mut found: Vec<(String, bool)> = instances
        .values()
        .filter(|i| !of_ours(i) && is_like(&i.id, &i.tags, &i.security_groups))
        .map(|i| (i.id.clone(), i.publicly_accessible))
        .collect();
    let more = clusters
        .values()
        .filter(|c| is_like(&c.id, &c.tags, &c.security_groups))
        .map(|c| (c.id.clone(), c.publicly_accessible == Some(true)));
    found.extend(more.filter(|(id, _)| !databases.iter().any(|d| d.id == id)));
    if found.is_empty() {
        return item(Answer::proved(
            "no untagged database shares its name or a security group with this workload",
        ));
    }
    let databases: Vec<String> = found
        .iter()
        .map(|(id, public)| {
            if *public {
                format!("{id} (with a public address)")
            } else {
                id.clone()
            }
        })
        .collect();
    item(
        Answer::disproved(
            format!(
                "{}: untagged, by name or security group of this workload",
                databases.join(", ")
            ),
            "tag what is still needed; of the rest take a final snapshot, then delete it",
        )
        .fact("databases", databases),
    )
}

/// No revision that a rollback would choose loses data.
fn rollback(list: &List<'_>) -> Vec<Item> {
    let services = list.w.services().unwrap_or_default();
    services
        .iter()
        .map(|s| {
            let id = format!("{}/{}", s.cluster, s.name);
            let title = format!("A rollback of {id} keeps the data");
            let targets = list.w.snapshot.rollback_targets.get(&s.arn);
            let mut about = vec![s.arn.clone()];
            about.extend(targets.and_then(|t| t.as_ref().ok()).into_iter().flatten().cloned());
            let found = list.finding_about("ecs-unsafe-rollback", &about);
            let answer = found.unwrap_or_else(|| match targets {
                None => Answer::unknown(
                    "which revisions a rollback would choose was not read",
                    "grant Holdfast ecs:ListServiceDeployments, which `ecs-unsafe-rollback` needs",
                ),
                Some(Err(e)) => Answer::unread(e),
                Some(Ok(targets)) => {
                    let mut unsafe_ones = vec![];
                    for arn in targets {
                        match list.w.snapshot.task_definitions.get(arn) {
                            Some(Ok(d)) if !d.active || !is_lost(list, s, d) => {}
                            Some(Ok(_)) => unsafe_ones.push(revision_name(arn)),
                            Some(Err(e)) => return Answer::unread(e),
                            None => {
                                return Answer::unknown(
                                    format!("{} was not read", revision_name(arn)),
                                    "run this again",
                                );
                            }
                        }
                    }
                    if unsafe_ones.is_empty() {
                        let names: Vec<&str> = targets.iter().map(|t| revision_name(t)).collect();
                        Answer::proved("no revision that a rollback would choose keeps its data in the container")
                            .fact("rollback targets", names)
                    } else {
                        Answer::disproved(
                            format!(
                                "{} would be gone back to, and keeps its data in the container",
                                unsafe_ones.join(", ")
                            ),
                            "deregister it, so that no rollback chooses it",
                        )
                    }
                }
            });
            list.item("clean-up", "rollback-safe", &id, title, answer)
        })
        .collect()
}

/// Whether a revision of a service keeps its data in the container.
fn is_lost(list: &List<'_>, service: &Service, definition: &TaskDefinition) -> bool {
    let data = list.w.data_of(service, definition);
    data.loses_data(&service.task_definition).is_some()
}
