use std::collections::BTreeSet;

use serde::Deserialize;

use super::*;
use crate::model::key::Scope;
use crate::plan::action_id;

/// One correction, with all that is shown of it. `golden.json` was written before each had a file of its own.
#[derive(Deserialize)]
struct Golden {
    id: String,
    /// Its JSON as the ledger holds it, to the letter.
    action: String,
    calls: Vec<Call>,
    risk: Risk,
    change: String,
    target: String,
    purpose: String,
    preconditions: Vec<String>,
}

fn golden() -> Vec<(Action, Golden)> {
    let all: Vec<Golden> = serde_json::from_str(include_str!("golden.json")).expect("JSON");
    let parse = |g: &Golden| serde_json::from_str(&g.action).unwrap_or_else(|e| panic!("{}: {e}", g.action));
    all.into_iter().map(|g| (parse(&g), g)).collect()
}

/// The names of all variants, as serde lists them for one that it does not know.
fn variants() -> BTreeSet<String> {
    let error = serde_json::from_str::<Action>(r#"{"action": "?"}"#).expect_err("no such");
    let text = error.to_string();
    let quoted = text.split('`').skip(1).step_by(2).filter(|name| *name != "?");
    quoted.map(str::to_owned).collect()
}

#[test]
fn what_the_ledger_holds_is_read_and_written_as_before() {
    for (action, golden) in golden() {
        assert_eq!(serde_json::to_string(&action).expect("JSON"), golden.action);
    }
}

#[test]
fn ids_and_all_that_is_shown_stay() {
    let scope = Scope {
        account: "123456789012".into(),
        region: "us-east-1".into(),
    };
    for (action, golden) in golden() {
        let name = &golden.action;
        assert_eq!(action_id(&scope, &action), golden.id, "{name}");
        assert_eq!(action.calls(), golden.calls, "{name}");
        assert_eq!(action.risk(), golden.risk, "{name}");
        assert_eq!(action.describe(), golden.change, "{name}");
        assert_eq!(action.target(), golden.target, "{name}");
        assert_eq!(action.purpose(), golden.purpose, "{name}");
        assert_eq!(action.preconditions(), golden.preconditions, "{name}");
    }
}

#[test]
fn every_correction_is_among_the_golden_ones() {
    let tag = |g: &Golden| serde_json::from_str::<serde_json::Value>(&g.action).expect("JSON")["action"].clone();
    let told: BTreeSet<String> = golden()
        .iter()
        .filter_map(|(_, g)| tag(g).as_str().map(str::to_owned))
        .collect();
    assert_eq!(told, variants());
}

#[test]
fn what_is_read_again_before_the_call() {
    for (action, golden) in golden() {
        let (all_databases, discover_services) = match action {
            Action::RevokeIngress(_) | Action::ForceTls(_) => (true, true),
            Action::AllowIngress(_) => (true, false),
            Action::ClosePublicAccess(_) => (false, true),
            _ => (false, false),
        };
        let expected = RefreshBeforeCall {
            all_databases,
            discover_services,
        };
        assert_eq!(action.refresh(), expected, "{}", golden.action);
        assert_eq!(action.refresh().is_wider(), all_databases || discover_services);
    }
}

/// What takes something away is not called harmless, and who may be using it is read just before.
#[test]
fn what_is_taken_away_agrees_with_risk_and_reads() {
    for (action, golden) in golden() {
        let name = &golden.action;
        match action.takes_away() {
            TakesAway::Nothing => assert_eq!(action.risk(), Risk::None, "{name}"),
            TakesAway::Access(_) => assert!(action.refresh().discover_services, "{name}"),
            TakesAway::Connections(_) => assert_eq!(action.risk(), Risk::Outage, "{name}"),
            TakesAway::RunningTasks { .. } => assert!(action.risk() >= Risk::Brief, "{name}"),
            TakesAway::Revision(_) => assert!(action.target().starts_with("revision:"), "{name}"),
        }
    }
}

fn change(variable: &str, after: &str) -> SecretChange {
    SecretChange {
        container: "app".into(),
        variable: variable.into(),
        before: None,
        after: after.into(),
    }
}

fn roll_out(service: &str, changes: &[SecretChange]) -> Action {
    Action::RollOut(RollOut {
        cluster: "main".into(),
        service: service.into(),
        base: "task-definition/shop:2".into(),
        changes: changes.to_vec(),
    })
}

fn roll_back() -> Action {
    Action::RollBack(RollBack {
        cluster: "main".into(),
        service: "shop".into(),
        from: "task-definition/shop:2".into(),
        to: "task-definition/shop:1".into(),
    })
}

#[test]
fn a_service_gets_one_revision_for_all() {
    let (b, a) = (change("B_URL", "secret-b"), change("A_URL", "secret-a"));
    let (one, other) = (
        roll_out("shop", std::slice::from_ref(&b)),
        roll_out("shop", &[change("B_URL", "secret-c"), a.clone()]),
    );
    assert_eq!(one.merge_key(), other.merge_key());
    assert_eq!(
        one.merged_with(&other),
        roll_out("shop", &[a, b]),
        "the first one's reference"
    );
    assert_ne!(one.merge_key(), roll_out("till", &[]).merge_key());
}

#[test]
fn never_a_step_back_where_a_step_forward_does() {
    let forward = roll_out("shop", &[change("A_URL", "secret-a")]);
    assert_eq!(roll_back().merge_key(), forward.merge_key());
    assert_eq!(roll_back().merged_with(&forward), forward);
    assert_eq!(forward.merged_with(&roll_back()), forward);
    assert_eq!(roll_back().merged_with(&roll_back()), roll_back());
}

#[test]
fn anything_else_is_shared_only_with_the_same() {
    let all = golden();
    for (i, (one, _)) in all.iter().enumerate() {
        assert_eq!(one.merged_with(one), *one);
        for (other, _) in &all[i + 1..] {
            let both_of_a_service = matches!((one, other), (Action::RollOut(_), Action::RollBack(_)));
            assert_eq!(
                one.merge_key() == other.merge_key(),
                both_of_a_service,
                "{one:?} {other:?}"
            );
        }
    }
}

#[test]
fn rollouts_are_the_ones_that_go_step_by_step() {
    let forward = roll_out("shop", &[change("A_URL", "secret-a")]);
    let Execution::Rollout(rollout) = forward.execution() else {
        panic!("one call");
    };
    assert_eq!((rollout.cluster, rollout.service), ("main", "shop"));
    assert_eq!(rollout.before, "task-definition/shop:2");
    assert_eq!(rollout.revision, Revision::Register(&[change("A_URL", "secret-a")]));
    let back = roll_back();
    let Execution::Rollout(rollout) = back.execution() else {
        panic!("one call");
    };
    assert_eq!(rollout.revision, Revision::Existing("task-definition/shop:1"));
    for (action, golden) in golden() {
        let calls_of_a_rollout = golden.action.contains("roll_");
        assert_eq!(
            action.execution() != Execution::OneCall,
            calls_of_a_rollout,
            "{}",
            golden.action
        );
    }
}
