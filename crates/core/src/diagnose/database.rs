//! The hop from the connection string to the workload's database.

use super::hop::Status;
use super::hop_result::{HopResult, unread};
use super::walk::Walk;
use crate::facts::{Database, Resolution, led_to, resolves_to};

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
/// It leads to a database of the workload, which is up.
pub(super) fn database(t: &mut Walk<'_>) -> HopResult {
    let all = match t.w.databases() {
        Ok(all) => all,
        Err(e) => return unread(&e),
    };
    if let Some(found) = t.finding_about(&["workload-without-database"], &[]) {
        return with_tag_command(t, found);
    }
    if all.is_empty() {
        return HopResult::unknown(format!("no database carries {}workload={}", t.w.prefix, t.w.name));
    }
    // Where it leads may be unknown; where there is one database, the rest of the path can still be walked.
    let only = || match all {
        [only] => Some(only.clone()),
        _ => None,
    };
    let Some(connection) = t.connection else {
        t.database = only();
        return HopResult::not_reached("where the secret leads is unknown, since its value is");
    };
    let resolution = resolves_to(t.w, connection, all);
    if let Resolution::Unclear(_) = resolution {
        t.database = only();
    }
    // Another database of the right server may be there: the walk goes on.
    if !resolution.leads_home()
        && let Some(found) = t.finding_about(&["secret-wrong-database"], &[t.holder()])
    {
        return found;
    }
    match &resolution {
        Resolution::Unclear(e) => unread(e),
        // The rule above speaks of it.
        Resolution::Elsewhere(field, observed, expected) => {
            HopResult::unknown(format!("its {field} is {observed}, not {expected}"))
        }
        Resolution::OwnDatabase | Resolution::OtherName(..) => {
            let first = connection.hosts.first().map(|h| h.host.as_str()).unwrap_or_default();
            let Some(found) = led_to(t.w, connection, all) else {
                return HopResult::unknown(format!("which database {first} is of could not be told"));
            };
            t.database = Some(found.clone());
            let up = up(t, found, connection.database.as_deref());
            match &resolution {
                // `secret-wrong-database` names it, too. It may be there: the walk goes on.
                Resolution::OtherName(name, created) if up.status == Status::Proved => HopResult::unknown(format!(
                    "whether {} has a database {name} is unknown: RDS created {created} with it; `--connect` tells",
                    found.id
                ))
                .fact("database", name.as_str()),
                _ => up,
            }
        }
    }
}

/// ARNs under which a rule may speak of a database: its own and its members'.
#[must_use]
pub fn arns(database: &Database<'_>) -> Vec<String> {
    let members = database.members.iter().map(|i| i.arn.clone());
    std::iter::once(database.arn.to_owned()).chain(members).collect()
}

fn up(t: &Walk<'_>, database: &Database<'_>, name: Option<&str>) -> HopResult {
    let arns = arns(database);
    let about: Vec<&str> = arns.iter().map(String::as_str).collect();
    if let Some(found) = t.finding_about(&["rds-unavailable"], &about) {
        return found;
    }
    let found = state(database);
    match (found.status, database.name, name) {
        (Status::Proved, None, Some(name)) => found.unchecked(format!(
            "whether {} has a database {name}: RDS knows of none that was made with it; `--connect` tells",
            database.id
        )),
        _ => found,
    }
}

/// Whether the status allows connections. `rds-unavailable` reports a database that is down.
pub(super) fn state(database: &Database<'_>) -> HopResult {
    let members = &database.members;
    let statuses: Vec<String> = members.iter().map(|i| format!("{} is {}", i.id, i.status)).collect();
    let statuses = statuses.join(", ");
    let found = if members.is_empty() {
        HopResult::unknown(format!("no instance of {} could be read", database.id))
    } else if members.iter().all(|i| SERVING.contains(&i.status.as_str())) {
        HopResult::proved(&statuses)
    } else {
        HopResult::unknown(&statuses).unchecked("wait until it is available, then run `holdfast diagnose` again")
    };
    let found = found
        .fact("endpoint", database.hosts.join(", "))
        .fact("DBInstanceStatus", statuses);
    match database.name {
        Some(name) => found.fact("DBName", name),
        None => found,
    }
}

/// No database carries the tag: one that has the host of the secret is meant.
fn with_tag_command(t: &Walk<'_>, mut found: HopResult) -> HopResult {
    let host = t.connection.and_then(|c| c.hosts.first()).map(|h| h.host.as_str());
    let meant = t.w.snapshot.instances.iter().flat_map(|m| m.values()).find(|i| {
        let own = i.endpoint.as_ref().map(|e| e.host.as_str());
        own.is_some() && own == host
    });
    if let (Some(instance), Some(fix)) = (meant, &mut found.fix) {
        fix.commands.push(format!(
            "aws rds add-tags-to-resource --resource-name {} --tags Key={}workload,Value={}",
            instance.arn, t.w.prefix, t.w.name
        ));
    }
    found
}
