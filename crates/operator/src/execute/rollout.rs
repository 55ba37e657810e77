//! ECS rollouts, one step at a time: register, update, wait until steady, and go back if that does not come. Each step
//! is found out from AWS before it is done, so that any process can continue from wherever another one died.

use std::time::Duration;

use tokio::time::Instant;

use super::{Executor, Outcome, Progress};
use crate::attempt::{Attempt, Step};
use crate::clock::passed;
use crate::internal_events::{RevertFailed, RolloutReverting};
use crate::ports::Write;
use holdfast_core::action::{Execution, Revision};
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::read_error::is_uncertain;
use holdfast_core::model::resources::{Service, revision_name};
use holdfast_core::model::snapshot::ReadError;

/// A rollout's place and its two revisions.
struct Revisions {
    cluster: String,
    service: String,
    before: String,
    after: Option<String>,
}

impl Revisions {
    fn of(attempt: &Attempt) -> Option<Self> {
        let Execution::Rollout(rollout) = attempt.action.action.execution() else {
            return None;
        };
        Some(Self {
            cluster: rollout.cluster.to_owned(),
            service: rollout.service.to_owned(),
            before: rollout.before.to_owned(),
            after: match rollout.revision {
                Revision::Register(_) => attempt.revision.clone(),
                Revision::Existing(arn) => Some(arn.to_owned()),
            },
        })
    }

    fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

impl Executor<'_> {
    /// Takes a rollout as far as it goes now. A wait of nothing means that the service is steady.
    pub(super) async fn advance_rollout(&self, attempt: &mut Attempt, mut fresh: bool) -> Progress {
        let Some(mut rollout) = Revisions::of(attempt) else {
            return Progress::Ended(Outcome::Failed, "this is no rollout".into());
        };
        if attempt.step == Step::Begun {
            match self.revision(attempt, fresh).await {
                Ok(revision) => {
                    rollout.after = Some(revision.clone());
                    attempt.revision = Some(revision);
                }
                Err(progress) => return progress,
            }
            if let Err(why) = self.save_before_call(attempt, Step::Registered).await {
                return self.again(attempt, why);
            }
            // That is written before any call to update the service: none was made yet, whoever registered.
            fresh = true;
        }
        let Some(after) = rollout.after.clone() else {
            return Progress::Ended(Outcome::Failed, "the revision registered is not known".into());
        };
        match attempt.step {
            Step::Begun | Step::Registered => self.update_service(attempt, &rollout, &after, fresh).await,
            Step::Called => self.await_steady(attempt, &rollout, &after).await,
            Step::GoingBack | Step::SetBack => self.revert(attempt, &rollout, &after).await,
        }
    }

