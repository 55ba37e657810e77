//! What stands between a plan and a correction in the unattended loop: the budget, the cooldown, giving up a fight,
//! and one correction of a resource at a time. All of it follows from the attempts that the ledger holds, so that it
//! outlives the process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::settings::Safety;
use crate::ledger::{Attempt, Ended};
use crate::model::resources::Fight;
use crate::plan::PlannedAction;

/// Why an action may not be carried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shut {
    /// One sentence.
    pub why: String,
    /// When it is worth looking again; absent where something else will tell.
    pub after: Option<Duration>,
}

/// What was done in one scope.
#[derive(Default)]
pub(super) struct Past {
    attempts: BTreeMap<String, Attempt>,
    /// Actions let through whose attempts are not known yet.
    reserved: BTreeSet<String>,
    /// Purposes that were asked for again although they had been carried out too often.
    given_up: BTreeSet<String>,
}

impl Past {
    /// The past as the ledger tells it.
    pub fn new(attempts: Vec<Attempt>) -> Self {
        Self {
            attempts: attempts.into_iter().map(|a| (a.id.clone(), a)).collect(),
            ..Self::default()
        }
    }

    /// Takes over how far an attempt has come.
    pub fn put(&mut self, attempt: Attempt) {
        self.reserved.remove(&attempt.action.id);
        self.attempts.insert(attempt.id.clone(), attempt);
    }

    /// Takes back what [`Past::pass`] let through and did not begin.
    pub fn not_begun(&mut self, action: &PlannedAction) {
        self.reserved.remove(&action.id);
    }

    /// Forgets what no gate asks about any more.
    pub fn forget(&mut self, safety: &Safety, interval: Duration, now: Timestamp) {
        let keep = safety.fight_window.max(safety.cooldown).max(interval);
        self.attempts.retain(|_, a| a.is_open() || age(a.begun_at, now) < keep);
    }

    /// Attempts of a workload that are under way, in the order in which they were begun.
    pub fn open_of(&self, workload: &str) -> Vec<Attempt> {
        let mut open: Vec<Attempt> = self.open().filter(|a| a.action.workload == workload).cloned().collect();
        open.sort_by(|a, b| (a.begun_at, &a.id).cmp(&(b.begun_at, &b.id)));
        open
    }

    /// Attempts that are under way.
    pub fn open(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(|a| a.is_open())
    }

    /// Lets `action` through, or says why not. What is let through counts at once.
    pub fn pass(
        &mut self,
        action: &PlannedAction,
        safety: &Safety,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), Shut> {
        let target = action.action.target();
        let busy = self.open().find(|a| a.action.action.target() == target);
        if let Some(other) = busy {
            let why = format!("waits: another correction of it is under way ({})", other.action.change);
            return Err(Shut { why, after: None });
        }
        let purpose = action.action.purpose();
        let same: Vec<&Attempt> = self
            .attempts
            .values()
            .filter(|a| a.action.action.purpose() == purpose && a.outcome != Some(Ended::Refused))
            .collect();
        if let Some(last) = same.iter().map(|a| a.updated_at.max(a.begun_at)).max() {
            let left = safety.cooldown.saturating_sub(age(last, now));
            if !left.is_zero() {
                let seconds = left.as_secs();
                let why = format!("waits: corrected less than safety.cooldown ago; {seconds} s left");
                return Err(Shut { why, after: Some(left) });
            }
        }
        if let Some((times, until)) = lasting(&same, safety, now) {
            self.given_up.insert(purpose);
            let why = format!(
                "given up: carried out {times} times within safety.fight_window, and undone each time; find out by what \
                 (Terraform?). Holdfast tries again in {} min; `holdfast apply` does it now",
                until.as_secs().div_ceil(60)
            );
            return Err(Shut {
                why,
                after: Some(until),
            });
        }
        self.given_up.remove(&purpose);
        self.spend(action, safety, interval, now)
    }

    /// The budget: so many corrections begun in any stretch of time as long as a sweep's interval.
    fn spend(
        &mut self,
        action: &PlannedAction,
        safety: &Safety,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), Shut> {
        let mut begun: Vec<Duration> = self
            .attempts
            .values()
            .map(|a| age(a.begun_at, now))
            .filter(|passed| *passed < interval)
            .collect();
        begun.sort();
        let most = usize::try_from(safety.max_actions_per_sweep).unwrap_or(usize::MAX);
        if begun.len() + self.reserved.len() >= most {
            // Room comes when the oldest of the latest `most` is past.
            let after = most
                .checked_sub(1)
                .and_then(|i| begun.get(i))
                .map(|a| interval.saturating_sub(*a));
            let why = format!(
                "waits for the next sweep: safety.max_actions_per_sweep is {}",
                safety.max_actions_per_sweep
            );
            return Err(Shut { why, after });
        }
        self.reserved.insert(action.id.clone());
        Ok(())
    }

    /// Corrections that were given up, without who undid them.
    pub fn fights(&self, safety: &Safety, now: Timestamp) -> Vec<Fight> {
        let mut fights: BTreeMap<String, Fight> = BTreeMap::new();
        for attempt in self
            .attempts
            .values()
            .filter(|a| took_effect(a) && age(a.begun_at, now) < safety.fight_window)
        {
            let purpose = attempt.action.action.purpose();
            if !self.given_up.contains(&purpose) {
                continue;
            }
            let fight = fights.entry(purpose).or_insert_with(|| Fight {
                workload: attempt.action.workload.clone(),
                resource: attempt.action.resource.clone(),
                rules: attempt.action.rules.clone(),
                change: attempt.action.change.clone(),
                times: 0,
                since: attempt.begun_at,
                principals: vec![],
            });
            fight.times += 1;
            fight.since = fight.since.min(attempt.begun_at);
        }
        fights.into_values().collect()
    }
}

/// How often, and how long to leave it alone, if something undoes it again and again.
fn lasting(same: &[&Attempt], safety: &Safety, now: Timestamp) -> Option<(usize, Duration)> {
    let mut ages: Vec<Duration> = same
        .iter()
        .filter(|a| took_effect(a))
        .map(|a| age(a.begun_at, now))
        .filter(|passed| *passed < safety.fight_window)
        .collect();
    ages.sort();
    let most = usize::try_from(safety.fight_threshold).unwrap_or(usize::MAX);
    let oldest = ages.get(most.checked_sub(1)?)?;
    Some((ages.len(), safety.fight_window.saturating_sub(*oldest)))
}

/// Whether it changed something, even if that was taken back since.
fn took_effect(attempt: &Attempt) -> bool {
    matches!(
        attempt.outcome,
        Some(Ended::Verified | Ended::Applied | Ended::Reverted)
    )
}

fn age(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).max(jiff::SignedDuration::ZERO).unsigned_abs()
}
