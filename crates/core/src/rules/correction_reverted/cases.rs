//! What `correction-reverted` says, and of what it says nothing.

use crate::finding::{Kind, ResourceRef};
use crate::model::resources::Fight;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::workload::{ago, clean, evaluated_by};
use crate::rules::testing::{Case, Cases};

fn fight(s: &mut Snapshot, workload: &str, principals: &[&str]) {
    let arn = "arn:aws:rds:us-east-1:123456789012:db:shop-db";
    let resource = ResourceRef::new(Kind::RdsDbInstance, "shop-db", arn, &s.scope);
    s.fights.push(Fight {
        workload: workload.into(),
        resource,
        rules: vec!["rds-public-access".into()],
        change: "shop-db: PubliclyAccessible true → false".into(),
        times: 3,
        since: ago(5),
        principals: principals.iter().map(|p| (*p).to_owned()).collect(),
    });
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a fight", |s| fight(s, "shop", &["arn:aws:iam::123456789012:role/terraform"])),
        Case::new("a fight with nobody known", |s| fight(s, "shop", &[])),
    ],
    passing: &[
        Case::new("another's fight", |s| fight(s, "bank", &[])),
    ],
    unknown: &[],
    unread: &[],
};

/// Who undid a correction is named.
#[test]
fn a_fight_names_its_principal() {
    let mut s = clean();
    fight(&mut s, "shop", &["arn:aws:iam::123456789012:role/terraform"]);
    let evaluation = evaluated_by(&s, &["correction-reverted"]);
    assert!(
        evaluation.findings[0].message.contains("role/terraform"),
        "{:#?}",
        evaluation.findings
    );
}
