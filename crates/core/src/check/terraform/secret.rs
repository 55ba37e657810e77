//! Secrets, their values where the file has them, and where references to them lead.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::resource::Resource;
use super::{Class, Reading};
use crate::check::case::{DisplayName, partial_arn, secret};
use crate::connection::inspect;
use crate::model::resources::Secret;
use crate::model::snapshot::{Lookup, SecretValue};
use crate::model::value_from::{self, Selector, ValueFrom};

impl<'a> Reading<'a, '_> {
    pub(super) fn secrets(&mut self) {
        let terraform = self.terraform;
        let mut secrets = BTreeMap::new();
        let mut by_address: BTreeMap<&str, String> = BTreeMap::new();
        for r in terraform
            .resources
            .iter()
            .filter(|r| r.kind == "aws_secretsmanager_secret")
        {
            let secret = self.secret(r);
            // What one part of a configuration makes, another may read: it is one secret.
            if r.data && secrets.contains_key(&secret.arn) {
                continue;
            }
            self.names(&secret.arn, DisplayName::of(&r.address));
            by_address.insert(&r.address, secret.arn.clone());
            secrets.insert(secret.arn.clone(), secret);
        }
        for r in terraform
            .resources
            .iter()
            .filter(|r| r.kind == "aws_secretsmanager_secret_version")
        {
            let secret = self.link(r, Class::Secret, "secret_id");
            let Some(arn) = secret.as_deref().and_then(|address| by_address.get(address)) else {
                continue;
            };
            let Some(value) = r
                .values
                .get("secret_string")
                .and_then(Json::as_str)
                .filter(|v| !v.is_empty())
            else {
                // One that is write-only is in no file.
                if r.values.get("secret_string_wo_version").is_none_or(Json::is_null) && !r.data {
                    self.gap(r, "secret_string");
                }
                continue;
            };
            let value = if self.inspect {
                SecretValue::Shape(inspect(value))
            } else {
                SecretValue::NotInspected
            };
            self.snapshot
                .values
                .insert((arn.clone(), Selector::default()), Ok(value));
        }
        self.snapshot.secrets = Ok(secrets.into());
    }

    fn secret(&mut self, r: &Resource<'a>) -> Secret {
        let placeholder = || {
            self.snapshot
                .scope
                .arn("secretsmanager", &format!("secret:{}", r.address))
        };
        let arn = r.text("arn").map_or_else(placeholder, str::to_owned);
        let name = r.text("name").unwrap_or(&r.address).to_owned();
        Secret {
            kms_key: r.text("kms_key_id").map(str::to_owned),
            tags: if r.data { r.tags() } else { self.own_tags(r) },
            ..secret(arn, name)
        }
    }

    /// Resolves the references of every revision, as far as the file has their targets.
    pub(super) fn references(&mut self) {
        let definitions = self.snapshot.task_definitions.values().flatten();
        let written: Vec<String> = definitions
            .flat_map(|d| &d.containers)
            .flat_map(|c| &c.secrets)
            .map(|s| s.value_from.clone())
            .collect();
        for reference in written {
            let ValueFrom::Secret(target) = value_from::parse(&reference) else {
                continue;
            };
            let Ok(secrets) = &mut self.snapshot.secrets else {
                return;
            };
            let known = secrets
                .values()
                .find(|s| s.arn == target.arn || s.name == target.resource)
                .map(|s| s.arn.clone());
            let found = known.or_else(|| {
                let secret = partial_arn(&target)?;
                let arn = secret.arn.clone();
                secrets.insert(arn.clone(), secret);
                Some(arn)
            });
            if let Some(arn) = found {
                self.snapshot
                    .lookups
                    .insert(target.arn.to_owned(), Ok(Lookup::Found(arn)));
            }
        }
    }
}
