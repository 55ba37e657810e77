//! Carries out planned corrections, each as an [`Attempt`] that is taken step by step: what is about to be done is
//! written down, done once, and then read and judged until the finding is gone. Nothing here waits for AWS: an attempt
//! that needs time says when to look again, and any process can take it further. It decides nothing.

mod rollout;

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::attempt::{Attempt, Step};
use crate::clock::{Clock, passed};
use crate::focus::Focus;
use crate::ports::{Cloud, Ledger, LedgerError, Write};
use holdfast_core::config::Config;
use holdfast_core::judge::{Judged, judge};
use holdfast_core::model::finding::Verdict;
use holdfast_core::model::key::{Scope, Subject};
use holdfast_core::model::remediation::Action;
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::plan::{Plan, PlannedAction, plan};

pub use crate::attempt::Outcome;

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
    async fn may_write(&self, scope: &Scope, new: bool) -> Result<u64, String>;

    /// The fencing token that is held at this instant, as far as this process knows: attempts are written down under it.
    fn token(&self, scope: &Scope) -> Option<u64>;
}

/// Nobody else acts: `apply` by a person.
pub struct SoleActor;

#[async_trait]
impl WriteGuard for SoleActor {
    async fn may_write(&self, _: &Scope, _: bool) -> Result<u64, String> {
        Ok(0)
    }

    fn token(&self, _: &Scope) -> Option<u64> {
        Some(0)
    }
}

/// One workload, read just now and judged.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What was read.
    pub snapshot: Snapshot,
    /// Of what.
    pub focus: Focus,
    /// The verdicts.
    pub judged: Judged,
    /// What would be done about them.
    pub plan: Plan,
}

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is over: how, and one sentence.
    Outcome(Outcome, String),
    /// Look again after that long; what is waited for.
    Waits(Duration, String),
}

/// Carries out corrections in one scope.
pub struct Executor<'a> {
    /// Reads and writes.
    pub cloud: &'a dyn Cloud,
    /// What may be done.
    pub config: &'a Config,
    /// The instant to judge at.
    pub clock: &'a dyn Clock,
    /// Where attempts are written down.
    pub ledger: &'a dyn Ledger,
    /// Asked before each call.
    pub guard: &'a dyn WriteGuard,
    /// Who is acting.
    pub replica: &'a str,
    /// How long to wait.
    pub patience: Timeouts,
}

/// What a fresh judgement says about an action that was carried out.
enum Seen {
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
    /// Reads `workload` afresh and judges it. `base` is what was known before; `about` is what drew attention to it.
    pub async fn look(&self, base: &Snapshot, workload: &str, about: Option<&Subject>) -> Observation {
        let mut focus = self.focus(base, workload);
        if let Some(subject) = about {
            focus.add(subject, self.cloud.scope());
        }
        self.look_at(base, workload, focus, false).await
    }

    fn focus(&self, base: &Snapshot, workload: &str) -> Focus {
        Focus::of(base, self.config, workload, self.clock.now())
    }

    async fn look_at(&self, base: &Snapshot, workload: &str, focus: Focus, all: bool) -> Observation {
        let now = self.clock.now();
        let snapshot = self.cloud.refresh(base, &focus, all, now).await;
        let only = std::iter::once(workload.to_owned()).collect();
        let judged = judge(&snapshot, self.config, self.clock.now(), Some(&only));
        let plan = plan(self.cloud.scope(), &judged, self.config, self.clock.now());
        Observation {
            snapshot,
            focus,
            judged,
            plan,
        }
    }

