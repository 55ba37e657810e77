//! SARIF 2.1.0, which GitHub code scanning, Azure DevOps and DefectDojo read.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html>
//!
//! Where the standard leaves a choice:
//!
//! - A cloud resource is a *logical* location, and its name is the ARN. GitHub refuses a file with a result that has no
//!   *physical* location, and accepts relative paths only. So each resource also has a path that no repository has:
//!   `aws/ACCOUNT/REGION/KIND/ID`. It is the same in each sweep, and alerts can be filtered by it. Findings of `check`
//!   have the path of their file.
//! - A waived finding is a failure with a suppression. An unknown one has the kind `open`, in the standard "insufficient
//!   information to decide", which requires the level `none`.
//! - GitHub reads the severity of an alert from its rule only. So the severity of a rule here is that of its most severe
//!   finding in this report, and its own severity if it has none.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use holdfast_core::finding::{Finding, ResourceRef, Verdict};
use holdfast_core::model::policy::Severity;
use holdfast_core::model::rule_meta::Meta;
use holdfast_core::model::snapshot::ReadError;
use holdfast_core::rules::metas;
use serde_json::{Map, Value, json};

use super::groups::cause_of;
use super::model::Report;
use super::phrases::advice;
use crate::exit::Exit;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The only notification that a run can have.
const UNREAD: &str = "could-not-read";

/// The report in SARIF. `exit` is how the process will end.
#[must_use]
pub fn sarif(report: &Report, exit: Exit) -> String {
    let rules: Vec<Value> = metas().map(|meta| rule(meta, report)).collect();
    let results: Vec<Value> = report.findings.iter().map(|f| result(f, report)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Holdfast",
                "semanticVersion": report.tool.version,
                "version": report.tool.version,
                "shortDescription": {"text": "Keeps ECS workloads and their RDS databases from losing data."},
                "rules": rules,
                "notifications": [{
                    "id": UNREAD,
                    "name": "CouldNotRead",
                    "shortDescription": {"text": "Something could not be read from AWS."},
                    "fullDescription": {"text": "What rests on it is unknown: neither passed nor failed."},
                    "help": {"text": "Do what the message says, most often to grant an IAM action, and run the audit again."},
                    "defaultConfiguration": {"level": "error"},
                }],
            }},
            "language": "en-GB",
            "automationDetails": {
                "id": category(report),
                "description": {"text": "One audit of what Holdfast was told to look at."},
            },
            "invocations": [invocation(report, exit)],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// An upload replaces the last one of the same category, so the accounts and regions of the sweep are the category.
fn category(report: &Report) -> String {
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("+");
    format!(
        "holdfast/{}/{}/",
        list(&report.scope.accounts),
        list(&report.scope.regions)
    )
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// The middle of the range that GitHub shows with the same word: over 9.0 critical, from 7.0 high, from 4.0 medium.
/// <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

fn rule(meta: &Meta, report: &Report) -> Value {
    let found = report.findings.iter().filter(|f| f.rule == meta.id);
    let severity = found.map(|f| f.severity).max().unwrap_or(meta.severity);
    let tags: Vec<&str> = ["security", "aws"]
        .into_iter()
        .chain(meta.controls.iter().copied())
        .collect();
    let problem = match level(severity) {
        "note" => "recommendation",
        level => level,
    };
    json!({
        "id": meta.id,
        "name": pascal(meta.id),
        "shortDescription": {"text": sentence(meta.summary)},
        "fullDescription": {"text": sentence(meta.summary)},
        "help": {"text": meta.docs, "markdown": meta.docs},
        "defaultConfiguration": {"enabled": meta.enabled, "level": level(severity)},
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "problem.severity": problem,
            "security-severity": score(severity),
        },
    })
}