    /// The revision to run: registered now, or found, if an earlier call may have registered it.
    async fn revision(&self, attempt: &mut Attempt, fresh: bool) -> Result<String, Progress> {
        let Execution::Rollout(rollout) = attempt.action.action.execution() else {
            return Err(Progress::Ended(Outcome::Failed, "this is no rollout".into()));
        };
        let (base, changes) = match rollout.revision {
            // The service is given its revision only after the next step was written down. Whether that is still
            // wanted, and allowed, a new attempt decides.
            Revision::Existing(_) if !fresh => return Err(Progress::Held(HoldReason::Stopped)),
            Revision::Existing(arn) => return Ok(arn.to_owned()),
            Revision::Register(changes) => (rollout.before.to_owned(), changes.to_vec()),
        };
        if !fresh {
            match self.cloud.registered(&base, &attempt.id).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(e) => return Err(self.again(attempt, e.message.clone())),
            }
            if let Some(left) = self.doubt_left(attempt) {
                let why = "whether the revision was registered is not known yet";
                return Err(Progress::Waits(left, why.into()));
            }
            // Nobody registered it, and whether it is still wanted was evaluated long ago: a new attempt decides.
            let why = "the revision was never registered: the process that began it stopped before";
            return Err(Progress::Ended(Outcome::Failed, why.into()));
        }
        let write = Write::Register {
            base: &base,
            changes: &changes,
            workload: &attempt.action.workload,
            attempt: &attempt.id,
        };
        match self.cloud.write(write).await {
            Ok(Some(revision)) => Ok(revision),
            Ok(None) => Err(Progress::Waits(
                self.timeouts.consistency,
                "AWS named no revision".into(),
            )),
            Err(e) if is_uncertain(&e) => Err(Progress::Waits(
                self.timeouts.consistency,
                format!("whether the revision was registered is not known yet: {}", e.message),
            )),
            Err(e) => Err(Progress::Ended(Outcome::Failed, e.message.clone())),
        }
    }

    /// Gives the service its new revision, unless it has it, or another one by now.
    async fn update_service(&self, attempt: &mut Attempt, r: &Revisions, after: &str, fresh: bool) -> Progress {
        match self.cloud.service(&r.cluster, &r.service).await {
            Err(e) => return self.again(attempt, e.message.clone()),
            Ok(None) => return gone(r),
            Ok(Some(service)) if service.task_definition == after => {
                self.enter(attempt, Step::Called);
                return Progress::Waits(self.timeouts.poll, "the service was given the revision".into());
            }
            Ok(Some(service)) if service.task_definition != r.before => return superseded(r, &service),
            Ok(Some(_)) => {}
        }
        if let (false, Some(left)) = (fresh, self.doubt_left(attempt)) {
            return Progress::Waits(
                left,
                "whether the service was given the revision is not known yet".into(),
            );
        }
        if !fresh && is_existing(attempt) {
            // Nothing was done yet, and whether it is still wanted, and allowed, was evaluated long ago: a new attempt
            // decides.
            let why = "the service was never given the revision: the call had no effect, or was never made";
            return Progress::Ended(Outcome::Failed, why.into());
        }
        match self.guard.may_write(self.cloud.scope(), false).await {
            Ok(fence) => attempt.fence = attempt.fence.max(fence),
            Err(why) => return self.again(attempt, why.to_string()),
        }
        let asked = Instant::now();
        if !fresh && let Err(why) = self.save_before_call(attempt, Step::Registered).await {
            return self.again(attempt, why);
        }
        if let Err(why) = self.still_may(asked).await {
            return self.again(attempt, why.to_string());
        }
        match self.update(r, after).await {
            Ok(()) => {
                self.enter(attempt, Step::Called);
                Progress::Waits(self.timeouts.poll, "the service was given the revision".into())
            }
            Err(e) if is_uncertain(&e) => Progress::Waits(self.timeouts.consistency, e.message.clone()),
            Err(e) => Progress::Ended(Outcome::Failed, e.message.clone()),
        }
    }

    /// Waits until the service runs nothing but `after`, as many as wanted.
    async fn await_steady(&self, attempt: &mut Attempt, r: &Revisions, after: &str) -> Progress {
        let service = match self.cloud.service(&r.cluster, &r.service).await {
            Ok(Some(service)) => service,
            Ok(None) => return gone(r),
            // What can't be read is neither steady nor failed.
            Err(e) => return self.overdue(attempt, r, after, &e.message).await,
        };
        if service.task_definition == r.before && self.doubt_left(attempt).is_some() {
            return Progress::Waits(self.timeouts.poll, "the service does not show the revision yet".into());
        }
        match state(&service, after, &r.before) {
            State::Steady => Progress::Waits(Duration::ZERO, "the service is steady".into()),
            State::Moving(how) => self.overdue(attempt, r, after, &how).await,
            State::Superseded => superseded(r, &service),
            State::Failed(why) => self.give_up(attempt, r, after, why).await,
        }
    }

    async fn overdue(&self, attempt: &mut Attempt, r: &Revisions, after: &str, last: &str) -> Progress {
        // Since the service was given the revision: a process may have been gone for long before.
        let passed = passed(attempt.step_at, self.clock.now());
        if passed < self.timeouts.stabilize {
            return Progress::Waits(self.pace(passed), last.to_owned());
        }
        let why = format!(
            "it was not steady within {} s: {last}",
            self.timeouts.stabilize.as_secs()
        );
        self.give_up(attempt, r, after, why).await
    }

    async fn give_up(&self, attempt: &mut Attempt, r: &Revisions, after: &str, why: String) -> Progress {
        RolloutReverting {
            service: &r.name(),
            revision: after,
            why: &why,
        }
        .emit();
        attempt.detail = why;
        if let Err(why) = self.save_before_call(attempt, Step::GoingBack).await {
            return self.again(attempt, why);
        }
        self.revert(attempt, r, after).await
    }

    /// Sets the service back, however often that takes: a service is not left on a revision that failed.
    async fn revert(&self, attempt: &mut Attempt, r: &Revisions, after: &str) -> Progress {
        let why = attempt.detail.clone();
        let failed = match self.cloud.service(&r.cluster, &r.service).await {
            Ok(None) => return gone(r),
            Ok(Some(service)) if service.task_definition == r.before => {
                // By our call, or by ECS itself; then a read that is older than the rollout would look the same.
                if let (Step::GoingBack, Some(left)) = (attempt.step, self.doubt_left(attempt)) {
                    return Progress::Waits(left, why);
                }
                let detail = format!("{why}; {} runs {} again", r.name(), revision_name(&r.before));
                return Progress::Ended(Outcome::Reverted, detail);
            }
            Ok(Some(service)) if service.task_definition != after => return superseded(r, &service),
            Ok(Some(_)) => match self.restore(attempt, r).await {
                Ok(()) => return Progress::Waits(self.timeouts.poll, why),
                Err(failed) => failed,
            },
            Err(e) => e.message.clone(),
        };
        let passed = passed(attempt.begun_at, self.clock.now()).saturating_sub(self.timeouts.stabilize);
        if passed >= self.timeouts.rollback.min(self.timeouts.stabilize * 4) {
            let before = revision_name(&r.before);
            let detail = format!(
                "{why}; going back to {before} failed too: {failed}. Run: aws ecs update-service --cluster {} --service \
                 {} --task-definition {}",
                r.cluster, r.service, r.before
            );
            return Progress::Ended(Outcome::Applied, detail);
        }
        RevertFailed {
            service: &r.name(),
            error: &failed,
        }
        .emit();
        // The reason to go back stays in the detail: the outcome tells it.
        Progress::Waits(self.pace(passed), why)
    }

    async fn restore(&self, attempt: &mut Attempt, r: &Revisions) -> Result<(), String> {
        if let (Step::SetBack, Some(_)) = (attempt.step, self.doubt_left(attempt)) {
            return Err("the service does not show it yet".into());
        }
        let token = self.guard.may_write(self.cloud.scope(), false).await;
        attempt.fence = attempt.fence.max(token.map_err(|why| why.to_string())?);
        self.update(r, &r.before).await.map_err(|e| e.message.clone())?;
        self.enter(attempt, Step::SetBack);
        Ok(())
    }

    async fn update(&self, r: &Revisions, revision: &str) -> Result<(), std::sync::Arc<ReadError>> {
        let write = Write::Update {
            cluster: &r.cluster,
            service: &r.service,
            revision,
        };
        self.cloud.write(write).await.map(drop)
    }

    /// Something outside does not let the attempt go on: later, but not for ever.
    fn again(&self, attempt: &Attempt, why: String) -> Progress {
        let passed = passed(attempt.begun_at, self.clock.now());
        if passed > self.timeouts.rollback {
            return Progress::Ended(Outcome::Failed, why);
        }
        Progress::Waits(self.pace(passed).max(Duration::from_secs(1)), why)
    }
}

