//! What must hold at each call, each effect and each line of the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::action::{Action, RollBack, RollOut};
use holdfast_core::config::Config;
use holdfast_core::evaluate::evaluate;
use holdfast_core::model::key::Scope;
use holdfast_core::model::read_error::is_uncertain;
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::plan::plan;
use holdfast_operator::attempt::{Attempt, Outcome};
use holdfast_operator::lease::MemoryStore;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::bounds::{MAX_CLOCK_SKEW, MAX_READ_AGE, MAX_STALENESS};
use crate::timeline::Timeline;
use crate::world::{ATTEMPT, Call, UNTAGGED, World};

/// By how much two processes may disagree on how long ago something was. Their clocks differ by up to 2 × 2 s, and a line
/// reaches the ledger up to 3 s after the time that it carries; one more second to spare.
const SLACK: Duration = Duration::from_secs(2 * MAX_CLOCK_SKEW.as_secs() + 4);

/// An attempt as the ledger has it.
pub struct KnownAttempt {
    pub attempt: Attempt,
    /// When its first line was written.
    first_line: Instant,
    /// Whether a call of it was made.
    called: bool,
}

/// What a process read last of a workload.
struct LastRead {
    at: Instant,
    /// The clock of the process at that instant.
    clock: Timestamp,
    snapshot: Snapshot,
}

/// Why Holdfast may not correct a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Restraint {
    /// Its resources have no tag.
    Untagged,
    /// Its tags ask for mode `audit`.
    Audit,
    /// It migrates, so its database may stay public.
    Migrating,
}

pub struct Invariants {
    config: Arc<Config>,
    leases: MemoryStore,
    pub attempts: BTreeMap<String, KnownAttempt>,
    /// By process, scope and workload.
    last_reads: BTreeMap<(String, Scope, String), LastRead>,
    /// When each process last read that the kill switch lets it go on.
    switch_reads: BTreeMap<String, Instant>,
    /// How many calls for a target have no answer (yet).
    unanswered: BTreeMap<(Scope, String), usize>,
    /// When a call last changed a target.
    changed: BTreeMap<(Scope, String), Instant>,
    /// Since when a workload is under a restraint.
    pub restraints: BTreeMap<(Scope, String, Restraint), Instant>,
    /// When a workload was tagged again. Reads may then show some of its resources with the tag and some without.
    pub tagged_again: BTreeMap<(Scope, String), Instant>,
    pub calls: usize,
    pub effects: usize,
}

impl Invariants {
    pub fn new(config: Arc<Config>, leases: MemoryStore) -> Self {
        Self {
            config,
            leases,
            attempts: BTreeMap::new(),
            last_reads: BTreeMap::new(),
            switch_reads: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            changed: BTreeMap::new(),
            restraints: BTreeMap::new(),
            tagged_again: BTreeMap::new(),
            calls: 0,
            effects: 0,
        }
    }

    pub fn on_read(&mut self, by: &str, workload: &str, snapshot: &Snapshot, clock: Timestamp) {
        let read = LastRead {
            at: Instant::now(),
            clock,
            snapshot: snapshot.clone(),
        };
        let key = (by.to_owned(), snapshot.scope.clone(), workload.to_owned());
        self.last_reads.insert(key, read);
    }

    pub fn on_switch_read(&mut self, by: &str, goes_on: bool) {
        if goes_on {
            self.switch_reads.insert(by.to_owned(), Instant::now());
        }
    }

    /// A process sends a call.
    pub fn on_call(&mut self, by: &str, call: &Call, timeline: &Timeline) -> Result<(), String> {
        let scope = &timeline.now().scope;
        let allowed = self.allows_call(by, call, timeline);
        self.calls += 1;
        for known in self.attempts.values_mut() {
            if known.attempt.is_open()
                && known.attempt.scope() == scope
                && belongs(call, &known.attempt, timeline.now())
            {
                known.called = true;
            }
        }
        let key = (scope.clone(), call.target());
        *self.unanswered.entry(key).or_default() += 1;
        allowed.map_err(|why| format!("{by} in {scope}: {why}: {call:?}"))
    }

