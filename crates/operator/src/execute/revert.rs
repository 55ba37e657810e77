//! The way back of a rollout: ECS is asked to roll back a deployment that shifts traffic, and any other service is given
//! its former revision. One that was deregistered meanwhile is registered again first, since AWS refuses it. What failed is
//! deregistered once the way back is proved: the latest `ACTIVE` revision is what a bare family name means.

use std::sync::Arc;
use std::time::Duration;

use super::rollout::{Revisions, gone, is_existing, superseded};
use super::{Executor, Outcome, Progress};
use crate::attempt::{Attempt, Step};
use crate::clock::passed;
use crate::internal_events::{RevertFailed, RolloutReverting};
use crate::ports::Write;
use holdfast_core::facts::{RolloutState, patience, rollout_state};
use holdfast_core::model::read_error::{is_denied, is_throttled, is_uncertain};
use holdfast_core::model::resources::{Service, revision_name};
use holdfast_core::model::snapshot::ReadError;

/// Why a service was not set back.
struct NotBack {
    why: String,
    /// Whether a person who makes the same call would fare no better.
    is_refused: bool,
}

impl NotBack {
    fn later(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_refused: false,
        }
    }

    fn never(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_refused: true,
        }
    }
}

impl From<Arc<ReadError>> for NotBack {
    fn from(e: Arc<ReadError>) -> Self {
        Self {
            why: e.message.clone(),
            is_refused: !is_uncertain(&e) && !is_throttled(&e) && !is_denied(&e),
        }
    }
}

/// What the tag of a twin says: it must not be taken for the revision that the attempt rolls out.
fn twin_of(attempt: &Attempt) -> String {
    format!("{}-back", attempt.id)
}

