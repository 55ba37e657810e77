use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::support::{Reference, references, resolve, shape};
use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::Secret;
use crate::model::snapshot::ReadError;
use crate::model::value_from::{Selector, ValueFrom};

/// `secret-malformed-url`
pub struct SecretMalformedUrl;

static META: Meta = Meta {
    id: "secret-malformed-url",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret is not a connection string that a PostgreSQL client can use",
    docs: "\
## What it checks
The value of every secret that a running container gets as one of `secret_env`, and of every tagged secret that was \
meant as a connection: a `postgres://` URL, a keyword string, or JSON that holds either, or the parts `host`, \
`username`, `password`, `port`, `dbname`. It names what is wrong (the port given twice, reserved characters not \
percent-encoded, no database name, a wrong scheme, stray white space) and where, never the value. Characters that RFC \
3986 allows as they are in a user name or password (`! $ & ' ( ) * + , ; =`) are no fault by themselves.

## Why it matters
An application that can't parse its URL may not stop: Coder went on, silently, with a database in the container.

## What Holdfast does
It reports. The value is parsed in memory and overwritten after; only facts are kept.

## By hand
Write the value anew with `aws secretsmanager put-secret-value`; percent-encode user and password \
(`python3 -c 'import urllib.parse,getpass; print(urllib.parse.quote(getpass.getpass(), safe=\"\"))'`).
",
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: &[],
    risk: Risk::Manual,
    ..Meta::DEFAULT
};

/// The IAM actions that lead from a service to the value of its secret, and to the database that it should lead to.
pub(super) const SECRET_READS: &[&str] = &[
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "tag:GetResources",
    "secretsmanager:ListSecrets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
];

/// Schemes of relational databases, which a person may have taken for PostgreSQL's.
const DATABASE_SCHEMES: &[&str] = &[
    "cockroachdb",
    "db2",
    "jdbc",
    "mariadb",
    "mssql",
    "mysql",
    "odbc",
    "oracle",
    "prisma",
    "redshift",
    "sqlite",
    "sqlite3",
    "sqlserver",
];

impl Rule for SecretMalformedUrl {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, w: &Workload<'_>) -> Vec<Judgement> {
        let (used, error) = used_secrets(w);
        let mut out: Vec<Judgement> = used.into_values().filter_map(|used| judge_secret(w, &used)).collect();
        if let Some(error) = error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

/// One secret and the ways in which running containers refer to it. `uses` is empty for a tagged secret that no
/// database variable refers to.
pub(super) struct Used<'a> {
    pub secret: &'a Secret,
    pub uses: BTreeSet<Selector>,
}

/// The database secrets of a workload by ARN, and the first error that hides one.
pub(super) fn used_secrets<'a>(w: &Workload<'a>) -> (BTreeMap<String, Used<'a>>, Option<Arc<ReadError>>) {
    let (references, mut error) = references(w);
    let mut found: BTreeMap<String, Used<'a>> = BTreeMap::new();
    match w.secrets() {
        Err(e) => error = error.or(Some(e)),
        Ok(secrets) => found.extend(secrets.into_iter().map(|secret| {
            (
                secret.arn.clone(),
                Used {
                    secret,
                    uses: BTreeSet::new(),
                },
            )
        })),
    }
    for Reference { target, .. } in references {
        let ValueFrom::Secret(target) = target else { continue };
        match resolve(w, &target) {
            Err(e) => error = error.or(Some(e)),
            // `ecs-secret-reference-mismatch` speaks of it.
            Ok(None) => {}
            Ok(Some(secret)) => {
                let used = found.entry(secret.arn.clone()).or_insert_with(|| Used {
                    secret,
                    uses: BTreeSet::new(),
                });
                used.uses.insert(target.selector);
            }
        }
    }
    (found, error)
}

/// The connections of one shape that count: those referred to, or else those meant as one. The key is absent where
/// the connection is the whole value.
pub(super) fn connections<'s>(
    shape: &'s SecretShape,
    key: Option<&str>,
    referenced: bool,
) -> Vec<(Option<&'s str>, &'s Connection)> {
    match (shape, key) {
        (SecretShape::Plain(c), _) => {
            if referenced || is_meant(c) {
                vec![(None, c)]
            } else {
                vec![]
            }
        }
        (SecretShape::Json { keys, .. }, Some(key)) => keys
            .get_key_value(key)
            .and_then(|(k, c)| c.as_ref().map(|c| (Some(k.as_str()), c)))
            .into_iter()
            .collect(),
        (SecretShape::Json { keys, parts }, None) => keys
            .iter()
            .filter_map(|(k, c)| c.as_ref().filter(|c| is_meant(c)).map(|c| (Some(k.as_str()), c)))
            .chain(parts.iter().map(|c| (None, c)))
            .collect(),
        (SecretShape::Binary, _) => vec![],
    }
}

/// Whether something that no database variable refers to was meant as a database's address all the same: a web hook or
/// the address of a queue is a URL too, and no fault of this rule.
fn is_meant(connection: &Connection) -> bool {
    let of_another_kind = connection
        .faults
        .iter()
        .any(|f| matches!(f, Fault::WrongScheme { found: Some(s) } if !DATABASE_SCHEMES.contains(&s.as_str())));
    connection.looks_intended() && !of_another_kind
}

fn judge_secret(w: &Workload<'_>, used: &Used<'_>) -> Option<Judgement> {
    let (secret, resource) = (used.secret, w.secret_ref(used.secret));
    let referenced = !used.uses.is_empty();
    let uses = if referenced {
        used.uses.clone()
    } else {
        BTreeSet::from([Selector::default()])
    };
    let mut faults: BTreeSet<String> = BTreeSet::new();
    let mut judged = false;
    for selector in &uses {
        let shape = match shape(w, secret, selector) {
            Err(e) => return Some(Judgement::unknown(resource, &secret.tags, &e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        let found = connections(shape, selector.json_key.as_deref(), referenced);
        judged |= !found.is_empty();
        // A JSON secret may hold the same connection in several forms; any that works is enough for its reader.
        if selector.json_key.is_none() && found.iter().any(|(_, c)| c.is_well_formed()) {
            continue;
        }
        for (key, connection) in &found {
            for fault in &connection.faults {
                faults.insert(key.map_or_else(|| fault.to_string(), |k| format!("under the key `{k}`, {fault}")));
            }
        }
        let nothing_in_json = matches!(shape, SecretShape::Json { .. } | SecretShape::Binary)
            && found.is_empty()
            && referenced
            && selector.json_key.is_none();
        if nothing_in_json {
            judged = true;
            faults.insert(Fault::NotAConnectionString.to_string());
        }
    }
    if !judged {
        return None;
    }
    if faults.is_empty() {
        return Some(Judgement::pass(resource, &secret.tags));
    }
    let list: Vec<String> = faults.into_iter().collect();
    let failure = Failure {
        severity: None,
        message: format!("the database secret {} is malformed: {}", secret.name, list.join("; ")),
        evidence: vec![Evidence::new("SecretString", list, "a well-formed connection string")],
        remedy: Remedy::manual(format!(
            "write the value of {} anew (user and password percent-encoded), then restart the services that use it",
            secret.name
        )),
    };
    Some(Judgement::fail(resource, &secret.tags, failure))
}
