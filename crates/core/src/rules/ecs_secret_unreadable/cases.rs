//! What `ecs-secret-unreadable` says, and of what it says nothing.

use std::sync::Arc;

use crate::model::connection::SecretShape;
use crate::model::resources::{Access, AccessTarget, Container, SecretVariable};
use crate::model::snapshot::{Lookup, SecretValue, Snapshot};
use crate::rules::testing::secrets::{
    OTHER, PARAMETER, PARAMETER_ARN, good, holds_at, lacks, may, other, parameter, secret,
};
use crate::rules::testing::workload::{
    LOG_STREAM, REVISION, ROLE, SECRET, SERVICE, clean, denied, evaluated_by, now, old_versions, refer, running,
    service, web,
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
        Case::new("a secret that is no connection", |s| { api_key(s); s.access.insert((ROLE.into(), OTHER.into()), Ok(denied_of("secretsmanager:GetSecretValue", OTHER))); }),
        Case::new("a log driver's secret", |s| {
            api_key(s);
            let option = web(s).secrets.pop().expect("there");
            web(s).secret_options.push(option);
            s.access.insert((ROLE.into(), OTHER.into()), Ok(denied_of("secretsmanager:GetSecretValue", OTHER)));
        }),
        Case::new("the password of a private registry", |s| {
            api_key(s);
            web(s).secrets.pop();
            web(s).repository_credentials = Some(OTHER.into());
            s.access.insert((ROLE.into(), OTHER.into()), Ok(denied_of("secretsmanager:GetSecretValue", OTHER)));
        }),
        Case::new("an environment file", |s| { env_file(s); s.access.insert((ROLE.into(), AccessTarget::File(FILE.into())), Ok(denied_of("s3:GetObject", FILE))); }),
        Case::new("an environment file on EC2", |s| { on_ec2(s); env_file(s); s.access.insert((ROLE.into(), AccessTarget::File(FILE.into())), Ok(denied_of("s3:GetObject", FILE))); }),
        Case::new("an image", |s| { image(s); s.access.insert((ROLE.into(), AccessTarget::Image(REPOSITORY.into())), Ok(denied_of("ecr:BatchGetImage", REPOSITORY))); }),
        Case::new("the registry", |s| { image(s); s.access.insert((ROLE.into(), AccessTarget::Registry), Ok(denied_of("ecr:GetAuthorizationToken", "*"))); }),
        Case::new("the log stream", |s| { let group = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/shop:*"; s.access.insert((ROLE.into(), AccessTarget::LogStream(LOG_STREAM.into())), Ok(denied_of("logs:CreateLogStream", group))); }),
        Case::new("no execution role for an image", |s| { image(s); web(s).secrets.clear(); web(s).log = None; s.logs.clear(); running(s).execution_role = None; }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("a denial is worse than what is not known", |s| { may(s, lacks("secretsmanager:GetSecretValue")); image(s); s.access.insert((ROLE.into(), AccessTarget::Registry), Err(denied("SimulatePrincipalPolicy"))); }),
        Case::new("a parameter that may not be read", |s| {
            parameter(s, Some(SecretShape::Plain(good())));
            let missing = vec![format!("ssm:GetParameters on {PARAMETER_ARN}")];
            s.access.insert((ROLE.into(), PARAMETER_ARN.into()), Ok(Access::Denied { missing }));
        }),
    ],
    passing: &[
        Case::new("all that a task can need", |s| { image(s); env_file(s); api_key(s); }),
        Case::new("an image and a log on EC2, which the instance's role fetches", |s| { on_ec2(s); image(s); s.access.retain(|(_, t), _| matches!(t, AccessTarget::Resource(_) | AccessTarget::EcsExec)); }),
        Case::new("an image of another registry", |s| { image(s); web(s).image = "public.ecr.aws/nginx/nginx:1".into(); s.access.retain(|(_, t), _| *t != AccessTarget::Registry); }),
        Case::new("the policy of another account, where tasks run", |s| { image(s); let unread = "the policy of the repository".into(); s.access.insert((ROLE.into(), AccessTarget::Image(REPOSITORY.into())), Ok(Access::AllowedHere { unread })); }),
        Case::new("a log group that is there, and that the role could not create", |s| { creates_group(s); s.access.insert((ROLE.into(), AccessTarget::LogGroup(GROUP.into())), Ok(denied_of("logs:CreateLogGroup", GROUP))); }),
        Case::new("a role that may not read what no container refers to", |s| { other(s); s.access.insert((ROLE.into(), OTHER.into()), Ok(lacks("x"))); }),
        Case::new("a service that fetches nothing", |s| { web(s).secrets.clear(); web(s).log = None; running(s).execution_role = None; s.access.clear(); s.logs.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("a good parameter", |s| parameter(s, Some(SecretShape::Plain(good())))),
        Case::new("a parameter whose value may not be inspected", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Ok(Some(SecretValue::NotInspected))); }).and_unknown(&["ecs-secret-reference-mismatch", "rds-abandoned", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
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
            s.versions.insert(abroad.clone(), Ok(old_versions()));
            s.access.insert((ROLE.into(), abroad.clone().into()), Ok(Access::Allowed));
            holds_at(s, &abroad, SecretShape::Plain(good()));
            refer(s, &abroad.clone(), Some(&abroad));
        }),
    ],
    unknown: &[
        Case::new("the simulation", |s| { s.access.insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy"))); }),
        Case::new("no simulation", |s| s.access.clear()),
        Case::new("the policy of another account, before any task ran", |s| { image(s); not_steady(s); let unread = "the policy of the repository".into(); s.access.insert((ROLE.into(), AccessTarget::Image(REPOSITORY.into())), Ok(Access::AllowedHere { unread })); }),
        Case::new("a log group that the role could not create, before any task ran", |s| { creates_group(s); not_steady(s); s.access.insert((ROLE.into(), AccessTarget::LogGroup(GROUP.into())), Ok(denied_of("logs:CreateLogGroup", GROUP))); }),
        Case::new("a secret that is not in the list", |s| { api_key(s); s.lookups.insert(OTHER.into(), Err(denied("DescribeSecret"))); s.secrets.as_mut().expect("read").remove(OTHER); }).and_unknown(&["ecs-stale-secret", "secret-deletion-scheduled"]),
        Case::new("a parameter", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Err(denied("GetParameters"))); }).and_unknown(&["ecs-secret-reference-mismatch", "rds-abandoned", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

const FILE: &str = "arn:aws:s3:::shop-config/prod.env";
const REPOSITORY: &str = "arn:aws:ecr:us-east-1:123456789012:repository/shop";
const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/shop";

fn denied_of(action: &str, resource: &str) -> Access {
    let missing = vec![format!("{action} on {resource}")];
    Access::Denied { missing }
}

/// A second variable, which holds no connection.
fn api_key(s: &mut Snapshot) {
    other(s);
    web(s).secrets.push(SecretVariable {
        name: "API_KEY".into(),
        value_from: format!("{OTHER}:key::"),
    });
    s.lookups.insert(OTHER.into(), Ok(Lookup::Found(OTHER.into())));
    s.access.insert((ROLE.into(), OTHER.into()), Ok(Access::Allowed));
}

fn env_file(s: &mut Snapshot) {
    web(s).environment_files.push(FILE.into());
    s.access
        .insert((ROLE.into(), AccessTarget::File(FILE.into())), Ok(Access::Allowed));
}

fn image(s: &mut Snapshot) {
    web(s).image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1".into();
    for target in [AccessTarget::Registry, AccessTarget::Image(REPOSITORY.into())] {
        s.access.insert((ROLE.into(), target), Ok(Access::Allowed));
    }
}

fn creates_group(s: &mut Snapshot) {
    web(s).creates_log_group = true;
}

fn on_ec2(s: &mut Snapshot) {
    service(s).fargate = false;
}

fn not_steady(s: &mut Snapshot) {
    let service = service(s);
    service.running_count = 0;
    let primary = &mut service.deployments[0];
    (primary.running_count, primary.rollout_state) = (0, Some("IN_PROGRESS".into()));
    primary.created_at = Some(now());
}

/// Each reason of a denial has its own cure.
#[test]
fn what_to_do_about_each_denial() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    let summary = |entry: String| {
        let mut s = clean();
        may(&mut s, Access::Denied { missing: vec![entry] });
        let evaluation = evaluated_by(&s, &["ecs-secret-unreadable"]);
        evaluation.findings[0].remediation.clone().expect("a remedy").summary
    };
    let principal = format!(r#""Principal":{{"AWS":"{ROLE}"}}"#);
    for (reason, words) in [
        (Access::EXPLICITLY, vec!["remove the statement that denies"]),
        (
            Access::BOUNDARY,
            vec!["allow in the permissions boundary of", r#""Action":"kms:Decrypt""#],
        ),
        (Access::KEY_POLICY, vec!["add to the key policy of", &principal]),
        (Access::RESOURCE_POLICY, vec!["add to the policy of", &principal]),
        (Access::MANAGED_KEY, vec!["customer managed key"]),
    ] {
        let text = summary(format!("kms:Decrypt on {key}{reason}"));
        for word in words {
            assert!(text.contains(word) && text.contains(key), "{reason}: {text}");
        }
    }
    // A name of a file may hold brackets.
    let odd = "arn:aws:s3:::shop-config/prod (1).env";
    assert!(summary(format!("s3:GetObject on {odd}")).contains(&format!(r#"["{odd}"]"#)));
}

/// A log that is lost stops no task.
#[test]
fn a_log_that_can_not_be_written() {
    let mut s = clean();
    let access = denied_of(
        "logs:PutLogEvents",
        "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/shop:*",
    );
    s.access
        .insert((ROLE.into(), AccessTarget::LogStream(LOG_STREAM.into())), Ok(access));
    let evaluation = evaluated_by(&s, &["ecs-secret-unreadable"]);
    let finding = &evaluation.findings[0];
    assert_eq!(finding.severity, crate::model::policy::Severity::Medium);
    assert!(
        finding.message.ends_with("what its tasks log is lost"),
        "{}",
        finding.message
    );
}

/// One finding for each service, and each permission once, whoever needs it.
#[test]
fn each_permission_once() {
    let mut s = clean();
    let again = web(&mut s).clone();
    running(&mut s).containers.push(Container {
        name: "side".into(),
        ..again
    });
    may(&mut s, lacks("secretsmanager:GetSecretValue"));
    let evaluation = evaluated_by(&s, &["ecs-secret-unreadable"]);
    let [finding] = evaluation.findings.as_slice() else {
        panic!("{:#?}", evaluation.findings)
    };
    assert_eq!(
        finding.message.matches("GetSecretValue").count(),
        1,
        "{}",
        finding.message
    );
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