    fn allows_call(&self, by: &str, call: &Call, timeline: &Timeline) -> Result<(), String> {
        let scope = &timeline.now().scope;
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
        let attempts = self.attempts.values().map(|known| &known.attempt);
        let attempt = attempts
            .filter(|a| a.is_open() && a.scope() == scope)
            .rfind(|a| belongs(call, a, timeline.now()))
            .ok_or("a call of no attempt that is open in the ledger")?;
        let is_first = match (call, &attempt.action.action) {
            (Call::Correct(_) | Call::Register { .. }, _) => true,
            (Call::Update { revision, .. }, Action::RollBack(RollBack { to, .. })) => revision == to,
            _ => false,
        };
        if is_first {
            self.allows_attempt(by, attempt, timeline.now())?;
        }
        match call {
            Call::Update {
                cluster,
                service,
                revision,
            } => allows_update(timeline, attempt, cluster, service, revision),
            _ => Ok(()),
        }
    }

    /// What holds for the first call of an attempt.
    fn allows_attempt(&self, by: &str, attempt: &Attempt, world: &World) -> Result<(), String> {
        let (scope, workload) = (&world.scope, &attempt.action.workload);
        let key = (by.to_owned(), scope.clone(), workload.clone());
        let read = self.last_reads.get(&key).ok_or("a call without a read")?;
        if read.at.elapsed() > MAX_READ_AGE {
            return Err(format!("a call on a read of {:?} ago", read.at.elapsed()));
        }
        let only = std::iter::once(workload.clone()).collect();
        let evaluation = evaluate(&read.snapshot, &self.config, read.clock, Some(&only));
        let planned = plan(scope, &evaluation, &self.config, read.clock);
        if !planned.actions.iter().any(|a| a.action == attempt.action.action) {
            return Err("a call that the last read does not plan".into());
        }
        if !self.config.safety.allow_risk.contains(&attempt.action.risk) {
            return Err("a call of a risk that is not allowed".into());
        }
        // A process acts in several scopes at once, and each attempt reads the switch itself before its call.
        let allowed = self.switch_reads.get(by).map(Instant::elapsed);
        if allowed.is_none_or(|age| age >= MAX_READ_AGE) {
            return Err(format!(
                "a call although the kill switch last allowed one {allowed:?} ago"
            ));
        }
        self.saw_service(attempt, read, world)?;
        for restraint in [Restraint::Untagged, Restraint::Audit, Restraint::Migrating] {
            let applies =
                restraint != Restraint::Migrating || matches!(attempt.action.action, Action::ClosePublicAccess(_));
            let since = self.restraints.get(&(scope.clone(), workload.clone(), restraint));
            if applies && since.is_some_and(|at| at.elapsed() > MAX_READ_AGE + MAX_STALENESS) {
                return Err(format!("a call although the workload is under {restraint:?}"));
            }
        }
        Ok(())
    }

    /// An attempt that closes a path to a database needs a read of the service that uses it: one that was not seen might
    /// be cut off.
    fn saw_service(&self, attempt: &Attempt, read: &LastRead, world: &World) -> Result<(), String> {
        let workload = &attempt.action.workload;
        let age = read.clock.duration_since(attempt.begun_at).unsigned_abs();
        let closes_path = matches!(
            attempt.action.action,
            Action::ClosePublicAccess(_) | Action::RevokeIngress(_)
        );
        let exists = world.services.values().any(|s| s.name == *workload);
        let mut seen = read.snapshot.services.iter().flat_map(|m| m.values());
        let key = (world.scope.clone(), workload.clone());
        let untagged = (world.scope.clone(), workload.clone(), Restraint::Untagged);
        let may_be_unseen = self.restraints.contains_key(&untagged)
            || self
                .tagged_again
                .get(&key)
                // A call whose answer was lost is repeated as it was decided when the attempt began.
                .is_some_and(|at| at.elapsed() < MAX_READ_AGE + age);
        if closes_path && exists && !may_be_unseen && !seen.any(|s| s.tags.workload("holdfast:") == Some(workload)) {
            return Err("a call that closes a path, without a read of the service".into());
        }
        Ok(())
    }

