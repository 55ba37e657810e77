//! How far the deployment of a service has come, when it is late, and which revision carries the traffic.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::resources::{Deployment, Service, revision_name};

/// How far a service has come with a revision that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutState {
    /// Nothing but the revision runs, as many tasks as wanted, and ECS calls that steady.
    Steady,
    /// The service has the revision and wants no task, so that none shows whether it runs.
    NoTasks,
    /// All tasks of the revision run, and nothing says that they stay.
    Unproved(String),
    /// It is under way.
    Moving(String),
    /// It failed, or was taken back.
    Failed(String),
    /// Somebody gave the service another revision.
    Superseded,
}

/// How far `service` has come with `revision`, which it was given in the place of `before`.
#[must_use]
pub fn rollout_state(service: &Service, revision: &str, before: &str) -> RolloutState {
    let Some(primary) = service.deployments.iter().find(|d| d.status == "PRIMARY") else {
        return RolloutState::Moving("it has no primary deployment".into());
    };
    if primary.task_definition != revision {
        return without_it(service, primary, revision, before);
    }
    if let Some(progress) = service.progress.as_ref().filter(|p| p.is_rolling_back()) {
        return RolloutState::Failed(format!("ECS rolls the deployment back ({})", progress.status));
    }
    if primary.rollout_state.as_deref() == Some("FAILED") {
        return RolloutState::Failed(format!("the deployment failed: {}", told(primary)));
    }
    let all_run = service.deployments.len() == 1 && primary.running_count == primary.desired_count;
    match completed(service, primary) {
        Some(true) if all_run && primary.desired_count == 0 => RolloutState::NoTasks,
        Some(true) if all_run => RolloutState::Steady,
        None if all_run && primary.desired_count == 0 => RolloutState::NoTasks,
        None if all_run && primary.failed_tasks == 0 => RolloutState::Unproved(format!(
            "{} of {} tasks run, and ECS has not said that the service is steady",
            primary.running_count, primary.desired_count
        )),
        _ => RolloutState::Moving(moving(service, primary)),
    }
}

/// The primary deployment has another revision.
fn without_it(service: &Service, primary: &Deployment, revision: &str, before: &str) -> RolloutState {
    let shown = revision_name(&primary.task_definition);
    // The circuit breaker puts the revision before in its place.
    let mut all = service.deployments.iter();
    let failed = all.find(|d| d.task_definition == revision && d.rollout_state.as_deref() == Some("FAILED"));
    match failed {
        Some(d) => RolloutState::Failed(format!(
            "the deployment failed ({}), and ECS went back to {shown}",
            told(d)
        )),
        None if service.task_definition == before => {
            RolloutState::Failed(format!("ECS, or someone else, went back to {shown}"))
        }
        None if service.task_definition != revision => RolloutState::Superseded,
        None => RolloutState::Moving(format!("the primary deployment is still {shown}")),
    }
}

fn told(deployment: &Deployment) -> String {
    let reason = deployment.rollout_reason.clone();
    reason.unwrap_or_else(|| "no reason given".into())
}

fn moving(service: &Service, primary: &Deployment) -> String {
    let progress = service.progress.as_ref();
    let stage = progress.and_then(|p| p.stage.as_deref());
    let how = match (stage, progress.is_some_and(|p| p.paused)) {
        (Some(stage), true) => format!("paused at {stage} until someone continues it"),
        (Some(stage), false) => format!("at {stage}"),
        (None, _) => told(primary),
    };
    format!(
        "{} of {} tasks run, {} deployments, {how}",
        primary.running_count,
        primary.desired_count,
        service.deployments.len()
    )
}

/// Whether ECS calls a deployment complete; absent where it does not say. Behind a Classic Load Balancer there is no
/// `rolloutState`: there, only the service's events say that it is steady.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html>
fn completed(service: &Service, deployment: &Deployment) -> Option<bool> {
    match deployment.rollout_state.as_deref() {
        Some(state) => Some(state == "COMPLETED"),
        None => (service.steady_at? >= deployment.created_at?).then_some(true),
    }
}

/// How long the newest deployment of `service` may take, if starting its tasks may take `tasks`: with bake time, steps
/// and hooks once all tasks run, and before that with the hooks that come before them.
#[must_use]
pub fn patience(service: &Service, tasks: Duration) -> Duration {
    let settings = &service.deployment_settings;
    let all_run = service
        .deployments
        .first()
        .is_some_and(|d| d.running_count >= d.desired_count);
    let more = if all_run || is_paused(service) {
        settings.allowance()
    } else {
        settings.before_tasks()
    };
    tasks.saturating_add(more.unsigned_abs())
}