fn result(finding: &Finding, report: &Report) -> Value {
    let cause = cause_of(report, finding);
    let mut text = format!("{} {}", sentence(&finding.message), sentence(&advice(finding)));
    if let Some(cause) = cause {
        let name = format!("{} on {}", cause.rule, cause.resource.id);
        let name = name.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
        let _ = write!(text, " A consequence of [{name}](1).");
    }
    let unknown = finding.verdict == Verdict::Unknown;
    let mut out = Map::new();
    out.insert("ruleId".into(), json!(finding.rule));
    if let Some(index) = metas().position(|meta| meta.id == finding.rule) {
        out.insert("ruleIndex".into(), json!(index));
    }
    let (kind, level) = if unknown {
        ("open", "none")
    } else {
        ("fail", level(finding.severity))
    };
    out.insert("kind".into(), json!(kind));
    out.insert("level".into(), json!(level));
    out.insert("message".into(), json!({"text": text}));
    out.insert("locations".into(), json!([place(finding)]));
    if let Some(cause) = cause {
        let mut related = location(&cause.resource);
        related["id"] = json!(1);
        related["message"] = json!({"text": sentence(&cause.message)});
        out.insert("relatedLocations".into(), json!([related]));
    }
    // GitHub reads `primaryLocationLineHash` only. Without it, GitHub computes one from the file, which does not exist.
    let prints = json!({"holdfastFindingId/v1": finding.id, "primaryLocationLineHash": format!("{}:1", finding.id)});
    out.insert("partialFingerprints".into(), prints);
    // The standard requires it on all results or on none.
    out.insert("suppressions".into(), suppressions(finding));
    out.insert("properties".into(), properties(finding));
    Value::Object(out)
}

fn suppressions(finding: &Finding) -> Value {
    let suppressions = finding.waiver.iter().map(|waiver| {
        json!({
            "kind": "external",
            "status": "accepted",
            "justification": format!("waived until {}: {}", waiver.until, waiver.reason),
            "properties": {"until": waiver.until, "reason": waiver.reason},
        })
    });
    suppressions.collect()
}

/// What SARIF has no property for, under the names of the JSON report.
fn properties(finding: &Finding) -> Value {
    json!({
        "id": finding.id,
        "severity": finding.severity,
        "security-severity": score(finding.severity),
        "verdict": finding.verdict,
        "workload": finding.workload,
        "phase": finding.phase,
        "resource": finding.resource,
        "evidence": finding.evidence,
        "observed_at": finding.observed_at,
        "first_seen": finding.first_seen,
        "remediation": finding.remediation,
        "controls": finding.controls,
        "waiver": finding.waiver,
        "caused_by": finding.caused_by,
    })
}

/// The location of a finding, with its line where the file has one.
fn place(finding: &Finding) -> Value {
    let mut location = location(&finding.resource);
    if let Some(place) = &finding.place {
        location["physicalLocation"]["region"]["startLine"] = json!(place.line);
    }
    location
}

fn location(resource: &ResourceRef) -> Value {
    let ResourceRef {
        kind,
        id,
        arn,
        account,
        region,
    } = resource;
    // A finding of `check` is in a file, and the alert belongs there.
    let file = arn.strip_prefix("file:").and_then(|rest| rest.split_once('#'));
    let path = match file {
        Some((path, _)) if path != "-" && !path.starts_with('/') => path.to_owned(),
        _ => format!("aws/{account}/{region}/{}/{id}", kind.name()),
    };
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&path)},
            // GitHub requires a line; a resource has none.
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"name": id, "fullyQualifiedName": arn, "kind": "resource"}],
    })
}

