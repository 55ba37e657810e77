//! A table: what is found, and what the gate says to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::evaluate::WorkloadVerdicts;
use crate::model::resources::{Container, TaskDefinition};
use crate::model::tags::Tags;
use crate::rules::testing::{clean, denied, now};

const REVISION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:7";

fn ago(seconds: i64) -> Timestamp {
    now() - jiff::SignedDuration::from_secs(seconds)
}

fn run(codes: &[(&str, Option<i32>)]) -> TaskRun {
    TaskRun {
        arn: "arn:aws:ecs:us-east-1:123456789012:task/main/0123abcd".into(),
        cluster: "main".into(),
        task_definition: REVISION.into(),
        last_status: "STOPPED".into(),
        started_at: Some(ago(120)),
        stopped_at: Some(ago(60)),
        stop_code: Some("EssentialContainerExited".into()),
        exit_codes: codes.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect(),
        ..TaskRun::default()
    }
}

fn good() -> TaskRun {
    run(&[("migrate", Some(0))])
}

/// One case: what is laid out, how it is asked, and what becomes of it.
struct Case {
    snapshot: Snapshot,
    findings: Vec<Finding>,
    config: Config,
    fail_on: Severity,
    family: Option<&'static str>,
    image: Option<Image>,
    revision: Option<TaskDefinition>,
}

impl Case {
    fn new() -> Self {
        Self {
            snapshot: clean(),
            findings: vec![],
            config: crate::rules::testing::workload::shop_config(),
            fail_on: Severity::Low,
            family: None,
            image: None,
            revision: None,
        }
    }

    fn ran(last_run: Option<TaskRun>) -> Self {
        let mut case = Self::new();
        case.family_of("shop", "shop-migrate", last_run);
        case
    }

    fn family_of(&mut self, workload: &str, name: &str, last_run: Option<TaskRun>) {
        let tags = [("holdfast:workload", workload), ("holdfast:role", "migration")];
        let family = MigrationFamily {
            family: name.into(),
            revision: REVISION.into(),
            tags: Tags(tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect()),
            runs: last_run.into_iter().collect(),
            ..MigrationFamily::default()
        };
        self.snapshot.migrations.as_mut().unwrap().insert(name.into(), family);
    }

    fn required(mut self) -> Self {
        self.config.defaults.migrations = crate::config::Migrations::Required;
        self
    }

    fn finds(mut self, rule: &str, severity: Severity, verdict: Verdict) -> Self {
        let scope = self.snapshot.scope.clone();
        self.findings.push(Finding {
            id: rule.into(),
            rule: rule.into(),
            severity,
            verdict,
            workload: "shop".into(),
            phase: "migrated".into(),
            resource: crate::finding::ResourceRef::workload("shop", &scope),
            message: format!("{rule} speaks"),
            evidence: vec![],
            observed_at: now(),
            first_seen: now(),
            remediation: None,
            controls: vec![],
            waiver: None,
            caused_by: None,
            untold: false,
            place: None,
        });
        self
    }

    fn decide(&self) -> GateVerdict {
        let evaluation = Evaluation {
            findings: self.findings.clone(),
            workloads: BTreeMap::from([("shop".to_owned(), WorkloadVerdicts::default())]),
            ..Evaluation::default()
        };
        let asked = GateRequest {
            workload: "shop",
            fail_on: self.fail_on,
            family: self.family,
            image: self.image.as_ref(),
            revision: self.revision.as_ref(),
        };
        decide(&self.snapshot, &evaluation, &asked, &self.config, now())
    }

    #[track_caller]
    fn opens(&self) {
        let said = self.decide();
        assert!(matches!(said, GateVerdict::Open(_)), "{said:?}");
    }

    #[track_caller]
    fn waits(&self) {
        let said = self.decide();
        assert!(matches!(said, GateVerdict::Wait(_)), "{said:?}");
    }

    #[track_caller]
    fn unknown(&self, word: &str) {
        let said = self.decide();
        assert!(
            matches!(&said, GateVerdict::Unknown(why) if why.iter().any(|w| w.contains(word))),
            "{said:?}"
        );
    }