fn is_paused(service: &Service) -> bool {
    service.progress.as_ref().is_some_and(|p| p.paused)
}

/// Since when the newest deployment is under way, if that is longer than it may be: a deployment that waits for a
/// person to continue it is not late.
#[must_use]
pub fn late_since(service: &Service, tasks: Duration, now: Timestamp) -> Option<Timestamp> {
    let primary = service.deployments.first()?;
    let began = primary.created_at?;
    let pause = service.progress.as_ref().filter(|p| p.paused);
    if pause.is_some_and(|p| p.paused_until.is_none_or(|until| now < until)) {
        return None;
    }
    let unfinished = if let Some(state) = primary.rollout_state.as_deref() {
        state == "IN_PROGRESS"
    } else {
        let others = service.deployments.iter().skip(1).any(|d| d.running_count > 0);
        service.deployment_controller == "ECS" && (others || is_without_tasks(primary))
    };
    let allowed = SignedDuration::try_from(patience(service, tasks)).unwrap_or(SignedDuration::MAX);
    (unfinished && now.duration_since(began) > allowed).then_some(began)
}

fn is_without_tasks(deployment: &Deployment) -> bool {
    deployment.running_count == 0 && deployment.desired_count > 0
}

/// Whether a deployment is under way that another one would disturb.
#[must_use]
pub fn is_under_way(service: &Service) -> bool {
    let Some(primary) = service.deployments.first() else {
        return false;
    };
    let open = matches!(primary.rollout_state.as_deref(), Some("IN_PROGRESS") | None);
    if service.deployment_settings.strategy.shifts_traffic() {
        // The old revision carries the traffic until ECS shifts it, whatever becomes of the new one.
        let rolling_back = service.progress.as_ref().is_some_and(|p| p.is_rolling_back());
        return rolling_back || (open && service.deployments.len() > 1);
    }
    // A primary deployment whose tasks fail to start is what a wrong reference looks like: waiting for it to
    // complete would be waiting for ever.
    service.deployments.len() > 1 && open && primary.failed_tasks == 0
}

/// Which revisions carry the production traffic of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic<'a> {
    /// One carries all of it: its ARN.
    One(&'a str),
    /// It is shifted from one to the other, or both have tasks behind the load balancer: their ARNs.
    Both(&'a str, &'a str),
    /// AWS does not tell.
    Unknown,
}

/// Which revisions carry the traffic. While traffic is shifted, the primary deployment is the new revision, and the old
/// one serves until the shift.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>
#[must_use]
pub fn traffic(service: &Service) -> Traffic<'_> {
    let Some(primary) = service.deployments.first() else {
        return Traffic::One(&service.task_definition);
    };
    let new = primary.task_definition.as_str();
    let mut others = service.deployments.iter().skip(1);
    let other = others.find(|d| d.running_count > 0 && d.task_definition != new);
    let Some(old) = other.map(|d| d.task_definition.as_str()) else {
        return Traffic::One(new);
    };
    if !service.deployment_settings.strategy.shifts_traffic() {
        return if primary.running_count == 0 {
            Traffic::One(old)
        } else {
            Traffic::Both(old, new)
        };
    }
    let Some(progress) = &service.progress else {
        return if primary.rollout_state.as_deref() == Some("COMPLETED") {
            Traffic::One(new)
        } else {
            Traffic::Unknown
        };
    };
    match (progress.shifted_percent, progress.stage.as_deref()) {
        (Some(percent), _) if percent <= 0.0 => Traffic::One(old),
        (Some(percent), _) if percent >= 100.0 => Traffic::One(new),
        (Some(_), _) | (None, Some("PRODUCTION_TRAFFIC_SHIFT")) => Traffic::Both(old, new),
        (
            None,
            Some(
                "RECONCILE_SERVICE"
                | "PRE_SCALE_UP"
                | "SCALE_UP"
                | "POST_SCALE_UP"
                | "TEST_TRAFFIC_SHIFT"
                | "POST_TEST_TRAFFIC_SHIFT",
            ),
        ) => Traffic::One(old),
        (None, Some("POST_PRODUCTION_TRAFFIC_SHIFT" | "BAKE_TIME" | "CLEAN_UP")) => Traffic::One(new),
        // Before each shift: before the first one, or between two.
        (None, _) => Traffic::Unknown,
    }
}

#[cfg(test)]
mod tests;
