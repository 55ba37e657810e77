//! The hop from the connection string to the workload's database.

use super::trail::{Found, Trail, unread};
use super::{Fix, Status};
use crate::model::remediation::Database;
use crate::model::resources::DbInstance;
use crate::rules::Workload;
use crate::rules::support::{Leads, leads};
use crate::rules::workload::DatabaseView;

/// Statuses in which a database takes connections, for all that AWS does to it meanwhile.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
const SERVING: &[&str] = &[
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "converting-to-vpc",
    "modifying",
    "moving-to-vpc",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
];
/// Whether a database in this status takes no connection until a person does something.
fn is_down(status: &str) -> bool {
    ["incompatible-", "inaccessible-encryption-credentials"]
        .iter()
        .any(|p| status.starts_with(p))
        || matches!(
            status,
            "failed" | "stopped" | "stopping" | "storage-full" | "insufficient-capacity" | "restore-error" | "deleting"
        )
}

/// It leads to a database of the workload, which is up.
pub(super) fn database(t: &mut Trail<'_>) -> Found {
    let all = match t.w.databases() {
        Ok(all) => all,
        Err(e) => return unread(&e),
    };
    if let Some(told) = t.told(&["workload-without-database"], &[]) {
        return told;
    }
    let secret = t.secret.map(|s| s.arn.as_str()).into_iter().collect::<Vec<_>>();
    if all.is_empty() {
        return none_tagged(t);
    }
    let Some(connection) = t.connection else {
        // What the secret holds is unknown; where there is one database, the rest of the way can still be walked.
        if let [only] = all.as_slice() {
            t.database = Some(only.clone());
        }
        return Found::not_reached("where the secret leads is unknown, since its value is");
    };
    if let Some(told) = t.told(&["secret-wrong-database"], &secret) {
        return told;
    }
    match leads(connection, &all) {
        Leads::Unclear(why) => Found::unknown(why),
        // The rule above says so of a secret; of a parameter nothing does.
        Leads::Astray(field, observed, expected) => {
            let name = t.secret_name().unwrap_or_default();
            let fix = Fix::by_hand(
                format!(
                    "write the value of {name} anew with the right endpoint and database name, then restart the service"
                ),
                vec![
                    "aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,Endpoint,DBName]'"
                        .to_owned(),
                ],
            );
            let summary = format!(
                "{name} does not lead to the database of {}: its {field} is {observed}, not {expected}",
                t.w.name
            );
            Found::broken(summary, fix).differs(field, observed, expected)
        }
        Leads::Home => {
            let first = connection.hosts.first().map(|h| h.host.as_str()).unwrap_or_default();
            // Several may share a host (on an emulator); then the name tells.
            let named = |d: &&DatabaseView<'_>| d.name.is_none() || d.name == connection.database.as_deref();
            let here = all.iter().filter(|d| d.hosts.contains(&first));
            let Some(found) = here.clone().find(named).or_else(|| here.clone().next()) else {
                return Found::unknown(format!("which database {first} is of could not be told"));
            };
            t.database = Some(found.clone());
            up(t, found, connection.database.as_deref())
        }
    }
}

/// The instances that a database consists of.
#[must_use]
pub fn instances<'a>(w: &Workload<'a>, database: &DatabaseView<'_>) -> Vec<&'a DbInstance> {
    let all = w.instances().unwrap_or_default();
    all.into_iter()
        .filter(|i| match &database.database {
            Database::Instance(id) => i.id == *id,
            Database::Cluster(id) => i.cluster.as_deref() == Some(id),
        })
        .collect()
}

/// ARNs under which a rule may speak of a database: its own and its members'.
#[must_use]
pub fn arns(w: &Workload<'_>, database: &DatabaseView<'_>) -> Vec<String> {
    let mut arns: Vec<String> = instances(w, database).iter().map(|i| i.arn.clone()).collect();
    if let Database::Cluster(id) = &database.database {
        let clusters = w.clusters_with_members().unwrap_or_default();
        arns.extend(clusters.iter().filter(|c| c.id == *id).map(|c| c.arn.clone()));
    }
    arns
}

fn up(t: &Trail<'_>, database: &DatabaseView<'_>, name: Option<&str>) -> Found {
    let arns = arns(t.w, database);
    let about: Vec<&str> = arns.iter().map(String::as_str).collect();
    if let Some(told) = t.told(&["rds-unavailable"], &about) {
        return told;
    }
    let found = state(t.w, database);
    match (found.status, database.name, name) {
        (Status::Proved, None, Some(name)) => found.unchecked(format!(
            "whether {} has a database {name}: RDS knows of none that was made with it; `--connect` tells",
            database.id
        )),
        _ => found,
    }
}

/// Whether it takes connections, as far as its status tells.
pub(super) fn state(w: &Workload<'_>, database: &DatabaseView<'_>) -> Found {
    let members = instances(w, database);
    let statuses: Vec<String> = members.iter().map(|i| format!("{} is {}", i.id, i.status)).collect();
    let facts = |found: Found| {
        let found = found
            .fact("endpoint", database.hosts.join(", "))
            .fact("DBInstanceStatus", statuses.join(", "));
        match database.name {
            Some(name) => found.fact("DBName", name),
            None => found,
        }
    };
    let told = statuses.join(", ");
    if members.is_empty() {
        return facts(Found::unknown(format!("no instance of {} could be read", database.id)));
    }
    if members.iter().any(|i| is_down(&i.status)) {
        let stopped = members.iter().find(|i| i.status == "stopped");
        let fix = match stopped {
            Some(i) => Fix::by_hand(
                format!("start {}", i.id),
                vec![format!("aws rds start-db-instance --db-instance-identifier {}", i.id)],
            ),
            None => Fix::by_hand(
                "look at its events, and mend what they tell",
                members
                    .iter()
                    .map(|i| {
                        format!(
                            "aws rds describe-events --source-type db-instance --source-identifier {} --duration 1440",
                            i.id
                        )
                    })
                    .collect(),
            ),
        };
        return facts(Found::broken(format!("{told}: it takes no connection"), fix));
    }
    if !members.iter().all(|i| SERVING.contains(&i.status.as_str())) {
        let wait = "wait until it is available, then run `holdfast diagnose` again";
        return facts(Found::unknown(told).unchecked(wait));
    }
    facts(Found::proved(told))
}

/// No database carries the tag: one that has the host of the secret may be meant.
fn none_tagged(t: &Trail<'_>) -> Found {
    let tag = format!("{}workload={}", t.w.prefix, t.w.name);
    let host = t.connection.and_then(|c| c.hosts.first()).map(|h| h.host.as_str());
    let meant =
        t.w.snapshot
            .instances
            .iter()
            .flat_map(|m| m.values())
            .find(|i| host.is_some() && i.endpoint.as_ref().map(|e| e.host.as_str()) == host);
    let (what, arn) = match meant {
        Some(i) => (format!("; the secret leads to {}, which does not", i.id), i.arn.clone()),
        None => (String::new(), "ARN".to_owned()),
    };
    let fix = Fix::by_hand(
        format!("tag the database with {tag}"),
        vec![format!(
            "aws rds add-tags-to-resource --resource-name {arn} --tags Key={}workload,Value={}",
            t.w.prefix, t.w.name
        )],
    );
    Found::broken(format!("no database carries {tag}{what}"), fix).differs("databases", 0, 1)
}
