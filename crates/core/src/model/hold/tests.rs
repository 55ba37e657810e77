//! What reasons say.

use jiff::Timestamp;

use super::*;
use crate::model::tags::Waiver;

#[test]
fn a_reason_inside_another_keeps_its_code() {
    let lost = HoldReason::NotBegun(Box::new(HoldReason::LeaseUnconfirmed("no answer".into())));
    assert_eq!(lost.to_string(), "not begun: waits: no answer");
    assert_eq!(lost.code(), HoldCode::Lease);
    let held = HoldReason::HeldNow {
        code: HoldCode::Window,
        reason: HoldReason::NoWindow.to_string(),
    };
    assert_eq!(held.to_string(), "not done: none of safety.change_windows ever opens");
    assert_eq!(held.code(), HoldCode::Window);
}

#[test]
fn lists_and_waivers_are_written_out() {
    let waiver = Waiver {
        until: Timestamp::UNIX_EPOCH,
        reason: "known".into(),
    };
    assert_eq!(
        HoldReason::Waived(Some(waiver)).to_string(),
        "waived until 1970-01-01T00:00:00Z: known"
    );
    assert_eq!(HoldReason::Waived(None).to_string(), "waived");
    let shared = HoldReason::GuardsOthers {
        group: "sg-1".into(),
        others: vec!["RDS instance a".into(), "ECS service main/b".into()],
    };
    assert_eq!(
        shared.to_string(),
        "sg-1 also guards RDS instance a, ECS service main/b"
    );
    let denied = HoldReason::ExecutionRoleDenied {
        role: "role/ecs".into(),
        missing: vec!["kms:Decrypt".into(), "ssm:GetParameters".into()],
    };
    assert_eq!(
        denied.to_string(),
        "role/ecs may not kms:Decrypt, nor ssm:GetParameters: see ecs-secret-unreadable"
    );
}