    /// Shut for exactly one reason for each word.
    #[track_caller]
    fn shut(&self, words: &[&str]) {
        let said = self.decide();
        let GateVerdict::Shut(reasons) = &said else {
            panic!("{said:?}")
        };
        assert_eq!(reasons.len(), words.len(), "{said:?}");
        for (reason, word) in reasons.iter().zip(words) {
            assert!(reason.text.contains(word), "{word}: {said:?}");
        }
    }
}

#[test]
fn findings() {
    let one = |severity, verdict| Case::new().finds("rds-public-access", severity, verdict);
    Case::new().opens();
    one(Severity::Low, Verdict::Fail).shut(&["LOW rds-public-access: rds-public-access speaks"]);
    one(Severity::Critical, Verdict::Waived).opens();
    one(Severity::Low, Verdict::Unknown).unknown("speaks");
    let mut high = one(Severity::Medium, Verdict::Fail);
    high.fail_on = Severity::High;
    high.opens();
    high = high.finds("rds-open-ingress", Severity::High, Verdict::Fail);
    high.shut(&["HIGH rds-open-ingress"]);
    // What is known to be wrong is not made unknown by something else.
    one(Severity::Low, Verdict::Fail)
        .finds("secret-malformed-url", Severity::Low, Verdict::Unknown)
        .shut(&["rds-public-access"]);
    let mut others = one(Severity::Critical, Verdict::Fail);
    others.findings[0].workload = "other".into();
    others.opens();
}

#[test]
fn an_unsafe_rollback_target_shuts_it_whatever_its_severity() {
    let mut case = Case::new().finds("ecs-unsafe-rollback", Severity::Low, Verdict::Fail);
    case.fail_on = Severity::Critical;
    case.shut(&["ecs-unsafe-rollback"]);
    case.findings[0].verdict = Verdict::Waived;
    case.opens();
}

#[test]
fn migrations_that_ended() {
    Case::ran(Some(good())).opens();
    Case::ran(Some(good())).required().opens();
    Case::ran(Some(run(&[("migrate", Some(1))]))).shut(&["migrate exited with 1"]);
    Case::ran(Some(run(&[("migrate", Some(0)), ("log", Some(1))]))).shut(&["log exited with 1"]);
    Case::ran(Some(run(&[("migrate", None)]))).shut(&["no exit code"]);
    Case::ran(Some(run(&[]))).shut(&["no container of it ran"]);
    let stopped = TaskRun {
        stop_code: Some("UserInitiated".into()),
        stopped_reason: Some("in AWS's words".into()),
        ..good()
    };
    Case::ran(Some(stopped)).shut(&["failed: it was stopped before it ended (in AWS's words)"]);
}

/// Whoever accepted that a migration failed is not stopped by it.
#[test]
fn a_failure_may_be_waived() {
    let mut case = Case::ran(Some(run(&[("migrate", Some(1))]))).finds(FAILED, Severity::Critical, Verdict::Waived);
    case.shut(&["exited with 1"]);
    case.findings[0].resource.arn = REVISION.into();
    case.findings[0].waiver = Some(crate::model::tags::Waiver {
        until: now(),
        reason: "it is known".into(),
    });
    case.opens();
}

#[test]
fn the_code_of_a_sidecar_says_nothing() {
    let mut case = Case::ran(Some(run(&[("migrate", Some(0)), ("log", Some(137))])));
    let container = |name: &str, essential| Container {
        name: name.into(),
        essential,
        ..Container::default()
    };
    let definition = TaskDefinition {
        containers: vec![container("migrate", true), container("log", false)],
        ..TaskDefinition::default()
    };
    case.snapshot
        .task_definitions
        .insert(REVISION.into(), Ok(Arc::new(definition)));
    case.opens();
}

#[test]
fn migrations_that_run() {
    let running = |seconds| TaskRun {
        last_status: "RUNNING".into(),
        started_at: Some(ago(seconds)),
        stopped_at: None,
        stop_code: None,
        exit_codes: BTreeMap::from([("migrate".to_owned(), None)]),
        ..good()
    };
    Case::ran(Some(running(30))).waits();
    Case::ran(Some(running(-30))).waits();
    Case::ran(Some(TaskRun {
        started_at: None,
        ..running(0)
    }))
    .waits();
    Case::ran(Some(running(601))).shut(&["longer than migrations.timeout (10m)"]);
    // Nothing that a running migration does opens a gate that is shut.
    Case::ran(Some(running(30)))
        .finds("rds-public-access", Severity::High, Verdict::Fail)
        .shut(&["rds-public-access"]);
    Case::ran(Some(running(30)))
        .finds("secret-malformed-url", Severity::High, Verdict::Unknown)
        .waits();
}

