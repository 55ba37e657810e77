use jiff::Timestamp;

use super::*;
use holdfast_core::model::resources::Rotation;
use holdfast_core::model::tags::Tags;

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:shop-url-AbC123";
const ROLE: &str = "arn:aws:iam::111111111111:role/ecs-execution";

fn secret(kms_key: Option<&str>) -> Secret {
    Secret {
        arn: SECRET.into(),
        name: "shop-url".into(),
        deleted_at: None,
        versions: BTreeMap::new(),
        kms_key: kms_key.map(str::to_owned),
        changed_at: None::<Timestamp>,
        rotation: Rotation::default(),
        primary_region: None,
        tags: Tags(BTreeMap::from([("team".to_owned(), "shop".to_owned())])),
    }
}

#[test]
fn what_is_asked() {
    let about = |target: &AccessTarget, secret: Option<&Secret>| -> Vec<String> {
        questions(target, secret)
            .iter()
            .map(|q| format!("{} {}", q.action, q.resource))
            .collect()
    };
    let asked = |arn: &str, secret: Option<&Secret>| about(&arn.into(), secret);
    let read = format!("{READ_SECRET} {SECRET}");
    assert_eq!(asked(SECRET, Some(&secret(None))), [read.as_str()]);
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234";
    for given in [key, "1234"] {
        assert_eq!(
            asked(SECRET, Some(&secret(Some(given)))),
            [read.clone(), format!("{DECRYPT} {key}")]
        );
    }
    // Which key an alias stands for only KMS knows.
    for alias in ["alias/shop", "arn:aws:kms:eu-west-1:111111111111:alias/shop"] {
        assert_eq!(asked(SECRET, Some(&secret(Some(alias)))), [read.as_str()]);
    }
    let parameter = "arn:aws:ssm:eu-west-1:111111111111:parameter/shop/url";
    assert_eq!(asked(parameter, None), [format!("{READ_PARAMETER} {parameter}")]);
    let exec = about(&AccessTarget::EcsExec, None);
    assert_eq!(exec.len(), EXEC.len());
    assert!(exec.iter().all(|q| q.starts_with("ssmmessages:") && q.ends_with(" *")));
}

/// Condition keys get their values where these are known; where one is not, none is sent.
#[test]
fn what_is_known_of_the_request() {
    let secret = secret(None);
    let target = AccessTarget::from(SECRET);
    let question = |action: &'static str| Question {
        target: &target,
        action,
        resource: SECRET.into(),
        secret: Some(&secret),
    };
    let missing = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        known_context(
            &question(READ_SECRET),
            ROLE,
            &missing(&["aws:ResourceTag/team", "secretsmanager:VersionStage"])
        ),
        Some(vec![
            pair("aws:ResourceTag/team", "shop"),
            pair("secretsmanager:VersionStage", "AWSCURRENT")
        ])
    );
    // A tag that the secret lacks is known to be lacking.
    assert_eq!(
        known_context(
            &question(READ_SECRET),
            ROLE,
            &missing(&["secretsmanager:ResourceTag/other"])
        ),
        Some(vec![])
    );
    assert_eq!(
        known_context(
            &question(DECRYPT),
            ROLE,
            &missing(&["kms:ViaService", "kms:EncryptionContext:SecretARN"])
        ),
        Some(vec![
            pair("kms:ViaService", "secretsmanager.eu-west-1.amazonaws.com"),
            pair("kms:EncryptionContext:SecretARN", SECRET)
        ])
    );
    // The tags of a key are not known, nor is where a task will run.
    assert_eq!(
        known_context(&question(DECRYPT), ROLE, &missing(&["aws:ResourceTag/team"])),
        None
    );
    assert_eq!(
        known_context(&question(READ_SECRET), ROLE, &missing(&["aws:SourceVpce"])),
        None
    );
}
