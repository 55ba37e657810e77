//! What is asked of a role: actions on resources, and what is known of each request.

use holdfast_core::iam_document::Context;
use holdfast_core::model::resources::{AccessTarget, Secret};

pub(super) const READ_SECRET: &str = "secretsmanager:GetSecretValue";
pub(super) const READ_PARAMETER: &str = "ssm:GetParameters";
pub(super) const DECRYPT: &str = "kms:Decrypt";
pub(super) const SIGN_IN: &str = "ecr:GetAuthorizationToken";
/// What pulling an image takes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html>
pub(super) const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html#task-execution-environment-variables>
const READ_FILE: &str = "s3:GetObject";
const FIND_BUCKET: &str = "s3:GetBucketLocation";
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html>
const WRITE_LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const CREATE_GROUP: &str = "logs:CreateLogGroup";
/// What ECS Exec needs of a task's role, on every resource.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>
pub(super) const EXEC: [&str; 4] = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

/// What encrypts a secret or parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// AWS's own key for the service, or none.
    Aws,
    /// A key of the customer's, by its ARN.
    Arn(String),
}

/// One action on one resource, which a target needs.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub target: &'a AccessTarget,
    pub action: &'static str,
    /// The resource as AWS names it when it decides, and how policies also name it: one that is allowed is enough.
    pub resources: Vec<String>,
    /// How a statement in a policy would name it.
    pub shown: String,
    /// The secret that is read, or decrypted.
    pub secret: Option<&'a Secret>,
    /// The service that decrypts: `secretsmanager` or `ssm`.
    pub via: Option<&'static str>,
}

/// The questions about one target. `key` encrypts it.
pub(super) fn questions<'a>(
    target: &'a AccessTarget,
    secret: Option<&'a Secret>,
    key: Option<&Key>,
) -> Vec<Question<'a>> {
    let ask = |action: &'static str, resource: &str| Question {
        target,
        action,
        resources: vec![resource.to_owned()],
        shown: resource.to_owned(),
        secret,
        via: None,
    };
    let decrypt = |via| match key {
        Some(Key::Arn(key)) => Some(Question {
            via: Some(via),
            ..ask(DECRYPT, key)
        }),
        _ => None,
    };
    match target {
        AccessTarget::EcsExec => EXEC.iter().map(|action| ask(action, "*")).collect(),
        AccessTarget::Resource(arn) if arn.split(':').nth(2) == Some("ssm") => {
            std::iter::once(ask(READ_PARAMETER, arn))
                .chain(decrypt("ssm"))
                .collect()
        }
        AccessTarget::Resource(arn) => {
            let read = ask(READ_SECRET, arn);
            std::iter::once(read).chain(decrypt("secretsmanager")).collect()
        }
        AccessTarget::Registry => vec![ask(SIGN_IN, "*")],
        AccessTarget::Image(repository) => PULL.iter().map(|action| ask(action, repository)).collect(),
        AccessTarget::File(file) => {
            let bucket = file.split('/').next().unwrap_or(file);
            vec![ask(READ_FILE, file), ask(FIND_BUCKET, bucket)]
        }
        AccessTarget::LogStream(stream) => {
            // AWS decides by the stream, or by the group, and policies name the group with and without `:*`.
            let group = stream.split(":log-stream:").next().unwrap_or(stream);
            let of = |action: &&'static str| Question {
                resources: vec![stream.clone(), group.to_owned()],
                shown: format!("{group}:*"),
                ..ask(action, stream)
            };
            WRITE_LOG.iter().map(of).collect()
        }
        AccessTarget::LogGroup(group) => vec![Question {
            resources: vec![format!("{group}:log-stream:"), group.clone()],
            ..ask(CREATE_GROUP, group)
        }],
    }
}

/// The account in an ARN; empty where there is none.
pub(super) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// The region in an ARN; empty where there is none.
pub(super) fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

/// What is true of every request that a role makes about resources of this account and region: condition keys as AWS
/// writes them. What an organization's policies ask for and is not sent, the simulator does not report as missing.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
pub(super) fn common_context(role: &str, account: &str, region: &str) -> Vec<(String, String)> {
    let own = account_of(role);
    let mut context = vec![
        ("aws:SecureTransport", "true"),
        ("aws:PrincipalArn", role),
        ("aws:PrincipalAccount", own),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalIsAWSService", "false"),
        ("kms:CallerAccount", own),
    ];
    if !account.is_empty() {
        context.push(("aws:ResourceAccount", account));
    }
    if !region.is_empty() {
        context.push(("aws:RequestedRegion", region));
    }
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    context.into_iter().map(owned).collect()
}

/// All that is known of one request.
pub(super) fn context_of(question: &Question<'_>, role: &str, here: &str) -> Vec<(String, String)> {
    let resource = question.resources.first().map(String::as_str).unwrap_or_default();
    // A bucket's ARN names neither its account nor its region.
    let region = Some(region_of(resource)).filter(|r| !r.is_empty());
    let is_file = matches!(question.target, AccessTarget::File(_));
    let region = region.or_else(|| (!is_file).then_some(here)).unwrap_or_default();
    let account = match (account_of(resource), is_file) {
        ("", false) => account_of(role),
        (account, _) => account,
    };
    let mut context = common_context(role, account, region);
    let mut add = |key: &str, value: &str| context.push((key.to_owned(), value.to_owned()));
    if let Some(secret) = question.secret {
        add("secretsmanager:SecretId", &secret.arn);
        if question.action == READ_SECRET {
            add("secretsmanager:VersionStage", "AWSCURRENT");
            for (key, value) in &secret.tags.0 {
                add(&format!("aws:ResourceTag/{key}"), value);
                add(&format!("secretsmanager:ResourceTag/{key}"), value);
            }
        } else {
            add("kms:EncryptionContext:SecretARN", &secret.arn);
        }
    }
    if let Some(via) = question.via {
        add("kms:ViaService", &format!("{via}.{region}.amazonaws.com"));
        if let (AccessTarget::Resource(arn), "ssm") = (question.target, via) {
            add("kms:EncryptionContext:PARAMETER_ARN", arn);
        }
    }
    context
}

/// The same for a policy that is read here: keys in lower case.
pub(super) fn known(context: &[(String, String)]) -> Context {
    let each = context.iter();
    each.map(|(key, value)| (key.to_lowercase(), value.clone())).collect()
}

/// Whether it is known of a condition key that a request does not have it: a tag that a secret lacks.
pub(super) fn is_known_to_lack(question: &Question<'_>, key: &str) -> bool {
    let lower = key.to_lowercase();
    let of_secret = lower.starts_with("aws:resourcetag/") || lower.starts_with("secretsmanager:resourcetag/");
    question.action == READ_SECRET && question.secret.is_some() && of_secret
}