#[test]
fn migrations_that_did_not_run() {
    Case::ran(None).unknown("no run of it is known: ECS knows of none");
    Case::ran(None)
        .required()
        .shut(&["must have run, and no run of it is known"]);
    let mut unasked = Case::ran(None).required();
    let family = unasked
        .snapshot
        .migrations
        .as_mut()
        .unwrap()
        .get_mut("shop-migrate")
        .unwrap();
    family.unrecalled = Some("it is locked".into());
    unasked.unknown("the ledger can't be asked: it is locked");
    Case::new().required().shut(&["must run migrations"]);
    let older = TaskRun {
        task_definition: REVISION.replace(":7", ":6"),
        ..good()
    };
    Case::ran(Some(older.clone())).opens();
    Case::ran(Some(older))
        .required()
        .shut(&["shop-migrate:7 must have run, and what ran last is shop-migrate:6"]);
}

#[test]
fn whose_migrations() {
    let mut case = Case::new();
    case.family_of("other", "other-migrate", Some(run(&[("migrate", Some(1))])));
    case.opens();
    case.family_of("shop", "shop-old", Some(run(&[("migrate", Some(1))])));
    case.family_of("shop", "shop-new", Some(good()));
    case.shut(&["exited with 1"]);
    case.family = Some("shop-new");
    case.opens();
    case.family = Some("shop-none");
    case.shut(&["family shop-none is tagged"]);
    case.family = Some("other-migrate");
    case.shut(&["family other-migrate is tagged"]);
    case.family = None;
    for family in case.snapshot.migrations.as_mut().unwrap().values_mut() {
        family.unread = Some(denied("ecs:ListTasks"));
    }
    case.shut(&["exited with 1"]);
    for family in case.snapshot.migrations.as_mut().unwrap().values_mut() {
        family.runs.clear();
    }
    case.unknown("whether the migration shop-new succeeded is unknown");
    case.snapshot.migrations = Err(denied("ecs:ListTasks"));
    case.unknown("the migrations are unknown");
}

#[test]
fn a_failed_run_is_told_once_with_its_log() {
    let failed = run(&[("migrate", Some(1))]);
    let case = Case::ran(Some(failed.clone())).finds("migration-failed", Severity::Critical, Verdict::Fail);
    let GateVerdict::Shut(reasons) = case.decide() else {
        panic!("shut")
    };
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(reasons[0].log, Some((failed, vec!["migrate".to_owned()])));
    // A failure that only Holdfast remembers is told by the rule.
    Case::ran(Some(good()))
        .finds("migration-failed", Severity::Critical, Verdict::Fail)
        .shut(&["migration-failed speaks"]);
    Case::new()
        .required()
        .finds("migration-missing", Severity::Medium, Verdict::Fail)
        .shut(&["must run migrations"]);
}

