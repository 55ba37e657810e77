//! What `ecs-secret-reference-mismatch` says, and of what it says nothing.

use std::collections::BTreeMap;

use crate::model::connection::SecretShape;
use crate::rules::testing::secrets::{PARAMETER_ARN, good, json_secret, parameter};
use crate::rules::testing::workload::{SECRET, SERVICE, refer, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a partial ARN", |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), Some(SECRET))),
        Case::new("a key on a plain string", |s| refer(s, &format!("{SECRET}:url::"), Some(SECRET))),
        Case::new("JSON as a whole", json_secret),
        Case::new("a key that is not there", |s| { json_secret(s); refer(s, &format!("{SECRET}:uri::"), Some(SECRET)); }),
        Case::new("no such secret", |s| refer(s, "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbC123", None)).and_unknown(&["rds-abandoned"]),
        Case::new("a secret of another region", |s| refer(s, &SECRET.replace("us-east-1", "eu-west-1"), None)).and_unknown(&["rds-abandoned"]),
        Case::new("a bare name", |s| refer(s, "shop-url", None)).and_unknown(&["rds-abandoned"]),
        Case::new("a stage that is not there", |s| refer(s, &format!("{SECRET}::BLUE:"), Some(SECRET))),
        Case::new("a version that is not there", |s| refer(s, &format!("{SECRET}:::v9"), Some(SECRET))),
        Case::new("no such parameter", |s| parameter(s, None)).about(SERVICE).and_unknown(&["rds-abandoned"]),
        Case::new("a parameter of another region that is not there", |s| {
            let abroad = PARAMETER_ARN.replace("us-east-1", "eu-west-1");
            web(s).secrets[0].value_from.clone_from(&abroad);
            s.parameters.insert(abroad, Ok(None));
        }).about(SERVICE).and_unknown(&["rds-abandoned"]),
        Case::new("an ARN of something else", |s| web(s).secrets[0].value_from = "arn:aws:s3:::shop".into()).about(SERVICE).and_unknown(&["rds-abandoned"]),
        Case::new("a parameter that is JSON", |s| {
            let keys = BTreeMap::from([("url".to_owned(), Some(good()))]);
            parameter(s, Some(SecretShape::Json { keys, parts: None }));
        }).about(SERVICE),
    ],
    passing: &[
        Case::new("a key of JSON", |s| { json_secret(s); refer(s, &format!("{SECRET}:url::"), Some(SECRET)); }),
        Case::new("the current stage by name", |s| refer(s, &format!("{SECRET}::AWSCURRENT:"), Some(SECRET))),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};
