//! What is done about it, and what holds it.

use std::collections::BTreeMap;

use super::super::super::{
    HOST, ROLE, SECRET, ago, clean, connection, denied, judged_by, now, refer, running, tags, web,
};
use super::super::{Change, set};
use super::{
    BROAD, DELETION, OTHER, PARAMETER_ARN, PLAINTEXT, UNREADABLE, good, holds_at, lacks, may, other, parameter, plain,
    plain_password, plain_url, secret, unread,
};
use crate::action::{Action, RollOut, SecretChange};
use crate::config::Config;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::finding::Finding;
use crate::model::resources::Access;
use crate::rules::wants::wants;

fn finding(change: Change, rule: &str) -> Finding {
    let mut s = clean();
    change(&mut s);
    let judged = judged_by(&s, &[rule]);
    let [finding] = judged.findings.as_slice() else {
        panic!("{:#?}", judged.findings)
    };
    finding.clone()
}

fn refusal(change: Change, rule: &str) -> String {
    let remediation = finding(change, rule).remediation.expect("a remedy");
    remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default()
}

/// What keeps a plain URL where it is: an application could tell the difference, or could not read the secret.
#[rustfmt::skip]
const NOT_MOVED: &[(&str, Change)] = &[
    ("host", |s| plain_url(s, connection("old.example.com", "app", vec![]))),
    ("database", |s| plain_url(s, connection(HOST, "archive", vec![]))),
    ("user", |s| plain_url(s, Connection { user: Some("root".into()), ..good() })),
    ("malformed itself", |s| plain_url(s, connection(HOST, "app", vec![Fault::PortTwice]))),
    ("no secret tagged", |s| { plain_url(s, good()); secret(s, SECRET).tags = tags(&[]); }),
    ("does not choose", |s| { plain_url(s, good()); other(s); holds_at(s, OTHER, SecretShape::Plain(good())); }),
    ("unknown", |s| { plain_url(s, good()); unread(s); }),
    ("no execution role", |s| { plain_url(s, good()); running(s).execution_role = None; }),
    ("may not secretsmanager:GetSecretValue", |s| { plain_url(s, good()); may(s, lacks("secretsmanager:GetSecretValue")); }),
];

/// What is no proof that the role may not read it.
#[rustfmt::skip]
const MOVED: &[Change] = &[
    |s| { plain(s, good()); plain_url(s, good()); },
    |s| { plain_url(s, good()); may(s, Access::NoRole); },
    |s| { plain_url(s, good()); s.access.clear(); },
    |s| { plain_url(s, good()); s.access.insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy"))); },
];

#[test]
fn moving_to_the_secret() {
    for change in MOVED {
        let moved = finding(*change, PLAINTEXT).remediation.expect("a remedy");
        assert_eq!(moved.blocked_by, None);
        let [Action::RollOut(RollOut { changes, .. })] = moved.actions.as_slice() else {
            panic!("{moved:#?}")
        };
        let wanted = SecretChange {
            container: "web".into(),
            variable: "DATABASE_URL".into(),
            before: None,
            after: SECRET.into(),
        };
        assert_eq!(*changes, [wanted]);
    }
    for (word, change) in NOT_MOVED {
        let why = refusal(*change, PLAINTEXT);
        assert!(why.contains(word), "{word}: {why}");
    }
}

/// A URL is moved although there is a password beside it that can't be.
#[test]
fn a_password_by_itself_is_left() {
    let both: Change = |s| {
        plain_url(s, good());
        plain_password(s, "web", "PGPASSWORD");
    };
    let remedy = finding(both, PLAINTEXT).remediation.expect("a remedy");
    let told = remedy.summary.contains("PGPASSWORD");
    assert!(remedy.actions.len() == 1 && told, "{remedy:#?}");
    let alone = finding(|s| plain_password(s, "web", "PGPASSWORD"), PLAINTEXT);
    assert!(alone.remediation.expect("a remedy").actions.is_empty());
}

#[test]
fn restoring_a_secret() {
    let gone: Change = |s| secret(s, SECRET).deleted_at = Some(ago(-24));
    assert_eq!(refusal(gone, DELETION), "");
    for (change, word) in [
        (
            (|s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.tags = tags(&[]);
            }) as Change,
            "does not carry",
        ),
        (
            |s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.primary_region = Some("eu-west-1".into());
            },
            "replica",
        ),
        (
            |s| {
                let abroad = SECRET.replace("us-east-1", "eu-west-1");
                let mut far = secret(s, SECRET).clone();
                (far.arn, far.deleted_at) = (abroad.clone(), Some(ago(-24)));
                s.secrets.as_mut().expect("read").insert(abroad.clone(), far);
                refer(s, &abroad.clone(), Some(&abroad));
            },
            "region eu-west-1",
        ),
    ] {
        let why = refusal(change, DELETION);
        assert!(why.contains(word), "{word}: {why}");
    }
}

/// What a person pastes is there, whole.
#[test]
fn the_missing_statement_is_printed() {
    let missing = || {
        let key = "kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/1".to_owned();
        vec![format!("secretsmanager:GetSecretValue on {SECRET}"), key]
    };
    let mut s = clean();
    may(&mut s, Access::Denied { missing: missing() });
    let judged = judged_by(&s, &[UNREADABLE]);
    let remedy = judged.findings[0].remediation.clone().expect("a remedy");
    for statement in [
        format!(r#"{{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":["{SECRET}"]}}"#),
        r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":["arn:aws:kms:us-east-1:123456789012:key/1"]}"#
            .to_owned(),
    ] {
        assert!(remedy.summary.contains(&statement), "{}", remedy.summary);
    }
    for lacking in missing() {
        assert!(judged.findings[0].evidence[0].observed.to_string().contains(&lacking));
    }
}

/// What a look at the first reads asks for: the policies of all secrets that count, and for each role what it reads, or
/// would after a rollout.
#[test]
fn what_else_is_read() {
    let wanted = |change: Change| {
        let mut s = clean();
        change(&mut s);
        wants(&s, &Config::default(), now())
    };
    let pair = |resources: &[&str]| BTreeMap::from([(ROLE.to_owned(), set(resources))]);
    let all = wanted(|s| {
        other(s);
    });
    assert_eq!(all.policies, set(&[SECRET, OTHER]));
    assert_eq!(all.access, pair(&[SECRET]));
    assert_eq!(
        wanted(|s| parameter(s, Some(SecretShape::Plain(good())))).access,
        pair(&[PARAMETER_ARN])
    );
    for change in [
        (|s| web(s).secrets.clear()) as Change,
        |s| plain_url(s, good()),
        |s| refer(s, "shop-url", None),
        |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), None),
    ] {
        assert_eq!(wanted(change).access, pair(&[SECRET]));
    }
    let mut config = Config::default();
    for rule in [BROAD, UNREADABLE] {
        config.rules.entry(rule.to_owned()).or_default().enabled = Some(false);
    }
    let none = wants(&clean(), &config, now());
    assert!(none.policies.is_empty() && none.access.is_empty());
}
