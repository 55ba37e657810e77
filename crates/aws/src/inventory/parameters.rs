//! Parameters of Parameter Store that containers refer to: read ten a call and reduced to facts, like secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ssm::types::Parameter;
use futures::stream::{self, StreamExt};

use super::collector::Collector;
use super::secret_shape::shape;
use crate::client::{Api, Family};
use holdfast_core::config::Inspect;
use holdfast_core::model::connection::SecretShape;
use holdfast_core::model::key::Scope;
use holdfast_core::model::snapshot::{Read, ReadError, SecretValue};
use holdfast_core::model::value_from;

const GET: Api = Api {
    service: "ssm",
    operation: "GetParameters",
    family: Family::Ssm,
};

/// Most names in one `GetParameters`.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>
const NAMES_A_CALL: usize = 10;

type Parameters = BTreeMap<String, Read<Option<SecretValue>>>;

/// What `references` (names or ARNs, as written) lead to. Below `secrets.inspect: value` nothing is read: there is no call
/// that tells whether a parameter exists and not what it holds.
pub(super) async fn read(c: &Collector<'_>, references: BTreeSet<String>) -> Parameters {
    if c.config.secrets.inspect != Inspect::Value {
        let unread = references.into_iter().map(|r| (r, Ok(Some(SecretValue::NotInspected))));
        return unread.collect();
    }
    // ECS takes a parameter of another region by its ARN:
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html
    let mut regions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for reference in references {
        let region = region_of(c, &reference).to_owned();
        regions.entry(region).or_default().push(reference);
    }
    let chunks: Vec<(String, Vec<String>)> = regions
        .into_iter()
        .flat_map(|(region, names)| {
            let chunks = names.chunks(NAMES_A_CALL).map(<[String]>::to_vec).collect::<Vec<_>>();
            chunks.into_iter().map(move |chunk| (region.clone(), chunk))
        })
        .collect();
    let read = stream::iter(chunks)
        .map(|(region, names)| async move {
            match read_chunk(c, &region, names.clone()).await {
                // A call fails as a whole where one by one most may be read: one name of ten is not allowed, or none
                // that Parameter Store could have.
                Err(e)
                    if names.len() > 1 && (holdfast_core::model::read_error::is_denied(&e) || is_refused(&e.code)) =>
                {
                    let mut found = Parameters::new();
                    for name in names {
                        let one = read_chunk(c, &region, vec![name.clone()]).await;
                        found.extend(one.unwrap_or_else(|e| Parameters::from([(name, unread(e))])));
                    }
                    found
                }
                Err(e) => names.into_iter().map(|n| (n, unread(Arc::clone(&e)))).collect(),
                Ok(found) => found,
            }
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<Parameters>>()
        .await;
    read.into_iter().flatten().collect()
}

fn region_of<'r>(c: &'r Collector<'_>, reference: &'r str) -> &'r str {
    let named = reference.starts_with("arn:").then(|| reference.split(':').nth(3));
    named.flatten().filter(|r| !r.is_empty()).unwrap_or(&c.aws.scope.region)
}

fn is_refused(code: &str) -> bool {
    code == "ValidationException"
}

/// Parameter Store can't hold a name that it refuses.
fn unread(error: Arc<ReadError>) -> Read<Option<SecretValue>> {
    if is_refused(&error.code) { Ok(None) } else { Err(error) }
}

async fn read_chunk(c: &Collector<'_>, region: &str, names: Vec<String>) -> Read<Parameters> {
    c.progress.more(1);
    let there = aws_sdk_ssm::config::Builder::new().region(aws_sdk_ssm::config::Region::new(region.to_owned()));
    let request = c
        .aws
        .ssm
        .get_parameters()
        .set_names(Some(names.clone()))
        .with_decryption(true)
        .customize()
        .config_override(there);
    let what = match names.as_slice() {
        [only] => only.clone(),
        several => format!("{} parameters", several.len()),
    };
    let answer = c.aws.call(GET, &what, request.send()).await;
    c.progress.done(1);
    let answer = answer?;
    let missing = answer.invalid_parameters.unwrap_or_default();
    // Each value is looked at once and overwritten, whatever names lead to it.
    let found: Vec<(Parameter, SecretShape)> = answer
        .parameters
        .unwrap_or_default()
        .into_iter()
        .map(|mut parameter| {
            let shape = shape(parameter.value.take());
            (parameter, shape)
        })
        .collect();
    let seen = |name: &str| match found.iter().find(|(p, _)| answers(p, name, &c.aws.scope)) {
        Some((_, shape)) => Ok(Some(SecretValue::Shape(shape.clone()))),
        None if missing.iter().any(|m| m == name) => Ok(None),
        None => Err(c.aws.error(
            GET,
            name,
            "NoAnswer",
            format!("AWS answered without the parameter {name}; it is read again at the next sweep"),
        )),
    };
    Ok(names
        .into_iter()
        .map(|name| {
            let value = seen(&name);
            (name, value)
        })
        .collect())
}

/// Whether a parameter is the one asked for by this name or ARN, perhaps with a version or label after it.
fn answers(parameter: &Parameter, asked: &str, scope: &Scope) -> bool {
    let of_arn = asked.starts_with("arn:");
    let selector = asked
        .splitn(if of_arn { 7 } else { 2 }, ':')
        .nth(if of_arn { 6 } else { 1 });
    let given = parameter.selector().unwrap_or_default().trim_start_matches(':');
    let same_version = selector.is_none_or(|s| given.is_empty() || given == s);
    let same_name = if of_arn {
        parameter.arn() == Some(&value_from::parameter_arn(asked, scope)) || parameter.name() == Some(asked)
    } else {
        parameter.name() == asked.split(':').next()
    };
    same_version && same_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_name_arn_and_version() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url";
        let plain = Parameter::builder().name("/shop/url").arn(arn).build();
        for asked in ["/shop/url", arn, "/shop/url:3"] {
            assert!(answers(&plain, asked, &scope), "{asked}");
        }
        for asked in ["/shop", "/shop/url2", "shop", &format!("{arn}2")] {
            assert!(!answers(&plain, asked, &scope), "{asked}");
        }
        let third = Parameter::builder().name("/shop/url").arn(arn).selector(":3").build();
        assert!(answers(&third, "/shop/url:3", &scope) && answers(&third, &format!("{arn}:3"), &scope));
        assert!(!answers(&third, "/shop/url:4", &scope));
    }
}
