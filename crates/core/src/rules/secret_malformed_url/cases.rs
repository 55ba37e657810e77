//! What `secret-malformed-url` says, and of what it says nothing.

use crate::model::connection::{Connection, Fault, SecretShape, UrlPart};
use crate::model::store::Engine;
use crate::rules::testing::secrets::{good, parameter};
use crate::rules::testing::workload::{HOST, SERVICE, connection, holds, service, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a port twice", |s| holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::PortTwice])))),
        Case::new("a raw password", |s| holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::UnencodedReserved { part: UrlPart::Password }])))),
        Case::new("another engine's scheme for a PostgreSQL database", |s| holds(s, SecretShape::Plain(Connection { engine: Engine::Other("mysql".into()), scheme: Some("mysql".into()), ..connection(HOST, "app", vec![]) }))),
        Case::new("prose", |s| { let mut c = connection("", "", vec![Fault::NotAConnectionString]); c.hosts.clear(); holds(s, SecretShape::Plain(c)); }),
        Case::new("a malformed parameter", |s| parameter(s, Some(SecretShape::Plain(Connection { faults: vec![Fault::PortTwice], ..good() })))).about(SERVICE),
        Case::new("an empty parameter", |s| { let mut c = connection("", "", vec![Fault::Empty]); c.hosts.clear(); parameter(s, Some(SecretShape::Plain(c))); }).about(SERVICE).and_unknown(&["rds-abandoned"]),
    ],
    passing: &[
        Case::new("another engine elsewhere", |s| holds(s, SecretShape::Plain(Connection { engine: Engine::Other("mysql".into()), scheme: Some("mysql".into()), ..connection("db.example.com", "app", vec![]) }))),
        Case::new("a web hook", |s| { web(s).secrets.clear(); service(s).status = "INACTIVE".into(); holds(s, SecretShape::Plain(connection(HOST, "app", vec![Fault::WrongScheme { found: Some("https".into()) }]))); }).and_fail(&["rds-abandoned"]),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};
