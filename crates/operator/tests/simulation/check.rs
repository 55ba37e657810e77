//! What must hold at each write, at each effect, and at each line of the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_core::action::{Action, RollBack, RollOut};
use holdfast_core::evaluate::evaluate;
use holdfast_core::model::key::Scope;
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::plan::plan;
use holdfast_operator::attempt::{Attempt, Outcome};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::process::SKEW;
use crate::sim::{STALEST, Sim, State, Timeline};
use crate::world::{ATTEMPT, Call, UNTAGGED, World};

/// How old what a write rests on may be: a read, the time until it is evaluated, and what lies between that and the
/// call.
const OLDEST: Duration = Duration::from_mins(1);

/// An attempt as the ledger told of it.
pub struct Cache {
    pub attempt: Attempt,
    /// When it was written first.
    pub first: Instant,
    /// Whether a call of it was made.
    pub called: bool,
}

pub struct Observation {
    at: Instant,
    clock: Timestamp,
    snapshot: Snapshot,
}

#[derive(Default)]
pub struct Checks {
    pub attempts: BTreeMap<String, Cache>,
    /// The last look of a process at a workload.
    looks: BTreeMap<(String, Scope, String), Observation>,
    /// When a process last read the kill switch, and whether it let things go on.
    switch: BTreeMap<String, (Instant, bool)>,
    /// Calls by scope and target whose answer did not come (yet).
    unanswered: BTreeMap<(Scope, String), usize>,
    /// Since when a target is as it should be, as far as a call made it so.
    done_since: BTreeMap<(Scope, String), Instant>,
    /// Since when something forbids corrections of a workload: `untagged`, `audit`, `migrating`.
    pub forbidden: BTreeMap<(Scope, String, &'static str), Instant>,
    /// When a workload was tagged again: its parts may be seen one after the other.
    pub tagged: BTreeMap<(Scope, String), Instant>,
    pub writes: usize,
    pub effects: usize,
}

impl Sim {
    pub fn looked(&self, by: &str, workload: &str, snapshot: &Snapshot, clock: Timestamp) {
        let look = Observation {
            at: Instant::now(),
            clock,
            snapshot: snapshot.clone(),
        };
        let key = (by.to_owned(), snapshot.scope.clone(), workload.to_owned());
        self.state().checks.looks.insert(key, look);
    }

    pub fn switch_read(&self, by: &str, goes_on: bool) {
        let read = (Instant::now(), goes_on);
        self.state().checks.switch.insert(by.to_owned(), read);
    }

    /// A process makes a call.
    pub fn calls(&self, state: &mut State, by: &str, scope: &Scope, call: &Call) {
        self.note(state, &format!("{scope} {by} calls {call:?}"));
        state.checks.writes += 1;
        if let Err(why) = self.may(state, by, scope, call) {
            self.fail(state, &format!("{by} in {scope}: {why}: {call:?}"));
        }
        let concerned = state.checks.attempts.values_mut();
        for known in
            concerned.filter(|k| k.attempt.is_open() && k.attempt.scope() == scope && belongs(call, &k.attempt))
        {
            known.called = true;
        }
        let key = (scope.clone(), call.target());
        *state.checks.unanswered.entry(key).or_default() += 1;
    }

    fn may(&self, state: &State, by: &str, scope: &Scope, call: &Call) -> Result<(), String> {
        if format!("{call:?}").contains(UNTAGGED) {
            return Err("a call to change what is not tagged".into());
        }
        if let Some(lease) = self.leases.lease(scope)
            && lease.owner.as_deref() != Some(by)
        {
            return Err(format!(
                "a call although the lease is held by {:?} (token {})",
                lease.owner, lease.token
            ));
        }
        let mut open = state
            .checks
            .attempts
            .values()
            .map(|k| &k.attempt)
            .filter(|a| a.is_open() && a.scope() == scope);
        let attempt = open
            .rfind(|a| belongs(call, a))
            .ok_or("a call of no attempt that is open in the ledger")?;
        let is_first = match (call, &attempt.action.action) {
            (Call::Correct(_) | Call::Register { .. }, _) => true,
            (Call::Update { revision, .. }, Action::RollBack(RollBack { to, .. })) => revision == to,
            (Call::Update { .. }, _) => false,
        };
        if is_first {
            self.may_begin(state, by, scope, attempt)?;
        }
        match call {
            Call::Update {
                cluster,
                service,
                revision,
            } => may_update(&state.worlds[scope], attempt, cluster, service, revision),
            _ => Ok(()),
        }
    }

