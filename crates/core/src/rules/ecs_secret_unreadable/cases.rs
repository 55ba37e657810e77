//! What `ecs-secret-unreadable` says, and of what it says nothing.

use std::sync::Arc;

use crate::model::connection::SecretShape;
use crate::model::resources::Access;
use crate::model::snapshot::SecretValue;
use crate::rules::testing::secrets::{
    OTHER, PARAMETER, PARAMETER_ARN, good, holds_at, lacks, may, other, parameter, secret,
};
use crate::rules::testing::workload::{
    REVISION, ROLE, SECRET, SERVICE, clean, denied, evaluated_by, lose_secret, refer, running, service, web,
};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no permission", |s| may(s, lacks("secretsmanager:GetSecretValue"))),
        Case::new("no permission for the key", |s| may(s, lacks("kms:Decrypt"))),
        Case::new("a role that is gone", |s| may(s, Access::NoRole)),
        Case::new("no execution role", |s| running(s).execution_role = None),
        Case::new("no permission for the second of two services", |s| {
            let mut second = service(s).clone();
            second.arn = format!("{SERVICE}-worker");
            second.name = "worker".into();
            second.task_definition = format!("{REVISION}9");
            let mut definition = running(s).clone();
            definition.execution_role = Some("arn:aws:iam::123456789012:role/worker".into());
            s.services.as_mut().expect("read").insert(second.arn.clone(), second.clone());
            s.task_definitions.insert(second.task_definition, Ok(Arc::new(definition)));
            s.access.insert(("arn:aws:iam::123456789012:role/worker".into(), SECRET.into()), Ok(lacks("secretsmanager:GetSecretValue")));
        }).and_unknown(&["ecs-builtin-database", "ecs-unsafe-rollback"]),
        Case::new("a parameter that may not be read", |s| {
            parameter(s, Some(SecretShape::Plain(good())));
            let missing = vec![format!("ssm:GetParameters on {PARAMETER_ARN}")];
            s.access.insert((ROLE.into(), PARAMETER_ARN.into()), Ok(Access::Denied { missing }));
        }),
    ],
    passing: &[
        Case::new("a role that may not read what no container refers to", |s| { other(s); s.access.insert((ROLE.into(), OTHER.into()), Ok(lacks("x"))); }),
        Case::new("a service without a database", |s| { lose_secret(s); running(s).execution_role = None; s.access.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("a good parameter", |s| parameter(s, Some(SecretShape::Plain(good())))),
        Case::new("a good parameter by ARN", |s| {
            parameter(s, Some(SecretShape::Plain(good())));
            let held = Arc::unwrap_or_clone(s.parameters.remove(PARAMETER).expect("there"));
            web(s).secrets[0].value_from = PARAMETER_ARN.into();
            s.parameters.insert(PARAMETER_ARN.into(), held);
        }),
        Case::new("a parameter with the name of a secret", |s| {
            web(s).secrets[0].value_from = "shop-url".into();
            s.parameters.insert("shop-url".into(), Ok(Some(SecretValue::Shape(SecretShape::Plain(good())))));
            s.access.insert((ROLE.into(), PARAMETER_ARN.replace("shop/url", "shop-url").into()), Ok(Access::Allowed));
        }),
        Case::new("a replica of another region", |s| {
            let abroad = SECRET.replace("us-east-1", "eu-west-1");
            let mut replica = secret(s, SECRET).clone();
            replica.arn.clone_from(&abroad);
            replica.primary_region = Some("us-east-1".into());
            s.secrets.as_mut().expect("read").insert(abroad.clone(), replica);
            s.policies.insert(abroad.clone(), Ok(vec![]));
            s.access.insert((ROLE.into(), abroad.clone().into()), Ok(Access::Allowed));
            holds_at(s, &abroad, SecretShape::Plain(good()));
            refer(s, &abroad.clone(), Some(&abroad));
        }),
    ],
    unknown: &[
        Case::new("the simulation", |s| { s.access.insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy"))); }),
        Case::new("no simulation", |s| s.access.clear()),
        Case::new("a parameter", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Err(denied("GetParameters"))); }).and_unknown(&["ecs-secret-reference-mismatch", "rds-abandoned", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
        Case::new("a parameter that may not be read", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Ok(Some(SecretValue::NotInspected))); }).and_unknown(&["ecs-secret-reference-mismatch", "rds-abandoned", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

/// What a person pastes is there, whole.
#[test]
fn the_missing_statement_is_printed() {
    let missing = || {
        let key = "kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/1".to_owned();
        vec![format!("secretsmanager:GetSecretValue on {SECRET}"), key]
    };
    let mut s = clean();
    may(&mut s, Access::Denied { missing: missing() });
    let evaluation = evaluated_by(&s, &["ecs-secret-unreadable"]);
    let remedy = evaluation.findings[0].remediation.clone().expect("a remedy");
    for statement in [
        format!(r#"{{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":["{SECRET}"]}}"#),
        r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":["arn:aws:kms:us-east-1:123456789012:key/1"]}"#
            .to_owned(),
    ] {
        assert!(remedy.summary.contains(&statement), "{}", remedy.summary);
    }
    for lacking in missing() {
        assert!(
            evaluation.findings[0].evidence[0]
                .observed
                .to_string()
                .contains(&lacking)
        );
    }
}
