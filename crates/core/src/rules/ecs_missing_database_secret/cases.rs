//! What `ecs-missing-database-secret` says, and of what it says nothing.

use std::sync::Arc;

use crate::model::resources::{Container, SecretVariable, VolumeKind};
use crate::rules::testing::services::mounts;
use crate::rules::testing::workload::{SECRET, lose_secret, plain, running, service, shop, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("an earlier revision had it", lose_secret).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("another variable, and an earlier revision had the right one", |s| {
            let kept = web(s).secrets.clone();
            lose_secret(s);
            web(s).secrets = kept;
            web(s).secrets[0].name = "API_KEY".into();
        }).and_fail(&["ecs-ephemeral-storage"]),
        Case::new("declared by a tag", |s| { web(s).secrets.clear(); service(s).tags = shop(&[("datastore", "postgres")]); }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("a plain URL to itself", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DATABASE_URL", "postgres://app@localhost/app")); }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("the PostgreSQL of a sidecar", |s| {
            web(s).secrets.clear();
            web(s).variables.push(plain("DB_HOST", "db"));
            running(s).containers.push(Container { name: "db".into(), image: "postgres:16".into(), ..Container::default() });
        }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("an image that falls back to its own", |s| { web(s).secrets.clear(); web(s).image = "ghcr.io/coder/coder:v2.20.0".into(); }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("its volume alone", |s| {
            lose_secret(s);
            service(s).tags = shop(&[("datastore", "postgres")]);
        }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
    ],
    passing: &[
        Case::new("another secret beside it", |s| {
            let other = SecretVariable { name: "API_KEY".into(), ..web(s).secrets[0].clone() };
            web(s).secrets.insert(0, other);
        }),
        Case::new("host and user in plain text, the password from a secret", |s| {
            parts(s, "DB_PASSWORD");
        }),
        Case::new("Coder logs in with IAM, by a URL without a password", |s| {
            web(s).secrets.clear();
            web(s).image = "ghcr.io/coder/coder:v2.29.0".into();
            let url = format!("postgresql://coder@{}:5432/app?sslmode=require", crate::rules::testing::workload::HOST);
            web(s).variables.extend([plain("CODER_PG_AUTH", "awsiamrds"), plain("CODER_PG_CONNECTION_URL", &url)]);
        }),
        Case::new("user and password by two keys of the secret that RDS keeps", |s| {
            parts(s, "DB_PASSWORD");
            web(s).variables.retain(|v| v.name != "DB_USER");
            web(s).secrets.push(SecretVariable { name: "DB_USER".into(), value_from: format!("{SECRET}:username::") });
        }),
        Case::new("IAM gives the login", |s| {
            web(s).secrets.clear();
            web(s).variables.extend([plain("DB_HOST", crate::rules::testing::workload::HOST), plain("DB_USER", "app"), plain("DB_IAM_AUTH", "true")]);
        }),
        Case::new("declared to keep nothing", |s| { web(s).secrets.clear(); service(s).tags = shop(&[("datastore", "none")]); }).and_fail(&["rds-abandoned"]),
        Case::new("declared to use another database", |s| { web(s).secrets.clear(); service(s).tags = shop(&[("datastore", "other")]); }).and_fail(&["rds-abandoned"]),
        Case::new("MySQL", |s| {
            web(s).variables.extend([plain("DB_HOST", "mysql.example.com"), plain("DB_PORT", "3306"), plain("DB_USER", "app")]);
            web(s).secrets[0].name = "DB_PASSWORD".into();
        }),
        Case::new("a proxy alone", |s| { web(s).secrets.clear(); web(s).image = "nginx:1.27".into(); }).and_fail(&["rds-abandoned"]),
    ],
    unknown: &[
        Case::new("settings in a file", |s| { lose_secret(s); web(s).environment_files = vec!["arn:aws:s3:::shop/prod.env".into()]; }).and_unknown(&["ecs-ephemeral-storage", "ecs-secret-unreadable"]).and_fail(&["rds-abandoned"]),
        Case::new("a wrapper", |s| { lose_secret(s); web(s).wrapper = Some("doppler run".into()); }).and_unknown(&["ecs-ephemeral-storage"]).and_fail(&["rds-abandoned"]),
        Case::new("a volume of an image that isn't known", |s| mounts(s, "/data", VolumeKind::Shared, false)).and_unknown(&["ecs-ephemeral-storage"]).and_fail(&["rds-abandoned"]),
        Case::new("an image that may have been built on a known one", |s| { web(s).secrets.clear(); web(s).image = "acme/grafana:1".into(); }).and_unknown(&["ecs-ephemeral-storage"]).and_fail(&["rds-abandoned"]),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// Host, name and user in plain text, and the password from a secret.
fn parts(s: &mut crate::model::snapshot::Snapshot, password: &str) {
    let host = crate::rules::testing::workload::HOST;
    web(s)
        .variables
        .extend([plain("DB_HOST", host), plain("DB_NAME", "app"), plain("DB_USER", "app")]);
    web(s).secrets = vec![SecretVariable {
        name: password.into(),
        value_from: format!("{SECRET}:password::"),
    }];
    let shape = crate::connection::inspect(r#"{"username": "app", "password": "Secret-Pw1"}"#);
    crate::rules::testing::workload::holds(s, shape);
}

/// Nobody is given what it does not read: of a workload with an API, a frontend, a worker, a cache and a proxy, only the API
/// lost its secret, and only it gets one.
#[test]
fn only_who_reads_it_is_given_it() {
    let mut s = crate::rules::testing::workload::clean();
    let api = running(&mut s).clone();
    for (name, image) in [
        ("frontend", "example.com/frontend:1"),
        ("worker", "example.com/worker:1"),
        ("proxy", "nginx:1.27"),
    ] {
        let mut definition = api.clone();
        definition.arn = format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{name}:1");
        definition.family = name.into();
        definition.revision = 1;
        definition.containers[0].secrets.clear();
        definition.containers[0].image = image.into();
        definition.containers.push(Container {
            name: "cache".into(),
            image: "redis:7".into(),
            ..Container::default()
        });
        let mut other = service(&mut s).clone();
        other.name = name.into();
        other.arn = format!("arn:aws:ecs:us-east-1:123456789012:service/main/{name}");
        other.task_definition.clone_from(&definition.arn);
        other.deployments[0].task_definition.clone_from(&definition.arn);
        s.task_definitions
            .insert(definition.arn.clone(), Ok(Arc::new(definition)));
        if let Ok(services) = &mut s.services {
            services.insert(other.arn.clone(), other);
        }
    }
    lose_secret(&mut s);
    let evaluation = crate::rules::testing::evaluation(&s);
    let given: Vec<(&str, bool)> = evaluation
        .findings
        .iter()
        .filter(|f| f.rule == "ecs-missing-database-secret")
        .map(|f| {
            (
                f.resource.id.as_str(),
                f.remediation.as_ref().is_some_and(|r| !r.actions.is_empty()),
            )
        })
        .collect();
    assert_eq!(
        given,
        [("main/frontend", false), ("main/shop", true), ("main/worker", false)],
        "{evaluation:#?}"
    );
    let failing: Vec<&str> = evaluation
        .findings
        .iter()
        .filter(|f| f.verdict == crate::finding::Verdict::Fail && f.rule.starts_with("ecs-"))
        .map(|f| f.resource.id.as_str())
        .collect();
    assert_eq!(failing, ["main/shop", "main/shop"], "{evaluation:#?}");
}

/// What was not read is named, and nothing is done about it.
#[test]
fn a_settings_file_is_named() {
    let change: crate::rules::testing::Change = |s| {
        web(s).secrets.clear();
        web(s).environment_files = vec!["arn:aws:s3:::shop-config/prod.env".into()];
    };
    for rule in ["ecs-missing-database-secret", "ecs-ephemeral-storage"] {
        let found = crate::rules::testing::finding_after(change, rule);
        assert_eq!(found.verdict, crate::finding::Verdict::Unknown, "{found:#?}");
        assert!(
            found.message.contains("arn:aws:s3:::shop-config/prod.env"),
            "{}",
            found.message
        );
        assert!(found.remediation.is_none(), "{found:#?}");
    }
}

/// Without a configuration nothing tells of a container without settings: it may keep nothing.
#[test]
fn nothing_tells() {
    let mut s = crate::rules::testing::workload::clean();
    web(&mut s).secrets.clear();
    let config = crate::config::Config::default();
    let now = crate::rules::testing::workload::now();
    let evaluation = crate::evaluate::evaluate(&s, &config, now, None);
    for rule in ["ecs-missing-database-secret", "ecs-ephemeral-storage"] {
        let found = evaluation.findings.iter().find(|f| f.rule == rule).expect(rule);
        assert_eq!(found.verdict, crate::finding::Verdict::Unknown, "{found:#?}");
        assert!(found.message.contains("holdfast:datastore="), "{}", found.message);
        assert!(
            found.message.contains("`workloads.shop.datastore`"),
            "{}",
            found.message
        );
    }
}
