//! What every ledger must do, whatever it is kept in: cases for the tests of each. Two handles at once stand for two
//! processes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case fails by panicking"
)]

use holdfast_core::action::{Action, ClosePublicAccess};
use holdfast_core::finding::{Kind, ResourceRef};
use holdfast_core::model::key::Scope;
use holdfast_core::model::policy::{Risk, Severity};
use holdfast_core::plan::PlannedAction;
use jiff::{SignedDuration, Timestamp};

use super::LONGEST_DETAIL;
use crate::attempt::{Attempt, FindingRecord, Outcome, Step};
use crate::ports::{Ledger, LedgerError};

mod runs;
pub use runs::{
    a_run_is_kept_as_it_is, a_run_only_grows, migration_run, runs_are_apart, runs_of_two_at_once,
    the_newest_runs_are_kept,
};

/// Hands the names of all cases of [`conformance`](crate::ledger::conformance) to another macro.
#[macro_export]
macro_rules! for_each_ledger_case {
    ($then:ident) => {
        $then! {
            begins_empty, an_attempt_is_kept_as_it_is, an_attempt_goes_on, a_later_lease_fences, attempts_are_in_order,
            open_ones_are_told_however_old, scopes_are_apart, a_sighting_is_written_once, resolved_is_not_open,
            many_sightings, history_is_newest_first, history_of_one_workload, any_name, long_details_are_cut, two_at_once,
            a_run_is_kept_as_it_is, a_run_only_grows, the_newest_runs_are_kept, runs_are_apart, runs_of_two_at_once,
        }
    };
}

/// An instant so many seconds after an arbitrary one.
pub fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-21T08:00:00.25Z".parse().expect("an instant");
    start + SignedDuration::from_secs(seconds)
}

/// A region of an account.
pub fn scope(region: &str) -> Scope {
    Scope {
        account: "123456789012".into(),
        region: region.into(),
    }
}

/// An attempt, begun at so many seconds, under a lease's token.
pub fn attempt(scope: &Scope, workload: &str, seconds: i64, fence: u64) -> Attempt {
    let action = Action::ClosePublicAccess(ClosePublicAccess {
        instance: format!("{workload}-db"),
    });
    let arn = scope.arn("rds", &format!("db:{workload}-db"));
    let planned = PlannedAction {
        id: format!("{:016x}", workload.chars().count()),
        scope: scope.clone(),
        workload: workload.into(),
        rules: vec!["rds-public-access".into()],
        findings: vec!["0123456789abcdef".into()],
        severity: Severity::Critical,
        resource: ResourceRef::new(Kind::RdsDbInstance, format!("{workload}-db"), arn, scope),
        change: format!("{workload}-db: PubliclyAccessible true → false"),
        risk: Risk::Brief,
        preconditions: vec!["nobody needs it".into()],
        calls: action.calls(),
        action,
    };
    Attempt::new(planned, "host:1", fence, at(seconds))
}

/// An open finding, first seen at so many seconds.
pub fn sighting(scope: &Scope, workload: &str, finding: &str, seconds: i64) -> FindingRecord {
    FindingRecord {
        scope: scope.clone(),
        workload: workload.into(),
        finding: finding.into(),
        rule: "rds-public-access".into(),
        resource: ResourceRef::workload(workload, scope),
        message: format!("{workload}-db is publicly accessible"),
        first_seen: at(seconds),
        resolved_at: None,
    }
}

fn ended(attempt: &Attempt, seconds: i64, outcome: Outcome) -> Attempt {
    Attempt {
        step: Step::Called,
        updated_at: at(seconds),
        outcome: Some(outcome),
        detail: "seen to be so".into(),
        ..attempt.clone()
    }
}

fn resolved(sighting: &FindingRecord, seconds: i64) -> FindingRecord {
    FindingRecord {
        resolved_at: Some(at(seconds)),
        ..sighting.clone()
    }
}

async fn put(ledger: &dyn Ledger, attempts: &[&Attempt]) {
    for attempt in attempts {
        ledger.put(attempt).await.expect("put");
    }
}

async fn attempts(ledger: &dyn Ledger, scope: &Scope, since: i64) -> Vec<Attempt> {
    ledger.attempts(scope, at(since)).await.expect("attempts")
}

async fn open_findings(ledger: &dyn Ledger, scope: &Scope) -> Vec<FindingRecord> {
    ledger.open_findings(scope).await.expect("open findings")
}

