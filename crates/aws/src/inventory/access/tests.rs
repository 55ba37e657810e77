use super::questions::{READ_PARAMETER, READ_SECRET};
use super::*;
use holdfast_core::model::tags::Tags;

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop-url-AbC123";
const ROLE: &str = "arn:aws:iam::111111111111:role/ecs-execution";
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1234";
const HERE: &str = "eu-west-1";

fn secret() -> Secret {
    Secret {
        arn: SECRET.into(),
        name: "shop-url".into(),
        tags: Tags(BTreeMap::from([("team".to_owned(), "shop".to_owned())])),
        ..Secret::default()
    }
}

#[test]
fn what_is_asked() {
    let about = |target: &AccessTarget, key: Option<&Key>| -> Vec<String> {
        let secret = secret();
        questions(target, Some(&secret), key)
            .iter()
            .map(|q| format!("{} {}", q.action, q.resources.join(" ")))
            .collect()
    };
    let read = format!("{READ_SECRET} {SECRET}");
    let decrypt = format!("{DECRYPT} {KEY}");
    assert_eq!(about(&SECRET.into(), None), [read.as_str()]);
    assert_eq!(about(&SECRET.into(), Some(&Key::Aws)), [read.as_str()]);
    assert_eq!(
        about(&SECRET.into(), Some(&Key::Arn(KEY.into()))),
        [read.as_str(), &decrypt]
    );
    let parameter = "arn:aws:ssm:eu-west-1:111111111111:parameter/shop/url";
    let read = format!("{READ_PARAMETER} {parameter}");
    assert_eq!(about(&parameter.into(), None), [read.as_str()]);
    assert_eq!(
        about(&parameter.into(), Some(&Key::Arn(KEY.into()))),
        [read.as_str(), &decrypt]
    );
    let exec = about(&AccessTarget::EcsExec, None);
    assert!(exec.len() == 4 && exec.iter().all(|q| q.starts_with("ssmmessages:") && q.ends_with(" *")));
    assert_eq!(about(&AccessTarget::Registry, None), ["ecr:GetAuthorizationToken *"]);
    let repository = "arn:aws:ecr:eu-west-1:111111111111:repository/shop";
    assert_eq!(
        about(&AccessTarget::Image(repository.into()), None),
        [
            format!("ecr:BatchGetImage {repository}"),
            format!("ecr:GetDownloadUrlForLayer {repository}")
        ]
    );
    assert_eq!(
        about(&AccessTarget::File("arn:aws:s3:::config/a/prod.env".into()), None),
        [
            "s3:GetObject arn:aws:s3:::config/a/prod.env",
            "s3:GetBucketLocation arn:aws:s3:::config"
        ]
    );
    let group = "arn:aws:logs:eu-west-1:111111111111:log-group:/ecs/shop";
    let stream = format!("{group}:log-stream:ecs/web/task");
    assert_eq!(
        about(&AccessTarget::LogStream(stream.clone()), None),
        [
            format!("logs:CreateLogStream {stream} {group}"),
            format!("logs:PutLogEvents {stream} {group}")
        ]
    );
    assert_eq!(
        about(&AccessTarget::LogGroup(group.into()), None),
        [format!("logs:CreateLogGroup {group}:log-stream: {group}")]
    );
}

fn question<'a>(target: &'a AccessTarget, secret: Option<&'a Secret>, key: Option<&Key>, nth: usize) -> Question<'a> {
    questions(target, secret, key).swap_remove(nth)
}

/// What every request has is sent with every question; what one secret's has, with the questions about it alone.
#[test]
fn what_is_sent_of_the_request() {
    let (secret, target) = (secret(), AccessTarget::from(SECRET));
    let key = Key::Arn(KEY.into());
    let value = |nth: usize, wanted: &str| {
        let context = context_of(&question(&target, Some(&secret), Some(&key), nth), ROLE, HERE);
        let mut found = context.into_iter().filter(|(k, _)| k == wanted).map(|(_, v)| v);
        let first = found.next();
        assert_eq!(found.next(), None, "{wanted} once");
        first
    };
    for (wanted, expected) in [
        ("aws:RequestedRegion", HERE),
        ("aws:PrincipalAccount", "111111111111"),
        ("aws:ResourceAccount", "111111111111"),
        ("aws:SecureTransport", "true"),
        ("aws:PrincipalArn", ROLE),
        ("secretsmanager:SecretId", SECRET),
    ] {
        assert_eq!(value(0, wanted).as_deref(), Some(expected), "{wanted}");
        assert_eq!(value(1, wanted).as_deref(), Some(expected), "{wanted}");
    }
    assert_eq!(value(0, "aws:ResourceTag/team").as_deref(), Some("shop"));
    assert_eq!(value(0, "secretsmanager:VersionStage").as_deref(), Some("AWSCURRENT"));
    assert_eq!(value(0, "kms:ViaService"), None);
    // A key's tags are not the secret's.
    assert_eq!(value(1, "aws:ResourceTag/team"), None);
    assert_eq!(
        value(1, "kms:ViaService").as_deref(),
        Some("secretsmanager.eu-west-1.amazonaws.com")
    );
    assert_eq!(value(1, "kms:EncryptionContext:SecretARN").as_deref(), Some(SECRET));
    // Of a bucket neither the account nor the region is known.
    let file = AccessTarget::File("arn:aws:s3:::config/prod.env".into());
    let context = context_of(&question(&file, None, None, 0), ROLE, HERE);
    assert!(
        !context
            .iter()
            .any(|(k, _)| k == "aws:ResourceAccount" || k == "aws:RequestedRegion")
    );
    let registry = context_of(&question(&AccessTarget::Registry, None, None, 0), ROLE, HERE);
    assert!(registry.contains(&("aws:RequestedRegion".to_owned(), HERE.to_owned())));
}

/// A question is asked again only where what is known can change the answer.
#[test]
fn what_is_asked_again() {
    let (secret, target) = (secret(), AccessTarget::from(SECRET));
    let key = Key::Arn(KEY.into());
    let again = |nth: usize, decision: Decision| {
        may_change(
            &question(&target, Some(&secret), Some(&key), nth),
            ROLE,
            HERE,
            &decision,
        )
    };
    let on = |keys: &[&str]| Decision::DependsOn(keys.iter().map(|k| (*k).to_owned()).collect());
    assert!(again(0, Decision::ByOrganization));
    assert!(again(0, on(&["aws:ResourceTag/team", "SecretsManager:VersionStage"])));
    // A tag that the secret lacks is known to be lacking; the tags of a key are not known.
    assert!(again(0, on(&["secretsmanager:ResourceTag/other"])));
    assert!(!again(1, on(&["aws:ResourceTag/team"])));
    assert!(again(1, on(&["kms:ViaService"])));
    for never in [
        on(&["aws:SourceVpce"]),
        on(&["aws:ResourceTag/team", "aws:SourceVpce"]),
        Decision::Allowed,
        Decision::Forbidden,
        Decision::NotAllowed { by_boundary: true },
    ] {
        assert!(!again(0, never.clone()), "{never:?}");
    }
}