fn gone(r: &Revisions) -> Progress {
    Progress::Ended(Outcome::Failed, format!("{} is gone, or no longer tagged", r.name()))
}

fn superseded(r: &Revisions, service: &Service) -> Progress {
    let detail = format!(
        "{} was given {} by someone else meanwhile; it is left to them",
        r.name(),
        revision_name(&service.task_definition)
    );
    Progress::Ended(Outcome::Failed, detail)
}

/// Whether the service is given a revision that was there before.
fn is_existing(attempt: &Attempt) -> bool {
    match attempt.action.action.execution() {
        Execution::Rollout(rollout) => matches!(rollout.revision, Revision::Existing(_)),
        Execution::OneCall => false,
    }
}

enum State {
    Steady,
    Moving(String),
    Failed(String),
    Superseded,
}

fn state(service: &Service, revision: &str, before: &str) -> State {
    let Some(primary) = service.deployments.iter().find(|d| d.status == "PRIMARY") else {
        return State::Moving("it has no primary deployment".into());
    };
    let told = |reason: &Option<String>| reason.clone().unwrap_or_else(|| "no reason given".into());
    if primary.task_definition != revision {
        let shown = revision_name(&primary.task_definition);
        // The circuit breaker puts the revision before in its place.
        let mut all = service.deployments.iter();
        let failed = all.find(|d| d.task_definition == revision && d.rollout_state.as_deref() == Some("FAILED"));
        return match failed {
            Some(d) => State::Failed(format!(
                "the deployment failed ({}), and ECS went back to {shown}",
                told(&d.rollout_reason)
            )),
            None if service.task_definition == before => {
                State::Failed(format!("ECS, or someone else, went back to {shown}"))
            }
            None if service.task_definition != revision => State::Superseded,
            None => State::Moving(format!("the primary deployment is still {shown}")),
        };
    }
    if primary.rollout_state.as_deref() == Some("FAILED") {
        return State::Failed(format!("the deployment failed: {}", told(&primary.rollout_reason)));
    }
    let complete = primary.rollout_state.as_deref() == Some("COMPLETED");
    let alone = service.deployments.len() == 1;
    if complete && alone && primary.running_count == primary.desired_count {
        return State::Steady;
    }
    State::Moving(format!(
        "{} of {} tasks run, {} deployments, {}",
        primary.running_count,
        primary.desired_count,
        service.deployments.len(),
        told(&primary.rollout_reason)
    ))
}
