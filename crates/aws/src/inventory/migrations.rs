//! Families of task definitions that run schema migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use futures::stream::{self, StreamExt};

use super::collector::Collector;
use super::convert::tags;
use super::ecs::{GET_RESOURCES, is_of};
use super::pages::pages;
use super::task_definition;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::resources::{MigrationFamily, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError};
use holdfast_core::model::tags::Tags;

/// The rules that evaluate them.
const RULES: &[&str] = &["migration-failed", "migration-drift", "migration-missing"];
/// How many revisions back one that is not deregistered is looked for.
const REVISIONS_BACK: usize = 3;

/// Families by name, and their newest tagged revisions by ARN.
pub(super) struct Found {
    pub families: Read<BTreeMap<String, MigrationFamily>>,
    pub definitions: BTreeMap<String, Read<Arc<TaskDefinition>>>,
}

impl Found {
    fn new(families: Read<BTreeMap<String, MigrationFamily>>) -> Self {
        Self {
            families,
            definitions: BTreeMap::new(),
        }
    }
}

fn is_evaluated(c: &Collector<'_>) -> bool {
    RULES
        .iter()
        .any(|rule| holdfast_core::rules::settings::is_enabled_id(rule, c.config))
}

/// Every family with a revision tagged `holdfast:role=migration` and a workload, without its runs. Nothing else finds
/// them: to describe each family of the account would take a call for each.
pub(super) async fn discover(c: &Collector<'_>) -> Found {
    if !is_evaluated(c) {
        return Found::new(Ok(BTreeMap::new()));
    }
    let key = format!("{}role", c.config.tag_prefix);
    let filter = TagFilter::builder().key(key).values("migration").build();
    let tagged = pages!(
        c,
        GET_RESOURCES,
        token => c
            .aws
            .tagging
            .get_resources()
            .resource_type_filters("ecs:task-definition")
            .tag_filters(filter.clone())
            .resources_per_page(100)
            .set_pagination_token(token.clone()),
        resource_tag_mapping_list,
        pagination_token
    );
    match tagged {
        Err(e) => Found::new(Err(e)),
        Ok(tagged) => {
            let families = by_family(tagged.into_iter().filter_map(|r| revision(c, &r)));
            newest(c, families).await
        }
    }
}

/// One tagged revision.
struct Revision {
    family: String,
    number: i32,
    arn: String,
    tags: Tags,
}

fn revision(c: &Collector<'_>, r: &ResourceTagMapping) -> Option<Revision> {
    let arn = r.resource_arn().filter(|arn| is_of(arn, &c.aws.scope))?;
    let (family, number) = family_of(arn)?;
    let tags = tags(r.tags().iter().map(|t| (Some(t.key()), Some(t.value()))));
    // A family without an owner belongs to no workload.
    tags.workload(&c.config.tag_prefix)?;
    Some(Revision {
        family: family.to_owned(),
        number,
        arn: arn.to_owned(),
        tags,
    })
}

/// `NAME` and `3` of `...:task-definition/NAME:3`.
pub(super) fn family_of(arn: &str) -> Option<(&str, i32)> {
    let (family, number) = arn.rsplit_once('/')?.1.split_once(':')?;
    Some((family, number.parse().ok()?))
}

/// Revisions by family, the newest first.
fn by_family(revisions: impl Iterator<Item = Revision>) -> BTreeMap<String, Vec<Revision>> {
    let mut families: BTreeMap<String, Vec<Revision>> = BTreeMap::new();
    for revision in revisions {
        families.entry(revision.family.clone()).or_default().push(revision);
    }
    for list in families.values_mut() {
        list.sort_by_key(|r| std::cmp::Reverse(r.number));
    }
    families
}

/// The newest revision of each family that is not deregistered. The tagging API lists those that are.
async fn newest(c: &Collector<'_>, families: BTreeMap<String, Vec<Revision>>) -> Found {
    let read = stream::iter(families.into_values())
        .map(|revisions| async move {
            for revision in revisions.into_iter().take(REVISIONS_BACK) {
                let definition = task_definition::read(c, &revision.arn).await;
                if definition.as_ref().is_ok_and(|d| !d.active) || definition.as_ref().is_err_and(|e| is_gone(e)) {
                    continue;
                }
                return Some((revision, definition));
            }
            None
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    let mut found = Found::new(Ok(BTreeMap::new()));
    for (revision, definition) in read.into_iter().flatten() {
        add(&mut found, revision.family, revision.arn, revision.tags, definition);
    }
    found
}

fn add(found: &mut Found, family: String, revision: String, tags: Tags, definition: Read<Arc<TaskDefinition>>) {
    found.definitions.insert(revision.clone(), definition);
    let entry = MigrationFamily {
        family: family.clone(),
        revision,
        tags,
        ..MigrationFamily::default()
    };
    if let Ok(families) = &mut found.families {
        families.insert(family, entry);
    }
}

/// ECS answers so for a revision that was deleted, and for a family without an active one.
fn is_gone(error: &ReadError) -> bool {
    error.code == "ClientException"
}

/// The families of these names, without their runs; what is no longer one is left out. Of those in `known` the
/// revision seen last counts where a newer one is not tagged.
pub(super) async fn refresh(
    c: &Collector<'_>,
    names: &BTreeSet<String>,
    known: &Read<CowMap<String, MigrationFamily>>,
) -> Found {
    let mut found = Found::new(Ok(BTreeMap::new()));
    if !is_evaluated(c) {
        return found;
    }
    let prefix = &c.config.tag_prefix;
    for name in names {
        let before = known.as_ref().ok().and_then(|k| k.get(name));
        for reference in std::iter::once(name.clone()).chain(before.map(|f| f.revision.clone())) {
            match task_definition::fetch(c, &reference).await {
                Ok(d) if d.active && d.tags.get(prefix, "role") == Some("migration") => {
                    if d.tags.workload(prefix).is_some() {
                        add(&mut found, name.clone(), d.arn.clone(), d.tags.clone(), Ok(d));
                    }
                    break;
                }
                Ok(_) => {}
                Err(e) if is_gone(&e) => {}
                // What it is now is unknown: keep what was known of it.
                Err(e) => {
                    if let Some(f) = before {
                        add(&mut found, name.clone(), f.revision.clone(), f.tags.clone(), Err(e));
                    } else {
                        found.families = Err(e);
                    }
                    break;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3";

    #[test]
    fn revisions_are_numbers() {
        assert_eq!(family_of(DEFINITION), Some(("shop-migrate", 3)));
        assert_eq!(family_of("task-definition/shop"), None);
        let revision = |number| Revision {
            family: "f".into(),
            number,
            arn: String::new(),
            tags: Tags::default(),
        };
        let families = by_family([2, 10, 9].into_iter().map(revision));
        assert_eq!(families["f"].iter().map(|r| r.number).collect::<Vec<_>>(), [10, 9, 2]);
    }
}
