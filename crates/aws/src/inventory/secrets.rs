//! Secrets: listed, looked up where a container refers to one that is not listed, and, where allowed, their values
//! reduced to facts. A value lives in one buffer that is overwritten before the next one is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry, Tag};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::convert::{by_key, instant, tags};
use super::pages::pages;
use super::parameters;
use super::read_cache::Stamp;
use super::secret_shape::shape;
use crate::client::{Api, Family};
use holdfast_core::config::Inspect;
use holdfast_core::connection::grammar::names_whole_credentials;
use holdfast_core::facts::{Workloads, database_variables};
use holdfast_core::model::connection::SecretShape;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::key::Scope;
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{Rotation, Secret};
use holdfast_core::model::snapshot::{Lookup, Read, SecretValue, Snapshot, ValueKey};
use holdfast_core::model::tags::Tags;
use holdfast_core::model::value_from::{self, SecretRef, Selector, ValueFrom};

const LIST: Api = Api {
    service: "secretsmanager",
    operation: "ListSecrets",
    family: Family::SecretsList,
};
const DESCRIBE: Api = Api {
    service: "secretsmanager",
    operation: "DescribeSecret",
    family: Family::SecretsGet,
};
const BATCH: Api = Api {
    service: "secretsmanager",
    operation: "BatchGetSecretValue",
    family: Family::SecretsList,
};
const GET: Api = Api {
    service: "secretsmanager",
    operation: "GetSecretValue",
    family: Family::SecretsGet,
};

/// Most secrets in one `BatchGetSecretValue`.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>
const BATCH_SIZE: usize = 20;

/// All tagged secrets by ARN, or those of one workload. None if `secrets.inspect` is `off`.
pub(super) async fn list(c: &Collector<'_>, workload: Option<&str>) -> Read<BTreeMap<String, Secret>> {
    if c.config.secrets.inspect == Inspect::Off {
        return Ok(BTreeMap::new());
    }
    let key = format!("{}workload", c.config.tag_prefix);
    let by = |name, value: &str| Filter::builder().key(name).values(value).build();
    let mut filters = vec![by(FilterNameStringType::TagKey, &key)];
    filters.extend(workload.map(|w| by(FilterNameStringType::TagValue, w)));
    let found = pages!(
        c,
        LIST,
        token => c
            .aws
            .secrets
            .list_secrets()
            .set_filters(Some(filters.clone()))
            .include_planned_deletion(true)
            .max_results(100)
            .set_next_token(token.clone()),
        secret_list,
        next_token
    )?;
    // Filters match the beginning of a key or value, and an emulator may ignore them.
    let is_asked = |s: &Secret| {
        let own = s.tags.workload(&c.config.tag_prefix);
        own.is_some() && (workload.is_none() || own == workload)
    };
    let found = found.into_iter().filter_map(listed).filter(is_asked);
    Ok(by_key(found.collect(), |s: &Secret| s.arn.clone()))
}

fn secret_tags(list: Option<&Vec<Tag>>) -> Tags {
    tags(list.into_iter().flatten().map(|t| (t.key(), t.value())))
}

/// Whether a key is the customer's own: AWS's needs no grant.
fn is_own_key(key: &str) -> bool {
    !key.is_empty() && !key.ends_with("alias/aws/secretsmanager")
}

/// The primary region, if the secret is a replica in another one.
fn other_region(arn: &str, primary: Option<String>) -> Option<String> {
    primary.filter(|p| !p.is_empty() && arn.split(':').nth(3) != Some(p))
}

fn listed(s: SecretListEntry) -> Option<Secret> {
    let arn = s.arn?;
    Some(Secret {
        primary_region: other_region(&arn, s.primary_region),
        arn,
        name: s.name?,
        deleted_at: s.deleted_date.as_ref().and_then(instant),
        versions: s.secret_versions_to_stages.unwrap_or_default().into_iter().collect(),
        kms_key: s.kms_key_id.filter(|k| is_own_key(k)),
        changed_at: s.last_changed_date.as_ref().and_then(instant),
        rotation: Rotation {
            enabled: s.rotation_enabled.unwrap_or_default(),
            last: s.last_rotated_date.as_ref().and_then(instant),
        },
        tags: secret_tags(s.tags.as_ref()),
    })
}

