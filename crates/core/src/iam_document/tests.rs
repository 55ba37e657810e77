use serde_json::{Value, json};

use super::*;

const OWN: &str = "arn:aws:secretsmanager:us-east-1:111111111111:secret:shop-url-AbC123";
const ROLE: &str = "arn:aws:iam::111111111111:role/ecs-execution";

fn policy(statements: &Value) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Policy::parse(&document.to_string()).expect("a policy")
}

/// The strangers of one statement that allows reading.
fn allowing(principal: &Value, condition: &Value) -> Vec<String> {
    let action = "secretsmanager:GetSecretValue";
    policy(&json!([{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", "Condition": condition}]))
        .strangers(OWN)
}

#[test]
fn who_is_a_stranger() {
    let none = json!({});
    let strangers = |principal: Value| allowing(&principal, &none);
    assert_eq!(strangers(json!("*")), ["*"]);
    assert_eq!(strangers(json!({"AWS": "*"})), ["*"]);
    let foreign = "arn:aws:iam::222222222222:role/reader";
    assert_eq!(strangers(json!({"AWS": [foreign, ROLE]})), [foreign]);
    assert_eq!(strangers(json!({"AWS": "222222222222"})), ["222222222222"]);
    assert_eq!(
        strangers(json!({"Federated": "arn:aws:iam::222222222222:saml-provider/x"})).len(),
        1
    );
    for own in [
        json!({"AWS": "arn:aws:iam::111111111111:root"}),
        json!({"AWS": ["111111111111", ROLE]}),
        json!({"AWS": "arn:aws:sts::111111111111:assumed-role/ecs/session"}),
        json!({"AWS": "AROAEXAMPLEEXAMPLE123"}),
        json!({"Service": ["lambda.amazonaws.com", "rds.amazonaws.com"]}),
    ] {
        assert!(strangers(own.clone()).is_empty(), "{own}");
    }
}

#[test]
fn what_lets_in() {
    let by = |statement: Value| policy(&json!([statement])).strangers(OWN);
    let star = json!("*");
    for action in [
        json!("*"),
        json!("secretsmanager:*"),
        json!(["kms:Decrypt", "SecretsManager:get*Value"]),
        json!("secretsmanager:PutResourcePolicy"),
    ] {
        let found = by(json!({"Effect": "Allow", "Principal": star, "Action": action, "Resource": "*"}));
        assert_eq!(found, ["*"], "{action}");
    }
    for action in [
        json!("secretsmanager:DescribeSecret"),
        json!(["secretsmanager:List*", "secretsmanager:GetSecretValu"]),
    ] {
        let found = by(json!({"Effect": "Allow", "Principal": star, "Action": action, "Resource": "*"}));
        assert!(found.is_empty(), "{action}");
    }
    let not = |not: &str| by(json!({"Effect": "Allow", "Principal": star, "NotAction": not, "Resource": "*"}));
    assert_eq!(not("secretsmanager:DeleteSecret"), ["*"]);
    assert!(not("secretsmanager:*").is_empty());
    let about = |resource: &str| by(json!({"Effect": "Allow", "Principal": star, "Action": "*", "Resource": resource}));
    assert_eq!(about(OWN), ["*"]);
    assert_eq!(
        about("arn:aws:secretsmanager:*:111111111111:secret:shop-url-??????"),
        ["*"]
    );
    assert!(about("arn:aws:secretsmanager:us-east-1:111111111111:secret:other-AbC123").is_empty());
    let found = by(json!({"Effect": "Allow", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"}));
    assert_eq!(found, [format!("everyone but {ROLE}")]);
    // A statement alone, without a list around it.
    let one = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    assert_eq!(Policy::parse(&one.to_string()).expect("a policy").strangers(OWN), ["*"]);
    assert!(policy(&json!([])).strangers(OWN).is_empty());
}

#[test]
fn conditions_bind() {
    let star = json!("*");
    for narrow in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"stringequals": {"AWS:PRINCIPALACCOUNT": ["111111111111"]}}),
        json!({"StringEquals": {"aws:SourceAccount": 111_111_111_111_u64}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
        json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
        json!({"StringLike": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}),
        json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abc/r-ab12/ou-1/*"}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        // Both must hold.
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}, "Bool": {"aws:SecureTransport": "true"}}),
    ] {
        assert!(allowing(&star, &narrow).is_empty(), "{narrow}");
    }
    for open in [
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": "333333333333"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}),
        json!({"StringLike": {"aws:PrincipalArn": "*"}}),
        json!({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}),
        json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "shop"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": []}}),
    ] {
        assert_eq!(allowing(&star, &open), ["*"], "{open}");
    }
    // Bound to an account, but another one.
    let other = json!({"StringEquals": {"aws:PrincipalAccount": ["111111111111", "222222222222"]}});
    assert_eq!(allowing(&star, &other), ["222222222222"]);
}

#[test]
fn a_deny_fences() {
    let fenced = |deny: Value| {
        let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*"});
        policy(&json!([allow, deny])).strangers(OWN)
    };
    let deny = |condition: Value| {
        fenced(
            json!({"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*", "Condition": condition}),
        )
    };
    assert!(deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}})).is_empty());
    assert!(deny(json!({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:PrincipalIsAWSService": "false"}})).is_empty());
    assert_eq!(
        deny(json!({"StringNotEquals": {"aws:PrincipalAccount": ["111111111111", "222222222222"]}})),
        ["222222222222"]
    );
    for leaky in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}, "Bool": {"aws:SecureTransport": "false"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
    ] {
        assert_eq!(deny(leaky.clone()), ["*"], "{leaky}");
    }
    // Of both steps to the value it denies but one.
    let half = json!({"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
                      "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}}});
    assert_eq!(fenced(half), ["*"]);
    let but = json!({"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE, "arn:aws:iam::222222222222:role/x"]}, "Action": "*", "Resource": "*"});
    assert_eq!(fenced(but), ["arn:aws:iam::222222222222:role/x"]);
}

/// What a policy makes of a request of `ROLE` of which this is known.
fn asked<T>(statements: &Value, context: &[(&str, &str)], of: impl Fn(&Policy, &Request<'_>) -> T) -> T {
    let context: Context = context
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let action = "secretsmanager:GetSecretValue";
    let request = Request {
        action,
        resource: OWN,
        role: ROLE,
        context: &context,
    };
    of(&policy(statements), &request)
}

#[test]
fn whom_it_admits() {
    let admits = |statements: Value| asked(&statements, &[], Policy::admits);
    let allow = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "secretsmanager:Get*", "Resource": "*"});
    assert_eq!(admits(json!([allow(json!({"AWS": ROLE}))])), Admits::Yes);
    assert_eq!(admits(json!([allow(json!({"AWS": "*"}))])), Admits::Yes);
    assert_eq!(admits(json!([])), Admits::No);
    assert_eq!(
        admits(json!([allow(json!({"AWS": "arn:aws:iam::111111111111:root"}))])),
        Admits::No
    );
    assert_eq!(
        admits(json!([allow(json!({"AWS": "arn:aws:iam::111111111111:role/other"}))])),
        Admits::No
    );
    let mut bound = allow(json!({"AWS": ROLE}));
    bound["Condition"] = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    assert_eq!(admits(json!([bound])), Admits::Perhaps);
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    assert_eq!(admits(json!([allow(json!({"AWS": ROLE})), deny])), Admits::No);
    let mut sometimes = deny.clone();
    sometimes["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
    assert_eq!(admits(json!([allow(json!({"AWS": ROLE})), sometimes])), Admits::Perhaps);
    let others = json!({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"});
    assert_eq!(admits(json!([allow(json!({"AWS": ROLE})), others])), Admits::Yes);
}

/// An account leaves it to its own policies; a session is named by nobody who can't know its name.
#[test]
fn an_account_and_a_session_are_not_the_role() {
    let allow = |principal: &str| json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "*"}]);
    let session = "arn:aws:sts::111111111111:assumed-role/ecs-execution/0123";
    let (own, foreign) = ("arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root");
    // Principal; whether it admits the role, leaves it to the role's account, may admit a session in spite of a boundary.
    for (principal, admits, delegates, session_may) in [
        (ROLE, Admits::Yes, Admits::Yes, false),
        ("*", Admits::Yes, Admits::Yes, true),
        (own, Admits::No, Admits::Yes, false),
        ("111111111111", Admits::No, Admits::Yes, false),
        (foreign, Admits::No, Admits::No, false),
        ("222222222222", Admits::No, Admits::No, false),
        (session, Admits::No, Admits::No, true),
        (
            "arn:aws:sts::222222222222:assumed-role/ecs-execution/0123",
            Admits::No,
            Admits::No,
            false,
        ),
        ("arn:aws:iam::111111111111:role/ecs", Admits::No, Admits::No, false),
    ] {
        let statements = allow(principal);
        assert_eq!(asked(&statements, &[], Policy::admits), admits, "{principal}");
        assert_eq!(asked(&statements, &[], Policy::delegates), delegates, "{principal}");
        assert_eq!(
            asked(&statements, &[], Policy::may_admit_session),
            session_may,
            "{principal}"
        );
    }
}

#[test]
fn what_forbids() {
    let forbids = |statement: Value| asked(&json!([statement]), &[("aws:securetransport", "true")], Policy::forbids);
    let deny = |principal: Value, condition: Value| json!({"Effect": "Deny", "Principal": principal, "Action": "*", "Condition": condition});
    let none = || json!({});
    for certain in [
        deny(json!("*"), none()),
        deny(json!({"AWS": ROLE}), none()),
        deny(json!({"AWS": "arn:aws:iam::111111111111:root"}), none()),
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:role/other"}, "Action": "*"}),
        deny(json!("*"), json!({"Bool": {"aws:SecureTransport": "true"}})),
    ] {
        assert_eq!(forbids(certain.clone()), Admits::Yes, "{certain}");
    }
    for silent in [
        // What most buckets, keys and secrets have.
        deny(json!("*"), json!({"Bool": {"aws:SecureTransport": "false"}})),
        deny(json!({"AWS": "arn:aws:iam::111111111111:role/other"}), none()),
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*"}),
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "*"}),
        json!({"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:PutSecretValue"}),
        json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:aws:secretsmanager:us-east-1:111111111111:secret:other-*"}),
    ] {
        assert_eq!(forbids(silent.clone()), Admits::No, "{silent}");
    }
    let network = json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}});
    assert_eq!(forbids(deny(json!("*"), network)), Admits::Perhaps);
}

/// A condition holds, or does not, or hangs on what only the real request has.
#[test]
fn conditions_of_a_request() {
    let known = [
        ("kms:viaservice", "secretsmanager.us-east-1.amazonaws.com"),
        ("kms:calleraccount", "111111111111"),
        ("aws:securetransport", "true"),
    ];
    let holds = |condition: Value| {
        let statement = json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Condition": condition}]);
        asked(&statement, &known, Policy::admits)
    };
    for yes in [
        json!({"StringEquals": {"kms:CallerAccount": "111111111111", "KMS:ViaService": ["x", "secretsmanager.us-east-1.amazonaws.com"]}}),
        json!({"StringLike": {"kms:ViaService": "secretsmanager.*.amazonaws.com"}}),
        json!({"StringNotEquals": {"kms:CallerAccount": "222222222222"}}),
        json!({"Bool": {"aws:SecureTransport": true}}),
        json!({"Null": {"kms:CallerAccount": "false"}}),
        json!({"StringEqualsIfExists": {"kms:CallerAccount": "111111111111"}}),
        json!({"ForAnyValue:StringEquals": {"kms:CallerAccount": "111111111111"}}),
        json!({"StringEqualsIgnoreCase": {"kms:ViaService": "SecretsManager.us-east-1.amazonaws.com"}}),
    ] {
        assert_eq!(holds(yes.clone()), Admits::Yes, "{yes}");
    }
    for no in [
        json!({"StringEquals": {"kms:CallerAccount": "222222222222"}}),
        json!({"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com", "kms:CallerAccount": "1"}}),
        json!({"StringNotLike": {"kms:ViaService": "secretsmanager.*"}}),
        json!({"Null": {"kms:CallerAccount": "true"}}),
        json!({"Bool": {"aws:SecureTransport": "false"}}),
    ] {
        assert_eq!(holds(no.clone()), Admits::No, "{no}");
    }
    for perhaps in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        json!({"StringEquals": {"kms:CallerAccount": "${aws:PrincipalAccount}"}}),
        json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        json!({"DateLessThan": {"kms:CallerAccount": "2030-01-01"}}),
        json!({"StringEquals": {"kms:CallerAccount": [["x"]]}}),
    ] {
        assert_eq!(holds(perhaps.clone()), Admits::Perhaps, "{perhaps}");
    }
}

#[test]
fn what_is_not_understood_is_an_error() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "{\"Statement\": 5}",
        "{\"Statement\": [{\"Effect\": \"Maybe\", \"Principal\": \"*\", \"Action\": \"*\"}]}",
        "{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"*\"}]}",
        "{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\"}]}",
        "{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": 5, \"Action\": \"*\"}]}",
        "{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\"",
    ] {
        assert_eq!(Policy::parse(text).err(), Some(Malformed), "{text}");
    }
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*c", "abbc", true),
        ("a*c", "abbd", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*b*b*", "abab", true),
        ("a**", "a", true),
        ("ab", "abc", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

proptest::proptest! {
    /// Whatever someone writes there, nothing panics.
    #[test]
    fn never_panics(text in ".{0,200}", pattern in "[a*?]{0,12}", word in "[ab]{0,12}") {
        let _ = Policy::parse(&text);
        let _ = matches(&pattern, &word);
    }
}