    /// What holds for the first call of an attempt.
    fn may_begin(&self, state: &State, by: &str, scope: &Scope, attempt: &Attempt) -> Result<(), String> {
        let workload = &attempt.action.workload;
        let checks = &state.checks;
        let key = (by.to_owned(), scope.clone(), workload.clone());
        let look = checks.looks.get(&key).ok_or("a call without a look")?;
        if look.at.elapsed() > OLDEST {
            return Err(format!("a call on a look of {:?} ago", look.at.elapsed()));
        }
        let only = std::iter::once(workload.clone()).collect();
        let evaluation = evaluate(&look.snapshot, &self.config, look.clock, Some(&only));
        let planned = plan(scope, &evaluation, &self.config, look.clock);
        if !planned.actions.iter().any(|a| a.action == attempt.action.action) {
            return Err("a call that the last look does not plan".into());
        }
        if !self.config.safety.allow_risk.contains(&attempt.action.risk) {
            return Err("a call of a risk that is not allowed".into());
        }
        match checks.switch.get(by) {
            Some((at, true)) if at.elapsed() < OLDEST => {}
            other => return Err(format!("a call although the kill switch was last read as {other:?}")),
        }
        // What it rests on was seen: a service that is not known to be there might be cut off.
        let rests_on_services = matches!(
            attempt.action.action,
            Action::ClosePublicAccess { .. } | Action::RevokeIngress { .. }
        );
        let seen = look.snapshot.services.iter().flat_map(|m| m.values());
        let seen_one = seen.filter(|s| s.tags.workload("holdfast:") == Some(workload)).count() > 0;
        let there = state.worlds[scope].now().services.values().any(|s| s.name == *workload);
        let untagged = checks
            .forbidden
            .contains_key(&(scope.clone(), workload.clone(), "untagged"));
        let back = (scope.clone(), workload.clone());
        let just_tagged = checks.tagged.get(&back).is_some_and(|at| at.elapsed() < OLDEST);
        if rests_on_services && there && !seen_one && !untagged && !just_tagged {
            return Err("a call that cuts paths, without having seen the service".into());
        }
        for what in ["untagged", "audit", "migrating"] {
            let since = checks.forbidden.get(&(scope.clone(), workload.clone(), what));
            let concerns = what != "migrating" || matches!(attempt.action.action, Action::ClosePublicAccess { .. });
            if concerns && since.is_some_and(|at| at.elapsed() > OLDEST + STALEST) {
                return Err(format!("a call although the workload is {what}"));
            }
        }
        Ok(())
    }

    /// A call was carried out.
    pub fn took_effect(&self, state: &mut State, scope: &Scope, call: &Call, before: &World, no_change: bool) {
        state.checks.effects += usize::from(!no_change);
        let key = (scope.clone(), call.target());
        if no_change && !self.may_repeat(state, scope, call) {
            self.fail(
                state,
                &format!("{scope}: a call that changes nothing, although its effect was to be seen: {call:?}"),
            );
        }
        if let Call::Register { attempt, .. } = call
            && before
                .definitions
                .values()
                .any(|d| d.tags.0.get(ATTEMPT) == Some(attempt))
        {
            self.fail(state, &format!("{scope}: a second revision for {attempt}"));
        }
        if !no_change {
            state.checks.done_since.insert(key, Instant::now());
        }
    }

    /// AWS refused a call.
    pub fn refused(&self, state: &mut State, scope: &Scope, call: &Call) {
        let gone = matches!(call, Call::Correct(Action::RevokeIngress { .. }));
        if gone && !self.may_repeat(state, scope, call) {
            self.fail(
                state,
                &format!("{scope}: a rule is revoked that was gone long ago: {call:?}"),
            );
        }
    }

    /// Whether it need not have been seen yet that the effect is there: an answer was lost, or reads were stale.
    fn may_repeat(&self, state: &State, scope: &Scope, call: &Call) -> bool {
        let key = (scope.clone(), call.target());
        let lost = state.checks.unanswered.get(&key).copied().unwrap_or_default() > 1;
        let fresh = state
            .checks
            .done_since
            .get(&key)
            .is_some_and(|at| at.elapsed() < OLDEST);
        lost || fresh || self.is_new_deployment(state, scope, call)
    }

    /// Whether the service was given what it runs so lately, by anyone, that a read may not show it.
    fn is_new_deployment(&self, state: &State, scope: &Scope, call: &Call) -> bool {
        let Call::Update { cluster, service, .. } = call else {
            return false;
        };
        let world = state.worlds[scope].now();
        let service = world.services.get(&world.service_arn(cluster, service));
        let began = service.and_then(|s| s.deployments.first()?.created_at);
        began.is_some_and(|at| self.now().duration_since(at).unsigned_abs() < OLDEST)
    }

    /// A process that lives got an answer.
    pub fn answered(&self, state: &mut State, scope: &Scope, call: &Call, told: &Read<Option<String>>) {
        let certain = told
            .as_ref()
            .err()
            .is_none_or(|e| !holdfast_core::model::read_error::is_uncertain(e));
        let key = (scope.clone(), call.target());
        if let (true, Some(n)) = (certain, state.checks.unanswered.get_mut(&key)) {
            *n = n.saturating_sub(1);
        }
        if let Err(e) = told {
            self.note(state, &format!("{scope} {}: told {}", call.target(), e.code));
        }
    }

