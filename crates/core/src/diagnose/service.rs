//! The hops at the service: what runs, whether it may fetch its secret, and what its log says.

use super::hop::{Fix, Status};
use super::hop_result::{HopResult, unread};
use super::path::id;
use super::walk::Walk;
use crate::facts::readable_as;
use crate::model::resources::{Access, Deployment, Service, revision_name};

/// The service is there and meant to run.
pub(super) fn service(t: &mut Walk<'_>) -> HopResult {
    let s = t.service;
    if s.desired_count == 0 {
        let command = format!(
            "aws ecs update-service --cluster {} --service {} --desired-count 1",
            s.cluster, s.name
        );
        let fix = Fix::by_hand("ask for at least one task", vec![command]);
        return HopResult::broken(format!("{} is scaled to no task at all", id(s)), fix).differs("desiredCount", 0, 1);
    }
    HopResult::proved(format!(
        "{} is {}: {} of {} tasks run",
        id(s),
        s.status,
        s.running_count,
        s.desired_count
    ))
    .fact("serviceArn", s.arn.as_str())
    .fact("status", s.status.as_str())
    .fact("desiredCount", s.desired_count)
    .fact("runningCount", s.running_count)
}

/// What runs is what was deployed last.
pub(super) fn revision(t: &mut Walk<'_>) -> HopResult {
    let s = t.service;
    let definition = match t.w.running(s) {
        Ok(definition) => definition,
        Err(e) => return unread(&e),
    };
    t.definition = Some(definition);
    let name = revision_name(&definition.arn).to_owned();
    // Where the circuit breaker goes back, the last completed deployment becomes the primary one again, and the failed
    // one stays in the list until its tasks are gone.
    let taken_back = s.deployments.iter().skip(1).find(|d| {
        d.rollout_state.as_deref() == Some("FAILED")
            && revision_number(&d.task_definition) > Some(definition.revision)
            && d.task_definition.contains(&format!("/{}:", definition.family))
    });
    if let Some(failed) = taken_back {
        let what = revision_name(&failed.task_definition);
        let fix = look_at_tasks(
            s,
            &format!("find out why the tasks of {what} fail, mend that, and deploy again"),
        );
        return HopResult::broken(
            format!(
                "the deployment of {what} failed{}, and {} runs {name} instead",
                reason(failed),
                id(s)
            ),
            fix,
        )
        .differs(
            "taskDefinition",
            definition.arn.as_str(),
            failed.task_definition.as_str(),
        )
        .fact("deployments.rolloutState", "FAILED");
    }
    let mut found = HopResult::proved(format!("its primary deployment is of {name}"))
        .fact("taskDefinition", definition.arn.as_str())
        .fact("status", if definition.active { "ACTIVE" } else { "INACTIVE" });
    for container in &definition.containers {
        found = found.fact(
            format!("containerDefinitions[{}].image", container.name),
            container.image.as_str(),
        );
    }
    found
}

/// The number at the end of `...:task-definition/family:7`.
fn revision_number(arn: &str) -> Option<i32> {
    arn.rsplit_once(':').and_then(|(_, n)| n.parse().ok())
}

/// AWS's words, in brackets.
fn reason(d: &Deployment) -> String {
    d.rollout_reason
        .as_deref()
        .map(|r| format!(" ({})", r.trim_end_matches('.')))
        .unwrap_or_default()
}

fn look_at_tasks(s: &Service, summary: &str) -> Fix {
    let (cluster, service) = (&s.cluster, &s.name);
    Fix::by_hand(
        summary,
        vec![
            format!(
                "aws ecs describe-services --cluster {cluster} --services {service} --query 'services[0].events[:10]'"
            ),
            format!("aws ecs list-tasks --cluster {cluster} --service-name {service} --desired-status STOPPED"),
            format!(
                "aws ecs describe-tasks --cluster {cluster} --tasks TASK --query 'tasks[].[stopCode,stoppedReason]'"
            ),
        ],
    )
}

/// What a rule says that fails. Where it can't tell, the hop has other evidence.
fn broken_by(t: &Walk<'_>, rule: &str) -> Option<HopResult> {
    let found = t.finding_about(&[rule], &[&t.service.arn])?;
    (found.status == Status::Broken).then_some(found)
}

