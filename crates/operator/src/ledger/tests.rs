//! The cases of every ledger on the one in memory, and what is written down.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conformance;
use crate::attempt::{Attempt, Outcome, Step};

macro_rules! on_memory {
    ($($case:ident),+ $(,)?) => {
        $(#[tokio::test] async fn $case() {
            let ledger = super::MemoryLedger::new();
            conformance::$case(&ledger, &ledger.clone()).await;
        })+
    };
}
crate::for_each_ledger_case!(on_memory);

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
        Outcome::Verified,
        Outcome::Applied,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::Reverted,
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
    assert_eq!(
        read,
        conformance::attempt(&conformance::scope("us-east-1"), "shop", 0, 2)
    );
}