    /// The ledger took an attempt.
    pub fn written(&self, by: &str, attempt: &Attempt) {
        let mut state = self.state();
        let how = attempt.outcome.map_or(attempt.step.as_str(), Outcome::as_str);
        self.note(
            &mut state,
            &format!("{by} writes {}: {how}: {}", attempt.id, attempt.detail),
        );
        let now = Instant::now();
        if let Some(known) = state.checks.attempts.get_mut(&attempt.id) {
            let reopened = !known.attempt.is_open() && attempt.is_open();
            known.attempt = attempt.clone();
            if reopened {
                self.fail(&mut state, &format!("{} had ended and is open again", attempt.id));
            }
            return;
        }
        // What is refused from its first line on was not begun: that line was to be written before, and perhaps was not.
        if attempt.is_open()
            && let Err(why) = self.may_count(&state, attempt)
        {
            self.fail(&mut state, &format!("{by} begins {}: {why}", attempt.id));
        }
        let known = Cache {
            attempt: attempt.clone(),
            first: now,
            called: false,
        };
        state.checks.attempts.insert(attempt.id.clone(), known);
    }

    /// Budget, cooldown and fights.
    fn may_count(&self, state: &State, new: &Attempt) -> Result<(), String> {
        let safety = &self.config.safety;
        let slack = SKEW * 2 + Duration::from_secs(4);
        let ours = || {
            state
                .checks
                .attempts
                .values()
                .filter(|k| k.attempt.scope() == new.scope())
        };
        let interval = self.config.sweep.interval.saturating_sub(slack);
        let begun = ours().filter(|k| k.called && k.first.elapsed() < interval).count() + 1;
        if begun > safety.max_actions_per_sweep as usize {
            return Err(format!("{begun} corrections were begun within {interval:?}"));
        }
        let purpose = new.action.action.purpose();
        let same = || {
            ours()
                .filter(|k| k.attempt.action.action.purpose() == purpose && k.attempt.outcome != Some(Outcome::Refused))
        };
        let age = |at: Timestamp| new.begun_at.duration_since(at).unsigned_abs();
        if let Some(last) = same().map(|k| age(k.attempt.updated_at)).min()
            && last < safety.cooldown.saturating_sub(slack)
        {
            return Err(format!("the last correction for `{purpose}` is {last:?} old"));
        }
        let took_effect = |k: &&Cache| {
            matches!(
                k.attempt.outcome,
                Some(Outcome::Verified | Outcome::Applied | Outcome::Reverted)
            )
        };
        let within = |k: &&Cache| k.first.elapsed() < safety.fight_window.saturating_sub(slack);
        let times = same().filter(took_effect).filter(within).count();
        if times >= safety.fight_threshold as usize {
            return Err(format!("`{purpose}` was undone {times} times and is corrected again"));
        }
        let busy =
            ours().find(|k| k.attempt.is_open() && k.attempt.action.action.target() == new.action.action.target());
        busy.map_or(Ok(()), |k| Err(format!("{} is still under way", k.attempt.id)))
    }
}

/// Whether `call` is one of the calls of `attempt`.
fn belongs(call: &Call, attempt: &Attempt) -> bool {
    match (call, &attempt.action.action) {
        (Call::Correct(action), planned) => action == planned,
        (
            Call::Register {
                base,
                changes,
                workload,
                attempt: id,
            },
            Action::RollOut(RollOut {
                base: from,
                changes: planned,
                ..
            }),
        ) => id == &attempt.id && base == from && changes == planned && workload == &attempt.action.workload,
        (
            Call::Update {
                cluster,
                service,
                revision,
            },
            Action::RollOut(RollOut {
                cluster: c,
                service: s,
                base,
                ..
            }),
        ) => cluster == c && service == s && (revision == base || Some(revision) == attempt.revision.as_ref()),
        (
            Call::Update {
                cluster,
                service,
                revision,
            },
            Action::RollBack(RollBack {
                cluster: c,
                service: s,
                from,
                to,
            }),
        ) => cluster == c && service == s && (revision == from || revision == to),
        _ => false,
    }
}

/// Nobody else's revision is overwritten, unless that came too late to be seen.
fn may_update(
    timeline: &Timeline,
    attempt: &Attempt,
    cluster: &str,
    service: &str,
    revision: &str,
) -> Result<(), String> {
    let (base, after) = match &attempt.action.action {
        Action::RollOut(RollOut { base, .. }) => (base, attempt.revision.as_ref()),
        Action::RollBack(RollBack { from, to, .. }) => (from, Some(to)),
        _ => return Ok(()),
    };
    let arn = timeline.now().service_arn(cluster, service);
    let runs = |world: &World| world.services.get(&arn).map(|s| s.task_definition.clone());
    let of_attempt = |running: &Option<String>| running.as_ref() == Some(base) || running.as_ref() == after;
    if timeline.versions(STALEST * 2).any(|world| of_attempt(&runs(world))) {
        return Ok(());
    }
    let running = runs(timeline.now());
    Err(format!("{revision} would replace {running:?}, which is someone else's"))
}
