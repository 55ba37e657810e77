//! What `ecs-plaintext-database-url` says, and of what it says nothing.

use crate::action::{Action, RollOut, SecretChange};
use crate::connection::inspect_plain;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::resources::{Access, Container};
use crate::rules::testing::secrets::{
    OTHER, good, holds_at, lacks, may, other, plain, plain_beside, plain_password, plain_url, secret, unread,
};
use crate::rules::testing::workload::{
    HOST, ROLE, SECRET, ago, connection, denied, plain as variable, running, service, tags, web,
};
use crate::rules::testing::{Case, Cases, Change, Unread, finding_by, refusal_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a plain URL like the secret", |s| plain_url(s, good())),
        Case::new("a plain URL beside the secret", |s| plain_beside(s, "REPORT_URL", good())),
        Case::new("a plain URL elsewhere", |s| plain_url(s, connection("db.example.com", "app", vec![]))).and_unknown(&["rds-abandoned"]),
        Case::new("a plain URL in a sidecar", |s| {
            let url = variable("DATABASE_URL", "postgres://app:Secret-Pw1@db.example.com/app");
            running(s).containers.push(Container { name: "migrator".into(), variables: vec![url], ..Container::default() });
        }),
        Case::new("a plain password", |s| plain_password(s, "web", "PGPASSWORD")),
        Case::new("a plain password in a sidecar", |s| plain_password(s, "postgres", "POSTGRES_PASSWORD")),
    ],
    passing: &[
        Case::new("a plain URL without a password", |s| plain_beside(s, "REPORT_URL", Connection { has_password: false, ..good() })),
        Case::new("a plain host", |s| web(s).variables.push(variable("PGHOST", HOST))),
        Case::new("untagged and all wrong", |s| {
            service(s).tags = tags(&[]);
            other(s).deleted_at = Some(ago(-24));
            plain_password(s, "web", "PGPASSWORD");
            may(s, Access::NoRole);
        }),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// What keeps a plain URL where it is: an application could tell the difference, or could not read the secret.
#[rustfmt::skip]
const NOT_MOVED: &[(&str, Change)] = &[
    ("host", |s| plain_url(s, connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![]))),
    ("database", |s| plain_url(s, connection(HOST, "archive", vec![]))),
    ("user", |s| plain_url(s, inspect_plain(&format!("postgres://root:Secret-Pw1@{HOST}:5432/app?sslmode=require")))),
    ("password", |s| plain_url(s, inspect_plain(&format!("postgres://app:Another-Pw2@{HOST}:5432/app?sslmode=require")))),
    ("parameters", |s| plain_url(s, inspect_plain(&format!("postgres://app:Secret-Pw1@{HOST}:5432/app?sslmode=require&application_name=shop")))),
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
        let moved = finding_by(*change, "ecs-plaintext-database-url")
            .remediation
            .expect("a remedy");
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
        let why = refusal_by(*change, "ecs-plaintext-database-url");
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
    let remedy = finding_by(both, "ecs-plaintext-database-url")
        .remediation
        .expect("a remedy");
    let told = remedy.summary.contains("PGPASSWORD");
    assert!(remedy.actions.len() == 1 && told, "{remedy:#?}");
    let alone = finding_by(|s| plain_password(s, "web", "PGPASSWORD"), "ecs-plaintext-database-url");
    assert!(alone.remediation.expect("a remedy").actions.is_empty());
}