/// A new ledger knows nothing.
pub async fn begins_empty(one: &dyn Ledger, _: &dyn Ledger) {
    let here = scope("us-east-1");
    assert_eq!(attempts(one, &here, -1_000_000).await, []);
    assert_eq!(open_findings(one, &here).await, []);
    one.record_findings(&[]).await.expect("nothing");
    for workload in [None, Some("shop")] {
        let history = one.history(workload, 50).await.expect("history");
        assert_eq!((history.attempts, history.records), (vec![], vec![]));
    }
}

/// What is written is read again as it was.
pub async fn an_attempt_is_kept_as_it_is(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let mut it = attempt(&here, "shop", 0, 7);
    it.begun_at = "2026-11-21T08:00:00.123456789Z".parse().expect("an instant");
    it.step = Step::GoingBack;
    it.revision = Some("arn:aws:ecs:us-east-1:123456789012:task-definition/shop:2".into());
    it.outcome = Some(Outcome::Reverted);
    it.detail = "a \"quoted\"\nsentence".into();
    put(one, &[&it]).await;
    assert_eq!(attempts(other, &here, -60).await, [it]);
}

/// An attempt is replaced by its own progress.
pub async fn an_attempt_goes_on(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let begun = attempt(&here, "shop", 0, 0);
    let called = Attempt {
        step: Step::Called,
        updated_at: at(1),
        ..begun.clone()
    };
    let done = ended(&begun, 2, Outcome::Verified);
    for stage in [&begun, &begun, &called, &done, &done] {
        put(one, &[stage]).await;
        assert_eq!(attempts(other, &here, 0).await, std::slice::from_ref(stage));
        let history = other.history(None, 9).await.expect("history");
        assert_eq!(history.attempts, std::slice::from_ref(stage));
    }
}

/// A write under an earlier lease changes nothing.
pub async fn a_later_lease_fences(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let mine = attempt(&here, "shop", 0, 3);
    put(one, &[&mine]).await;
    let theirs = Attempt {
        fence: 4,
        replica: "host:2".into(),
        updated_at: at(9),
        ..mine.clone()
    };
    put(other, &[&theirs]).await;
    for late in [mine.clone(), ended(&mine, 10, Outcome::Applied)] {
        let refused = one.put(&late).await.expect_err("fenced");
        let told = LedgerError::Fenced {
            attempt: mine.id.clone(),
        };
        assert_eq!(refused, told);
        assert_eq!(attempts(one, &here, 0).await, std::slice::from_ref(&theirs));
        assert_eq!(
            one.history(Some("shop"), 9).await.expect("history").attempts,
            std::slice::from_ref(&theirs)
        );
    }
    let done = ended(&theirs, 11, Outcome::Failed);
    put(other, &[&done]).await;
    assert_eq!(attempts(one, &here, 0).await, [done]);
}

/// Attempts are told in the order in which they were begun.
pub async fn attempts_are_in_order(one: &dyn Ledger, _: &dyn Ledger) {
    let here = scope("us-east-1");
    // Of the same length but for the digits of the second, so that text would sort them otherwise.
    let third = attempt(&here, "a", 75, 0);
    let mut second = attempt(&here, "bb", 0, 0);
    second.begun_at = "2026-11-21T08:00:01Z".parse().expect("an instant");
    let mut first = attempt(&here, "ccc", 0, 0);
    first.begun_at = "2026-11-21T08:00:00.999999999Z".parse().expect("an instant");
    put(one, &[&second, &third, &first]).await;
    assert_eq!(attempts(one, &here, 0).await, [first, second, third]);
}

/// An open attempt is told however old it is.
pub async fn open_ones_are_told_however_old(one: &dyn Ledger, _: &dyn Ledger) {
    let here = scope("us-east-1");
    let old = attempt(&here, "old", -100_000, 0);
    let older = attempt(&here, "older", -200_000, 0);
    let recent = ended(&attempt(&here, "recent!", 0, 0), 5, Outcome::Verified);
    let open = attempt(&here, "open.....", 3, 0);
    put(one, &[&old, &older, &recent, &open]).await;
    put(one, &[&ended(&older, 1, Outcome::Refused)]).await;
    assert_eq!(
        attempts(one, &here, 0).await,
        [old.clone(), recent.clone(), open.clone()]
    );
    // `since` itself is included, what was begun just before it is not.
    assert_eq!(attempts(one, &here, 1).await, [old.clone(), open.clone()]);
    put(one, &[&ended(&old, 9, Outcome::Verified)]).await;
    assert_eq!(attempts(one, &here, 3).await, [open]);
    assert_eq!(attempts(one, &here, -200_000).await.len(), 4);
}

