//! What `plan-destroys-data` says of one change. Whole files, and the counted bars, are in `check/tests/destruction.rs`.

use super::PlanDestroysData;
use crate::model::planned_change::OldObject;
use crate::rules::plan_rule::{PlanFormat, PlanResult, PlanRule as _, PlannedAction, PlannedChange};
use crate::rules::testing::plans::{change, set};

fn evaluate(change: &PlannedChange) -> String {
    match PlanDestroysData.evaluate(change) {
        None => "none".into(),
        Some(PlanResult::Pass) => "pass".into(),
        Some(PlanResult::Fail(failure)) => failure.message,
        Some(PlanResult::Unknown(message)) => format!("unknown: {message}"),
    }
}

#[test]
fn failing() {
    let secret = |days: i64| {
        let mut secret = change("aws_secretsmanager_secret", PlannedAction::Delete);
        set(&mut secret.before, "recovery_window_in_days", days);
        secret
    };
    assert_eq!(
        evaluate(&secret(0)),
        "the plan deletes the secret aws_secretsmanager_secret.main, at once and for good: recovery_window_in_days is 0"
    );
    assert_eq!(
        evaluate(&secret(30)),
        "the plan deletes the secret aws_secretsmanager_secret.main, for good after 30 days (recovery_window_in_days)"
    );
    let mut database = change("aws_db_instance", PlannedAction::Replace);
    database.replaced_by = vec!["kms_key_id".into()];
    database.replaced_by_unknown = vec!["kms_key_id".into()];
    set(&mut database.before, "skip_final_snapshot", true);
    assert_eq!(
        evaluate(&database),
        "the plan replaces the database aws_db_instance.main because of kms_key_id (kms_key_id is known only after apply), \
         no final snapshot is taken: skip_final_snapshot is true"
    );
    let mut stack = change("AWS::EFS::FileSystem", PlannedAction::Delete);
    stack.format = PlanFormat::ChangeSet;
    assert_eq!(
        evaluate(&stack),
        "the change set deletes the file system AWS::EFS::FileSystem.main, with its data"
    );
}

#[test]
fn passing() {
    let mut kept = change("AWS::EFS::FileSystem", PlannedAction::Delete);
    kept.old = OldObject::Retained;
    let mut snapshot = change("aws_db_instance", PlannedAction::Replace);
    set(&mut snapshot.before, "skip_final_snapshot", false);
    set(&mut snapshot.before, "final_snapshot_identifier", "last");
    for passing in [kept, snapshot] {
        assert_eq!(evaluate(&passing), "pass");
    }
    for no_matter in [
        change("aws_db_instance", PlannedAction::Update),
        change("aws_instance", PlannedAction::Delete),
        change("aws_backup_plan", PlannedAction::Delete),
    ] {
        assert_eq!(evaluate(&no_matter), "none", "{}", no_matter.kind);
    }
}

#[test]
fn unknown() {
    for action in [
        PlannedAction::MayReplace,
        PlannedAction::Undetermined,
        PlannedAction::Deferred,
    ] {
        let said = evaluate(&change("aws_db_instance", action));
        assert!(said.starts_with("unknown: the plan"), "{said}");
    }
    let said = evaluate(&change("AWS::CloudFormation::Stack", PlannedAction::Delete));
    assert!(said.starts_with("unknown: "), "{said}");
}