/// Looks up what containers refer to, then reads the values that count, or takes them from the cache.
pub(super) async fn follow(c: &Collector<'_>, snapshot: &mut Snapshot, now: Timestamp, reuse: Reuse) {
    if c.config.secrets.inspect == Inspect::Off {
        return;
    }
    let (mut references, mut parameters) = (vec![], BTreeSet::new());
    let written = references_of(c, snapshot);
    for reference in &written {
        match value_from::parse(reference) {
            ValueFrom::Secret(target) => references.push(target),
            ValueFrom::Parameter(name) if value_from::is_parameter(name) => {
                parameters.insert(name.to_owned());
            }
            ValueFrom::Parameter(_) => {}
        }
    }
    snapshot.parameters = Box::pin(parameters::read(c, parameters)).await.into();
    look_up(c, snapshot, &references).await;
    let (current, pinned) = values_to_read(snapshot, &references);
    if c.config.secrets.inspect != Inspect::Value {
        let all = current.into_iter().map(|arn| (arn, Selector::default())).chain(pinned);
        snapshot.values = all.map(|key| (key, Ok(SecretValue::NotInspected))).collect();
        return;
    }
    let mut known = BTreeMap::new();
    let mut is_unread = |key: &ValueKey| {
        let shape = (reuse == Reuse::Allowed)
            .then(|| recall(c, snapshot, key, now))
            .flatten();
        let unread = shape.is_none();
        known.extend(shape.map(|s| (key.clone(), Ok(SecretValue::Shape(s)))));
        unread
    };
    let current = current.into_iter().map(|arn| (arn, Selector::default()));
    let current = current.filter(|key| is_unread(key)).map(|(arn, _)| arn).collect();
    let pinned = pinned.into_iter().filter(|key| is_unread(key)).collect();
    let (current, pinned) = tokio::join!(read_current(c, current), read_pinned(c, pinned));
    for read in current.into_iter().chain(pinned) {
        remember(c, snapshot, &read, now);
        known.insert(read.key, read.value);
    }
    snapshot.values = known.into();
}

/// The stamp of a value now; `None` where the list does not tell.
fn stamp(snapshot: &Snapshot, (arn, selector): &ValueKey) -> Option<Stamp> {
    let secret = snapshot.secrets.as_ref().ok()?.get(arn)?;
    let stage = selector.stage.as_deref().unwrap_or("AWSCURRENT");
    let staged = secret
        .versions
        .iter()
        .find(|(_, stages)| stages.iter().any(|s| s == stage));
    let version = match (&selector.version, staged) {
        // A stage that is given beside it must be of that version.
        (Some(version), Some((id, _))) if selector.stage.is_some() && id != version => return None,
        (Some(version), _) => version,
        (None, Some((id, _))) => id,
        (None, None) => return None,
    };
    Some((secret.changed_at?, version.clone()))
}

fn recall(c: &Collector<'_>, snapshot: &Snapshot, key: &ValueKey, now: Timestamp) -> Option<SecretShape> {
    let (then, shape) = c.cache.values.get(key, now)?;
    (stamp(snapshot, key)? == then).then_some(shape)
}

/// Keeps facts for the next sweep, unless another version was read than the list names: one of the two answers was old.
fn remember(c: &Collector<'_>, snapshot: &Snapshot, read: &FetchedValue, now: Timestamp) {
    let stamp = stamp(snapshot, &read.key).filter(|(_, version)| read.version.as_ref() == Some(version));
    match (&read.value, stamp) {
        (Ok(SecretValue::Shape(shape)), Some(stamp)) => {
            c.cache.values.put(read.key.clone(), (stamp, shape.clone()), now);
        }
        _ => c.cache.values.forget(&read.key),
    }
}

/// The references of every database variable in every running revision, as written, each once. Of other variables, only
/// those whose name says that they hold a database's whole credentials: no other value is looked at.
fn references_of(c: &Collector<'_>, snapshot: &Snapshot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let workloads = Workloads::new(snapshot, c.config, snapshot.started_at, None);
    for w in workloads.all() {
        for &service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            let of_database = database_variables(&w, Some(service), definition);
            found.extend(of_database.into_iter().map(|v| v.variable.value_from.clone()));
            let secrets = definition.containers.iter().flat_map(|d| &d.secrets);
            let whole = secrets.filter(|v| names_whole_credentials(&v.name));
            found.extend(whole.map(|v| v.value_from.clone()));
        }
    }
    found
}

