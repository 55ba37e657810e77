//! Items about a service: its roles, its task definition, its log, and whether data survives a deployment.

use std::sync::Arc;

use super::answer::Answer;
use super::item::Item;
use super::list::List;
use crate::diagnose::Path;
use crate::facts::{Database, RolloutState, database_variables, resolve, resolves_to, rollout_state, shape};
use crate::model::connection::{Connection, SecretShape};
use crate::model::resources::{Access, AccessTarget, Service, TaskDefinition, revision_name};
use crate::model::snapshot::ReadError;
use crate::model::value_from::{self, ValueFrom};

/// Every item about the services, path by path.
pub(super) fn items(list: &List<'_>) -> Vec<Item> {
    // Where the service itself is not known, there is nothing more to ask.
    let (paths, unseen): (Vec<&Path>, Vec<&Path>) = list.diagnosis.paths.iter().partition(|w| w.hops.len() > 1);
    let mut items: Vec<Item> = unseen
        .into_iter()
        .map(|path| {
            let title = format!("The service of {} is known", path.service);
            hop(list, path, "service", "service-known", title, "service")
        })
        .collect();
    for path in &paths {
        items.extend(roles(list, path));
    }
    for path in &paths {
        items.extend(task_definition(list, path));
    }
    let mut seen: Vec<&str> = vec![];
    let each: Vec<&Path> = paths
        .into_iter()
        .filter(|path| {
            let fresh = !seen.contains(&path.service.as_str());
            seen.push(&path.service);
            fresh
        })
        .collect();
    items.extend(each.iter().map(|path| logs(list, path)));
    items.extend(each.iter().map(|path| persistence(list, path)));
    items
}

/// For a title: the service, and the variable where it has one.
fn whose(path: &Path) -> String {
    match &path.variable {
        Some(variable) => format!("{} ({variable})", path.service),
        None => path.service.clone(),
    }
}

fn hop(list: &List<'_>, path: &Path, section: &'static str, id: &'static str, title: String, name: &str) -> Item {
    let answer = match path.hop(name) {
        Some(hop) => Answer::of_hop(hop),
        None => Answer::unknown("it was not looked at", "see `holdfast diagnose`"),
    };
    list.item(section, id, &path.service, title, answer)
}

fn service<'a>(list: &List<'a>, path: &Path) -> Option<&'a Service> {
    let services = list.w.services().ok()?;
    services
        .iter()
        .copied()
        .find(|s| format!("{}/{}", s.cluster, s.name) == path.service)
}

fn roles(list: &List<'_>, path: &Path) -> Vec<Item> {
    let title = format!("The execution role of {} may read its secret", whose(path));
    vec![
        hop(list, path, "roles", "execution-role", title, "execution-role"),
        task_role(list, path),
    ]
}

fn task_role(list: &List<'_>, path: &Path) -> Item {
    let definition = service(list, path).map(|s| list.w.running(s));
    let answer = match definition {
        None => Answer::unknown("the service is not known", "see `holdfast diagnose`"),
        Some(Err(e)) => Answer::unread(&e),
        Some(Ok(definition)) => match &definition.task_role {
            None => Answer::proved("it has none: its containers have no AWS permission of their own, and need none"),
            Some(role) => {
                let name = role.rsplit('/').next().unwrap_or(role);
                match list.w.snapshot.access.get(&(role.clone(), AccessTarget::EcsExec)) {
                    Some(Ok(Access::NoRole)) => Answer::disproved(
                        format!("IAM knows no role {name}"),
                        format!("make {name}, or name another, and deploy"),
                    ),
                    Some(Ok(_)) => Answer::proved(format!("{name} exists")),
                    Some(Err(e)) => Answer::unread(e),
                    None => Answer::unknown(
                        format!("whether {name} exists was not asked"),
                        "grant Holdfast iam:SimulatePrincipalPolicy",
                    ),
                }
                .fact("taskRoleArn", role.as_str())
            }
        },
    };
    let title = format!("The task role of {} exists", path.service);
    list.item("roles", "task-role", &path.service, title, answer)
}

fn task_definition(list: &List<'_>, path: &Path) -> Vec<Item> {
    let what = whose(path);
    let section = "task definition";
    let referenced = match (path.hop("variable"), path.hop("secret")) {
        // Where there is a variable, the question is what it refers to.
        (Some(variable), Some(secret)) if variable.status == crate::diagnose::Status::Proved => Answer::of_hop(secret),
        (Some(variable), _) => Answer::of_hop(variable),
        (None, _) => Answer::unknown("it was not looked at", "see `holdfast diagnose`"),
    };
    vec![
        list.item(
            section,
            "secret-referenced",
            &path.service,
            format!("The running revision of {what} refers to the database secret"),
            referenced,
        ),
        hop(
            list,
            path,
            section,
            "secret-well-formed",
            format!("The secret of {what} is well formed"),
            "url",
        ),
        hop(
            list,
            path,
            section,
            "secret-leads-home",
            format!("The secret of {what} leads to the workload's database"),
            "database",
        ),
    ]
}