    /// AWS executed a call.
    pub fn on_effect(
        &mut self,
        call: &Call,
        before: &World,
        after: &World,
        no_change: bool,
        now: Timestamp,
    ) -> Result<(), String> {
        let scope = &after.scope;
        if no_change {
            return if self.may_repeat(call, after, now) {
                Ok(())
            } else {
                Err(format!(
                    "{scope}: a call that changes nothing, although its effect was visible: {call:?}"
                ))
            };
        }
        if let Call::Deregister { revision } = call
            && before.services.values().any(|s| s.task_definition == *revision)
        {
            return Err(format!("{scope}: a service runs what is deregistered: {call:?}"));
        }
        self.effects += 1;
        self.changed.insert((scope.clone(), call.target()), Instant::now());
        if let Call::Register { attempt, .. } | Call::RegisterTwin { attempt, .. } = call
            && before
                .definitions
                .values()
                .any(|d| d.tags.0.get(ATTEMPT) == Some(attempt))
        {
            return Err(format!("{scope}: a second revision for {attempt}"));
        }
        Ok(())
    }

    /// AWS refused a call.
    pub fn on_refusal(&self, call: &Call, world: &World, now: Timestamp) -> Result<(), String> {
        let revokes = matches!(call, Call::Correct(Action::RevokeIngress(_)));
        if revokes && !self.may_repeat(call, world, now) {
            return Err(format!(
                "{}: a call revokes a rule that was visibly gone: {call:?}",
                world.scope
            ));
        }
        Ok(())
    }

    /// Whether the process could not know that the effect is there already: an answer was lost, or reads are stale.
    fn may_repeat(&self, call: &Call, world: &World, now: Timestamp) -> bool {
        let key = (world.scope.clone(), call.target());
        // One of them is this call itself.
        let is_unknown = self.unanswered.get(&key).is_some_and(|n| *n > 1);
        let is_recent = self.changed.get(&key).is_some_and(|at| at.elapsed() < MAX_READ_AGE);
        is_unknown || is_recent || is_new_deployment(call, world, now)
    }

    /// A process that still runs gets an answer.
    pub fn on_answer(&mut self, scope: &Scope, call: &Call, answer: &Read<Option<String>>) {
        let is_certain = answer.as_ref().err().is_none_or(|e| !is_uncertain(e));
        let key = (scope.clone(), call.target());
        if let (true, Some(n)) = (is_certain, self.unanswered.get_mut(&key)) {
            *n = n.saturating_sub(1);
        }
    }

    /// The ledger stores an attempt.
    pub fn on_ledger_write(&mut self, by: &str, attempt: &Attempt) -> Result<(), String> {
        if let Some(known) = self.attempts.get_mut(&attempt.id) {
            let reopened = !known.attempt.is_open() && attempt.is_open();
            known.attempt = attempt.clone();
            return if reopened {
                Err(format!("{} had ended and is open again", attempt.id))
            } else {
                Ok(())
            };
        }
        // An attempt whose first line says that it was refused did not begin: an earlier line that failed said so.
        let allowed = if attempt.is_open() {
            self.allows_new(attempt)
        } else {
            Ok(())
        };
        let known = KnownAttempt {
            attempt: attempt.clone(),
            first_line: Instant::now(),
            called: false,
        };
        self.attempts.insert(attempt.id.clone(), known);
        allowed.map_err(|why| format!("{by} begins {}: {why}", attempt.id))
    }