/// A relative URI. Each segment is percent-encoded, also dots that would lead out of the folder.
fn uri(path: &str) -> String {
    let segment = |text: &str| -> String {
        let only_dots = text.bytes().all(|b| b == b'.');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b) || (b == b'.' && !only_dots);
        text.bytes()
            .map(|b| {
                if plain(b) {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect()
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn invocation(report: &Report, exit: Exit) -> Value {
    let meaning = match exit {
        Exit::Clean => "nothing at or above --fail-on, everything known",
        Exit::Findings => "findings at or above --fail-on",
        Exit::CannotRun => "it could not run",
        Exit::Unknown => "no such finding, but something is unknown",
    };
    let notifications: Vec<Value> = report.errors.iter().map(|e| notification(e)).collect();
    json!({
        // A run with a failed read did not do everything it was started for.
        "executionSuccessful": report.errors.is_empty(),
        "exitCode": exit.code(),
        "exitCodeDescription": meaning,
        "startTimeUtc": millis(report.started_at),
        "endTimeUtc": millis(report.finished_at),
        "toolExecutionNotifications": notifications,
        "properties": {
            "schema_version": report.schema_version,
            "mode": report.mode,
            "scope": report.scope,
            "summary": report.summary,
            "stats": report.stats,
        },
    })
}

/// SARIF allows at most milliseconds.
fn millis(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn notification(error: &ReadError) -> Value {
    json!({
        "descriptor": {"id": UNREAD, "index": 0},
        "level": "error",
        "message": {"text": sentence(&error.to_string())},
        "properties": error,
    })
}

/// Ends a text with a full stop.
fn sentence(text: &str) -> String {
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{stop}")
}

fn pascal(id: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    id.split('-').filter(|w| !w.is_empty()).map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn run() -> Value {
        let log: Value = serde_json::from_str(&sarif(&sample::report(), Exit::Findings)).expect("JSON");
        log["runs"][0].clone()
    }

    fn result_of(rule: &str) -> Value {
        let run = run();
        let all = run["results"].as_array().expect("results");
        all.iter().find(|r| r["ruleId"] == rule).expect("a result").clone()
    }

    #[test]
    fn one_result_in_full() {
        insta::assert_snapshot!(format!("{:#}", result_of("ecs-missing-database-secret")));
    }

    #[test]
    fn verdicts_stay_apart() {
        let kinds = |rule| {
            let r = result_of(rule);
            let waived = r["suppressions"].as_array().map_or(0, Vec::len);
            format!("{} {} {waived}", r["kind"], r["level"])
        };
        assert_eq!(kinds("rds-open-ingress"), r#""fail" "error" 0"#);
        assert_eq!(kinds("rds-public-access"), r#""fail" "error" 1"#);
        assert_eq!(kinds("ecs-secret-reference-mismatch"), r#""open" "none" 0"#);
    }

    #[test]
    fn a_waiver_says_until_when_and_why() {
        let suppression = &result_of("rds-public-access")["suppressions"][0];
        let expected = format!("waived until 2026-12-31T00:00:00Z: {}", sample::NASTY);
        assert_eq!(suppression["justification"], expected);
        assert_eq!(suppression["kind"], "external");
    }

    #[test]
    fn a_rule_has_the_severity_that_counts_here() {
        let run = run();
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), metas().count());
        let ingress = rules.iter().find(|r| r["id"] == "rds-open-ingress").expect("the rule");
        // High by default; its finding is critical.
        assert_eq!(ingress["properties"]["security-severity"], "9.5");
        assert_eq!(ingress["name"], "RdsOpenIngress");
        for result in run["results"].as_array().expect("results") {
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
    }

    #[test]
    fn the_invocation_tells_how_it_ended_and_what_was_not_read() {
        let invocation = &run()["invocations"][0];
        assert_eq!(invocation["exitCode"], 1);
        assert_eq!(invocation["executionSuccessful"], false);
        let notes = invocation["toolExecutionNotifications"]
            .as_array()
            .expect("notifications");
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0]["properties"]["code"], "AccessDenied");
    }

    #[test]
    fn what_check_finds_is_in_a_file() {
        let at = |arn: &str| {
            let resource = ResourceRef {
                kind: holdfast_core::finding::Kind::EcsService,
                id: "aws_ecs_service.x".into(),
                arn: arn.into(),
                account: "1".into(),
                region: "x".into(),
            };
            location(&resource)["physicalLocation"]["artifactLocation"]["uri"].clone()
        };
        assert_eq!(at("file:infra/a plan.json#aws_ecs_service.x"), "infra/a%20plan.json");
        for elsewhere in [
            "file:-#aws_ecs_service.x",
            "file:/tmp/plan.json#aws_ecs_service.x",
            "arn:aws:x",
        ] {
            assert_eq!(at(elsewhere), "aws/1/x/ecs-service/aws_ecs_service.x", "{elsewhere}");
        }
    }

    #[test]
    fn a_path_stays_in_its_folder_and_is_a_uri() {
        assert_eq!(uri("aws/1/x/db-1.a_~"), "aws/1/x/db-1.a_~");
        assert_eq!(uri("aws/../a b:c+d"), "aws/%2E%2E/a%20b%3Ac%2Bd");
        assert_eq!(uri("aws/é"), "aws/%C3%A9");
    }
}
