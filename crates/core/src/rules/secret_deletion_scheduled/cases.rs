//! What `secret-deletion-scheduled` says, and of what it says nothing.

use crate::model::resources::{Access, SecretVariable};
use crate::model::snapshot::Lookup;
use crate::rules::testing::secrets::{OTHER, other, secret};
use crate::rules::testing::workload::{ROLE, SECRET, ago, refer, service, tags, web};
use crate::rules::testing::{Case, Cases, Change, Unread, refusal_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("deletion", |s| secret(s, SECRET).deleted_at = Some(ago(-24))),
        Case::new("deletion of what another variable holds", |s| {
            other(s).deleted_at = Some(ago(-24));
            web(s).secrets.push(SecretVariable { name: "API_KEY".into(), value_from: format!("{OTHER}:key::") });
            s.lookups.insert(OTHER.into(), Ok(Lookup::Found(OTHER.into())));
            s.access.insert((ROLE.into(), OTHER.into()), Ok(Access::Allowed));
        }),
        Case::new("deletion of an untagged secret", |s| { let found = secret(s, SECRET); found.tags = tags(&[]); found.deleted_at = Some(ago(-24)); }).and_fail(&["workload-untagged-part"]),
    ],
    passing: &[
        Case::new("deletion of a secret that nothing refers to", |s| other(s).deleted_at = Some(ago(-24))),
        Case::new("deletion of what a drained service had", |s| {
            secret(s, SECRET).deleted_at = Some(ago(-24));
            (service(s).status, service(s).running_count) = ("DRAINING".into(), 0);
        }).and_unknown(&["rds-abandoned"]),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

#[test]
fn restoring_a_secret() {
    let gone: Change = |s| secret(s, SECRET).deleted_at = Some(ago(-24));
    assert_eq!(refusal_by(gone, "secret-deletion-scheduled"), "");
    for (change, word) in [
        (
            (|s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.tags = tags(&[]);
            }) as Change,
            "does not carry",
        ),
        (
            |s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.primary_region = Some("eu-west-1".into());
            },
            "replica",
        ),
        (
            |s| {
                let abroad = SECRET.replace("us-east-1", "eu-west-1");
                let mut far = secret(s, SECRET).clone();
                (far.arn, far.deleted_at) = (abroad.clone(), Some(ago(-24)));
                s.secrets.as_mut().expect("read").insert(abroad.clone(), far);
                refer(s, &abroad.clone(), Some(&abroad));
            },
            "region eu-west-1",
        ),
    ] {
        let why = refusal_by(change, "secret-deletion-scheduled");
        assert!(why.contains(word), "{word}: {why}");
    }
}
