//! ECS rollouts, one step at a time: register, update, wait until steady, and go back (`revert`) if that does not come.
//! Each step is found out from AWS before it is done, so that any process can continue from wherever another one died.

use std::time::Duration;

use tokio::time::Instant;

use super::progress::{Progress, Rolled};
use super::{Executor, Outcome};
use crate::attempt::{Attempt, Step};
use crate::clock::passed;
use crate::ports::Write;
use holdfast_core::action::{Execution, Revision};
use holdfast_core::facts::{RolloutState, patience, rollout_state};
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::read_error::{NOT_SENT, is_uncertain};
use holdfast_core::model::resources::{Service, revision_name};
use holdfast_core::model::snapshot::ReadError;

/// A rollout's place and its two revisions.
pub(super) struct Revisions {
    pub cluster: String,
    pub service: String,
    pub before: String,
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

    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

impl Executor<'_> {
    /// Takes a rollout as far as it goes now.
    pub(super) async fn advance_rollout(&self, attempt: &mut Attempt, mut fresh: bool) -> Rolled {
        let Some(mut rollout) = Revisions::of(attempt) else {
            return Progress::Ended(Outcome::Failed, "this is no rollout".into()).into();
        };
        if attempt.step == Step::Begun {
            match self.revision(attempt, fresh).await {
                Ok(revision) => {
                    rollout.after = Some(revision.clone());
                    attempt.revision = Some(revision);
                }
                Err(progress) => return progress.into(),
            }
            if let Err(why) = self.save_before_call(attempt, Step::Registered).await {
                return self.again(attempt, why).into();
            }
            // That is written before any call to update the service: none was made yet, whoever registered.
            fresh = true;
        }
        let Some(after) = rollout.after.clone() else {
            return Progress::Ended(Outcome::Failed, "the revision registered is not known".into()).into();
        };
        match attempt.step {
            Step::Begun | Step::Registered => self.update_service(attempt, &rollout, &after, fresh).await.into(),
            Step::Called => self.await_steady(attempt, &rollout, &after).await,
            Step::GoingBack | Step::SetBack => self.revert(attempt, &rollout, &after, false).await.into(),
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
            Err(e) if e.code == NOT_SENT => Err(Progress::Ended(Outcome::Refused, e.message.clone())),
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
            Err(e) => self.refused(attempt, after, &e.message).await,
        }
    }

    /// The service was not given the revision, so that nothing runs it: one of ours must not stay the latest of its
    /// family.
    async fn refused(&self, attempt: &mut Attempt, after: &str, why: &str) -> Progress {
        if is_existing(attempt) {
            return Progress::Ended(Outcome::Failed, why.to_owned());
        }
        let revision = revision_name(after);
        let detail = match self.retire(attempt, after).await {
            Ok(()) => format!("{why}; {revision} was deregistered"),
            Err(failed) => format!("{why}; {revision} is still ACTIVE: {failed}"),
        };
        Progress::Ended(Outcome::Failed, detail)
    }

    /// Waits until the service runs nothing but `after`, as many as wanted.
    async fn await_steady(&self, attempt: &mut Attempt, r: &Revisions, after: &str) -> Rolled {
        let passed = passed(attempt.step_at, self.clock.now());
        let service = match self.cloud.service(&r.cluster, &r.service).await {
            Ok(Some(service)) => service,
            Ok(None) => return gone(r).into(),
            // What can't be read is neither steady nor failed, and can't be set back either.
            Err(e) if passed < self.timeouts.rollback => {
                return Progress::Waits(self.pace(passed), e.message.clone()).into();
            }
            Err(e) => return self.give_up(attempt, r, after, e.message.clone()).await.into(),
        };
        if service.task_definition == r.before && self.doubt_left(attempt).is_some() {
            let why = "the service does not show the revision yet";
            return Progress::Waits(self.timeouts.poll, why.into()).into();
        }
        match rollout_state(&service, after, &r.before) {
            RolloutState::Steady => Rolled::Steady,
            RolloutState::NoTasks => Rolled::Unproved(format!("{} wants no task", r.name())),
            RolloutState::Unproved(how) if passed < self.timeouts.stabilize => {
                Progress::Waits(self.pace(passed), how).into()
            }
            RolloutState::Unproved(how) => Rolled::Unproved(how),
            RolloutState::Superseded => superseded(r, &service).into(),
            RolloutState::Failed(why) => self.give_up(attempt, r, after, why).await.into(),
            RolloutState::Moving(how) => {
                // Since the service was given the revision: a process may have been gone for long before. A deployment
                // that bakes, or waits for its next step, is well.
                let patience = patience(&service, self.timeouts.stabilize);
                if passed < patience {
                    return Progress::Waits(self.pace(passed), how).into();
                }
                let why = format!("it was not steady within {} s: {how}", patience.as_secs());
                self.give_up(attempt, r, after, why).await.into()
            }
        }
    }

    pub(super) async fn update(&self, r: &Revisions, revision: &str) -> Result<(), std::sync::Arc<ReadError>> {
        let write = Write::Update {
            cluster: &r.cluster,
            service: &r.service,
            revision,
        };
        self.cloud.write(write).await.map(drop)
    }

    /// Something outside does not let the attempt go on: later, but not for ever.
    pub(super) fn again(&self, attempt: &Attempt, why: String) -> Progress {
        let passed = passed(attempt.begun_at, self.clock.now());
        if passed > self.timeouts.rollback {
            return Progress::Ended(Outcome::Failed, why);
        }
        Progress::Waits(self.pace(passed).max(Duration::from_secs(1)), why)
    }
}

pub(super) fn gone(r: &Revisions) -> Progress {
    Progress::Ended(Outcome::Failed, format!("{} is gone, or no longer tagged", r.name()))
}

pub(super) fn superseded(r: &Revisions, service: &Service) -> Progress {
    let detail = format!(
        "{} was given {} by someone else meanwhile; it is left to them",
        r.name(),
        revision_name(&service.task_definition)
    );
    Progress::Ended(Outcome::Failed, detail)
}

/// Whether the service is given a revision that was there before.
pub(super) fn is_existing(attempt: &Attempt) -> bool {
    match attempt.action.action.execution() {
        Execution::Rollout(rollout) => matches!(rollout.revision, Revision::Existing(_)),
        Execution::OneCall => false,
    }
}