    /// Begins `planned`, if it comes out again of a fresh look: of `fresh`, or one that is made here.
    pub async fn begin(&self, base: &Snapshot, fresh: Option<Observation>, planned: &PlannedAction) -> StepResult {
        // Whether a group or a parameter group is shared must be known as of now, not as of the last sweep.
        let all = matches!(
            planned.action,
            Action::RevokeIngress { .. } | Action::AllowIngress { .. } | Action::ForceTls { .. }
        );
        // Nor which services there are that it would cut off.
        let cuts = matches!(
            planned.action,
            Action::ClosePublicAccess { .. } | Action::RevokeIngress { .. } | Action::ForceTls { .. }
        );
        let look = match fresh {
            Some(look) if !all && !cuts => look,
            _ => {
                let mut focus = self.focus(base, &planned.workload);
                focus.discovers = cuts;
                self.look_at(base, &planned.workload, focus, all).await
            }
        };
        let refused = |why: String, look| StepResult {
            attempt: None,
            progress: Progress::Outcome(Outcome::Refused, why),
            look: Some(look),
            unsaved: None,
        };
        if !look.plan.actions.iter().any(|a| a.action == planned.action) {
            return refused(why_not(planned, &look.plan, &look.judged), look);
        }
        let fence = match self.guard.may_write(self.cloud.scope(), true).await {
            Ok(fence) => fence,
            Err(why) => return refused(why, look),
        };
        let asked = Instant::now();
        let mut attempt = Attempt::new(planned.clone(), self.replica, fence, self.clock.now());
        // What is not written down is not begun: nobody could finish it.
        let not_begun = match self.ledger.put(&attempt).await {
            Ok(()) => self.still_may(asked).await.err(),
            Err(e) => Some(e.to_string()),
        };
        if let Some(why) = not_begun {
            // It may be in the ledger all the same, where somebody would take it up.
            attempt.outcome = Some(Outcome::Refused);
            attempt.detail = format!("not begun: {why}");
            return StepResult {
                unsaved: Some(attempt),
                ..refused(format!("not begun: {why}"), look)
            };
        }
        tracing::info!(
            action = planned.id,
            workload = planned.workload,
            change = planned.change,
            "correcting"
        );
        let progress = match &planned.action {
            Action::RollOut { .. } | Action::RollBack { .. } => self.roll(&mut attempt, true).await,
            _ => self.first_call(&mut attempt).await,
        };
        self.stepped(attempt, progress, Some(look)).await
    }

