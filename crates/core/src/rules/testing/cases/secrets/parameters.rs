//! Parameters of Parameter Store: what the rules about secrets say of them, those of another area too.

use std::collections::BTreeMap;

use super::super::super::{ROLE, SERVICE, clean, connection, judged_by, rules_with, web};
use super::super::{Change, set};
use super::{MALFORMED, MASTER, MISMATCH, PARAMETER_ARN, TLS, UNREADABLE, WRONG, as_master, good, in_mode, parameter};
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::finding::Verdict;
use crate::model::resources::{Access, SecretVariable};
use crate::model::snapshot::Value;

/// What rules of another area say of parameters, too.
#[rustfmt::skip]
const PARAMETERS: &[(&str, Change, &[&str])] = &[
    ("a malformed parameter", |s| parameter(s, Some(SecretShape::Plain(Connection { faults: vec![Fault::PortTwice], ..good() }))), &[MALFORMED]),
    ("an empty parameter", |s| { let mut c = connection("", "", vec![Fault::Empty]); c.hosts.clear(); parameter(s, Some(SecretShape::Plain(c))); }, &[MALFORMED]),
    ("a parameter that leads elsewhere", |s| parameter(s, Some(SecretShape::Plain(Connection { hosts: connection("old.example.com", "app", vec![]).hosts, ..good() }))), &[WRONG]),
    ("a parameter with the master user", |s| parameter(s, Some(SecretShape::Plain(as_master()))), &[MASTER]),
    ("a parameter without sslmode", |s| parameter(s, Some(SecretShape::Plain(in_mode(None)))), &[TLS]),
    ("no such parameter", |s| parameter(s, None), &[MISMATCH]),
    ("a parameter of another region that is not there", |s| {
        let abroad = PARAMETER_ARN.replace("us-east-1", "eu-west-1");
        web(s).secrets[0].value_from.clone_from(&abroad);
        s.parameters.insert(abroad, Ok(None));
    }, &[MISMATCH]),
    ("an ARN of something else", |s| web(s).secrets[0].value_from = "arn:aws:s3:::shop".into(), &[MISMATCH]),
    ("a parameter that is JSON", |s| {
        let keys = BTreeMap::from([("url".to_owned(), Some(good()))]);
        parameter(s, Some(SecretShape::Json { keys, parts: None }));
    }, &[MISMATCH]),
];

#[test]
fn parameters() {
    let rules = [MALFORMED, WRONG, MISMATCH, MASTER, TLS, UNREADABLE];
    let judged = |change: Change| {
        let mut s = clean();
        change(&mut s);
        judged_by(&s, &rules)
    };
    for (name, change, expected) in PARAMETERS {
        let judged = judged(*change);
        assert_eq!(
            rules_with(&judged, Verdict::Fail),
            set(expected),
            "{name}: {:#?}",
            judged.findings
        );
        assert!(
            rules_with(&judged, Verdict::Unknown).is_empty(),
            "{name}: {:#?}",
            judged.findings
        );
        for finding in &judged.findings {
            assert_eq!(
                finding.resource.arn, SERVICE,
                "{name}: parameters have no kind of their own"
            );
        }
    }
    // Two parameters of one service are one finding, in which each is named.
    let two = judged(|s| {
        parameter(s, Some(SecretShape::Plain(in_mode(None))));
        let second = SecretVariable {
            name: "CODER_POSTGRES_URL".into(),
            value_from: "shop-second".into(),
        };
        web(s).secrets.push(second);
        s.parameters.insert(
            "shop-second".into(),
            Ok(Some(Value::Shape(SecretShape::Plain(in_mode(Some("allow")))))),
        );
        s.access.insert(
            (ROLE.into(), PARAMETER_ARN.replace("shop/url", "shop-second")),
            Ok(Access::Allowed),
        );
    });
    let [finding] = two.findings.as_slice() else {
        panic!("{:#?}", two.findings)
    };
    assert!(
        finding
            .message
            .contains("/shop/url: it has no sslmode; shop-second: it has sslmode allow"),
        "{}",
        finding.message
    );
}
