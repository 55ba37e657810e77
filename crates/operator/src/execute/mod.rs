//! Carries out planned corrections, each as an [`Attempt`] that is taken step by step: what is about to be done is
//! written down, done once, and then read and evaluated until the finding is gone. Nothing here waits for AWS: an
//! attempt that needs time says when to look again, and any process can take it further. It decides nothing.

mod progress;
mod revert;
mod rollout;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::attempt::{Attempt, Step};
use crate::clock::{Clock, passed};
use crate::internal_events::{ActionStarted, AttemptNotRecorded};
use crate::ports::{Cloud, Ledger, LedgerError, Write};
use holdfast_core::action::Execution;
use holdfast_core::config::Config;
use holdfast_core::evaluate::{Evaluation, evaluate};
use holdfast_core::finding::Verdict;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::{Scope, Subject};
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::plan::{Plan, PlannedAction, plan};
use holdfast_core::refresh::RefreshSet;

pub use crate::attempt::Outcome;
pub use progress::Progress;
use progress::Rolled;

/// How long to wait for AWS.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a change to show, or a rollout to get steady.
    pub stabilize: Duration,
    /// Between two looks, at first; it grows with the time that has passed.
    pub poll: Duration,
    /// Until a read shows what a call did whose answer was lost.
    pub consistency: Duration,
    /// For a service to be set back: past it a person is asked.
    pub rollback: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // RDS applies a flag within minutes; a Fargate rollout with health checks takes up to ten.
            stabilize: Duration::from_mins(15),
            poll: Duration::from_millis(500),
            // RDS and ECS show a change within seconds; a call that timed out may still be carried out.
            consistency: Duration::from_secs(30),
            rollback: Duration::from_hours(24),
        }
    }
}

/// What lets a call that changes something go out, asked right before each.
#[async_trait]
pub trait WriteGuard: Send + Sync {
    /// The fencing token to write under. `new` is for the first call of an attempt, which may be put off; the calls
    /// after it only need this process to be the one that acts.
    ///
    /// # Errors
    /// Why nothing may be written now.
    async fn may_write(&self, scope: &Scope, new: bool) -> Result<u64, HoldReason>;

    /// The fencing token that is held at this instant, as far as this process knows: attempts are written down under it.
    fn token(&self, scope: &Scope) -> Option<u64>;
}

/// Nobody else acts: `apply` by a person.
pub struct SoleActor;

#[async_trait]
impl WriteGuard for SoleActor {
    async fn may_write(&self, _: &Scope, _: bool) -> Result<u64, HoldReason> {
        Ok(0)
    }

    fn token(&self, _: &Scope) -> Option<u64> {
        Some(0)
    }
}

/// One workload, read just now and evaluated.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What was read.
    pub snapshot: Snapshot,
    /// Of what.
    pub set: RefreshSet,
    /// The verdicts.
    pub evaluation: Evaluation,
    /// What would be done about them.
    pub plan: Plan,
}

/// Carries out corrections in one scope.
pub struct Executor<'a> {
    /// Reads and writes.
    pub cloud: &'a dyn Cloud,
    /// What may be done.
    pub config: &'a Config,
    /// The instant to evaluate at.
    pub clock: &'a dyn Clock,
    /// Where attempts are written down.
    pub ledger: &'a dyn Ledger,
    /// Asked before each call.
    pub guard: &'a dyn WriteGuard,
    /// Who is acting.
    pub replica: &'a str,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// What a fresh result says about an action that was carried out.
enum Check {
    /// Nothing asks for it any more.
    Corrected,
    /// It is still asked for.
    Asked,
    /// That can't be told.
    Unread,
}

/// How old the guard's word may be when a call goes out: what is written down in between may take long.
const WORD_LASTS: Duration = Duration::from_secs(1);

const CORRECTED: &str = "read again and judged: corrected";

/// What became of a step.
pub struct StepResult {
    /// The attempt, unless none was begun.
    pub attempt: Option<Attempt>,
    /// How far it is.
    pub progress: Progress,
    /// What was read last of the workload.
    pub look: Option<Observation>,
    /// An attempt that has ended, or was not begun after all, while the ledger may hold it as open: to be written again.
    pub unsaved: Option<Attempt>,
}

