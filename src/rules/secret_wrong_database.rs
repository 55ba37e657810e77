use std::collections::BTreeSet;
use std::sync::Arc;

use super::secret_malformed_url::{SECRET_READS, Used, connections, used_secrets};
use super::support::{Leads, leads, shape};
use super::workload::DatabaseView;
use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::snapshot::ReadError;
use crate::model::value_from::Selector;

/// `secret-wrong-database`
pub struct SecretWrongDatabase;

static META: Meta = Meta {
    id: "secret-wrong-database",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret does not lead to the workload's database",
    docs: "\
## What it checks
Host, port and database name in every database secret of the workload, against the endpoints of the databases that \
carry its tag: instance endpoints, and of a cluster its writer, reader and custom ones. The database name is compared \
where RDS knows one (`DBName`). Of several databases, leading to any one is enough. A host name of your own that is an alias of the \
endpoint is not followed: waive the rule, or use the endpoint.

## Why it matters
A service that writes to last month's database works perfectly, until someone deletes that.

## What Holdfast does
It reports.

## By hand
`aws secretsmanager put-secret-value` with the endpoint that `aws rds describe-db-instances` gives.
",
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: &[],
    risk: Risk::Manual,
    ..Meta::DEFAULT
};

impl Rule for SecretWrongDatabase {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, w: &Workload<'_>) -> Vec<Judgement> {
        let databases = match w.databases() {
            Err(e) => return w.unknown(&e),
            // With no database there is nothing to compare with.
            Ok(databases) if databases.is_empty() => return vec![],
            Ok(databases) => databases,
        };
        let (used, error) = used_secrets(w);
        let mut out: Vec<Judgement> = used
            .into_values()
            .filter_map(|used| judge_secret(w, &used, &databases))
            .collect();
        if let Some(error) = error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

fn judge_secret(w: &Workload<'_>, used: &Used<'_>, databases: &[DatabaseView<'_>]) -> Option<Judgement> {
    let (secret, resource) = (used.secret, w.secret_ref(used.secret));
    let referenced = !used.uses.is_empty();
    let uses = if referenced {
        used.uses.clone()
    } else {
        BTreeSet::from([Selector::default()])
    };
    let mut judged = false;
    let mut astray = vec![];
    let mut unclear = None;
    for selector in &uses {
        let shape = match shape(w, secret, selector) {
            Err(e) => return Some(Judgement::unknown(resource, &secret.tags, &e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (_, connection) in connections(shape, selector.json_key.as_deref(), referenced) {
            if connection.hosts.is_empty() {
                continue;
            }
            judged = true;
            match leads(connection, databases) {
                Leads::Home => {}
                Leads::Astray(field, observed, expected) => {
                    let found = (field, observed, expected);
                    if !astray.contains(&found) {
                        astray.push(found);
                    }
                }
                Leads::Unclear(why) => unclear = Some(why),
            }
        }
    }
    if !judged {
        return None;
    }
    if let ([], Some(why)) = (astray.as_slice(), unclear) {
        let error = ReadError {
            service: "rds".into(),
            operation: "DescribeDBInstances".into(),
            resource: secret.name.clone(),
            code: "NotComparable".into(),
            message: format!("where {} leads is unknown: {why}", secret.name),
        };
        return Some(Judgement::unknown(resource, &secret.tags, &Arc::new(error)));
    }
    if astray.is_empty() {
        return Some(Judgement::pass(resource, &secret.tags));
    }
    let told: Vec<String> = astray
        .iter()
        .map(|(f, o, e)| format!("its {f} is {o}, not {e}"))
        .collect();
    let failure = Failure {
        severity: None,
        message: format!(
            "the secret {} does not lead to the database of {}: {}",
            secret.name,
            w.name,
            told.join("; ")
        ),
        evidence: astray.into_iter().map(|(f, o, e)| Evidence::new(f, o, e)).collect(),
        remedy: Remedy::manual(format!(
            "write the value of {} anew with the right endpoint and database name, then restart the services that \
             use it",
            secret.name
        )),
    };
    Some(Judgement::fail(resource, &secret.tags, failure))
}
