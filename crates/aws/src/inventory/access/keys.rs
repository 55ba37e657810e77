//! The KMS keys behind secrets and parameters: which they are, what their policies say, and grants.
//!
//! A key policy decides by itself. Only where it names the account are the role's own policies asked.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/control-access.html>

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kms::types::{GrantListEntry, GrantOperation};
use aws_sdk_ssm::types::ParameterStringFilter;
use tokio::sync::OnceCell;

use super::questions::{Key, account_of, region_of};
use crate::client::{Api, Family};
use crate::inventory::collector::Collector;
use crate::inventory::pages::{MAX_PAGES, endless, pages};
use holdfast_core::iam_document::{Admits, Policy};
use holdfast_core::model::resources::Secret;
use holdfast_core::model::snapshot::Read;

const fn api(operation: &'static str) -> Api {
    Api {
        service: "kms",
        operation,
        family: Family::Kms,
    }
}
const GET_POLICY: Api = api("GetKeyPolicy");
const DESCRIBE: Api = api("DescribeKey");
const GRANTS: Api = api("ListGrants");
const DESCRIBE_PARAMETERS: Api = Api {
    service: "ssm",
    operation: "DescribeParameters",
    family: Family::Ssm,
};

/// Most values of one filter.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html>
const NAMES_A_CALL: usize = 50;

type Shared<T> = Mutex<HashMap<String, Arc<OnceCell<Read<T>>>>>;

/// What was read of keys in one go: each once, however many roles use it.
#[derive(Default)]
pub(super) struct Keys {
    policies: Shared<Arc<Policy>>,
    aliases: Shared<String>,
}

fn cell<T>(all: &Shared<T>, key: &str) -> Arc<OnceCell<Read<T>>> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(key.to_owned()).or_default())
}

fn there(arn: &str) -> aws_sdk_kms::config::Builder {
    let region = aws_sdk_kms::config::Region::new(region_of(arn).to_owned());
    aws_sdk_kms::config::Builder::new().region(region)
}

impl Keys {
    /// The key of a secret. One that is not named is AWS's own.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html>
    pub(super) async fn of_secret(&self, c: &Collector<'_>, secret: &Secret) -> Read<Key> {
        match &secret.kms_key {
            None => Ok(Key::Aws),
            Some(key) => self.resolve(c, key, &secret.arn).await,
        }
    }

    /// A key as it is given (ARN, id or alias) for a resource.
    pub(super) async fn resolve(&self, c: &Collector<'_>, key: &str, resource: &str) -> Read<Key> {
        let whole = whole_arn(key, resource);
        if !whole.contains(":alias/") {
            return Ok(Key::Arn(whole));
        }
        if whole.contains(":alias/aws/") {
            return Ok(Key::Aws);
        }
        let cell = cell(&self.aliases, &whole);
        let found = cell.get_or_init(|| describe(c, &whole)).await;
        found.clone().map(Key::Arn)
    }

    /// The policy of a key of this account.
    pub(super) async fn policy(&self, c: &Collector<'_>, key: &str) -> Read<Arc<Policy>> {
        let cell = cell(&self.policies, key);
        cell.get_or_init(|| policy(c, key)).await.clone()
    }
}

/// A key's ARN, where it is given by id or alias: it is in the region and account of what it encrypts.
fn whole_arn(key: &str, resource: &str) -> String {
    if key.starts_with("arn:") {
        return key.to_owned();
    }
    let partition = resource.split(':').nth(1).unwrap_or("aws");
    let kind = if key.starts_with("alias/") { "" } else { "key/" };
    format!(
        "arn:{partition}:kms:{}:{}:{kind}{key}",
        region_of(resource),
        account_of(resource)
    )
}

async fn describe(c: &Collector<'_>, alias: &str) -> Read<String> {
    c.progress.more(1);
    let request = c.aws.kms.describe_key().key_id(alias).customize();
    let answer = c
        .aws
        .call(DESCRIBE, alias, request.config_override(there(alias)).send())
        .await;
    c.progress.done(1);
    let arn = answer?.key_metadata.and_then(|m| m.arn);
    arn.ok_or_else(|| {
        let message = format!("AWS did not say which key {alias} stands for");
        c.aws.error(DESCRIBE, alias, "NoAnswer", message)
    })
}

async fn policy(c: &Collector<'_>, key: &str) -> Read<Arc<Policy>> {
    c.progress.more(1);
    let request = c
        .aws
        .kms
        .get_key_policy()
        .key_id(key)
        .policy_name("default")
        .customize();
    let answer = c
        .aws
        .call(GET_POLICY, key, request.config_override(there(key)).send())
        .await;
    c.progress.done(1);
    let document = answer?.policy.unwrap_or_default();
    Policy::parse(&document).map(Arc::new).map_err(|e| {
        let message = format!("{e}: read it with aws kms get-key-policy --key-id {key}");
        c.aws.error(GET_POLICY, key, "Malformed", message)
    })
}