/// Finds where references lead: in the list of tagged secrets, else by asking.
async fn look_up(c: &Collector<'_>, snapshot: &mut Snapshot, references: &[SecretRef<'_>]) {
    let mut unlisted: BTreeSet<String> = BTreeSet::new();
    for reference in references {
        match snapshot
            .secrets
            .as_ref()
            .ok()
            .and_then(|all| listed_as(all, reference, &c.aws.scope))
        {
            Some(arn) => {
                snapshot
                    .lookups
                    .insert(reference.arn.to_owned(), Ok(Lookup::Found(arn)));
            }
            None => {
                unlisted.insert(reference.arn.to_owned());
            }
        }
    }
    let asked = stream::iter(unlisted)
        .map(|arn| async move {
            let found = describe(c, &arn).await;
            (arn, found)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    for (arn, result) in asked {
        let lookup = match result {
            Err(e) => Err(e),
            Ok(None) => Ok(Lookup::Missing),
            Ok(Some(secret)) => {
                let found = secret.arn.clone();
                if let Ok(all) = &mut snapshot.secrets
                    && !all.contains_key(&found)
                {
                    all.insert(found.clone(), secret);
                }
                Ok(Lookup::Found(found))
            }
        };
        snapshot.lookups.insert(arn, lookup);
    }
}

/// The listed secret that a reference leads to: by its whole ARN, or by an ARN that lacks only the suffix.
pub(super) fn listed_as(all: &CowMap<String, Secret>, reference: &SecretRef<'_>, scope: &Scope) -> Option<String> {
    if all.contains_key(reference.arn) {
        return Some(reference.arn.to_owned());
    }
    let here = reference.region == scope.region && reference.account == scope.account;
    all.values()
        .find(|s| here && s.name == reference.resource)
        .map(|s| s.arn.clone())
}

/// One secret by the ARN or name that an event gives; `None` if it is gone or can't be read: then it belongs to no workload.
pub(super) async fn by_id(c: &Collector<'_>, id: &str) -> Option<Secret> {
    describe_id(c, id, &c.aws.scope.region).await.ok().flatten()
}

/// One secret by the ARN that a reference gives, in the region that the ARN names.
pub(super) async fn describe(c: &Collector<'_>, arn: &str) -> Read<Option<Secret>> {
    let ValueFrom::Secret(SecretRef { region, resource, .. }) = value_from::parse(arn) else {
        return Ok(None);
    };
    let found = describe_id(c, arn, region).await?;
    // Asked for a partial ARN, an emulator may answer with any secret whose ARN begins so.
    Ok(found.filter(|s| s.arn == arn || s.name == resource))
}

async fn describe_id(c: &Collector<'_>, id: &str, region: &str) -> Read<Option<Secret>> {
    c.progress.more(1);
    let region = aws_sdk_secretsmanager::config::Region::new(region.to_owned());
    let there = aws_sdk_secretsmanager::config::Builder::new().region(region);
    let request = c
        .aws
        .secrets
        .describe_secret()
        .secret_id(id)
        .customize()
        .config_override(there);
    let answer = c.aws.call(DESCRIBE, id, request.send()).await;
    c.progress.done(1);
    let found = match answer {
        Err(e) if is_absent(&e) => return Ok(None),
        Err(e) => return Err(e),
        Ok(found) => found,
    };
    let (Some(arn), Some(name)) = (found.arn, found.name) else {
        return Ok(None);
    };
    Ok(Some(Secret {
        primary_region: other_region(&arn, found.primary_region),
        arn,
        name,
        deleted_at: found.deleted_date.as_ref().and_then(instant),
        versions: found.version_ids_to_stages.unwrap_or_default().into_iter().collect(),
        kms_key: found.kms_key_id.filter(|k| is_own_key(k)),
        changed_at: found.last_changed_date.as_ref().and_then(instant),
        rotation: Rotation {
            enabled: found.rotation_enabled.unwrap_or_default(),
            last: found.last_rotated_date.as_ref().and_then(instant),
        },
        tags: secret_tags(found.tags.as_ref()),
    }))
}

/// The current values that count (tagged or referred to) and the versions that references pin. Of a secret that is
/// scheduled for deletion AWS hands out no value.
fn values_to_read(snapshot: &Snapshot, references: &[SecretRef<'_>]) -> (Vec<String>, Vec<ValueKey>) {
    let all = || snapshot.secrets.iter().flat_map(|m| m.values());
    let mut current: BTreeSet<String> = all().map(|s| s.arn.clone()).collect();
    let mut pinned: BTreeSet<ValueKey> = BTreeSet::new();
    for reference in references {
        if let Some(Ok(Lookup::Found(arn))) = snapshot.lookups.get(reference.arn) {
            current.insert(arn.clone());
            if reference.selector.pins() {
                pinned.insert((
                    arn.clone(),
                    Selector {
                        json_key: None,
                        ..reference.selector.clone()
                    },
                ));
            }
        }
    }
    let gone: BTreeSet<&str> = all()
        .filter(|s| s.deleted_at.is_some())
        .map(|s| s.arn.as_str())
        .collect();
    current.retain(|arn| !gone.contains(arn.as_str()));
    pinned.retain(|(arn, _)| !gone.contains(arn.as_str()));
    (current.into_iter().collect(), pinned.into_iter().collect())
}

/// What was read of one value, and of which version.
struct FetchedValue {
    key: ValueKey,
    value: Read<SecretValue>,
    version: Option<String>,
}

type Values = Vec<FetchedValue>;

/// Current values, twenty a call.
async fn read_current(c: &Collector<'_>, arns: Vec<String>) -> Values {
    let (here, elsewhere): (Vec<String>, Vec<String>) = arns
        .into_iter()
        .partition(|arn| arn.split(':').nth(3) == Some(&c.aws.scope.region));
    let chunks: Vec<Vec<String>> = here.chunks(BATCH_SIZE).map(<[String]>::to_vec).collect();
    let batches = stream::iter(chunks)
        .map(|chunk| read_batch(c, chunk))
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>();
    let singles = read_pinned(c, elsewhere.into_iter().map(|arn| (arn, Selector::default())).collect());
    let (batches, singles) = tokio::join!(batches, singles);
    batches.into_iter().flatten().chain(singles).collect()
}

async fn read_batch(c: &Collector<'_>, arns: Vec<String>) -> Values {
    c.progress.more(1);
    let request = c
        .aws
        .secrets
        .batch_get_secret_value()
        .set_secret_id_list(Some(arns.clone()));
    let answer = c
        .aws
        .call(BATCH, &format!("{} secrets", arns.len()), request.send())
        .await;
    c.progress.done(1);
    let answer = match answer {
        Ok(answer) => answer,
        // A batch fails as a whole where one by one most may be read.
        Err(e) if holdfast_core::model::read_error::is_denied(&e) => {
            return read_pinned(c, arns.into_iter().map(|arn| (arn, Selector::default())).collect()).await;
        }
        Err(e) => {
            let failed = |arn| FetchedValue {
                key: (arn, Selector::default()),
                value: Err(Arc::clone(&e)),
                version: None,
            };
            return arns.into_iter().map(failed).collect();
        }
    };
    let mut found: BTreeMap<String, (Read<SecretValue>, Option<String>)> = BTreeMap::new();
    for entry in answer.secret_values.unwrap_or_default() {
        if let Some(arn) = entry.arn {
            let value = Ok(SecretValue::Shape(shape(entry.secret_string)));
            found.insert(arn, (value, entry.version_id));
        }
    }
    for error in answer.errors.unwrap_or_default() {
        let (Some(id), Some(code)) = (error.secret_id, error.error_code) else {
            continue;
        };
        found
            .entry(id.clone())
            .or_insert_with(|| (Err(unreadable(c, &id, &code)), None));
    }
    arns.into_iter()
        .map(|arn| {
            let (value, version) = found
                .remove(&arn)
                .unwrap_or_else(|| (Err(unreadable(c, &arn, "NoAnswer")), None));
            FetchedValue {
                key: (arn, Selector::default()),
                value,
                version,
            }
        })
        .collect()
}

fn unreadable(c: &Collector<'_>, arn: &str, code: &str) -> Arc<holdfast_core::model::snapshot::ReadError> {
    let code = code.rsplit('#').next().unwrap_or(code);
    let cure = if code.contains("AccessDenied") {
        "grant the IAM action secretsmanager:GetSecretValue on it (and kms:Decrypt on its key) to Holdfast's role"
    } else if code.contains("InvalidRequest") {
        "is it scheduled for deletion, or without a current version?"
    } else {
        "it is read again at the next sweep"
    };
    c.aws.error(
        GET,
        arn,
        code,
        format!("{code}: the value of {arn} can't be read: {cure}"),
    )
}

/// Single versions.
async fn read_pinned(c: &Collector<'_>, keys: Vec<ValueKey>) -> Values {
    stream::iter(keys)
        .map(|key| read_one(c, key))
        .buffer_unordered(c.limit())
        .collect()
        .await
}

async fn read_one(c: &Collector<'_>, key: ValueKey) -> FetchedValue {
    let (arn, selector) = &key;
    c.progress.more(1);
    let region = arn.split(':').nth(3).unwrap_or(&c.aws.scope.region).to_owned();
    let there =
        aws_sdk_secretsmanager::config::Builder::new().region(aws_sdk_secretsmanager::config::Region::new(region));
    let request = c
        .aws
        .secrets
        .get_secret_value()
        .secret_id(arn)
        .set_version_stage(selector.stage.clone())
        .set_version_id(selector.version.clone())
        .customize()
        .config_override(there);
    let answer = c.aws.call(GET, arn, request.send()).await;
    c.progress.done(1);
    let (value, version) = match answer {
        // The secret is there, so what is absent is the version.
        Err(e) if is_absent(&e) && selector.pins() => (Ok(SecretValue::NoSuchVersion), None),
        Err(e) => (Err(e), None),
        Ok(found) => (Ok(SecretValue::Shape(shape(found.secret_string))), found.version_id),
    };
    FetchedValue { key, value, version }
}