    /// Takes an attempt further, whoever began it.
    pub async fn advance(&self, base: &Snapshot, mut attempt: Attempt) -> StepResult {
        let is_rollout = matches!(attempt.action.action, Action::RollOut { .. } | Action::RollBack { .. });
        let (progress, look) = match (attempt.step, is_rollout) {
            (Step::Begun, false) => self.resolve_doubt(base, &mut attempt).await,
            (Step::Called, false) => self.verify(base, &attempt).await,
            _ => match self.roll(&mut attempt, false).await {
                // The service is steady: only a judgement ends a correction well.
                Progress::Waits(pause, _) if pause.is_zero() => self.verify(base, &attempt).await,
                other => (other, None),
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
        loop {
            let attempt = match (stepped.progress, stepped.attempt) {
                (Progress::Outcome(ended, detail), _) => return (ended, detail),
                (Progress::Waits(_, why), None) => return (Outcome::Refused, why),
                (Progress::Waits(pause, _), Some(attempt)) => {
                    tokio::time::sleep(pause).await;
                    attempt
                }
            };
            stepped = self.advance(base, attempt).await;
        }
    }

    async fn first_call(&self, attempt: &mut Attempt) -> Progress {
        match self.cloud.write(Write::Correct(&attempt.action.action)).await {
            Ok(_) => {
                self.enter(attempt, Step::Called);
                // Most changes show at once.
                Progress::Waits(Duration::ZERO, "AWS accepted the change".into())
            }
            Err(e) if holdfast_core::model::read_error::is_uncertain(&e) => Progress::Waits(
                self.patience.consistency,
                format!("whether it took effect is not known yet: {}", e.message),
            ),
            Err(e) => Progress::Outcome(Outcome::Failed, e.message.clone()),
        }
    }

    /// A call whose answer is not known, lost on the way or with the process that made it: AWS itself tells.
    async fn resolve_doubt(&self, base: &Snapshot, attempt: &mut Attempt) -> (Progress, Option<Observation>) {
        let (look, seen) = self.judge_again(base, attempt).await;
        let progress = match (seen, self.doubt_left(attempt)) {
            (Seen::Corrected, _) => Progress::Outcome(Outcome::Verified, CORRECTED.into()),
            (Seen::Unread, _) => match self.wait(attempt, "it can't be read") {
                Progress::Outcome(_, why) => Progress::Outcome(Outcome::Failed, format!("a call had no answer: {why}")),
                waits @ Progress::Waits(..) => waits,
            },
            (Seen::Asked, Some(left)) => Progress::Waits(left, "whether the call took effect is not known yet".into()),
            (Seen::Asked, None) => self.call_again(attempt, &look).await,
        };
        (progress, Some(look))
    }

    /// The call had no effect: it is made again, if it would be planned again.
    async fn call_again(&self, attempt: &mut Attempt, look: &Observation) -> Progress {
        if !look.plan.actions.iter().any(|a| a.action == attempt.action.action) {
            let why = why_not(&attempt.action, &look.plan, &look.judged);
            return Progress::Outcome(Outcome::Failed, format!("a call had no answer and no effect; {why}"));
        }
        match self.guard.may_write(self.cloud.scope(), true).await {
            Err(why) => {
                return Progress::Outcome(Outcome::Failed, format!("a call had no answer and no effect; {why}"));
            }
            Ok(fence) => attempt.fence = attempt.fence.max(fence),
        }
        let asked = Instant::now();
        if let Err(why) = self.save_before_call(attempt, Step::Begun).await {
            return Progress::Waits(self.patience.consistency, why);
        }
        if let Err(why) = self.still_may(asked).await {
            return Progress::Waits(self.patience.consistency, why);
        }
        self.first_call(attempt).await
    }

    /// How long a read may still be older than the call that was made last.
    fn doubt_left(&self, attempt: &Attempt) -> Option<Duration> {
        let passed = passed(attempt.step_at, self.clock.now());
        self.patience
            .consistency
            .checked_sub(passed)
            .filter(|left| !left.is_zero())
    }

    /// Looks whether a fresh judgement still asks for the action.
    async fn verify(&self, base: &Snapshot, attempt: &Attempt) -> (Progress, Option<Observation>) {
        let (look, seen) = self.judge_again(base, attempt).await;
        let progress = match seen {
            Seen::Corrected => Progress::Outcome(Outcome::Verified, CORRECTED.into()),
            Seen::Unread => self.wait(attempt, "it can't be read"),
            Seen::Asked => self.wait(attempt, "a fresh read still shows what it should correct"),
        };
        (progress, Some(look))
    }

    async fn judge_again(&self, base: &Snapshot, attempt: &Attempt) -> (Observation, Seen) {
        let planned = &attempt.action;
        let look = self.look(base, &planned.workload, None).await;
        let findings = || look.judged.findings.iter();
        let asked = findings().filter(|f| planned.findings.contains(&f.id)).any(|f| {
            let mut actions = f.remediation.iter().flat_map(|r| &r.actions);
            actions.any(|a| *a == planned.action)
        });
        let unread = findings().any(|f| f.verdict == Verdict::Unknown && planned.rules.contains(&f.rule));
        let seen = match (unread, asked) {
            (true, _) => Seen::Unread,
            (false, true) => Seen::Asked,
            (false, false) => Seen::Corrected,
        };
        (look, seen)
    }

    /// Waits for what AWS carries out, or gives up.
    fn wait(&self, attempt: &Attempt, why: &str) -> Progress {
        let passed = passed(attempt.begun_at, self.clock.now());
        if passed >= self.patience.stabilize {
            let detail = format!("AWS accepted the change, but after {} s {why}", passed.as_secs());
            return Progress::Outcome(Outcome::Applied, detail);
        }
        Progress::Waits(self.pace(passed), why.to_owned())
    }

    /// Often at first, when most changes show, then an eighth of the time that has passed.
    fn pace(&self, passed: Duration) -> Duration {
        let every = self.patience.poll;
        let left = self.patience.stabilize.saturating_sub(passed);
        (passed / 8).clamp(every, every * 40).min(left.max(every))
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
    async fn still_may(&self, asked: Instant) -> Result<(), String> {
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
        let detail = match progress {
            Progress::Outcome(ended, detail) => {
                attempt.outcome = Some(*ended);
                detail
            }
            Progress::Waits(_, why) => why,
        };
        detail.clone_into(&mut attempt.detail);
        let saved = self.save(attempt).await;
        if let Err(e) = &saved {
            tracing::warn!(attempt = attempt.id, error = %e, "how far a correction has come could not be written down");
        }
        attempt.is_open() || !matches!(saved, Err(LedgerError::Unusable(_)))
    }
}

fn why_not(planned: &PlannedAction, fresh: &Plan, judged: &Judged) -> String {
    let still = |id: &String| judged.findings.iter().any(|f| f.id == *id);
    if let Some(held) = fresh.held.iter().find(|h| planned.findings.contains(&h.finding)) {
        return format!("not done: {}", held.reason);
    }
    if !planned.findings.iter().any(still) {
        return "not done: it is no longer needed".into();
    }
    "not done: what it was planned on has changed since; plan again".into()
}
