#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;

use super::rule::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::facts::{Holder, SECRET_READS, connections, each_holder};
use crate::model::connection::{Fault, SecretShape};
use crate::model::finding::Evidence;
use crate::model::policy::{Risk, Severity};

/// `secret-malformed-url`
pub struct SecretMalformedUrl;

static META: Meta = Meta {
    id: "secret-malformed-url",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret is not a connection string that a PostgreSQL client can use",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: &[],
    risk: Risk::Manual,
    ..Meta::DEFAULT
};

impl Rule for SecretMalformedUrl {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        each_holder(w, judge_holder)
    }
}

fn judge_holder<'a>(holder: &Holder<'a>) -> Option<Judgement<'a>> {
    let subject = holder.subject;
    let mut faults: BTreeSet<String> = BTreeSet::new();
    let mut judged = false;
    for held in &holder.values {
        let shape = match &held.shape {
            Err(e) => return Some(Judgement::unknown(subject, holder.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        let found = connections(shape, held.key.as_deref(), holder.referenced);
        judged |= !found.is_empty();
        // A JSON secret may hold the same connection in several forms; any that works is enough for its reader.
        if held.key.is_none() && found.iter().any(|(_, c)| c.is_well_formed()) {
            continue;
        }
        for (key, connection) in &found {
            for fault in &connection.faults {
                let told = key.map_or_else(|| fault.to_string(), |k| format!("under the key `{k}`, {fault}"));
                faults.insert(holder.told(held, &told));
            }
        }
        let nothing_in_json = matches!(shape, SecretShape::Json { .. } | SecretShape::Binary)
            && found.is_empty()
            && holder.referenced
            && held.key.is_none();
        if nothing_in_json {
            judged = true;
            faults.insert(holder.told(held, &Fault::NotAConnectionString.to_string()));
        }
    }
    if !judged {
        return None;
    }
    if faults.is_empty() {
        return Some(Judgement::pass(subject));
    }
    let list: Vec<String> = faults.into_iter().collect();
    let told = list.join("; ");
    let failure = Failure {
        severity: None,
        message: match holder.secret {
            Some(secret) => format!("the database secret {} is malformed: {told}", secret.name),
            None => format!(
                "{} gets a malformed connection from Parameter Store: {told}",
                subject.id()
            ),
        },
        evidence: vec![Evidence::new(holder.field(), list, "a well-formed connection string")],
        remedy: Remedy::manual(holder.rewrite("(user and password percent-encoded)")),
    };
    Some(Judgement::fail(subject, holder.tags, failure))
}