/// Build, migrate with the new image, then the gate, while the old image still runs.
#[test]
fn the_image_that_is_about_to_be_deployed() {
    let ran = |image: &str, digest: Option<&str>| {
        let digests = digest.map(|d| ("migrate".to_owned(), d.to_owned()));
        Case::ran(Some(TaskRun {
            images: BTreeMap::from([("migrate".to_owned(), image.to_owned())]),
            digests: digests.into_iter().collect(),
            ..good()
        }))
    };
    let drifted = |mut case: Case, fields: &[&str]| {
        case = case.finds(DRIFT, Severity::High, Verdict::Fail);
        let evidence = |field: &&str| crate::finding::Evidence::new(*field, "a", "b");
        case.findings[0].evidence = fields.iter().map(evidence).collect();
        case
    };
    let deploying = |mut case: Case, image: &str| {
        case.image = Some(Image::parse(image).expect("an image"));
        case
    };
    let new = || drifted(ran("example.com/shop:2", None), &[IMAGE]);
    new().shut(&["migration-drift speaks; to compare it with what is about to be deployed, name that: --image REF"]);
    let open = deploying(new(), "example.com/shop:2");
    let GateVerdict::Open(well) = open.decide() else {
        panic!("{:?}", open.decide())
    };
    assert!(
        well[0].contains("with the image example.com/shop:2, as written: by which digest is not known"),
        "{well:?}"
    );
    deploying(new(), "example.com/shop:3")
        .shut(&["ran with example.com/shop:2, and what is about to be deployed is the image"]);
    // By digest, whatever the tags are.
    let digested = || drifted(ran("example.com/shop:2", Some("sha256:aa")), &[IMAGE]);
    deploying(digested(), "example.com/shop@sha256:aa").opens();
    deploying(digested(), "mirror.example.com/shop:main@sha256:aa").opens();
    deploying(digested(), "example.com/shop:2@sha256:bb").shut(&["ran with example.com/shop:2@sha256:aa"]);
    deploying(new(), "example.com/shop@sha256:aa").unknown("only the digest is known");
    deploying(ran("shop", None), "docker.io/library/shop:latest").opens();
    // The rest of what differs counts all the same.
    deploying(
        drifted(ran("example.com/shop:2", None), &[IMAGE, "subnets"]),
        "example.com/shop:2",
    )
    .shut(&["differs from the service in its subnets"]);
    deploying(
        drifted(ran("example.com/shop:2", None), &["subnets"]),
        "example.com/shop:2",
    )
    .shut(&["migration-drift speaks"]);
    // What the last run came to is asked first.
    deploying(Case::ran(Some(run(&[("migrate", Some(1))]))), "example.com/shop:2").shut(&["exited with 1"]);
    deploying(Case::new(), "example.com/shop:2").opens();
}

#[test]
fn the_revision_that_is_about_to_be_deployed() {
    let revised = |revision: TaskDefinition| {
        let mut case = Case::ran(Some(TaskRun {
            images: BTreeMap::from([("migrate".to_owned(), "example.com/shop:2".to_owned())]),
            ..good()
        }));
        case.revision = Some(revision);
        case
    };
    let migration = |number: &str| TaskDefinition {
        arn: REVISION.replace(":7", number),
        family: "shop-migrate".into(),
        ..TaskDefinition::default()
    };
    revised(migration(":7")).opens();
    revised(migration(":8")).shut(&["shop-migrate:8 must have run, and what ran last is shop-migrate:7"]);
    let service = |image: &str| TaskDefinition {
        arn: "arn:aws:ecs:us-east-1:123456789012:task-definition/shop:12".into(),
        family: "shop".into(),
        containers: vec![Container {
            name: "web".into(),
            image: image.into(),
            ..Container::default()
        }],
        ..TaskDefinition::default()
    };
    revised(service("example.com/shop:2")).opens();
    revised(service("example.com/shop:3"))
        .shut(&["what is about to be deployed is an image of shop:12, example.com/shop:3"]);
}

/// A failure of yesterday stays; a run that is under way again is waited for.
#[test]
fn what_only_the_ledger_knows() {
    let yesterday = |codes: &[(&str, Option<i32>)]| TaskRun {
        remembered: true,
        started_at: Some(ago(86_400)),
        stopped_at: Some(ago(86_000)),
        ..run(codes)
    };
    Case::ran(Some(yesterday(&[("migrate", Some(0))]))).opens();
    let mut failed =
        Case::ran(Some(yesterday(&[("migrate", Some(1))]))).finds(FAILED, Severity::Critical, Verdict::Fail);
    failed.shut(&["exited with 1"]);
    let again = TaskRun {
        arn: "arn:aws:ecs:us-east-1:123456789012:task/main/again".into(),
        last_status: "RUNNING".into(),
        started_at: Some(ago(30)),
        stopped_at: None,
        stop_code: None,
        exit_codes: BTreeMap::new(),
        ..good()
    };
    let family = failed
        .snapshot
        .migrations
        .as_mut()
        .unwrap()
        .get_mut("shop-migrate")
        .unwrap();
    family.observe(again.clone());
    failed.waits();
    let lost = TaskRun {
        remembered: true,
        started_at: Some(ago(3_600)),
        ..again
    };
    Case::ran(Some(lost)).unknown("before its end was");
}