/// Scopes do not see each other.
pub async fn scopes_are_apart(one: &dyn Ledger, _: &dyn Ledger) {
    let (here, there) = (scope("us-east-1"), scope("us-east-10"));
    let (mine, theirs) = (attempt(&here, "shop", 0, 0), attempt(&there, "wiki.", 0, 0));
    put(one, &[&mine, &theirs]).await;
    let (seen, elsewhere) = (sighting(&here, "shop", "f", 0), sighting(&there, "shop", "f", 0));
    one.record_findings(&[seen.clone(), elsewhere.clone()])
        .await
        .expect("sighted");
    assert_eq!(attempts(one, &here, 0).await, [mine]);
    assert_eq!(attempts(one, &there, 0).await, [theirs]);
    assert_eq!(open_findings(one, &here).await, [seen]);
    assert_eq!(open_findings(one, &there).await, [elsewhere]);
}

/// A finding that is written again changes nothing but its end.
pub async fn a_sighting_is_written_once(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let seen = sighting(&here, "shop", "f", 0);
    one.record_findings(std::slice::from_ref(&seen)).await.expect("sighted");
    let retold = FindingRecord {
        message: "told in other words".into(),
        ..seen.clone()
    };
    other.record_findings(&[retold.clone(), retold]).await.expect("sighted");
    assert_eq!(open_findings(one, &here).await, std::slice::from_ref(&seen));
    assert_eq!(one.history(None, 9).await.expect("history").records, [seen]);
}

/// A resolved finding is not open.
pub async fn resolved_is_not_open(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let (gone, stays) = (sighting(&here, "shop", "f", 0), sighting(&here, "shop", "g", 0));
    one.record_findings(&[gone.clone(), stays.clone()])
        .await
        .expect("sighted");
    let end = resolved(&gone, 60);
    other
        .record_findings(std::slice::from_ref(&end))
        .await
        .expect("sighted");
    assert_eq!(open_findings(one, &here).await, std::slice::from_ref(&stays));
    // A late write neither opens it again nor moves its end; what else is in the same write counts all the same.
    let third = sighting(&here, "wiki", "h", 5);
    one.record_findings(&[gone.clone(), third.clone(), resolved(&gone, 90)])
        .await
        .expect("sighted");
    assert_eq!(open_findings(one, &here).await, [stays.clone(), third.clone()]);
    // Seen again, it is another sighting.
    let again = sighting(&here, "shop", "f", 120);
    one.record_findings(std::slice::from_ref(&again))
        .await
        .expect("sighted");
    assert_eq!(open_findings(other, &here).await.len(), 3);
    let told = one.history(Some("shop"), 9).await.expect("history").records;
    assert_eq!(told, [again, stays, end]);
    // Begun and ended in one write.
    let brief = resolved(&sighting(&here, "brief", "i", 1), 2);
    one.record_findings(std::slice::from_ref(&brief))
        .await
        .expect("sighted");
    assert_eq!(open_findings(other, &here).await.len(), 3);
    assert_eq!(one.history(Some("brief"), 9).await.expect("history").records, [brief]);
}

/// Many findings are written at once.
pub async fn many_sightings(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let mut all: Vec<FindingRecord> = (0..120)
        .map(|i| sighting(&here, "shop", &format!("{i:016x}"), 0))
        .collect();
    one.record_findings(&all).await.expect("sighted");
    assert_eq!(open_findings(other, &here).await, all);
    for gone in all.iter_mut().step_by(2) {
        *gone = resolved(gone, 9);
    }
    other.record_findings(&all).await.expect("sighted");
    let open: Vec<FindingRecord> = all.iter().filter(|s| s.resolved_at.is_none()).cloned().collect();
    assert_eq!(open_findings(one, &here).await, open);
    all.reverse();
    assert_eq!(one.history(None, 1000).await.expect("history").records, all);
}

