//! The suite on what needs no network, and SQLite against memory.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Attempt, Ended, LONGEST_DETAIL, Ledger, LedgerError, MemoryLedger, Sighting, SqliteLedger, Step};
use crate::model::finding::{Kind, ResourceRef};
use crate::model::key::Scope;
use crate::model::policy::{Risk, Severity};
use crate::model::remediation::Action;
use crate::plan::PlannedAction;

#[path = "suite.rs"]
pub(super) mod suite;

macro_rules! on_memory_and_sqlite {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $case() {
                let ledger = super::MemoryLedger::new();
                super::suite::$case(&ledger, &ledger.clone()).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test] async fn $case() {
                let dir = tempfile::tempdir().expect("a directory");
                let path = dir.path().join("holdfast.db");
                let open = || super::SqliteLedger::open(&path, super::suite::at(0));
                let (one, other) = (open().await.expect("made"), open().await.expect("opened"));
                super::suite::$case(&one, &other).await;
            })+
        }
    };
}
suite::for_each_case!(on_memory_and_sqlite);

#[derive(Debug, Clone)]
enum Op {
    Put(Box<Attempt>),
    Sighted(Vec<Sighting>),
    Reopen,
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(suite::scope("us-east-1")), Just(suite::scope("eu-west-1"))]
}

fn workloads() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("bb".to_owned()), Just("日本語".to_owned())]
}

fn puts() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Ended::Verified)),
        Just(Some(Ended::Applied)),
        Just(Some(Ended::Refused)),
        Just(Some(Ended::Failed)),
        Just(Some(Ended::Reverted)),
    ];
    let step = prop_oneof![
        Just(Step::Begun),
        Just(Step::Registered),
        Just(Step::Called),
        Just(Step::GoingBack)
    ];
    let fields = (
        workloads(),
        0..6_i64,
        0..4_u64,
        outcome,
        step,
        "\\PC{0,20}",
        any::<bool>(),
    );
    fields.prop_map(|(workload, seconds, fence, outcome, step, detail, revision)| {
        // An id belongs to one scope for good.
        let here = suite::scope(if seconds % 2 == 0 { "us-east-1" } else { "eu-west-1" });
        Op::Put(Box::new(Attempt {
            outcome,
            step,
            detail,
            updated_at: suite::at(seconds + 10),
            revision: revision.then(|| "arn".to_owned()),
            ..suite::attempt(&here, &workload, seconds, fence)
        }))
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let finding = prop_oneof![Just("f"), Just("g"), Just("h")];
    let sighting = (scopes(), workloads(), finding, 0..3_i64, proptest::option::of(3..6_i64));
    let sighting = sighting.prop_map(|(scope, workload, finding, seconds, end)| Sighting {
        resolved_at: end.map(suite::at),
        ..suite::sighting(&scope, &workload, finding, seconds)
    });
    let op = prop_oneof![
        4 => puts(),
        3 => proptest::collection::vec(sighting, 0..5).prop_map(Op::Sighted),
        1 => Just(Op::Reopen),
    ];
    proptest::collection::vec(op, 0..25)
}

/// Everything that can be asked.
async fn told(ledger: &dyn Ledger) -> String {
    let mut told = vec![];
    for region in ["us-east-1", "eu-west-1"] {
        let scope = suite::scope(region);
        told.push(format!("{:#?}", ledger.open_findings(&scope).await));
        for since in [0, 3, 9] {
            told.push(format!("{:#?}", ledger.attempts(&scope, suite::at(since)).await));
        }
    }
    for workload in [None, Some("a"), Some("日本語"), Some("none")] {
        for limit in [0, 2, 100] {
            told.push(format!("{:#?}", ledger.history(workload, limit).await));
        }
    }
    told.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sqlite_is_as_memory(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("holdfast.db");
            let memory = MemoryLedger::new();
            let mut sqlite = SqliteLedger::open(&path, suite::at(0)).await.expect("made");
            for op in ops {
                match op {
                    Op::Put(attempt) => prop_assert_eq!(memory.put(&attempt).await, sqlite.put(&attempt).await),
                    Op::Sighted(seen) => prop_assert_eq!(memory.sighted(&seen).await, sqlite.sighted(&seen).await),
                    Op::Reopen => {
                        drop(sqlite);
                        sqlite = SqliteLedger::open(&path, suite::at(0)).await.expect("opened");
                    }
                }
                prop_assert_eq!(told(&memory).await, told(&sqlite).await);
            }
            drop(sqlite);
            let read = SqliteLedger::open_existing(&path).await.expect("opened");
            prop_assert_eq!(told(&memory).await, told(&read).await);
            Ok(())
        })?;
    }
}

#[test]
fn instants_sort_as_text() {
    let instants = [
        "1970-01-01T00:00:00Z",
        "2026-11-21T08:00:00Z",
        "2026-11-21T08:00:00.000000001Z",
        "2026-11-21T08:00:00.5Z",
    ];
    let texts: Vec<String> = instants
        .iter()
        .map(|i| super::sortable(i.parse().expect("an instant")))
        .collect();
    assert!(texts.is_sorted(), "{texts:?}");
    assert_eq!(
        texts.iter().map(String::len).collect::<BTreeSet<_>>(),
        BTreeSet::from([30])
    );
    for (text, instant) in texts.iter().zip(instants) {
        assert_eq!(text.parse::<Timestamp>().ok(), instant.parse().ok());
    }
}

/// Names in output are those of the stored words.
#[test]
fn words_of_steps_and_ends() {
    let steps = [Step::Begun, Step::Registered, Step::Called, Step::GoingBack];
    for step in steps {
        assert_eq!(
            serde_json::to_value(step).expect("a word"),
            step.as_str().replace(' ', "_")
        );
    }
    let ends = [
        Ended::Verified,
        Ended::Applied,
        Ended::Refused,
        Ended::Failed,
        Ended::Reverted,
    ];
    for end in ends {
        assert_eq!(serde_json::to_value(end).expect("a word"), end.as_str());
    }
}

/// What this version wrote must be read by every later one, for as long as it is kept.
#[test]
fn an_attempt_of_the_first_version_is_read() {
    let written = r#"{"id":"0000000000000004-1795248000250","action":{"id":"0000000000000004","scope":{"account":"123456789012","region":"us-east-1"},"workload":"shop","rules":["rds-public-access"],"findings":["0123456789abcdef"],"severity":"critical","resource":{"kind":"rds-db-instance","id":"shop-db","arn":"arn:aws:rds:us-east-1:123456789012:db:shop-db","account":"123456789012","region":"us-east-1"},"change":"shop-db: PubliclyAccessible true → false","risk":"brief","preconditions":["nobody needs it"],"calls":[{"service":"rds","operation":"ModifyDBInstance","parameters":{"DBInstanceIdentifier":"shop-db","PubliclyAccessible":false,"ApplyImmediately":false}}],"action":{"action":"close_public_access","instance":"shop-db"}},"replica":"host:1","fence":2,"begun_at":"2026-11-21T08:00:00.25Z","updated_at":"2026-11-21T08:00:00.25Z","step":"begun","step_at":"2026-11-21T08:00:00.25Z","revision":null,"outcome":null,"detail":""}"#;
    let read: Attempt = serde_json::from_str(written).expect("readable");
    assert_eq!(read, suite::attempt(&suite::scope("us-east-1"), "shop", 0, 2));
}