/// The execution role may read the secret, and the tasks have a path to it.
pub(super) fn execution_role(t: &mut Walk<'_>) -> HopResult {
    let Some(definition) = t.definition else {
        return HopResult::not_reached("the running revision is unknown");
    };
    if let Some(found) = broken_by(t, "ecs-no-path-to-secrets")
        .or_else(|| t.finding_about(&["ecs-secret-unreadable"], &[&t.service.arn]))
    {
        return found;
    }
    let reference = t.variable.map(|(_, v)| v.value_from.as_str()).unwrap_or_default();
    let (Some(role), Ok(Some(resource))) = (&definition.execution_role, readable_as(t.w, reference)) else {
        return HopResult::not_reached("what it would have to read is not known");
    };
    let name = role.rsplit('/').next().unwrap_or(role);
    let what = t.secret_name().unwrap_or_else(|| resource.to_string());
    match t.w.snapshot.access.get(&(role.clone(), resource.into_owned().into())) {
        Some(Ok(Access::Allowed)) => HopResult::proved(format!("{name} may read {what}, by IAM's own simulator"))
            .fact("executionRoleArn", role.as_str()),
        // The rule above speaks of everything else.
        _ => HopResult::unknown(format!("whether {name} may read {what} is not known")),
    }
}

/// Tasks of that revision run.
pub(super) fn deployment(t: &mut Walk<'_>) -> HopResult {
    let s = t.service;
    let failed = t.finding_about(&["ecs-failed-deployment"], &[&s.arn]);
    if let Some(found) = failed.or_else(|| broken_by(t, "ecs-stale-secret")) {
        return found;
    }
    let Some(primary) = s.deployments.first() else {
        return HopResult::unknown(format!(
            "{} is deployed by {}, whose deployments ECS does not list",
            id(s),
            s.deployment_controller
        ));
    };
    let what = revision_name(&primary.task_definition);
    let counts = format!("{} of {} tasks run", primary.running_count, primary.desired_count);
    let facts = |found: HopResult| {
        let found = match &primary.rollout_state {
            Some(state) => found.fact("deployments[0].rolloutState", state.as_str()),
            None => found,
        };
        found
            .fact("deployments[0].runningCount", primary.running_count)
            .fact("deployments[0].failedTasks", primary.failed_tasks)
    };
    let elsewhere: Vec<String> = s
        .deployments
        .iter()
        .skip(1)
        .filter(|d| d.running_count > 0)
        .map(|d| format!("{} of {}", d.running_count, revision_name(&d.task_definition)))
        .collect();
    let still = if elsewhere.is_empty() {
        String::new()
    } else {
        format!("; what runs is {}", elsewhere.join(", "))
    };
    // The rule above speaks of one that failed, or takes too long.
    facts(match primary.rollout_state.as_deref() {
        Some("IN_PROGRESS") if primary.failed_tasks > 0 && primary.running_count == 0 => HopResult::broken(
            format!(
                "the deployment of {what} does not get on: {} tasks failed, {counts}{still}",
                primary.failed_tasks
            ),
            look_at_tasks(
                s,
                &format!("find out why the tasks of {what} fail, mend that, and deploy again"),
            ),
        ),
        Some("IN_PROGRESS") => HopResult::unknown(format!("the deployment of {what} is under way: {counts}{still}"))
            .unchecked("wait for the deployment to end, then run `holdfast diagnose` again"),
        _ if primary.running_count == 0 => HopResult::broken(
            format!("no task of {what} runs"),
            look_at_tasks(s, &format!("find out why the tasks of {what} stop")),
        ),
        _ if primary.running_count < primary.desired_count => {
            HopResult::unknown(format!("only {counts} of {what}")).unchecked("look why some tasks of it do not run")
        }
        _ => HopResult::proved(format!("{counts} {what}")),
    })
}

/// The log confirms the database, or at least names no other one.
pub(super) fn logs(t: &mut Walk<'_>) -> HopResult {
    let s = t.service;
    if let Some(found) = t.finding_about(&["ecs-builtin-database"], &[&s.arn]) {
        return found;
    }
    if t.definition
        .is_some_and(|d| d.containers.iter().all(|c| c.log.is_none()))
    {
        return HopResult::unknown(format!("no container of {} logs to CloudWatch Logs", id(s)))
            .unchecked("give the container a `logConfiguration` with the awslogs driver, and deploy");
    }
    // Of a log that could not be read, and of what it should not hold, the rule above speaks.
    let Some(Ok(log)) = t.w.snapshot.logs.get(&s.arn) else {
        return HopResult::unknown(format!("the log of {} was not read", id(s)));
    };
    let groups = log.groups.join(", ");
    let since = log.since.map(|at| format!(" since {at}")).unwrap_or_default();
    match (&log.connected, t.w.params.database_log_pattern.as_deref()) {
        (Some(line), _) => HopResult::proved(format!("a task logged `{}` at {}", line.pattern, line.at))
            .fact("logStream", line.stream.as_str()),
        (None, Some(pattern)) => HopResult::unknown(format!("`{pattern}` is not in the log{since} yet"))
            .fact("logGroup", groups)
            .unchecked("give the application some minutes, then run `holdfast diagnose` again"),
        (None, None) => HopResult::proved(format!("the log{since} tells of no database inside of the container"))
            .fact("logGroup", groups)
            .unchecked(
                "whether it tells of a connection: set `database_log_pattern` to a text that your image logs then",
            ),
    }
}
