//! Resource policies of secrets, reduced to whom they let in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use crate::client::{Api, Family};
use holdfast_core::iam_document::Policy;
use holdfast_core::model::snapshot::{Read, Snapshot};

const GET: Api = Api {
    service: "secretsmanager",
    operation: "GetResourcePolicy",
    family: Family::SecretsPolicy,
};

/// Whom the policies of secrets let in, by the secret's ARN.
pub(super) type Policies = BTreeMap<String, Read<Vec<String>>>;

/// Whom the policies of the secrets in `asked` (ARNs) let in besides the secret's own account.
///
/// Only a policy that lets nobody in is cached: what someone fixes must show in the next sweep.
pub(super) async fn read(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    asked: &BTreeSet<String>,
    now: Timestamp,
    reuse: Reuse,
) -> Policies {
    let changed_at = |arn: &String| snapshot.secrets.as_ref().ok()?.get(arn)?.changed_at;
    let known = |arn: &String| {
        let allowed = reuse == Reuse::Allowed && changed_at(arn).is_some();
        allowed
            .then(|| c.cache.policies.get(&(arn.clone(), changed_at(arn)), now))
            .flatten()
    };
    let (mut found, mut unread) = (BTreeMap::new(), vec![]);
    for arn in asked {
        match known(arn) {
            Some(strangers) => {
                found.insert(arn.clone(), Ok(strangers));
            }
            None => unread.push(arn.clone()),
        }
    }
    let read = stream::iter(unread)
        .map(|arn| async move {
            let policy = of_secret(c, &arn).await;
            let strangers = policy.map(|p| {
                p.map_or_else(Vec::new, |p| {
                    let strangers = p.strangers(&arn);
                    if p.denies() {
                        c.cache.denying.put((arn.clone(), changed_at(&arn)), Arc::new(p), now);
                    }
                    strangers
                })
            });
            (arn, strangers)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    for (arn, strangers) in &read {
        if matches!(strangers, Ok(s) if s.is_empty()) {
            c.cache.policies.put((arn.clone(), changed_at(arn)), vec![], now);
        }
    }
    found.extend(read);
    found
}

/// The resource policy of one secret, in the region that its ARN names; `None` if it has none.
pub(super) async fn of_secret(c: &Collector<'_>, arn: &str) -> Read<Option<Policy>> {
    c.progress.more(1);
    let region = arn.split(':').nth(3).unwrap_or(&c.aws.scope.region).to_owned();
    let there =
        aws_sdk_secretsmanager::config::Builder::new().region(aws_sdk_secretsmanager::config::Region::new(region));
    let request = c
        .aws
        .secrets
        .get_resource_policy()
        .secret_id(arn)
        .customize()
        .config_override(there);
    let answer = c.aws.call(GET, arn, request.send()).await;
    c.progress.done(1);
    let document = answer?.resource_policy.filter(|d| !d.trim().is_empty());
    let parsed = document.map(|d| Policy::parse(&d)).transpose();
    parsed.map_err(|e| {
        let message = format!("{e}: read it with aws secretsmanager get-resource-policy --secret-id {arn}");
        c.aws.error(GET, arn, "Malformed", message)
    })
}
