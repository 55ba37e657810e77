//! What stands between a plan and a correction in the unattended loop: the budget, the cooldown, giving up a fight,
//! and one correction of a resource at a time. All of it follows from the attempts that the ledger holds, so that it
//! outlives the process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::attempt::{Attempt, Outcome};
use crate::clock::passed;
use holdfast_core::config::settings::Safety;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::resources::Fight;
use holdfast_core::plan::PlannedAction;

/// Why an action may not be carried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deferral {
    /// One sentence.
    pub reason: HoldReason,
    /// When it is worth looking again; absent where something else will tell.
    pub after: Option<Duration>,
}

/// What was done in one scope.
#[derive(Default)]
pub(super) struct AttemptHistory {
    attempts: BTreeMap<String, Attempt>,
    /// Actions let through whose attempts are not known yet.
    reserved: BTreeSet<String>,
    /// Purposes that were asked for again although they had been carried out too often.
    given_up: BTreeSet<String>,
}

impl AttemptHistory {
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

    /// Takes back what [`AttemptHistory::admit`] let through and did not begin.
    pub fn withdraw(&mut self, action: &PlannedAction) {
        self.reserved.remove(&action.id);
    }

    /// Forgets what no gate asks about any more.
    pub fn prune(&mut self, safety: &Safety, interval: Duration, now: Timestamp) {
        let keep = safety.fight_window.max(safety.cooldown).max(interval);
        self.attempts
            .retain(|_, a| a.is_open() || passed(a.begun_at, now) < keep);
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
    pub fn admit(
        &mut self,
        action: &PlannedAction,
        safety: &Safety,
        interval: Duration,
        now: Timestamp,
    ) -> Result<(), Deferral> {
        let target = action.action.target();
        let busy = self.open().find(|a| a.action.action.target() == target);
        if let Some(other) = busy {
            let reason = HoldReason::UnderWay(other.action.change.clone());
            return Err(Deferral { reason, after: None });
        }
        let purpose = action.action.purpose();
        let same: Vec<&Attempt> = self
            .attempts
            .values()
            .filter(|a| a.action.action.purpose() == purpose && a.outcome != Some(Outcome::Refused))
            .collect();
        if let Some(last) = same.iter().map(|a| a.updated_at.max(a.begun_at)).max() {
            let left = safety.cooldown.saturating_sub(passed(last, now));
            if !left.is_zero() {
                let reason = HoldReason::Cooldown(left.as_secs());
                return Err(Deferral {
                    reason,
                    after: Some(left),
                });
            }
        }
        if let Some((times, until)) = lasting(&same, safety, now) {
            self.given_up.insert(purpose);
            let reason = HoldReason::Fight {
                times,
                minutes: until.as_secs().div_ceil(60),
            };
            return Err(Deferral {
                reason,
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
    ) -> Result<(), Deferral> {
        let mut begun: Vec<Duration> = self
            .attempts
            .values()
            .filter(|a| a.outcome != Some(Outcome::Refused))
            .map(|a| passed(a.begun_at, now))
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
            let reason = HoldReason::BudgetSpent(safety.max_actions_per_sweep);
            return Err(Deferral { reason, after });
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
            .filter(|a| took_effect(a) && passed(a.begun_at, now) < safety.fight_window)
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
        .map(|a| passed(a.begun_at, now))
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
        Some(Outcome::Verified | Outcome::Applied | Outcome::Reverted)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::action::{Action, ClosePublicAccess, RevokeIngress};
    use holdfast_core::finding::{Kind, ResourceRef};
    use holdfast_core::model::key::Scope;
    use holdfast_core::model::policy::{Risk, Severity};
    use holdfast_core::model::resources::{IngressRule, Source};

    const INTERVAL: Duration = Duration::from_mins(5);

    fn at(minutes: i64) -> Timestamp {
        let start: Timestamp = "2026-11-21T08:00:00Z".parse().expect("an instant");
        start + jiff::SignedDuration::from_mins(minutes)
    }

    fn planned(action: Action) -> PlannedAction {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        PlannedAction {
            id: holdfast_core::plan::action_id(&scope, &action),
            workload: "shop".into(),
            rules: vec!["rds-public-access".into()],
            findings: vec!["f".into()],
            severity: Severity::Critical,
            resource: ResourceRef::new(Kind::RdsDbInstance, "shop-db", "arn:shop-db", &scope),
            change: action.describe(),
            risk: Risk::Brief,
            preconditions: vec![],
            calls: action.calls(),
            action,
            scope,
        }
    }

    fn close(instance: &str) -> PlannedAction {
        let instance = instance.to_owned();
        planned(Action::ClosePublicAccess(ClosePublicAccess { instance }))
    }

    fn revoke(id: &str) -> PlannedAction {
        let rule = IngressRule {
            id: id.into(),
            protocol: "tcp".into(),
            from_port: Some(5432),
            to_port: Some(5432),
            source: Source::Cidr("0.0.0.0/0".parse().expect("a block")),
        };
        planned(Action::RevokeIngress(RevokeIngress {
            group: "sg-1".into(),
            rule,
        }))
    }

    fn ended(action: PlannedAction, minutes: i64, outcome: Option<Outcome>) -> Attempt {
        let mut attempt = Attempt::new(action, "r", 0, at(minutes));
        attempt.outcome = outcome;
        attempt
    }

    fn reason(past: &mut AttemptHistory, action: &PlannedAction, minutes: i64) -> (String, Option<u64>) {
        let shut = past
            .admit(action, &Safety::default(), INTERVAL, at(minutes))
            .expect_err("shut");
        (shut.reason.to_string(), shut.after.map(|d| d.as_secs() / 60))
    }

    #[test]
    fn the_cooldown_ends_by_itself() {
        let mut past = AttemptHistory::new(vec![ended(close("shop-db"), 0, Some(Outcome::Failed))]);
        let (told, after) = reason(&mut past, &close("shop-db"), 4);
        assert!(told.contains("safety.cooldown"), "{told}");
        assert_eq!(after, Some(6));
        assert_eq!(
            past.admit(&close("till-db"), &Safety::default(), INTERVAL, at(4)),
            Ok(())
        );
        assert_eq!(
            past.admit(&close("shop-db"), &Safety::default(), INTERVAL, at(10)),
            Ok(())
        );
    }

    #[test]
    fn one_correction_of_a_target_at_a_time() {
        let mut past = AttemptHistory::new(vec![ended(close("shop-db"), 0, None)]);
        assert!(reason(&mut past, &close("shop-db"), 60).0.contains("is under way"));
    }

    #[test]
    fn a_rule_made_anew_is_the_same_fight() {
        let done = |n: i64| ended(revoke(&format!("sgr-{n}")), n * 20, Some(Outcome::Verified));
        let mut past = AttemptHistory::new(vec![done(0), done(1), done(2)]);
        let (told, after) = reason(&mut past, &revoke("sgr-9"), 60);
        assert!(told.contains("given up: carried out 3 times"), "{told}");
        assert_eq!(after, Some(23 * 60), "until the first of the three is a day old");
        let fights = past.fights(&Safety::default(), at(60));
        assert_eq!((fights.len(), fights[0].times, fights[0].since), (1, 3, at(0)));
        // Calls that failed changed nothing: nobody undid them.
        let failed = |n: i64| ended(revoke("sgr-1"), n * 20, Some(Outcome::Failed));
        let mut past = AttemptHistory::new(vec![failed(0), failed(1), failed(2)]);
        assert_eq!(
            past.admit(&revoke("sgr-1"), &Safety::default(), INTERVAL, at(60)),
            Ok(())
        );
    }

    #[test]
    fn the_budget_holds_over_any_interval_and_over_a_restart() {
        let safety = Safety {
            max_actions_per_sweep: 2,
            ..Safety::default()
        };
        let mut past = AttemptHistory::new(vec![ended(close("a"), 0, Some(Outcome::Verified))]);
        assert_eq!(past.admit(&close("b"), &safety, INTERVAL, at(2)), Ok(()));
        let shut = past.admit(&close("c"), &safety, INTERVAL, at(2)).expect_err("spent");
        assert!(
            shut.reason.to_string().contains("max_actions_per_sweep is 2"),
            "{}",
            shut.reason
        );
        // What was let through and not begun counts no more.
        past.withdraw(&close("b"));
        assert_eq!(past.admit(&close("c"), &safety, INTERVAL, at(2)), Ok(()));
        past.put(ended(close("c"), 2, None));
        let shut = past.admit(&close("d"), &safety, INTERVAL, at(3)).expect_err("spent");
        assert_eq!(shut.after, Some(Duration::from_mins(2)), "when the first is past");
        assert_eq!(past.admit(&close("d"), &safety, INTERVAL, at(5)), Ok(()));
    }
}
