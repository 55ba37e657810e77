//! `check` needs no emulator, only the binary: files, standard input, exit codes.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::test_env::{Answer, binary, list, run, text};

fn fixture(name: &str) -> String {
    format!("{}/crates/core/tests/check/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Without credentials, and without a way to any.
fn check(arguments: &[&str]) -> Answer {
    let mut command = binary();
    command
        .arg("check")
        .args(arguments)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    run(command)
}

#[test]
fn table_and_exit_codes() {
    let faulty = fixture("plan-stacktracker.json");
    let answer = check(&[&faulty]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    for words in [
        "rds-public-access",
        "aws_db_instance.migration is publicly accessible, and no migration window is open",
        "by hand: set publicly_accessible = false on aws_db_instance.migration",
        "0 AWS calls",
    ] {
        assert!(answer.stdout.contains(words), "{words}: {}", answer.stdout);
    }
    assert!(!answer.stdout.contains("holdfast apply"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("fixture-password"));
    let well = check(&[&fixture("described.json"), "--fail-on", "critical"]);
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(well.stderr.contains("not checked offline: "), "{}", well.stderr);
    assert_eq!(well.stderr.lines().count(), 1, "{}", well.stderr);
    assert_eq!(check(&[]).code, 2);
    assert_eq!(check(&[&faulty, "--fail-on", "worst"]).code, 2);
}

#[test]
fn bad_files_are_named_and_the_others_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = dir.path().join("broken.json");
    std::fs::write(&broken, "{\n  \"family\": \"x\",\n  oops\n}").expect("written");
    let broken = broken.to_string_lossy().into_owned();
    let (faulty, absent) = (fixture("taskdef-no-secret.json"), fixture("absent.json"));
    let answer = check(&[&broken, &faulty, &absent, "--format", "json"]);
    assert_eq!(answer.code, 2);
    for words in [
        format!("{broken}: line 3 column 3"),
        "expected a task definition".to_owned(),
        format!("{absent}: it can't be read"),
    ] {
        assert!(answer.stderr.contains(&words), "{words}: {}", answer.stderr);
    }
    let report: Value = serde_json::from_str(&answer.stdout).expect("the others' report");
    let arns: Vec<String> = list(&report, "findings")
        .iter()
        .map(|f| text(&f["resource"]["arn"]))
        .collect();
    assert!(
        !arns.is_empty() && arns.iter().all(|a| *a == format!("file:{faulty}#coder")),
        "{arns:?}"
    );
    let all_bad = check(&[&broken, &absent]);
    assert_eq!((all_bad.code, &*all_bad.stdout), (2, ""));
}

#[test]
fn standard_input_and_every_format() {
    let plan = std::fs::read(fixture("plan-no-secret.json")).expect("a fixture");
    for format in ["table", "json", "sarif", "ocsf", "junit", "markdown", "html"] {
        let mut child = binary()
            .args(["check", "--workload", "coder", "--format", format, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("check");
        child.stdin.take().expect("stdin").write_all(&plan).expect("written");
        let answer = child.wait_with_output().expect("ended");
        let said = String::from_utf8(answer.stdout).expect("text");
        assert_eq!(answer.status.code(), Some(1), "{format}: {said}");
        assert!(
            said.contains("aws_ecs_service.coder") && said.contains("ecs-missing-database-secret"),
            "{format}"
        );
        assert!(!said.contains(['\u{1}', '\u{2}']), "{format}: {said}");
    }
}

#[test]
fn a_part_that_cannot_be_read_is_unknown() {
    let text = std::fs::read_to_string(fixture("plan-no-secret.json")).expect("a fixture");
    let broken = text.replace(
        r#""container_definitions": "[{\"name\": \"coder\""#,
        r#""container_definitions": "[{"#,
    );
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("plan.json");
    std::fs::write(&path, broken).expect("written");
    let config = dir.path().join("holdfast.yaml");
    // Only the rules that read the containers.
    let mut yaml = "rules:\n".to_owned();
    for id in holdfast_core::rules::all_ids() {
        let on = ["ecs-missing-database-secret", "ecs-ephemeral-storage"].contains(&id);
        yaml.push_str("  ");
        yaml.push_str(id);
        yaml.push_str(if on {
            ": {enabled: true}\n"
        } else {
            ": {enabled: false}\n"
        });
    }
    std::fs::write(&config, yaml).expect("written");
    let arguments = [
        config.to_string_lossy().into_owned(),
        path.to_string_lossy().into_owned(),
    ];
    let answer = check(&["--config", &arguments[0], &arguments[1]]);
    assert_eq!(answer.code, 3, "{}{}", answer.stdout, answer.stderr);
    assert!(
        answer
            .stdout
            .contains("the container_definitions of aws_ecs_task_definition.coder are no JSON"),
        "{}",
        answer.stdout
    );
}

#[test]
fn templates_have_lines_and_change_sets_their_allowances() {
    let template = fixture("stack.yaml");
    let answer = check(&[&template]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("set PubliclyAccessible: false on Database ("),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stderr.contains("defaults of these parameters: Environment"),
        "{}",
        answer.stderr
    );
    let sarif: Value = serde_json::from_str(&check(&[&template, "--format", "sarif"]).stdout).expect("SARIF");
    let lines: Vec<u64> = list(&sarif["runs"][0], "results")
        .iter()
        .filter_map(|r| r["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64())
        .collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| *line > 1), "{lines:?}");
    let changes = fixture("change-set.json");
    for format in ["table", "json", "sarif", "ocsf", "junit", "markdown", "html"] {
        let answer = check(&[&changes, "--format", format]);
        assert_eq!(answer.code, 1, "{format}: {}", answer.stderr);
        assert!(
            answer.stdout.contains("plan-destroys-data"),
            "{format}: {}",
            answer.stdout
        );
        assert!(answer.stdout.contains("--allow-destroy"), "{format}: {}", answer.stdout);
        assert!(!answer.stdout.contains("fixture-password"), "{format}");
    }
    let table = check(&[&changes]).stdout;
    let allowances: Vec<&str> = table
        .split("--allow-destroy '")
        .skip(1)
        .filter_map(|t| t.split('\'').next())
        .collect();
    assert_eq!(allowances.len(), 3, "{table}");
    let mut arguments = vec![changes.as_str()];
    for allowance in &allowances {
        arguments.extend(["--allow-destroy", *allowance]);
    }
    let answer = check(&arguments);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(
        answer.stderr.matches("allowed by --allow-destroy").count(),
        3,
        "{}",
        answer.stderr
    );
    let elsewhere = check(&[&template, "--allow-destroy", allowances[0]]);
    assert!(elsewhere.stderr.contains("matches no change"), "{}", elsewhere.stderr);
    for malformed in ["Uploads", "Uploads@", "*@0123456789abcdef", "Uploads@0123"] {
        assert_eq!(check(&[&changes, "--allow-destroy", malformed]).code, 2, "{malformed}");
    }
}