impl Executor<'_> {
    pub(super) async fn give_up(&self, attempt: &mut Attempt, r: &Revisions, after: &str, why: String) -> Progress {
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
        self.revert(attempt, r, after, true).await
    }

    /// Sets the service back, however often that takes: a service is not left on a revision that failed. `fresh`: the
    /// step was written down just now.
    pub(super) async fn revert(&self, attempt: &mut Attempt, r: &Revisions, after: &str, fresh: bool) -> Progress {
        let why = attempt.detail.clone();
        let service = match self.cloud.service(&r.cluster, &r.service).await {
            Ok(Some(service)) => service,
            Ok(None) => return gone(r),
            Err(e) => return self.not_back(attempt, r, None, &NotBack::later(e.message.clone())),
        };
        if service.task_definition == after {
            return match self.restore(attempt, r, &service, fresh).await {
                Ok(()) => Progress::Waits(self.timeouts.poll, why),
                Err(failed) => self.not_back(attempt, r, Some(&service), &failed),
            };
        }
        if service.task_definition != r.before {
            match self.cloud.registered(&r.before, &twin_of(attempt)).await {
                Ok(Some(twin)) if twin == service.task_definition => {}
                Ok(_) => return superseded(r, &service),
                Err(e) => return self.not_back(attempt, r, Some(&service), &NotBack::later(e.message.clone())),
            }
        }
        self.prove_way_back(attempt, r, after, &service).await
    }

    /// The service has a revision to go back to: by our call, or by ECS itself.
    async fn prove_way_back(&self, attempt: &mut Attempt, r: &Revisions, after: &str, service: &Service) -> Progress {
        let why = attempt.detail.clone();
        // A read that is older than the rollout would look the same.
        if let (Step::GoingBack, Some(left)) = (attempt.step, self.doubt_left(attempt)) {
            return Progress::Waits(left, why);
        }
        let passed = passed(attempt.step_at, self.clock.now());
        let is_over = passed >= patience(service, self.timeouts.stabilize);
        let is_proved = match rollout_state(service, &service.task_definition, after) {
            RolloutState::Steady | RolloutState::NoTasks => true,
            RolloutState::Unproved(_) => is_over,
            RolloutState::Moving(_) | RolloutState::Failed(_) | RolloutState::Superseded => false,
        };
        if !is_proved && !is_over {
            return Progress::Waits(self.pace(passed), why);
        }
        let back = format!(
            "{why}; {} runs {} again",
            r.name(),
            revision_name(&service.task_definition)
        );
        // Only what this attempt registered.
        if is_existing(attempt) {
            return Progress::Ended(Outcome::Reverted, back);
        }
        let after_name = revision_name(after);
        if !is_proved {
            let detail = format!("{back}, and is not steady yet; {after_name} is still ACTIVE");
            return Progress::Ended(Outcome::Reverted, detail);
        }
        match self.retire(attempt, after).await {
            Ok(()) => Progress::Ended(Outcome::Reverted, format!("{back}; {after_name} was deregistered")),
            Err(_) if !is_over => Progress::Waits(self.pace(passed).max(Duration::from_secs(1)), why),
            Err(failed) => Progress::Ended(
                Outcome::Reverted,
                format!("{back}; {after_name} is still ACTIVE: {failed}"),
            ),
        }
    }

    /// Deregisters the revision that failed, unless it was.
    pub(super) async fn retire(&self, attempt: &mut Attempt, revision: &str) -> Result<(), String> {
        match self.cloud.definition(revision).await {
            Ok(Some(definition)) if definition.active => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(e.message.clone()),
        }
        let token = self.guard.may_write(self.cloud.scope(), false).await;
        attempt.fence = attempt.fence.max(token.map_err(|why| why.to_string())?);
        let write = Write::Deregister { revision };
        self.cloud.write(write).await.map(drop).map_err(|e| e.message.clone())
    }

    async fn restore(
        &self,
        attempt: &mut Attempt,
        r: &Revisions,
        service: &Service,
        fresh: bool,
    ) -> Result<(), NotBack> {
        if let (Step::SetBack, Some(_)) = (attempt.step, self.doubt_left(attempt)) {
            return Err(NotBack::later("the service does not show it yet"));
        }
        if service.progress.as_ref().is_some_and(|p| p.is_rolling_back()) {
            return Err(NotBack::later("ECS is still rolling it back"));
        }
        if let Some(deployment) = to_stop(service) {
            self.ask_for_write(attempt).await?;
            let stopped = self.cloud.write(Write::Stop { deployment }).await;
            match stopped {
                Ok(_) => {
                    self.enter(attempt, Step::SetBack);
                    return Ok(());
                }
                Err(e) if is_uncertain(&e) => return Err(e.into()),
                // It may have ended just now. Then the service is given the revision, as any other.
                Err(_) => {}
            }
        }
        let revision = self.way_back(attempt, r, fresh).await?;
        self.ask_for_write(attempt).await?;
        self.update(r, &revision).await?;
        self.enter(attempt, Step::SetBack);
        Ok(())
    }

    async fn ask_for_write(&self, attempt: &mut Attempt) -> Result<(), NotBack> {
        let token = self.guard.may_write(self.cloud.scope(), false).await;
        let token = token.map_err(|why| NotBack::later(why.to_string()))?;
        attempt.fence = attempt.fence.max(token);
        Ok(())
    }

    /// The revision to go back to: the one before, or a twin of it, if a service can't be given that any more.
    async fn way_back(&self, attempt: &mut Attempt, r: &Revisions, fresh: bool) -> Result<String, NotBack> {
        match self.cloud.definition(&r.before).await? {
            Some(definition) if definition.active => return Ok(r.before.clone()),
            Some(_) => {}
            None => {
                let before = revision_name(&r.before);
                return Err(NotBack::never(format!("{before} was deleted meanwhile")));
            }
        }
        let twin = twin_of(attempt);
        if let Some(known) = self.cloud.registered(&r.before, &twin).await? {
            return Ok(known);
        }
        if !fresh {
            if self.doubt_left(attempt).is_some() {
                return Err(NotBack::later("whether a twin of it was registered is not known yet"));
            }
            let saved = self.save_before_call(attempt, Step::GoingBack).await;
            saved.map_err(NotBack::later)?;
        }
        self.ask_for_write(attempt).await?;
        let write = Write::RegisterTwin {
            base: &r.before,
            workload: &attempt.action.workload,
            attempt: &twin,
        };
        let registered = self.cloud.write(write).await?;
        registered.ok_or_else(|| NotBack::later("AWS named no revision"))
    }

    /// Later; or, past all patience, a person is asked.
    fn not_back(&self, attempt: &Attempt, r: &Revisions, service: Option<&Service>, failed: &NotBack) -> Progress {
        let why = attempt.detail.clone();
        let now = self.clock.now();
        // How long the deployment itself could take is known only of a service that was read.
        let forward = match service {
            Some(service) => patience(service, self.timeouts.stabilize),
            None => self.timeouts.stabilize,
        };
        let since_begun = passed(attempt.begun_at, now).saturating_sub(forward);
        let going_back = match service {
            Some(_) => since_begun,
            None => since_begun.min(passed(attempt.step_at, now)),
        };
        if going_back >= self.timeouts.rollback.min(self.timeouts.stabilize * 4) {
            let before = revision_name(&r.before);
            let what_to_do = if failed.is_refused {
                format!(
                    "{} still runs the revision that failed: deploy one that works; {before} can't be given to it as it is",
                    r.name()
                )
            } else {
                format!(
                    "Run: aws ecs update-service --cluster {} --service {} --task-definition {}",
                    r.cluster, r.service, r.before
                )
            };
            let detail = format!("{why}; going back to {before} failed too: {}. {what_to_do}", failed.why);
            return Progress::Ended(Outcome::Applied, detail);
        }
        RevertFailed {
            service: &r.name(),
            error: &failed.why,
        }
        .emit();
        // The reason to go back stays in the detail: the outcome tells it.
        Progress::Waits(self.pace(going_back), why)
    }
}

/// The deployment that ECS is asked to roll back: one under way that shifts traffic. Another update would begin a second
/// one beside it, with all its steps.
fn to_stop(service: &Service) -> Option<&str> {
    let is_shifting = service.deployment_settings.strategy.shifts_traffic();
    let progress = service.progress.as_ref().filter(|_| is_shifting)?;
    let is_open = ["PENDING", "IN_PROGRESS"].contains(&progress.status.as_str());
    (is_open && !progress.arn.is_empty()).then_some(progress.arn.as_str())
}
