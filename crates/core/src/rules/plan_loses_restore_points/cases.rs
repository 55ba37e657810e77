//! What `plan-loses-restore-points` says of one change. Whole files, and the counted bars, are in
//! `check/tests/destruction.rs`.

use super::PlanLosesRestorePoints;
use crate::model::planned_change::Setting;
use crate::rules::plan_rule::{PlanResult, PlanRule as _, PlannedAction, PlannedChange};
use crate::rules::testing::plans::{change, set};

fn evaluate(change: &PlannedChange) -> String {
    match PlanLosesRestorePoints.evaluate(change) {
        None => "none".into(),
        Some(PlanResult::Pass) => "pass".into(),
        Some(PlanResult::Fail(failure)) => format!("{} / {}", failure.message, failure.remedy.summary),
        Some(PlanResult::Unknown(message)) => format!("unknown: {message}"),
    }
}

fn retention(before: i64, after: Option<i64>) -> PlannedChange {
    let mut of = change("aws_db_instance", PlannedAction::Update);
    set(&mut of.before, "backup_retention_period", before);
    match after {
        Some(days) => set(&mut of.after, "backup_retention_period", days),
        None => of.after.push(("backup_retention_period", Setting::AfterApply)),
    }
    of
}

#[test]
fn failing() {
    let mut both = retention(14, Some(1));
    set(&mut both.before, "deletion_protection", true);
    set(&mut both.after, "deletion_protection", false);
    assert_eq!(
        evaluate(&both),
        "the plan changes the database aws_db_instance.main: automated backups are kept for fewer days \
         (backup_retention_period: 14 to 1); deletion protection is taken off (deletion_protection: true to false) / keep \
         backup_retention_period = 14, deletion_protection = true on aws_db_instance.main"
    );
    assert_eq!(
        evaluate(&change("aws_backup_plan", PlannedAction::Delete)),
        "the plan deletes the backup plan aws_backup_plan.main: what it selects is no longer backed up / put \
         aws_backup_plan.main back"
    );
}

#[test]
fn passing() {
    assert_eq!(evaluate(&retention(7, Some(7))), "pass");
    assert_eq!(evaluate(&retention(7, Some(35))), "pass");
    for no_matter in [
        change("aws_db_instance", PlannedAction::Delete),
        change("aws_backup_plan", PlannedAction::Replace),
        change("aws_instance", PlannedAction::Update),
    ] {
        assert_eq!(evaluate(&no_matter), "none", "{}", no_matter.kind);
    }
}

#[test]
fn unknown() {
    let said = evaluate(&retention(7, None));
    assert!(
        said.starts_with("unknown: ") && said.ends_with("known only after apply"),
        "{said}"
    );
    // Of what was not guarded, nothing can be lost.
    assert_eq!(evaluate(&retention(0, None)), "pass");
}