/// History is told newest first.
pub async fn history_is_newest_first(one: &dyn Ledger, _: &dyn Ledger) {
    let (here, there) = (scope("us-east-1"), scope("eu-west-1"));
    let old = ended(&attempt(&here, "shop", 0, 0), 1, Outcome::Verified);
    let newer = attempt(&there, "wiki.", 10, 0);
    let newest = ended(&attempt(&here, "shop", 20, 0), 21, Outcome::Failed);
    put(one, &[&newer, &newest, &old]).await;
    let seen = [
        sighting(&here, "shop", "f", 5),
        sighting(&there, "wiki", "g", 15),
        resolved(&sighting(&here, "shop", "h", 25), 26),
    ];
    one.record_findings(&seen).await.expect("sighted");
    let [first, second, third] = seen;
    let history = one.history(None, 50).await.expect("history");
    assert_eq!(history.attempts, [newest.clone(), newer.clone(), old]);
    assert_eq!(history.records, [third.clone(), second.clone(), first]);
    let history = one.history(None, 2).await.expect("history");
    assert_eq!(history.attempts, [newest, newer]);
    assert_eq!(history.records, [third, second]);
    let none = one.history(None, 0).await.expect("history");
    assert_eq!((none.attempts, none.records), (vec![], vec![]));
}

/// History of one workload leaves out the others.
pub async fn history_of_one_workload(one: &dyn Ledger, _: &dyn Ledger) {
    let (here, there) = (scope("us-east-1"), scope("eu-west-1"));
    let (in_one, in_other) = (attempt(&here, "shop", 0, 0), attempt(&there, "shop", 1, 0));
    put(
        one,
        &[
            &in_one,
            &in_other,
            &attempt(&here, "shop-2", 2, 0),
            &attempt(&here, "sho", 3, 0),
        ],
    )
    .await;
    let seen = sighting(&there, "shop", "f", 0);
    one.record_findings(&[seen.clone(), sighting(&here, "Shop", "g", 0)])
        .await
        .expect("sighted");
    let history = one.history(Some("shop"), 50).await.expect("history");
    assert_eq!(history.attempts, [in_other.clone(), in_one]);
    assert_eq!(history.records, [seen]);
    assert_eq!(
        one.history(Some("shop"), 1).await.expect("history").attempts,
        [in_other]
    );
    let unknown = one.history(Some("no such"), 50).await.expect("history");
    assert_eq!((unknown.attempts, unknown.records), (vec![], vec![]));
}

/// Names may hold any character.
pub async fn any_name(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    // AWS allows 256 letters of any script.
    for (i, name) in [
        "ü/日本語 #1@x",
        "Robert'); DROP TABLE attempts;--",
        &"長".repeat(200),
        &"𠜎".repeat(256),
    ]
    .into_iter()
    .enumerate()
    {
        let i = i64::try_from(i).expect("few");
        let (it, seen) = (attempt(&here, name, i, 0), sighting(&here, name, "f", i));
        put(one, &[&it]).await;
        one.record_findings(std::slice::from_ref(&seen)).await.expect("sighted");
        let history = other.history(Some(name), 9).await.expect("history");
        assert_eq!((history.attempts, history.records), (vec![it], vec![seen]));
    }
    assert_eq!(attempts(one, &here, 0).await.len(), 4);
    assert_eq!(open_findings(one, &here).await.len(), 4);
}

/// A detail is cut at its longest.
pub async fn long_details_are_cut(one: &dyn Ledger, _: &dyn Ledger) {
    let here = scope("us-east-1");
    let it = Attempt {
        detail: "ü".repeat(500_000),
        ..attempt(&here, "shop", 0, 0)
    };
    put(one, &[&it]).await;
    let stored = attempts(one, &here, 0).await;
    assert_eq!(stored[0].detail, "ü".repeat(LONGEST_DETAIL));
}

/// Two processes write at once.
pub async fn two_at_once(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let write = |ledger, half: i64| {
        let here = &here;
        async move {
            for i in 0..10 {
                let name = "x".repeat(usize::try_from(2 * i + half).expect("few") + 1);
                let it = attempt(here, &name, i, 0);
                put(ledger, &[&it, &ended(&it, i + 1, Outcome::Verified)]).await;
                // Both write the same sighting.
                ledger
                    .record_findings(&[sighting(here, "shop", &format!("f{i}"), i)])
                    .await
                    .expect("sighted");
            }
        }
    };
    futures::future::join(write(one, 0), write(other, 1)).await;
    let all = attempts(one, &here, 0).await;
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|a| a.outcome == Some(Outcome::Verified)));
    assert_eq!(open_findings(other, &here).await.len(), 10);
    // The later of two leases wins, whoever comes first.
    let contested = attempt(&here, "contested", 50, 1);
    let later = Attempt {
        fence: 2,
        ..contested.clone()
    };
    let (_, won) = futures::future::join(one.put(&contested), other.put(&later)).await;
    won.expect("the later lease");
    assert_eq!(attempts(one, &here, 50).await, [later]);
}