fn logs(list: &List<'_>, path: &Path) -> Item {
    let title = format!("The log of {} tells of a connection to the database", path.service);
    let item = |answer| list.item("connection", "connection-logged", &path.service, title.clone(), answer);
    let log = service(list, path).and_then(|s| list.w.snapshot.logs.get(&s.arn));
    match (log, path.hop("logs")) {
        (Some(Ok(log)), hop) => match (&log.builtin, &log.connected, hop) {
            (None, Some(line), _) => item(
                Answer::proved(format!(
                    "a task logged `{}`, and none tells of a database of its own",
                    line.pattern
                ))
                .fact("logStream", line.stream.as_str())
                .at(Some(line.at)),
            ),
            (None, None, _) if list.w.params.database_log_pattern.is_none() => item(
                Answer::unknown(
                    "the log tells of no database inside of the container; nothing says how it tells of the real one",
                    "set `database_log_pattern` to a text that the image logs when it has connected",
                )
                .fact("logGroup", log.groups.join(", ")),
            ),
            (Some(line), _, Some(hop)) => item(Answer::of_hop(hop).at(Some(line.at))),
            (_, _, Some(hop)) => item(Answer::of_hop(hop)),
            (_, _, None) => item(Answer::unknown("it was not looked at", "see `holdfast diagnose`")),
        },
        (_, Some(hop)) => item(Answer::of_hop(hop)),
        (_, None) => item(Answer::unknown("it was not looked at", "see `holdfast diagnose`")),
    }
}

/// Two completed deployments whose revisions lead to the same database: what the first wrote, the second found.
fn persistence(list: &List<'_>, path: &Path) -> Item {
    let title = format!("The data of {} outlives a deployment", path.service);
    let answer = outlives(list, path);
    list.item("persistence", "data-persists", &path.service, title, answer)
}

fn outlives(list: &List<'_>, path: &Path) -> Answer {
    let Some(service) = service(list, path) else {
        return Answer::unknown("the service is not known", "see `holdfast diagnose`");
    };
    if let Some(found) = list.finding_about("ecs-ephemeral-storage", std::slice::from_ref(&service.arn)) {
        return found;
    }
    let primary = service.deployments.first();
    let is_steady = rollout_state(service, &service.task_definition, "") == RolloutState::Steady;
    let completed = is_steady || primary.is_some_and(|d| d.rollout_state.as_deref() == Some("COMPLETED"));
    let again = "deploy once more (`aws ecs update-service --force-new-deployment`), wait, then run this again";
    let (Some(primary), true) = (primary, completed) else {
        return Answer::unknown("its last deployment is not known to be completed", again);
    };
    let Some(database) = &path.database else {
        return Answer::unknown("which database it leads to is not known", "see `holdfast diagnose`");
    };
    let earlier = match list.w.snapshot.rollback_targets.get(&service.arn) {
        None => {
            return Answer::unknown(
                "its earlier deployments were not read",
                "grant Holdfast ecs:ListServiceDeployments, which `ecs-unsafe-rollback` needs",
            );
        }
        Some(Err(e)) => return Answer::unread(e),
        Some(Ok(earlier)) => earlier,
    };
    let mut unread: Option<Arc<ReadError>> = None;
    for arn in earlier {
        match list.w.snapshot.task_definitions.get(arn) {
            Some(Ok(definition)) if leads_to(list, definition, database) => {
                let at = primary.updated_at.or(primary.created_at);
                return Answer::proved(format!(
                    "{} and, before it, {} were deployed to the end, and both lead to {database}",
                    revision_name(&service.task_definition),
                    revision_name(arn)
                ))
                .fact("deployments[0].rolloutState", "COMPLETED")
                .fact("taskDefinition", service.task_definition.as_str())
                .fact("earlier taskDefinition", arn.as_str())
                .at(at);
            }
            Some(Err(e)) => unread = unread.or_else(|| Some(Arc::clone(e))),
            Some(Ok(_)) | None => {}
        }
    }
    match unread {
        Some(e) => Answer::unread(&e),
        None => Answer::unknown(
            format!("no earlier completed deployment is known to lead to {database}"),
            again,
        ),
    }
}

/// Whether a database variable of a revision leads to `database`.
fn leads_to<'a>(list: &List<'a>, definition: &'a TaskDefinition, database: &str) -> bool {
    let databases = list.databases().unwrap_or_default();
    let one: Vec<Database<'_>> = databases.iter().filter(|d| d.id == database).cloned().collect();
    let home = |c: &Connection| c.is_well_formed() && resolves_to(list.w, c, &one).leads_home();
    database_variables(list.w, None, definition).into_iter().any(|found| {
        let variable = found.variable;
        let ValueFrom::Secret(target) = value_from::parse(&variable.value_from) else {
            return false;
        };
        let Ok(Some(secret)) = resolve(list.w, &target) else {
            return false;
        };
        match (shape(list.w, secret, &target.selector), &target.selector.json_key) {
            (Ok(Some(SecretShape::Plain(c))), None) => home(c),
            (Ok(Some(SecretShape::Json { keys, .. })), Some(key)) => {
                keys.get(key).and_then(Option::as_ref).is_some_and(home)
            }
            _ => false,
        }
    })
}