impl Executor<'_> {
    /// Reads `workload` afresh and evaluates it. `base` is what was known before; `about` is what drew attention to it.
    pub async fn observe(&self, base: &Snapshot, workload: &str, about: Option<&Subject>) -> Observation {
        let mut set = self.refresh_set(base, workload);
        if let Some(subject) = about {
            set.add(subject, self.cloud.scope());
        }
        self.refresh(base, workload, set).await
    }

    fn refresh_set(&self, base: &Snapshot, workload: &str) -> RefreshSet {
        RefreshSet::of(base, self.config, workload, self.clock.now())
    }

    async fn refresh(&self, base: &Snapshot, workload: &str, set: RefreshSet) -> Observation {
        let now = self.clock.now();
        let snapshot = self.cloud.refresh(base, &set, now).await;
        let only = std::iter::once(workload.to_owned()).collect();
        let evaluation = evaluate(&snapshot, self.config, self.clock.now(), Some(&only));
        let plan = plan(self.cloud.scope(), &evaluation, self.config, self.clock.now());
        Observation {
            snapshot,
            set,
            evaluation,
            plan,
        }
    }

    /// Begins `planned`, if it comes out again of a fresh look: of `fresh`, or one that is made here.
    pub async fn begin(&self, base: &Snapshot, fresh: Option<Observation>, planned: &PlannedAction) -> StepResult {
        let needs = planned.action.refresh();
        let look = match fresh {
            Some(look) if !needs.is_wider() => look,
            _ => {
                let mut set = self.refresh_set(base, &planned.workload);
                set.before_call = needs;
                self.refresh(base, &planned.workload, set).await
            }
        };
        let held = |why: HoldReason, look| StepResult {
            attempt: None,
            progress: Progress::Held(why),
            look: Some(look),
            unsaved: None,
        };
        if !look.plan.actions.iter().any(|a| a.action == planned.action) {
            return held(why_not(planned, &look.plan, &look.evaluation), look);
        }
        let fence = match self.guard.may_write(self.cloud.scope(), true).await {
            Ok(fence) => fence,
            Err(why) => return held(why, look),
        };
        let asked = Instant::now();
        let mut attempt = Attempt::new(planned.clone(), self.replica, fence, self.clock.now());
        // What is not written down is not begun: nobody could finish it.
        let not_begun = match self.ledger.put(&attempt).await {
            Ok(()) => self
                .still_may(asked)
                .await
                .err()
                .map(|why| HoldReason::NotBegun(Box::new(why))),
            Err(e) => Some(HoldReason::LedgerUnusable(e.to_string())),
        };
        if let Some(why) = not_begun {
            // It may be in the ledger all the same, where somebody would take it up.
            attempt.outcome = Some(Outcome::Refused);
            attempt.detail = why.to_string();
            return StepResult {
                unsaved: Some(attempt),
                ..held(why, look)
            };
        }
        ActionStarted(planned).emit();
        let progress = match planned.action.execution() {
            Execution::Rollout(_) => self.advance_rollout(&mut attempt, true).await.into_progress(),
            Execution::OneCall => self.first_call(&mut attempt).await,
        };
        self.stepped(attempt, progress, Some(look)).await
    }

    /// Takes an attempt further, whoever began it.
    pub async fn advance(&self, base: &Snapshot, mut attempt: Attempt) -> StepResult {
        let is_rollout = matches!(attempt.action.action.execution(), Execution::Rollout(_));
        let (progress, look) = match (attempt.step, is_rollout) {
            (Step::Begun, false) => self.resolve_doubt(base, &mut attempt).await,
            (Step::Called, false) => self.verify(base, &attempt).await,
            _ => match self.advance_rollout(&mut attempt, false).await {
                // The service is steady: only a result ends a correction well.
                Rolled::Steady => self.verify(base, &attempt).await,
                Rolled::Unproved(why) => {
                    let (progress, look) = self.verify(base, &attempt).await;
                    (unproved(progress, &why), look)
                }
                Rolled::Goes(progress) => (progress, None),
            },
        };
        self.stepped(attempt, progress, look).await
    }

    /// What became of a step, written down.
    async fn stepped(&self, mut attempt: Attempt, progress: Progress, look: Option<Observation>) -> StepResult {
        let saved = self.note(&mut attempt, &progress).await;
        StepResult {
            unsaved: (!saved).then(|| attempt.clone()),
            attempt: Some(attempt),
            progress,
            look,
        }
    }

    /// Begins `planned` and follows it to its end.
    pub async fn carry_out(&self, base: &Snapshot, planned: &PlannedAction) -> (Outcome, String) {
        let begun = self.begin(base, None, planned).await;
        self.follow(base, begun).await
    }

    /// Follows an attempt that another process began to its end.
    pub async fn resume(&self, base: &Snapshot, attempt: Attempt) -> (Outcome, String) {
        let stepped = self.advance(base, attempt).await;
        self.follow(base, stepped).await
    }

    async fn follow(&self, base: &Snapshot, mut stepped: StepResult) -> (Outcome, String) {
        let mut looked_at = None;
        loop {
            let attempt = match (stepped.progress, stepped.attempt) {
                (Progress::Ended(outcome, detail), _) => return (outcome, detail),
                (Progress::Held(why), _) => return (Outcome::Refused, why.to_string()),
                (Progress::Waits(_, why), None) => return (Outcome::Refused, why),
                (Progress::Waits(_, why), Some(attempt)) if self.is_left_to_ecs(&attempt, looked_at) => {
                    let detail = format!("not proved yet, and left to ECS: {why}");
                    let ended = Progress::Ended(Outcome::Applied, detail);
                    stepped = self.stepped(attempt, ended, None).await;
                    continue;
                }
                (Progress::Waits(pause, _), Some(attempt)) => {
                    tokio::time::sleep(pause).await;
                    attempt
                }
            };
            looked_at = Some(self.clock.now());
            stepped = self.advance(base, attempt).await;
        }
    }

    /// Whether a command that waits for one correction has waited long enough: a deployment that bakes for an hour, or
    /// waits for a person, is well, and ECS itself goes back if it fails.
    ///
    /// What the look that began at `looked_at` found is waited for: any other deployment was given up then.
    fn is_left_to_ecs(&self, attempt: &Attempt, looked_at: Option<Timestamp>) -> bool {
        let is_rollout = matches!(attempt.action.action.execution(), Execution::Rollout(_));
        let waited = looked_at.map(|at| passed(attempt.step_at, at)).unwrap_or_default();
        is_rollout && attempt.step == Step::Called && waited >= self.timeouts.stabilize
    }

    async fn first_call(&self, attempt: &mut Attempt) -> Progress {
        match self.cloud.write(Write::Correct(&attempt.action.action)).await {
            Ok(_) => {
                self.enter(attempt, Step::Called);
                // Most changes show at once.
                Progress::Waits(Duration::ZERO, "AWS accepted the change".into())
            }
            Err(e) if holdfast_core::model::read_error::is_uncertain(&e) => Progress::Waits(
                self.timeouts.consistency,
                format!("whether it took effect is not known yet: {}", e.message),
            ),
            Err(e) => Progress::Ended(Outcome::Failed, e.message.clone()),
        }
    }

    /// A call whose answer is not known, lost on the way or with the process that made it: AWS itself tells.
    async fn resolve_doubt(&self, base: &Snapshot, attempt: &mut Attempt) -> (Progress, Option<Observation>) {
        let (look, check) = self.evaluate_again(base, attempt).await;
        let progress = match (check, self.doubt_left(attempt)) {
            (Check::Corrected, _) => Progress::Ended(Outcome::Verified, CORRECTED.into()),
            (Check::Unread, _) => match self.wait(attempt, "it can't be read") {
                Progress::Ended(_, why) => Progress::Ended(Outcome::Failed, format!("a call had no answer: {why}")),
                other => other,
            },
            (Check::Asked, Some(left)) => Progress::Waits(left, "whether the call took effect is not known yet".into()),
            (Check::Asked, None) => self.call_again(attempt, &look).await,
        };
        (progress, Some(look))
    }

    /// The call had no effect: it is made again, if it would be planned again.
    async fn call_again(&self, attempt: &mut Attempt, look: &Observation) -> Progress {
        if !look.plan.actions.iter().any(|a| a.action == attempt.action.action) {
            let why = why_not(&attempt.action, &look.plan, &look.evaluation);
            return Progress::Ended(Outcome::Failed, format!("a call had no answer and no effect; {why}"));
        }
        match self.guard.may_write(self.cloud.scope(), true).await {
            Err(why) => {
                return Progress::Ended(Outcome::Failed, format!("a call had no answer and no effect; {why}"));
            }
            Ok(fence) => attempt.fence = attempt.fence.max(fence),
        }
        let asked = Instant::now();
        if let Err(why) = self.save_before_call(attempt, Step::Begun).await {
            return Progress::Waits(self.timeouts.consistency, why);
        }
        if let Err(why) = self.still_may(asked).await {
            return Progress::Waits(self.timeouts.consistency, why.to_string());
        }
        self.first_call(attempt).await
    }

    /// How long a read may still be older than the call that was made last.
    fn doubt_left(&self, attempt: &Attempt) -> Option<Duration> {
        let passed = passed(attempt.step_at, self.clock.now());
        self.timeouts
            .consistency
            .checked_sub(passed)
            .filter(|left| !left.is_zero())
    }

    /// Looks whether a fresh result still asks for the action.
    async fn verify(&self, base: &Snapshot, attempt: &Attempt) -> (Progress, Option<Observation>) {
        let (look, check) = self.evaluate_again(base, attempt).await;
        let progress = match check {
            Check::Corrected => Progress::Ended(Outcome::Verified, CORRECTED.into()),
            Check::Unread => self.wait(attempt, "it can't be read"),
            Check::Asked => self.wait(attempt, "a fresh read still shows what it should correct"),
        };
        (progress, Some(look))
    }

    async fn evaluate_again(&self, base: &Snapshot, attempt: &Attempt) -> (Observation, Check) {
        let planned = &attempt.action;
        let look = self.observe(base, &planned.workload, None).await;
        let findings = || look.evaluation.findings.iter();
        let asked = findings().filter(|f| planned.findings.contains(&f.id)).any(|f| {
            let mut actions = f.remediation.iter().flat_map(|r| &r.actions);
            actions.any(|a| *a == planned.action)
        });
        let unread = findings().any(|f| f.verdict == Verdict::Unknown && planned.rules.contains(&f.rule));
        let check = match (unread, asked) {
            (true, _) => Check::Unread,
            (false, true) => Check::Asked,
            (false, false) => Check::Corrected,
        };
        (look, check)
    }

    /// Waits for what AWS carries out, or gives up.
    fn wait(&self, attempt: &Attempt, why: &str) -> Progress {
        let passed = passed(attempt.begun_at, self.clock.now());
        if passed >= self.timeouts.stabilize {
            let detail = format!("AWS accepted the change, but after {} s {why}", passed.as_secs());
            return Progress::Ended(Outcome::Applied, detail);
        }
        Progress::Waits(self.pace(passed), why.to_owned())
    }

    /// Often at first, when most changes show, then an eighth of the time that has passed.
    fn pace(&self, passed: Duration) -> Duration {
        let every = self.timeouts.poll;
        let pause = (passed / 8).clamp(every, every * 40);
        match self.timeouts.stabilize.checked_sub(passed) {
            // Not past the end.
            Some(left) if !left.is_zero() => pause.min(left.max(every)),
            _ => pause,
        }
    }

    fn enter(&self, attempt: &mut Attempt, step: Step) {
        attempt.step = step;
        attempt.step_at = self.clock.now();
    }

    /// Writes down that the call which leads on from `step` is about to be made.
    async fn save_before_call(&self, attempt: &mut Attempt, step: Step) -> Result<(), String> {
        self.enter(attempt, step);
        self.save(attempt).await.map_err(|e| e.to_string())
    }

    /// Asks again whether this process is the one that acts, if it was asked too long ago.
    async fn still_may(&self, asked: Instant) -> Result<(), HoldReason> {
        if asked.elapsed() < WORD_LASTS {
            return Ok(());
        }
        self.guard.may_write(self.cloud.scope(), false).await.map(drop)
    }

    async fn save(&self, attempt: &mut Attempt) -> Result<(), LedgerError> {
        // Under the token of now, so that whoever had the scope before can't overwrite it; without one, not at all.
        let token = self.guard.token(self.cloud.scope());
        let id = &attempt.id;
        attempt.fence = attempt
            .fence
            .max(token.ok_or_else(|| LedgerError::Fenced { attempt: id.clone() })?);
        attempt.updated_at = self.clock.now();
        self.replica.clone_into(&mut attempt.replica);
        self.ledger.put(attempt).await
    }

    /// Writes down how far an attempt has come. If that fails, what was written before still leads to the same end:
    /// whoever reads it finds out from AWS what was done since. False if it has ended, and the ledger may not know.
    async fn note(&self, attempt: &mut Attempt, progress: &Progress) -> bool {
        attempt.detail = match progress {
            Progress::Ended(outcome, detail) => {
                attempt.outcome = Some(*outcome);
                detail.clone()
            }
            Progress::Held(why) => {
                attempt.outcome = Some(Outcome::Refused);
                why.to_string()
            }
            Progress::Waits(_, why) => why.clone(),
        };
        let saved = self.save(attempt).await;
        if let Err(e) = &saved {
            AttemptNotRecorded { attempt, error: e }.emit();
        }
        attempt.is_open() || !matches!(saved, Err(LedgerError::Unusable(_)))
    }
}

/// A fresh result that asks for nothing more proves what was written, not that anything runs with it.
fn unproved(progress: Progress, why: &str) -> Progress {
    match progress {
        Progress::Ended(Outcome::Verified, _) => Progress::Ended(
            Outcome::Applied,
            format!("applied, not proved: {why}, so that nothing shows whether tasks run steadily with it"),
        ),
        other => other,
    }
}

fn why_not(planned: &PlannedAction, fresh: &Plan, evaluation: &Evaluation) -> HoldReason {
    let still = |id: &String| evaluation.findings.iter().any(|f| f.id == *id);
    if let Some(held) = fresh.held.iter().find(|h| planned.findings.contains(&h.finding)) {
        return HoldReason::HeldNow {
            code: held.code,
            reason: held.reason.clone(),
        };
    }
    if !planned.findings.iter().any(still) {
        return HoldReason::NotNeeded;
    }
    HoldReason::Changed
}