/// Whether a grant lets `role` decrypt with `key`. Asked only where nothing else does.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>
pub(super) async fn granted(c: &Collector<'_>, key: &str, role: &str) -> Read<Admits> {
    let mut found = Admits::No;
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        c.progress.more(1);
        let request = c
            .aws
            .kms
            .list_grants()
            .key_id(key)
            .limit(100)
            .set_marker(marker.clone());
        let answer = c
            .aws
            .call(GRANTS, key, request.customize().config_override(there(key)).send())
            .await;
        c.progress.done(1);
        let answer = answer?;
        for grant in answer.grants.unwrap_or_default() {
            found = found.or(grants(&grant, role));
        }
        match answer.next_marker.filter(|m| answer.truncated && !m.is_empty()) {
            Some(next) if Some(&next) != marker.as_ref() => marker = Some(next),
            _ => return Ok(found),
        }
    }
    Err(endless(c, GRANTS))
}

fn grants(grant: &GrantListEntry, role: &str) -> Admits {
    let decrypts = grant.operations().contains(&GrantOperation::Decrypt);
    if grant.grantee_principal() != Some(role) || !decrypts {
        Admits::No
    } else if grant.constraints().is_some() {
        Admits::Perhaps
    } else {
        Admits::Yes
    }
}

/// The keys of parameters, by their ARNs; one that is no `SecureString`, or of another account, has none here.
pub(super) async fn of_parameters(
    c: &Collector<'_>,
    arns: &BTreeSet<String>,
) -> BTreeMap<String, Read<Option<String>>> {
    let mut found = BTreeMap::new();
    let mut regions: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for arn in arns.iter().filter(|a| account_of(a) == c.aws.scope.account) {
        regions.entry(region_of(arn)).or_default().push(arn);
    }
    for (region, arns) in regions {
        for chunk in arns.chunks(NAMES_A_CALL) {
            let keys = keys_in(c, region, chunk).await;
            found.extend(chunk.iter().map(|arn| {
                let key = keys.as_ref().map(|keys| keys.get(name_of(arn)).cloned());
                ((*arn).clone(), key.map_err(Arc::clone))
            }));
        }
    }
    found
}

/// A parameter's name from its ARN, without the slash that a path begins with.
fn name_of(arn: &str) -> &str {
    arn.split_once(":parameter/").map_or(arn, |(_, name)| name)
}

async fn keys_in(c: &Collector<'_>, region: &str, arns: &[&String]) -> Read<HashMap<String, String>> {
    // A name without a path is written without a slash, one with a path begins with one.
    let names = arns.iter().map(|arn| name_of(arn)).map(|name| {
        if name.contains('/') {
            format!("/{name}")
        } else {
            name.to_owned()
        }
    });
    let filter = ParameterStringFilter::builder()
        .key("Name")
        .option("Equals")
        .set_values(Some(names.collect()))
        .build()
        .map_err(|e| c.aws.error(DESCRIBE_PARAMETERS, region, "NotSent", e.to_string()))?;
    let region = aws_sdk_ssm::config::Region::new(region.to_owned());
    let listed = pages!(
        c,
        DESCRIBE_PARAMETERS,
        token => c
            .aws
            .ssm
            .describe_parameters()
            .parameter_filters(filter.clone())
            .max_results(50)
            .set_next_token(token.clone())
            .customize()
            .config_override(aws_sdk_ssm::config::Builder::new().region(region.clone())),
        parameters,
        next_token
    )?;
    let keyed = listed
        .into_iter()
        .filter_map(|p| Some((p.name?.trim_start_matches('/').to_owned(), p.key_id?)));
    Ok(keyed.collect())
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::types::GrantConstraints;

    use super::*;

    #[test]
    fn keys_as_they_are_given() {
        let secret = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop-AbC123";
        let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
        assert_eq!(whole_arn(key, secret), key);
        assert_eq!(whole_arn("1234", secret), key);
        let alias = "arn:aws:kms:eu-west-1:111111111111:alias/shop";
        assert_eq!(whole_arn("alias/shop", secret), alias);
        assert_eq!(whole_arn(alias, secret), alias);
    }

    #[test]
    fn names_of_parameters() {
        assert_eq!(
            name_of("arn:aws:ssm:eu-west-1:111111111111:parameter/shop/url"),
            "shop/url"
        );
        assert_eq!(name_of("arn:aws:ssm:eu-west-1:111111111111:parameter/url"), "url");
    }

    #[test]
    fn a_grant_is_for_one_principal_and_some_operations() {
        let role = "arn:aws:iam::111111111111:role/ecs";
        let grant = |to: &str, operation| {
            let grant = GrantListEntry::builder().grantee_principal(to);
            grant.operations(operation)
        };
        assert_eq!(grants(&grant(role, GrantOperation::Decrypt).build(), role), Admits::Yes);
        assert_eq!(grants(&grant(role, GrantOperation::Encrypt).build(), role), Admits::No);
        assert_eq!(
            grants(&grant("other", GrantOperation::Decrypt).build(), role),
            Admits::No
        );
        let bound = GrantConstraints::builder().encryption_context_subset("a", "b").build();
        let bound = grant(role, GrantOperation::Decrypt).constraints(bound).build();
        assert_eq!(grants(&bound, role), Admits::Perhaps);
    }
}
