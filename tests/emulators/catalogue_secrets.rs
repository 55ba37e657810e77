//! What secrets hold beyond their form, who may read them, and secrets that are none; parameters of Parameter Store.

use serde_json::{Value, json};

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{Kind, Stage, list, run, text};
use crate::world::{PASSWORD, World, url};

on_both!(
    users_and_tls,
    parameters,
    parameters_below_value,
    deletion,
    broad_access,
    rotation,
    plaintext,
    readable,
    readable_by_the_word_of_aws,
    rollouts_that_could_not_be_read,
    what_is_well_is_remembered,
    no_password_is_shown,
);

const MALFORMED: &str = "secret-malformed-url";
const WRONG: &str = "secret-wrong-database";
const MASTER: &str = "secret-uses-master-user";
const TLS: &str = "secret-no-tls";
const DELETION: &str = "secret-deletion-scheduled";
const BROAD: &str = "secret-broad-access";
const UNROTATED: &str = "secret-unrotated";
const MISSING: &str = "ecs-missing-database-secret";
const MISMATCH: &str = "ecs-secret-reference-mismatch";
const UNREADABLE: &str = "ecs-secret-unreadable";
const PLAINTEXT: &str = "ecs-plaintext-database-url";

fn tags(workload: &str) -> Value {
    json!({"holdfast:workload": workload})
}

/// A URL to the database of `stack`, as `user` and with `query` at its end.
fn url_as(user: &str, stack: &str, query: &str) -> String {
    format!("postgres://{user}:{PASSWORD}@{{{{endpoint:{stack}-db}}}}:{{{{port:{stack}-db}}}}/app{query}")
}

fn uses(reference: &str) -> Value {
    json!({"web": {"secrets": {"DATABASE_URL": reference}}})
}

/// `path` of the only finding about `workload`.
fn said(report: &Value, workload: &str, path: &str) -> String {
    let found: Vec<&Value> = list(report, "findings")
        .iter()
        .filter(|f| f["workload"] == workload)
        .collect();
    let [finding] = found.as_slice() else {
        panic!("{workload}: {found:#?}")
    };
    text(finding.pointer(path).unwrap_or_else(|| panic!("{path}: {finding:#}")))
}

fn reason(plan: &Value, workload: &str) -> String {
    let held = list(plan, "held").iter().find(|h| h["workload"] == workload);
    text(&held.unwrap_or_else(|| panic!("{workload} is not held: {plan:#}"))["reason"])
}

