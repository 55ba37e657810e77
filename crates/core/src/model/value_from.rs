//! The reference that ECS follows to a secret: `valueFrom`.
//!
//! Form: `arn:aws:secretsmanager:region:account:secret:name-XXXXXX[:json-key:version-stage:version-id]`, or an SSM
//! parameter by ARN, or by name if it is in the same region.
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>

use super::key::Scope;

/// A parsed reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFrom<'a> {
    /// A secret in Secrets Manager.
    Secret(SecretRef<'a>),
    /// A parameter, by ARN or name. ECS reads every reference that is no ARN as a parameter's name.
    Parameter(&'a str),
}

/// A parsed reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretRef<'a> {
    /// The ARN without the selector, as written: perhaps without its suffix.
    pub arn: &'a str,
    /// Region in the ARN.
    pub region: &'a str,
    /// Account in the ARN.
    pub account: &'a str,
    /// What follows `secret:`, up to the selector.
    pub resource: &'a str,
    /// JSON key, stage, version id.
    pub selector: Selector,
}

/// What follows the ARN: which key of a JSON value, and which version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    /// The key; absent for the whole value.
    pub json_key: Option<String>,
    /// The stage; absent for AWSCURRENT.
    pub stage: Option<String>,
    /// The version id.
    pub version: Option<String>,
}

impl Selector {
    /// Whether a version other than the current one is asked for.
    #[must_use]
    pub fn pins(&self) -> bool {
        self.version.is_some() || self.stage.as_deref().is_some_and(|s| s != "AWSCURRENT")
    }
}

/// Parses a `valueFrom`. This never fails: ECS takes everything that is not a Secrets Manager ARN for the name of a
/// parameter.
#[must_use]
pub fn parse(text: &str) -> ValueFrom<'_> {
    parse_secret(text).map_or(ValueFrom::Parameter(text), ValueFrom::Secret)
}

fn parse_secret(text: &str) -> Option<SecretRef<'_>> {
    let mut fields = text.splitn(8, ':');
    let mut next = || fields.next();
    let (Some("arn"), Some(_partition), Some("secretsmanager")) = (next(), next(), next()) else {
        return None;
    };
    let (region, account, Some("secret"), resource) = (next()?, next()?, next(), next()?) else {
        return None;
    };
    let selector = next();
    let mut selected = selector.into_iter().flat_map(|s| s.split(':'));
    let mut field = || selected.next().filter(|s| !s.is_empty()).map(str::to_owned);
    Some(SecretRef {
        arn: selector.map_or(text, |s| &text[..text.len() - s.len() - 1]),
        region,
        account,
        resource,
        selector: Selector {
            json_key: field(),
            stage: field(),
            version: field(),
        },
    })
}

/// The number of parts after `secret:NAME` if ECS refuses that many: it takes none or three, empty ones counted. The task
/// does not start with another number. See `getASMParametersFromInput` of
/// <https://github.com/aws/amazon-ecs-agent/blob/master/agent/taskresource/asmsecret/asmsecret.go>.
#[must_use]
pub fn refused_parts(text: &str) -> Option<usize> {
    parse_secret(text)?;
    let parts = text.split(':').count() - 7;
    (parts != 0 && parts != 3).then_some(parts)
}

/// Whether a reference that is no secret can be a parameter: a name, or an ARN of Parameter Store.
#[must_use]
pub fn is_parameter(reference: &str) -> bool {
    !reference.starts_with("arn:") || reference.split(':').nth(2) == Some("ssm")
}

/// The ARN of a parameter, as IAM knows it: without the version or label that may follow, and with one slash between
/// `parameter` and its name.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html>
#[must_use]
pub fn parameter_arn(reference: &str, scope: &Scope) -> String {
    if reference.starts_with("arn:") {
        return reference.split(':').take(6).collect::<Vec<_>>().join(":");
    }
    let name = reference.split(':').next().unwrap_or_default();
    scope.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

/// Writes a reference: the shortest form that says the same.
#[must_use]
pub fn write(arn: &str, selector: &Selector) -> String {
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    if *selector == Selector::default() {
        return arn.to_owned();
    }
    format!(
        "{arn}:{}:{}:{}",
        text(&selector.json_key),
        text(&selector.stage),
        text(&selector.version)
    )
}

/// The name that a resource part would have if its last seven characters are the suffix that Secrets Manager adds:
/// a hyphen and six letters or digits.
#[must_use]
pub fn without_suffix(resource: &str) -> Option<&str> {
    let (name, suffix) = resource.rsplit_once('-')?;
    (suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_ecs_refuses() {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf";
        for (selector, parts) in [
            ("", None),
            (":url::", None),
            (":::", None),
            (":url", Some(1)),
            ("::url::", Some(4)),
            (":url:", Some(2)),
        ] {
            assert_eq!(refused_parts(&format!("{arn}{selector}")), parts, "{selector}");
        }
        assert_eq!(refused_parts("/shop/url"), None);
    }

    #[test]
    fn forms() {
        let base = "arn:aws:secretsmanager:us-east-1:123456789012:secret:coder/url-AbC123";
        let ValueFrom::Secret(whole) = parse(base) else {
            panic!("a secret")
        };
        assert_eq!(whole.selector, Selector::default());
        assert_eq!(whole.arn, base);
        let text = format!("{base}:url::");
        let ValueFrom::Secret(keyed) = parse(&text) else {
            panic!("a secret")
        };
        assert_eq!(keyed.selector.json_key.as_deref(), Some("url"));
        assert_eq!(write(keyed.arn, &keyed.selector), format!("{base}:url::"));
        assert_eq!(keyed.arn, base);
        let text = format!("{base}::AWSPREVIOUS:");
        let ValueFrom::Secret(staged) = parse(&text) else {
            panic!("a secret")
        };
        assert!(staged.selector.pins() && staged.selector.json_key.is_none());
        for parameter in [
            "coder-url",
            "/coder/url",
            "arn:aws:ssm:us-east-1:123456789012:parameter/coder",
            "",
            ":::",
            ":::::::::::",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret",
            "arn:aws:secretsmanager:us-east-1:123456789012:other:x",
        ] {
            assert_eq!(parse(parameter), ValueFrom::Parameter(parameter));
        }
        assert!(is_parameter("coder-url") && is_parameter("arn:aws:ssm:us-east-1:123456789012:parameter/coder"));
        assert!(!is_parameter("arn:aws:s3:::coder"));
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let here = "arn:aws:ssm:us-east-1:123456789012:parameter/coder/url";
        for reference in ["coder/url", "/coder/url", "/coder/url:3", here, &format!("{here}:live")] {
            assert_eq!(parameter_arn(reference, &scope), here);
        }
        assert_eq!(without_suffix("coder/url-AbC123"), Some("coder/url"));
        assert_eq!(without_suffix("coder-postgres-url"), None);
        assert_eq!(
            without_suffix("coder-secret"),
            Some("coder"),
            "a name can look as if it had the suffix"
        );
    }
}
