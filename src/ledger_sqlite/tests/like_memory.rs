//! The cases of every ledger on SQLite, and SQLite compared with the ledger in memory.

use holdfast_core::model::key::Scope;
use holdfast_operator::attempt::{Attempt, FindingRecord, Outcome, Step};
use holdfast_operator::for_each_ledger_case;
use holdfast_operator::ledger::{MemoryLedger, conformance};
use holdfast_operator::ports::Ledger;
use proptest::prelude::*;

use crate::ledger_sqlite::SqliteLedger;

macro_rules! on_sqlite {
    ($($case:ident),+ $(,)?) => {
        $(#[tokio::test] async fn $case() {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("holdfast.db");
            let open = || SqliteLedger::open(&path, conformance::at(0));
            let (one, other) = (open().await.expect("made"), open().await.expect("opened"));
            conformance::$case(&one, &other).await;
        })+
    };
}
for_each_ledger_case!(on_sqlite);

#[derive(Debug, Clone)]
enum Op {
    Put(Box<Attempt>),
    Sighted(Vec<FindingRecord>),
    Reopen,
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(conformance::scope("us-east-1")),
        Just(conformance::scope("eu-west-1"))
    ]
}

fn workloads() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("bb".to_owned()), Just("日本語".to_owned())]
}

fn puts() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Outcome::Verified)),
        Just(Some(Outcome::Applied)),
        Just(Some(Outcome::Refused)),
        Just(Some(Outcome::Failed)),
        Just(Some(Outcome::Reverted)),
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
        let here = conformance::scope(if seconds % 2 == 0 { "us-east-1" } else { "eu-west-1" });
        Op::Put(Box::new(Attempt {
            outcome,
            step,
            detail,
            updated_at: conformance::at(seconds + 10),
            revision: revision.then(|| "arn".to_owned()),
            ..conformance::attempt(&here, &workload, seconds, fence)
        }))
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let finding = prop_oneof![Just("f"), Just("g"), Just("h")];
    let record = (scopes(), workloads(), finding, 0..3_i64, proptest::option::of(3..6_i64));
    let record = record.prop_map(|(scope, workload, finding, seconds, end)| FindingRecord {
        resolved_at: end.map(conformance::at),
        ..conformance::sighting(&scope, &workload, finding, seconds)
    });
    let op = prop_oneof![
        4 => puts(),
        3 => proptest::collection::vec(record, 0..5).prop_map(Op::Sighted),
        1 => Just(Op::Reopen),
    ];
    proptest::collection::vec(op, 0..25)
}

/// The answers to every query.
async fn answers(ledger: &dyn Ledger) -> String {
    let mut answers = vec![];
    for region in ["us-east-1", "eu-west-1"] {
        let scope = conformance::scope(region);
        answers.push(format!("{:#?}", ledger.open_findings(&scope).await));
        for since in [0, 3, 9] {
            answers.push(format!("{:#?}", ledger.attempts(&scope, conformance::at(since)).await));
        }
    }
    for workload in [None, Some("a"), Some("日本語"), Some("none")] {
        for limit in [0, 2, 100] {
            answers.push(format!("{:#?}", ledger.history(workload, limit).await));
        }
    }
    answers.join("\n")
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
            let mut sqlite = SqliteLedger::open(&path, conformance::at(0)).await.expect("made");
            for op in ops {
                match op {
                    Op::Put(attempt) => prop_assert_eq!(memory.put(&attempt).await, sqlite.put(&attempt).await),
                    Op::Sighted(seen) => prop_assert_eq!(memory.record_findings(&seen).await, sqlite.record_findings(&seen).await),
                    Op::Reopen => {
                        drop(sqlite);
                        sqlite = SqliteLedger::open(&path, conformance::at(0)).await.expect("opened");
                    }
                }
                prop_assert_eq!(answers(&memory).await, answers(&sqlite).await);
            }
            drop(sqlite);
            let read = SqliteLedger::open_existing(&path).await.expect("opened");
            prop_assert_eq!(answers(&memory).await, answers(&read).await);
            Ok(())
        })?;
    }
}