fn users_and_tls(kind: Kind) {
    let both = |w: &str| json!({"json": {"url": url(w), "admin": url_as("postgres", w, "")}});
    let mut world = World::new();
    world
        .stack("master", json!({"secret": url_as("postgres", "master", "?sslmode=require")}))
        .stack("bare", json!({"secret": url_as("app", "bare", "")}))
        .stack("prefers", json!({"secret": url_as("app", "prefers", "?sslmode=prefer")}))
        .stack(
            "words",
            json!({"secret": "host={{endpoint:words-db}} port={{port:words-db}} dbname=app user=postgres password=pw123456"}),
        )
        .stack("admin", json!({"secret": both("admin"), "web": {"secrets": {"DATABASE_URL": "{{secret:admin-url}}:admin::"}}}))
        // What must stay unmentioned: another key is used, the database is someone else's, the value is broken.
        .stack("keyed", json!({"secret": both("keyed"), "web": {"secrets": {"DATABASE_URL": "{{secret:keyed-url}}:url::"}}}))
        .stack("verified", json!({"secret": url_as("app", "verified", "?sslmode=verify-full")}))
        .stack("broken", json!({"secret": "postgres://postgres:pw12345678@{{endpoint:broken-db}}:{{port:broken-db}}:5432/app"}))
        .stack("twin", json!({}))
        // Nobody refers to the second secret yet; it leads to the database all the same.
        .stack("spare", json!({}));
    world.patch(json!({"secrets": {
        "spare-admin": {"string": url_as("postgres", "spare", "?sslmode=require"), "tags": tags("spare")},
        "spare-elsewhere": {"string": "postgres://postgres:pw12345678@db.example.com/app", "tags": tags("spare")},
        "spare-api": {"string": "sk-0123456789abcdef", "tags": tags("spare")},
    }}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[MASTER, TLS]);
    let report = stage.expect(&[
        "fail low admin secret-no-tls admin-url",
        "fail low bare secret-no-tls bare-url",
        "fail low prefers secret-no-tls prefers-url",
        "fail low words secret-no-tls words-url",
        "fail medium admin secret-uses-master-user admin-url",
        "fail medium master secret-uses-master-user master-url",
        "fail medium spare secret-uses-master-user spare-admin",
        "fail medium words secret-uses-master-user words-url",
    ]);
    let message = said(&report, "master", "/message");
    assert!(message.contains("postgres, the master user of master-db"), "{message}");
    assert_eq!(said(&report, "bare", "/evidence/0/observed"), "no sslmode");
    assert_eq!(stage.plan()["actions"], json!([]));
}

/// Parameters are judged like secrets, and told of the service that refers to them.
fn parameters(kind: Kind) {
    let value = |string: String| json!({"string": string});
    let mut world = World::new();
    world
        .stack("named", uses("/named/url"))
        .stack("flat", uses("flat-url-parameter"))
        .stack("byarn", uses("arn:aws:ssm:us-east-1:{{account}}:parameter/byarn/url"))
        .stack("abroad", uses("arn:aws:ssm:eu-west-1:{{account}}:parameter/abroad/url"))
        .stack("open", uses("open-url"))
        .stack("broken", uses("/broken/url"))
        .stack("lost", uses("/lost/url"))
        .stack("loose", uses("/loose/url"))
        .stack("gone", uses("/gone/url"))
        .stack("object", uses("/object/url"))
        .stack("other", uses("arn:aws:s3:::other"))
        // A dozen, which no single call takes.
        .stack("many", json!({"revision": {"containers": {"web": {"secrets": {"DATABASE_URL": "/many/0"}}, "side": {
            "essential": false, "secrets": {"DATABASE_URL": "/many/1", "CODER_POSTGRES_URL": "/many/2", "CODER_PG_CONNECTION_URL": "/many/3"}}}}}));
    world.patch(json!({"parameters": {
        "/named/url": value(url("named")),
        "flat-url-parameter": {"string": url("flat"), "type": "String"},
        "/byarn/url": value(url("byarn")),
        // A parameter with the very name of a secret: ECS reads the parameter.
        "open-url": value(url("open")),
        "/broken/url": value(format!("postgres://app:pw12/345678@{}/app", "{{endpoint:broken-db}}")),
        "/lost/url": value("postgres://app:pw12345678@old.example.com/app?sslmode=require".into()),
        "/loose/url": value(url_as("postgres", "loose", "")),
        "/object/url": {"json": {"url": url("object")}},
        "/many/0": value(url("many")), "/many/1": value(url("many")), "/many/2": value(url("many")),
        "/many/3": value(url_as("postgres", "many", "?sslmode=require")),
    }}));
    world
        .scope("eu-west-1", None)
        .patch(json!({"parameters": {"/abroad/url": value(url("abroad").replace("-db}}", "-db@us-east-1}}"))}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[MALFORMED, WRONG, MISMATCH, MASTER, TLS]);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let expected = [
        "fail critical broken secret-malformed-url main/broken",
        "fail critical gone ecs-secret-reference-mismatch main/gone",
        "fail critical lost secret-wrong-database main/lost",
        "fail critical object ecs-secret-reference-mismatch main/object",
        "fail critical other ecs-secret-reference-mismatch main/other",
        "fail low loose secret-no-tls main/loose",
        "fail medium loose secret-uses-master-user main/loose",
        "fail medium many secret-uses-master-user main/many",
    ];
    let report = stage.expect(&expected);
    assert_eq!(
        report["stats"]["api_calls"]["ssm:GetParameters"], 3,
        "ten a call, each region by itself"
    );
    let message = said(&report, "broken", "/message");
    assert!(
        message.contains("/broken/url: reserved characters in the password are not percent-encoded"),
        "{message}"
    );
    let message = said(&report, "many", "/message");
    assert!(message.contains("/many/3") && !message.contains("/many/0"), "{message}");
    // In place of one that is not there comes the workload's secret.
    let plan = stage.plan();
    for w in ["gone", "object", "other"] {
        let action = list(&plan, "actions").iter().find(|a| a["workload"] == w);
        let action = action.unwrap_or_else(|| panic!("{w} is planned: {plan:#}"));
        let after = &action["calls"][0]["parameters"]["changes"][0]["after"];
        assert_eq!(*after, stage.id("secrets", &format!("{w}-url")), "{w}");
    }
    // What can't be read is unknown, and says what to grant.
    let gateway = stage.gateway(&["--deny", "ssm:GetParameters"]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &["--workload", "loose", "--workload", "gone"]);
    assert_eq!(code, 3, "{report:#}");
    for finding in list(&report, "findings") {
        let message = text(&finding["message"]);
        assert!(
            finding["verdict"] == "unknown" && message.contains("grant the IAM action ssm:GetParameters"),
            "{message}"
        );
    }
    // And one that may not be read hides no other: they are asked for one by one.
    assert!(gateway.calls().iter().filter(|c| *c == "ssm:GetParameters").count() > 3);
}

fn parameters_below_value(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", uses("/shop/url"));
    world.patch(json!({"parameters": {"/shop/url": {"string": url_as("postgres", "shop", "")}}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[MALFORMED, WRONG, MISMATCH, MASTER, TLS]);
    for inspect in ["metadata", "off"] {
        stage.configure(&format!("secrets: {{inspect: {inspect}}}\n"));
        let gateway = stage.gateway(&[]);
        let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
        assert_eq!(code, 3, "{inspect}: {report:#}");
        let about_service = list(&report, "findings")
            .iter()
            .filter(|f| f["resource"]["id"] == "main/shop");
        let rules: Vec<String> = about_service.map(|f| text(&f["rule"])).collect();
        assert_eq!(rules.len(), 5, "{inspect}: {report:#}");
        let read = gateway.calls();
        assert!(
            !read
                .iter()
                .any(|c| c.starts_with("ssm:") || c.contains("GetSecretValue")),
            "{inspect}: {read:?}"
        );
    }
}

fn deletion(kind: Kind) {
    let binned = |w: &str| json!({"string": url(w), "deletion_in_days": 7});
    let mut world = World::new();
    world
        .stack("binned", json!({"secret": binned("binned")}))
        .stack(
            "apikey",
            json!({"web": {"secrets": {"API_KEY": "{{secret:apikey-api}}:key::"}}}),
        )
        .stack("idle", json!({}))
        .stack("loose", uses("{{secret:stray}}"))
        .stack("twin", json!({}));
    world.patch(json!({"secrets": {
        "apikey-api": {"json": {"key": "sk-0123456789"}, "deletion_in_days": 7, "tags": tags("apikey")},
        "idle-old": {"string": url("idle"), "deletion_in_days": 7, "tags": tags("idle")},
        "stray": {"string": url("loose"), "deletion_in_days": 7},
    }}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[DELETION, BROAD]);
    let expected = [
        "fail critical apikey secret-deletion-scheduled apikey-api",
        "fail critical binned secret-deletion-scheduled binned-url",
        "fail critical loose secret-deletion-scheduled stray",
    ];
    let report = stage.expect(&expected);
    let message = said(&report, "binned", "/message");
    assert!(message.contains("which main/binned runs with"), "{message}");
    let plan = stage.plan();
    assert_eq!(list(&plan, "actions").len(), 2, "{plan:#}");
    assert!(list(&plan, "actions").iter().all(|a| a["risk"] == "none"), "{plan:#}");
    assert!(
        reason(&plan, "loose").contains("does not carry holdfast:workload=loose"),
        "{plan:#}"
    );
    let gateway = stage.gateway(&[]);
    let answer = run(stage.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["secretsmanager:RestoreSecret"; 2]);
    stage.expect(&expected[2..]);
    // What nobody refers to stays where it was thrown.
    let old = stage.call("secretsmanager", "describe_secret", json!({"SecretId": "idle-old"}));
    assert!(!old["DeletedDate"].is_null(), "{old}");
}

fn broad_access(kind: Kind) {
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    let let_in = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "secretsmanager:GetSecretValue", "Resource": "*"});
    let with = |w: &str, policy: Value| json!({"secret": {"string": url(w), "policy": policy}});
    let mut bound = let_in(json!("*"));
    bound["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}});
    let fence = json!({"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*",
                       "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "{{account}}"}}});
    let foreign = json!({"AWS": ["arn:aws:iam::999999999999:root", "arn:aws:iam::{{account}}:root"]});
    let own = json!({"AWS": "arn:aws:iam::{{account}}:role/ecs-execution"});
    let mut world = World::new();
    world
        .stack("open", with("open", policy(json!([let_in(json!("*"))]))))
        .stack("foreign", with("foreign", policy(json!([let_in(foreign)]))))
        .stack("own", with("own", policy(json!([let_in(own)]))))
        .stack(
            "service",
            with(
                "service",
                policy(json!([let_in(json!({"Service": "lambda.amazonaws.com"}))])),
            ),
        )
        .stack("bound", with("bound", policy(json!([bound]))))
        .stack(
            "fenced",
            with("fenced", policy(json!([let_in(json!({"AWS": "*"})), fence]))),
        )
        .stack("garbled", with("garbled", json!("anyone may read this")))
        .stack("twin", json!({}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[BROAD]);
    let (report, code) = stage.audit(&[]);
    assert_eq!(
        stage.told(&report),
        [
            "fail high foreign secret-broad-access foreign-url",
            "fail high open secret-broad-access open-url",
            "unknown high garbled secret-broad-access garbled-url",
        ],
        "{report:#}"
    );
    assert_eq!(code, 1);
    let found = list(&report, "findings");
    let foreign = found.iter().find(|f| f["workload"] == "foreign").expect("found");
    assert_eq!(
        foreign["evidence"][0]["observed"],
        json!(["arn:aws:iam::999999999999:root"])
    );
    assert!(said(&report, "garbled", "/message").contains("get-resource-policy"));
    let gateway = stage.gateway(&["--deny", "secretsmanager:GetResourcePolicy"]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(list(&report, "findings").len(), 8);
    let message = said(&report, "twin", "/message");
    assert!(
        message.contains("grant the IAM action secretsmanager:GetResourcePolicy"),
        "{message}"
    );
    // Switched off, it asks nothing.
    let gateway = stage.gateway(&[]);
    stage.about(&[TLS]);
    stage.audit_at(&gateway.endpoint, &[]);
    assert!(!gateway.calls().contains(&"secretsmanager:GetResourcePolicy".to_owned()));
}

/// Off by default.
fn rotation(kind: Kind) {
    let mut world = World::new();
    world
        .stack("still", json!({}))
        .stack("twin", json!({"secret": {"string": url("twin")}}));
    let mut stage = Stage::new(kind, &world);
    stage.configure("rules: {ecs-secret-unreadable: {enabled: false}}\n");
    let (report, _) = stage.audit(&[]);
    assert!(!report["findings"].to_string().contains(UNROTATED), "{report:#}");
    stage.about(&[UNROTATED]);
    stage.expect(&[
        "fail low still secret-unrotated still-url",
        "fail low twin secret-unrotated twin-url",
    ]);
    stage.configure("workloads: {still: {rotation_age: 30d}}\n");
    let (report, _) = stage.audit(&[]);
    assert_eq!(said(&report, "still", "/evidence/1/expected"), "within 720h");
    assert_eq!(said(&report, "twin", "/evidence/1/expected"), "within 2160h");
}

/// A plain URL like the one in the secret is moved there; whatever differs, or is a password by itself, is not.
fn plaintext(kind: Kind) {
    let plain = |variables: Value| json!({"web": {"secrets": null, "environment": variables}});
    let mut world = World::new();
    world
        .stack("same", plain(json!({"DATABASE_URL": url("same"), "LEVEL": "info"})))
        .stack("other", plain(json!({"DATABASE_URL": url_as("root", "other", "?sslmode=require")})))
        .stack("elsewhere", plain(json!({"DATABASE_URL": "postgres://app:pw12345678@db.example.com/app"})))
        .stack("beside", json!({"web": {"environment": {"REPORT_URL": url("beside")}}}))
        .stack("password", json!({"web": {"environment": {"PGPASSWORD": PASSWORD, "APP_DB_PASSWORD": PASSWORD}}}))
        .stack(
            "sidecar",
            json!({"revision": {"containers": {"store": {"environment": {"POSTGRES_PASSWORD": PASSWORD}, "essential": false}}}}),
        )
        // What must stay unmentioned.
        .stack("passwordless", json!({"web": {"environment": {"READ_URL": "postgres://app@db.example.com/app", "PGHOST": "db.example.com", "PGPASSWORD": ""}}}))
        .stack("twin", json!({"web": {"environment": {"PASSWORD_LENGTH": "12", "SITE": "https://user:pw@example.com/"}}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[PLAINTEXT, MISSING]);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let fails = ["beside", "elsewhere", "other", "password", "same", "sidecar"];
    let mut expected: Vec<String> = fails
        .iter()
        .map(|w| format!("fail high {w} ecs-plaintext-database-url main/{w}"))
        .collect();
    for w in ["elsewhere", "other", "same"] {
        expected.push(format!("fail critical {w} ecs-missing-database-secret main/{w}"));
    }
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let message = said(&report, "password", "/message");
    assert!(
        message.contains("PGPASSWORD in web") && message.contains("APP_DB_PASSWORD in web"),
        "{message}"
    );
    let plan = stage.plan();
    let of = |w: &str| list(&plan, "actions").iter().find(|a| a["workload"] == w);
    let same = of("same").expect("planned");
    // One revision for both rules.
    assert_eq!(same["rules"], json!([MISSING, PLAINTEXT]));
    assert_eq!(list(&same["calls"][0]["parameters"], "changes").len(), 1, "{same:#}");
    let change = &of("beside").expect("planned")["calls"][0]["parameters"]["changes"][0];
    assert_eq!(
        (&change["variable"], &change["before"]),
        (&json!("REPORT_URL"), &Value::Null)
    );
    let held = |w: &str| {
        let held = list(&plan, "held")
            .iter()
            .find(|h| h["workload"] == w && h["rule"] == PLAINTEXT);
        text(&held.unwrap_or_else(|| panic!("{w}: {plan:#}"))["reason"])
    };
    assert!(held("other").contains("differ in their user"), "{}", held("other"));
    assert!(
        held("elsewhere").contains("differ in their host"),
        "{}",
        held("elsewhere")
    );
    for w in ["password", "sidecar"] {
        assert!(held(w).contains("needs a person"), "{}", held(w));
    }
    if Lie::EcsNeverSteady.on(kind) {
        return;
    }
    let answer = stage.holdfast(&[
        "apply",
        "--yes",
        "--workload",
        "same",
        "--workload",
        "beside",
        "--wait",
        "30s",
    ]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let state = stage.state();
    let web = |family: &str| state["us-east-1"]["task_definitions"][family]["containerDefinitions"][0].clone();
    assert_eq!(
        web("same:2")["environment"],
        json!([{"name": "LEVEL", "value": "info"}])
    );
    let right = stage.id("secrets", "same-url");
    assert_eq!(
        web("same:2")["secrets"],
        json!([{"name": "DATABASE_URL", "valueFrom": right}])
    );
    let (report, code) = stage.audit(&["--workload", "same", "--workload", "beside"]);
    assert_eq!((code, stage.told(&report)), (0, vec![]));
}

/// Roles: one that may read, one that may not, one that is not there, none at all.
fn readable(kind: Kind) {
    let role = |w: &str| json!({"revision": {"execution_role": format!("{{{{role:{w}}}}}")}});
    let read = |action: &str, resource: &str| json!({"statements": [{"Effect": "Allow", "Action": action, "Resource": resource}]});
    let key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
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
        .stack("bypolicy", json!({"revision": {"execution_role": "{{role:bypolicy}}"}, "secret": {"string": url("bypolicy"), "policy": by_policy}}))
        .stack("parameter", json!({"revision": {"execution_role": "{{role:noperm}}"}, "web": {"secrets": {"DATABASE_URL": "/parameter/url"}}}))
        .stack("pair", json!({"revision": {"containers": {"side": {"secrets": {"DATABASE_URL": "{{secret:pair-other}}"}, "essential": false}},
                              "execution_role": "{{role:pair}}"}}))
        .stack("secretless", json!({"web": {"secrets": null}, "revision": {"execution_role": ""}}));
    world.patch(json!({
        "secrets": {
            "pair-other": {"string": url("pair")},
            "nokey-keyed": {"string": url("nokey"), "kms_key": key},
            "withkey-keyed": {"string": url("withkey"), "kms_key": key},
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
        },
    }));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[UNREADABLE]);
    if Lie::NoSimulator.on(kind) {
        // Only that there is no role needs no simulation; the rest is not known, and nothing else breaks.
        let (report, code) = stage.audit(&[]);
        assert_eq!(code, 1);
        let told = stage.told(&report);
        assert_eq!(
            told.iter().filter(|t| t.starts_with("unknown critical")).count(),
            11,
            "{told:#?}"
        );
        assert_eq!(told[0], "fail critical none ecs-secret-unreadable main/none");
        let (report, code) = stage.audit(&["--workload", "fine"]);
        assert_eq!(code, 3);
        assert!(said(&report, "fine", "/message").contains("iam:SimulatePrincipalPolicy"));
        return;
    }
    let fails = [
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
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    for (workload, word) in [
        (
            "noperm",
            "may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:noperm-url-",
        ),
        ("gone", "role/service-role/gone does not exist"),
        ("none", "no execution role"),
        (
            "nokey",
            &format!("may not kms:Decrypt on {key}, unless the key's own policy allows it"),
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
    let gateway = stage.gateway(&["--deny", "iam:SimulatePrincipalPolicy"]);
    stage.about(&[UNREADABLE, TLS, MISMATCH]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &["--workload", "fine", "--workload", "noperm"]);
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
    let mut stage = Stage::new(kind, &world);
    let read = |w: &str| {
        format!(
            "secretsmanager:GetSecretValue {}",
            stage.id("secrets", &format!("{w}-url"))
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
    let gateway = stage.gateway(&["--simulate", &table.to_string()]);
    stage.about(&[UNREADABLE]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!(
        stage.told(&report),
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

/// A secret that the role may not read is not rolled out; where that can't be known, it is.
fn rollouts_that_could_not_be_read(kind: Kind) {
    let bare = |role: &str| json!({"web": {"secrets": null}, "revision": {"execution_role": role}});
    let mut world = World::new();
    world
        .stack("barred", bare("{{role:barred}}"))
        .stack("strange", bare("arn:aws:iam::{{account}}:role/strange"))
        .stack("slipped", json!({"web": {"secrets": {"DATABASE_URL": "{{secret-partial:slipped-url}}"}}, "revision": {"execution_role": "{{role:barred}}"}}))
        .stack("good", json!({"web": {"secrets": null}}));
    world.patch(json!({"roles": {"barred": {}}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[MISSING, MISMATCH, UNREADABLE]);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let acting = |plan: &Value| -> Vec<String> { list(plan, "actions").iter().map(|a| text(&a["workload"])).collect() };
    if Lie::NoSimulator.on(kind) {
        let answer = stage.holdfast(&["plan", "--format", "json"]);
        assert_eq!(answer.code, 3, "something could not be read: {}", answer.stderr);
        let plan: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        assert_eq!(acting(&plan), ["barred", "good", "slipped", "strange"], "{plan:#}");
        return;
    }
    let plan = stage.plan();
    let acting = acting(&plan);
    assert_eq!(acting, ["good", "strange"], "{plan:#}");
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

/// A sweep asks again for what was wrong, and not for what was well.
fn what_is_well_is_remembered(kind: Kind) {
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]});
    let mut world = World::new();
    world
        .stack("well", json!({}))
        .stack("open", json!({"secret": {"string": url("open"), "policy": open}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[BROAD, UNREADABLE]);
    stage.configure("sweep: {interval: 1s}\n");
    let gateway = stage.gateway(&[]);
    let mut command = stage.command(&gateway.endpoint, &["run", "--listen", "127.0.0.1:0"]);
    let null = std::process::Stdio::null;
    let mut operator = command
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .spawn()
        .expect("run");
    let count = |call: &str| gateway.calls().iter().filter(|c| *c == call).count();
    let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while count("secretsmanager:ListSecrets") < 5 && std::time::Instant::now() < end {
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    let _ = operator.kill();
    let _ = operator.wait();
    let (sweeps, policies) = (
        count("secretsmanager:ListSecrets"),
        count("secretsmanager:GetResourcePolicy"),
    );
    assert!(sweeps >= 5, "{sweeps} sweeps");
    // Two at first, then the open one alone. The last sweep may not have come so far.
    assert!(
        policies > 2 && policies <= sweeps + 1,
        "{policies} policies in {sweeps} sweeps"
    );
    if !Lie::NoSimulator.on(kind) {
        // Both secrets are allowed to one role. ministack takes two calls for two resources.
        assert_eq!(count("iam:SimulatePrincipalPolicy"), 2);
    }
}

/// Planted passwords in parameters and plain variables appear nowhere.
fn no_password_is_shown(kind: Kind) {
    let planted = ["Kp7wZx2mQv9d", "Jr4tBn8cLs1f", "Yh6gVe3kDa5u"];
    let mut world = World::new();
    world
        .stack("good", uses("/good/url"))
        .stack("broken", uses("/broken/url"))
        .stack("plain", json!({"web": {"environment": {"REPORT_URL": format!("postgres://app:{}@db.example.com/app", planted[2]), "PGPASSWORD": planted[2]}}}));
    world.patch(json!({"parameters": {
        "/good/url": {"string": format!("postgres://postgres:{}@{{{{endpoint:good-db}}}}:{{{{port:good-db}}}}/app", planted[0])},
        "/broken/url": {"string": format!("postgres://app:x/{}@y:5432:5432/app", planted[1])},
    }}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[
        MALFORMED, WRONG, MISMATCH, MASTER, TLS, DELETION, BROAD, UNROTATED, UNREADABLE, PLAINTEXT,
    ]);
    let mut told = String::new();
    for arguments in [
        &["audit", "--format", "json", "-vv"][..],
        &["plan", "-vv"],
        &["plan", "--format", "json"],
    ] {
        let mut command = stage.command(&stage.endpoint, arguments);
        command.env("HOLDFAST_LOG", "trace").env("RUST_LOG", "trace");
        let answer = run(command);
        assert_ne!(answer.code, 2, "{answer:?}");
        told.push_str(&answer.stdout);
        told.push_str(&answer.stderr);
    }
    assert!(
        told.contains("/broken/url") && told.contains("REPORT_URL"),
        "there was something to leak"
    );
    let told = told.to_lowercase();
    for password in planted {
        for piece in password.to_lowercase().as_bytes().windows(6) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            assert!(!told.contains(piece), "{piece} of {password} is shown");
        }
    }
}
