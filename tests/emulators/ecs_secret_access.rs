//! `ecs-secret-unreadable`: whether the role of a task may read what it refers to.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, acting, list, reason, said, text};
use crate::world::{World, url};

on_both!(
    readable,
    readable_by_the_word_of_aws,
    all_that_a_task_fetches,
    organizations_boundaries_and_keys,
    rollouts_that_could_not_be_read
);

const TLS: &str = "secret-no-tls";
const MISSING: &str = "ecs-missing-database-secret";
const MISMATCH: &str = "ecs-secret-reference-mismatch";
const UNREADABLE: &str = "ecs-secret-unreadable";

/// Roles: one that may read, one that may not, one that is not there, none at all.
fn readable(kind: Kind) {
    let role = |w: &str| json!({"revision": {"execution_role": format!("{{{{role:{w}}}}}")}});
    let read = |action: &str, resource: &str| json!({"statements": [{"Effect": "Allow", "Action": action, "Resource": resource}]});
    // Without the tag: ministack lists secrets without their key, and describes them with it.
    let keyed = |w: &str| json!({"revision": {"execution_role": format!("{{{{role:{w}}}}}")}, "web": {"secrets": {"DATABASE_URL": format!("{{{{secret:{w}-keyed}}}}")}}});
    let by_policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::{{account}}:role/bypolicy"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]});
    let mut world = World::new();
    world
        .stack("fine", json!({}))
        .stack("exact", role("exact"))
        .stack("noperm", role("noperm"))
        .stack("wrongarn", role("wrongarn"))
        .stack("denied", role("denied"))
        .stack("gone", json!({"revision": {"execution_role": "arn:aws:iam::{{account}}:role/service-role/gone"}}))
        .stack("none", json!({"revision": {"execution_role": ""}}))
        .stack("nokey", keyed("nokey"))
        .stack("withkey", keyed("withkey"))
        .stack("alias", keyed("alias"))
        .stack("closed", keyed("closed"))
        .stack("named", keyed("named"))
        .stack("bypolicy", json!({"revision": {"execution_role": "{{role:bypolicy}}"}, "secret": {"string": url("bypolicy"), "policy": by_policy}}))
        .stack("parameter", json!({"revision": {"execution_role": "{{role:noperm}}"}, "web": {"secrets": {"DATABASE_URL": "/parameter/url"}}}))
        .stack("pair", json!({"revision": {"containers": {"side": {"secrets": {"DATABASE_URL": "{{secret:pair-other}}"}, "essential": false}},
                              "execution_role": "{{role:pair}}"}}))
        .stack("secretless", json!({"web": {"secrets": null}, "revision": {"execution_role": ""}}));
    let names = |role: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{{{{account}}}}:role/{role}")}, "Action": "kms:*", "Resource": "*"}]})
    };
    world.patch(json!({
        // One leaves it to IAM, one names a role alone, one another role.
        "keys": {"vault": {"alias": "vault"}, "named": {"policy": names("named")}, "closed": {"policy": names("admin")}},
        "secrets": {
            "pair-other": {"string": url("pair")},
            "nokey-keyed": {"string": url("nokey"), "kms_key": "{{key:vault}}"},
            "withkey-keyed": {"string": url("withkey"), "kms_key": "{{key:vault}}"},
            "alias-keyed": {"string": url("alias"), "kms_key": "alias/vault"},
            "closed-keyed": {"string": url("closed"), "kms_key": "{{key:closed}}"},
            "named-keyed": {"string": url("named"), "kms_key": "{{key:named}}"},
        },
        "parameters": {"/parameter/url": {"string": url("parameter")}},
        "roles": {
            "exact": read("secretsmanager:GetSecretValue", "{{secret:exact-url}}"),
            "noperm": {}, "bypolicy": {},
            "wrongarn": read("secretsmanager:GetSecretValue", "{{secret-partial:wrongarn-url}}"),
            "denied": {"statements": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "{{secret:denied-url}}"},
            ]},
            "nokey": read("secretsmanager:GetSecretValue", "*"),
            "withkey": {"statements": [
                {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"], "Resource": "*"},
            ]},
            "pair": read("secretsmanager:GetSecretValue", "{{secret:pair-url}}"),
            "alias": read("secretsmanager:GetSecretValue", "*"),
            "named": read("secretsmanager:GetSecretValue", "*"),
            "closed": {"statements": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[UNREADABLE]);
    if Quirk::NoSimulator.on(kind) {
        // Only that there is no role needs no simulation; the rest is not known, and nothing else breaks.
        let (report, code) = env.audit(&[]);
        assert_eq!(code, 1);
        let told = env.told(&report);
        assert_eq!(
            told.iter().filter(|t| t.starts_with("unknown critical")).count(),
            14,
            "{told:#?}"
        );
        assert_eq!(told[0], "fail critical none ecs-secret-unreadable main/none");
        let (report, code) = env.audit(&["--workload", "fine"]);
        assert_eq!(code, 3);
        assert!(said(&report, "fine", "/message").contains("iam:SimulatePrincipalPolicy"));
        return;
    }
    let fails = [
        "alias",
        "closed",
        "denied",
        "gone",
        "nokey",
        "none",
        "noperm",
        "pair",
        "parameter",
        "wrongarn",
    ];
    let expected: Vec<String> = fails
        .iter()
        .map(|w| format!("fail critical {w} ecs-secret-unreadable main/{w}"))
        .collect();
    let (key, closed) = (env.id("keys", "vault"), env.id("keys", "closed"));
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    for (workload, word) in [
        (
            "noperm",
            "may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:noperm-url-",
        ),
        ("gone", "role/service-role/gone does not exist"),
        ("none", "no execution role"),
        ("nokey", &format!("may not kms:Decrypt on {key}:")),
        // Which key an alias stands for is asked.
        ("alias", &format!("may not kms:Decrypt on {key}:")),
        (
            "closed",
            &format!("may not kms:Decrypt on {closed} (by the key policy)"),
        ),
        ("pair", "secret:pair-other-"),
        (
            "parameter",
            "ssm:GetParameters on arn:aws:ssm:us-east-1:123456789012:parameter/parameter/url",
        ),
    ] {
        let message = said(&report, workload, "/message");
        assert!(message.contains(word), "{message}");
    }
    let statement = said(&report, "noperm", "/remediation/summary");
    assert!(
        statement
            .contains("{\"Effect\":\"Allow\",\"Action\":\"secretsmanager:GetSecretValue\",\"Resource\":[\"arn:aws:"),
        "{statement}"
    );
    // Without the permission to simulate all of it is unknown, and says so; the rest is as it was.
    let gateway = env.gateway(&["--deny", "iam:SimulatePrincipalPolicy"]);
    env.about(&[UNREADABLE, TLS, MISMATCH]);
    let (report, code) = env.audit_at(&gateway.endpoint, &["--workload", "fine", "--workload", "noperm"]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(list(&report, "findings").len(), 2, "{report:#}");
    let message = said(&report, "noperm", "/message");
    assert!(
        message.contains("grant the IAM action iam:SimulatePrincipalPolicy"),
        "{message}"
    );
}

/// What no emulator shows, on the wire as AWS sends it: decisions for each resource, in pages; conditions, which are
/// asked again with what is known; resources of other accounts; a role that is not there.
fn readable_by_the_word_of_aws(kind: Kind) {
    let role = |w: &str| format!("arn:aws:iam::123456789012:role/{w}");
    let runs_as = |w: &str| json!({"revision": {"execution_role": role(w)}});
    let mut world = World::new();
    for w in ["gone", "tagged", "mistagged", "network", "denied"] {
        world.stack(w, runs_as(w));
    }
    // One role for three services: a page each.
    for w in ["first", "second", "third"] {
        world.stack(w, runs_as("shared"));
    }
    world.patch(json!({"roles": {"tagged": {}, "mistagged": {}, "network": {}, "denied": {}, "shared": {}}}));
    let mut env = TestEnv::new(kind, &world);
    let read = |w: &str| {
        format!(
            "secretsmanager:GetSecretValue {}",
            env.id("secrets", &format!("{w}-url"))
        )
    };
    let by_tag = |team: &str| {
        json!({"decision": "implicitDeny", "missing": ["aws:ResourceTag/holdfast:workload"],
               "told": {"aws:ResourceTag/holdfast:workload": team}})
    };
    let table = json!({
        role("tagged"): {read("tagged"): by_tag("tagged")},
        role("mistagged"): {read("mistagged"): by_tag("another")},
        role("network"): {read("network"): {"decision": "implicitDeny", "missing": ["aws:SourceVpce"]}},
        role("denied"): {read("denied"): "explicitDeny"},
        role("shared"): {
            read("first"): "allowed",
            read("third"): {"decision": "implicitDeny", "details": {"IAM Policies": "allowed", "Resource Policies": "implicitDeny"}},
        },
    });
    let gateway = env.gateway(&["--simulate", &table.to_string()]);
    env.about(&[UNREADABLE]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        env.told(&report),
        [
            "fail critical denied ecs-secret-unreadable main/denied",
            "fail critical gone ecs-secret-unreadable main/gone",
            "fail critical mistagged ecs-secret-unreadable main/mistagged",
            "fail critical second ecs-secret-unreadable main/second",
            "unknown critical network ecs-secret-unreadable main/network",
        ],
        "{report:#}"
    );
    assert_eq!(code, 1);
    assert!(said(&report, "gone", "/message").contains("does not exist"));
    assert!(said(&report, "network", "/message").contains("hangs on aws:SourceVpce"));
    // Three pages for the shared role, a second question for each of the two tags, one for each other.
    let asked = gateway
        .calls()
        .iter()
        .filter(|c| *c == "iam:SimulatePrincipalPolicy")
        .count();
    assert_eq!(asked, 3 + 2 * 2 + 3);
}

/// Images, logs, files, credentials of registries, options of log drivers: whatever a task fetches before it runs.
fn all_that_a_task_fetches(kind: Kind) {
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1";
    let logs = |more: Value| {
        let mut options =
            json!({"awslogs-group": "/ecs/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"});
        crate::world::merge(&mut options, more);
        json!({"logConfiguration": {"logDriver": "awslogs", "options": options}})
    };
    let with =
        |role: &str, web: Value| json!({"web": web, "revision": {"execution_role": format!("{{{{role:{role}}}}}")}});
    let files = json!({"with": {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::shop-config/prod.env"}]}});
    let splunk = json!({"with": {"logConfiguration": {"logDriver": "splunk", "secretOptions": [
        {"name": "splunk-token", "valueFrom": "{{secret:token}}"}]}}});
    let registry = json!({"with": {"repositoryCredentials": {"credentialsParameter": "{{secret:token}}"}}});
    let mut world = World::new();
    world
        .stack("image", with("bare", json!({"image": image})))
        .stack("imaged", with("ecs-execution", json!({"image": image})))
        .stack("log", with("bare", json!({"with": logs(json!({}))})))
        .stack("logged", with("ecs-execution", json!({"with": logs(json!({}))})))
        // The group is there, else its tasks would not run.
        .stack(
            "group",
            with("writer", json!({"with": logs(json!({"awslogs-create-group": "true"}))})),
        )
        .stack("files", with("bare", files.clone()))
        .stack("filed", with("ecs-execution", files))
        .stack("option", with("bare", splunk))
        .stack("registry", with("bare", registry))
        .stack("onec2", {
            let mut ec2 = with("bare", json!({"image": image, "with": logs(json!({}))}));
            ec2["service"] = json!({"launch": "EC2"});
            ec2["revision"]["with"] = json!({"requiresCompatibilities": ["EC2"]});
            ec2
        });
    let reads = |names: &[&str]| {
        let each = names.iter().map(|n| format!("{{{{secret:{n}-url}}}}"));
        json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": each.collect::<Vec<_>>()})
    };
    world.patch(json!({
        "secrets": {"token": {"string": "a token"}},
        "roles": {
            "bare": {"statements": [reads(&["files", "image", "log", "option", "registry", "onec2"])]},
            "writer": {"statements": [reads(&["group"]), {
                "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "arn:aws:logs:us-east-1:*:log-group:/ecs/shop:*"}]},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[UNREADABLE]);
    if Quirk::NoSimulator.on(kind) {
        let (report, code) = env.audit(&[]);
        assert_eq!(code, 3, "{report:#}");
        return;
    }
    let failing = ["files", "image", "log", "option", "registry"];
    let expected: Vec<String> = failing
        .iter()
        .map(|w| format!("fail critical {w} ecs-secret-unreadable main/{w}"))
        .collect();
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let repository = "arn:aws:ecr:us-east-1:123456789012:repository/shop";
    for (workload, words) in [
        (
            "image",
            vec![
                format!("ecr:BatchGetImage on {repository}"),
                format!("ecr:GetDownloadUrlForLayer on {repository}"),
                "ecr:GetAuthorizationToken on *".to_owned(),
            ],
        ),
        (
            "log",
            vec!["logs:CreateLogStream on arn:aws:logs:us-east-1:123456789012:log-group:/ecs/shop:*".to_owned()],
        ),
        (
            "files",
            vec![
                "s3:GetObject on arn:aws:s3:::shop-config/prod.env".to_owned(),
                "s3:GetBucketLocation on arn:aws:s3:::shop-config".to_owned(),
            ],
        ),
        (
            "option",
            vec![format!("GetSecretValue on {}", env.id("secrets", "token"))],
        ),
        (
            "registry",
            vec![format!("GetSecretValue on {}", env.id("secrets", "token"))],
        ),
    ] {
        let message = said(&report, workload, "/message");
        for word in words {
            assert!(message.contains(&word), "{word}: {message}");
        }
    }
}

/// What only AWS's own answers show: an organization's denial is no proof, a boundary limits what a secret's policy grants
/// to the role, actions that AWS refuses together are asked about apart, and all that is known is sent.
fn organizations_boundaries_and_keys(kind: Kind) {
    let role = |w: &str| format!("arn:aws:iam::123456789012:role/{w}");
    let runs_as = |w: &str| json!({"revision": {"execution_role": role(w)}});
    let by_policy = |w: &str| {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": role(w)}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]});
        json!({"revision": {"execution_role": role(w)}, "secret": {"string": url(w), "policy": policy}})
    };
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1";
    let mut world = World::new();
    for w in ["organized", "sent"] {
        world.stack(w, runs_as(w));
    }
    for w in ["bounded", "granted"] {
        world.stack(w, by_policy(w));
    }
    world.stack(
        "apart",
        json!({"web": {"image": image}, "revision": {"execution_role": role("apart")}}),
    );
    world.patch(json!({"roles": {"organized": {}, "sent": {}, "bounded": {}, "granted": {}, "apart": {}}}));
    let mut env = TestEnv::new(kind, &world);
    let read = |w: &str| {
        format!(
            "secretsmanager:GetSecretValue {}",
            env.id("secrets", &format!("{w}-url"))
        )
    };
    let repository = "arn:aws:ecr:us-east-1:123456789012:repository/shop";
    let told = json!({
        "aws:RequestedRegion": "us-east-1", "aws:PrincipalAccount": "123456789012", "aws:ResourceAccount": "123456789012",
        "aws:SecureTransport": "true", "secretsmanager:SecretId": env.id("secrets", "sent-url"),
    });
    let table = json!({
        role("organized"): {read("organized"): {"decision": "implicitDeny", "organization": false}},
        // Its organization allows it for this secret alone, over TLS, in this region and account: none is missing.
        role("sent"): {read("sent"): {"decision": "implicitDeny", "organization": false, "told": told}},
        role("bounded"): {read("bounded"): {"decision": "implicitDeny", "boundary": false}},
        role("granted"): {read("granted"): "implicitDeny"},
        role("apart"): {
            read("apart"): "allowed",
            format!("ecr:BatchGetImage {repository}"): "allowed",
            format!("ecr:GetDownloadUrlForLayer {repository}"): "allowed",
            "ecr:GetAuthorizationToken *": "allowed",
        },
        "apart": [["secretsmanager:GetSecretValue"], ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]],
    });
    let gateway = env.gateway(&["--simulate", &table.to_string()]);
    env.about(&[UNREADABLE]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        env.told(&report),
        [
            "fail critical bounded ecs-secret-unreadable main/bounded",
            "unknown critical organized ecs-secret-unreadable main/organized",
        ],
        "{report:#}"
    );
    assert_eq!(code, 1);
    assert!(said(&report, "organized", "/message").contains("service control policies"));
    assert!(said(&report, "bounded", "/message").contains("(by its permissions boundary)"));
}

/// A secret that the role may not read is not rolled out; where that can't be known, it is.
fn rollouts_that_could_not_be_read(kind: Kind) {
    let bare = |role: &str| json!({"web": {"secrets": null}, "revision": {"execution_role": role}});
    let mut world = World::new();
    world
        .stack("barred", bare("{{role:barred}}"))
        .stack("strange", bare("arn:aws:iam::{{account}}:role/strange"))
        .stack("slipped", json!({"web": {"secrets": {"DATABASE_URL": "{{secret:slipped-url}}:url::"}}, "revision": {"execution_role": "{{role:barred}}"}}))
        .stack("good", json!({"web": {"secrets": null}}));
    world.patch(json!({"roles": {"barred": {}}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[MISSING, MISMATCH, UNREADABLE]);
    env.configure("safety: {max_failing_percent: 100}\n");
    if Quirk::NoSimulator.on(kind) {
        let answer = env.holdfast(&["plan", "--format", "json"]);
        assert_eq!(answer.code, 3, "something could not be read: {}", answer.stderr);
        let plan: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        assert_eq!(acting(&plan), ["barred", "good", "slipped", "strange"], "{plan:#}");
        return;
    }
    let plan = env.plan();
    assert_eq!(acting(&plan), ["good", "strange"], "{plan:#}");
    assert!(
        reason(&plan, "barred").contains("role/barred may not secretsmanager:GetSecretValue"),
        "{plan:#}"
    );
    let held = list(&plan, "held").iter().filter(|h| h["workload"] == "slipped");
    let reasons: Vec<String> = held.map(|h| text(&h["reason"])).collect();
    assert!(
        reasons.iter().any(|r| r.contains("see ecs-secret-unreadable")),
        "{reasons:?}"
    );
}