    /// The budget of a sweep, the cooldown, the limit of repetitions, and one attempt of a target at a time.
    fn allows_new(&self, new: &Attempt) -> Result<(), String> {
        let safety = &self.config.safety;
        let in_scope = || self.attempts.values().filter(|k| k.attempt.scope() == new.scope());
        let interval = self.config.sweep.interval.saturating_sub(SLACK);
        let begun = in_scope()
            .filter(|k| k.called && k.first_line.elapsed() < interval)
            .count()
            + 1;
        if begun > safety.max_actions_per_sweep as usize {
            return Err(format!("{begun} corrections were begun within {interval:?}"));
        }
        let purpose = new.action.action.purpose();
        let same = || {
            in_scope()
                .filter(|k| k.attempt.action.action.purpose() == purpose && k.attempt.outcome != Some(Outcome::Refused))
        };
        let age = |at: Timestamp| new.begun_at.duration_since(at).unsigned_abs();
        if let Some(last) = same().map(|k| age(k.attempt.updated_at)).min()
            && last < safety.cooldown.saturating_sub(SLACK)
        {
            return Err(format!("the last correction for `{purpose}` is {last:?} old"));
        }
        let window = safety.fight_window.saturating_sub(SLACK);
        let times = same()
            .filter(|k| took_effect(&k.attempt) && k.first_line.elapsed() < window)
            .count();
        if times >= safety.fight_threshold as usize {
            return Err(format!("`{purpose}` was undone {times} times and is corrected again"));
        }
        let target = new.action.action.target();
        let busy = in_scope().find(|k| k.attempt.is_open() && k.attempt.action.action.target() == target);
        busy.map_or(Ok(()), |k| Err(format!("{} is still under way", k.attempt.id)))
    }
}

/// Whether the attempt ended with its correction made.
pub fn took_effect(attempt: &Attempt) -> bool {
    matches!(
        attempt.outcome,
        Some(Outcome::Verified | Outcome::Applied | Outcome::Reverted)
    )
}

/// Whether anyone gave the service its revision so recently that a read may not show it.
fn is_new_deployment(call: &Call, world: &World, now: Timestamp) -> bool {
    let Call::Update { cluster, service, .. } = call else {
        return false;
    };
    let service = world.services.get(&world.service_arn(cluster, service));
    let began = service.and_then(|s| s.deployments.first()?.created_at);
    began.is_some_and(|at| now.duration_since(at).unsigned_abs() < MAX_READ_AGE)
}

/// What the tag of a twin of the base says.
fn twin_of(attempt: &Attempt) -> String {
    format!("{}-back", attempt.id)
}

/// Whether `revision` is one that `attempt` may go back to: the base, or the twin of it.
fn is_way_back(revision: &str, base: &str, attempt: &Attempt, world: &World) -> bool {
    let twin = world.definitions.get(revision).and_then(|d| d.tags.0.get(ATTEMPT));
    revision == base || twin == Some(&twin_of(attempt))
}

/// The cluster, the service and the base of a rollout.
fn rollout(attempt: &Attempt) -> Option<(&str, &str, &str)> {
    match &attempt.action.action {
        Action::RollOut(RollOut {
            cluster, service, base, ..
        }) => Some((cluster, service, base)),
        Action::RollBack(RollBack {
            cluster, service, from, ..
        }) => Some((cluster, service, from)),
        _ => None,
    }
}

/// Whether `call` is one of the calls of `attempt`.
fn belongs(call: &Call, attempt: &Attempt, world: &World) -> bool {
    match (call, &attempt.action.action) {
        (Call::Correct(action), planned) => action == planned,
        (
            Call::RegisterTwin {
                base,
                workload,
                attempt: id,
            },
            _,
        ) => {
            let from = rollout(attempt).map(|(_, _, from)| from);
            *id == twin_of(attempt) && from == Some(base) && *workload == attempt.action.workload
        }
        (Call::Deregister { revision }, Action::RollOut(_)) => Some(revision) == attempt.revision.as_ref(),
        (Call::Stop { deployment }, _) => rollout(attempt).is_some_and(|(cluster, service, _)| {
            world.deployed.get(deployment) == Some(&world.service_arn(cluster, service))
        }),
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
        ) => {
            let is_own = Some(revision) == attempt.revision.as_ref();
            cluster == c && service == s && (is_own || is_way_back(revision, base, attempt, world))
        }
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
        ) => cluster == c && service == s && (revision == to || is_way_back(revision, from, attempt, world)),
        _ => false,
    }
}

/// A call may replace only a revision of its own attempt. It may be too late to see that someone else deployed another one:
/// the read is up to 20 s stale, and as much again passes until the call arrives.
fn allows_update(
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
    if timeline.since(MAX_STALENESS * 2).any(|world| of_attempt(&runs(world))) {
        return Ok(());
    }
    let running = runs(timeline.now());
    Err(format!("{revision} would replace {running:?}, which is someone else's"))
}
