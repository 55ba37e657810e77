//! JUnit XML, which every CI system shows beside the tests: a suite for each workload, a case for each verdict.
//!
//! The name of a case is its rule and resource, never its outcome, so that a CI system's history shows when it began to
//! fail. A pass is a case for the same reason.
//!
//! | verdict | case |
//! | --- | --- |
//! | pass | passed |
//! | fail | `failure`, its type the severity |
//! | waived | `skipped`, with the end and the reason of the waiver |
//! | unknown | `error`: it may or may not have passed |
//!
//! A failed read is an `error` in a separate suite.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use holdfast_core::finding::{Finding, ResourceRef, Verdict};
use quick_junit::{NonSuccessKind, Property, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::groups::cause_of;
use super::model::Report;
use super::phrases::advice;

/// The report as JUnit XML.
///
/// # Errors
/// If the XML can't be written; writing to memory does not fail.
pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut out = quick_junit::Report::new("holdfast audit");
    out.set_time(Duration::from_millis(report.stats.duration_ms));
    let mut suites: BTreeMap<(&str, &str, &str), BTreeMap<String, TestCase>> = BTreeMap::new();
    for passed in &report.passed {
        let case = case(passed.rule, &passed.resource, TestCaseStatus::success());
        let suite = suites.entry(key(&passed.workload, &passed.resource)).or_default();
        suite.insert(case.name.as_str().to_owned(), case);
    }
    for finding in &report.findings {
        let case = case(&finding.rule, &finding.resource, status(finding, report));
        let suite = suites.entry(key(&finding.workload, &finding.resource)).or_default();
        suite.insert(case.name.as_str().to_owned(), case);
    }
    for ((workload, account, region), cases) in suites {
        let mut suite = TestSuite::new(format!("{workload} ({account} {region})"));
        let facts = [("workload", workload), ("account", account), ("region", region)];
        suite.add_properties(facts.map(|(name, value)| Property::new(name, value)));
        // Sorted by name: the order is the same in each sweep, whatever the verdicts.
        suite.add_test_cases(cases.into_values());
        set_start(&mut suite, report);
        out.add_test_suite(suite);
    }
    if !report.errors.is_empty() {
        let mut suite = TestSuite::new("reading AWS");
        for error in &report.errors {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(error.code.as_str()).set_message(error.message.as_str());
            status.set_description(error.to_string());
            let name = format!("{}:{} {}", error.service, error.operation, error.resource);
            let mut case = TestCase::new(name, status);
            case.set_classname("holdfast.reads");
            suite.add_test_case(case);
        }
        set_start(&mut suite, report);
        out.add_test_suite(suite);
    }
    out.to_string()
}

fn set_start(suite: &mut TestSuite, report: &Report) {
    suite.timestamp = report.started_at.to_string().parse().ok();
}

fn key<'a>(workload: &'a str, resource: &'a ResourceRef) -> (&'a str, &'a str, &'a str) {
    (workload, &resource.account, &resource.region)
}

fn case(rule: &str, resource: &ResourceRef, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(format!("{rule}: {} {}", resource.kind.name(), resource.id), status);
    case.set_classname(format!("holdfast.{rule}"));
    case
}

fn status(finding: &Finding, report: &Report) -> TestCaseStatus {
    let mut status = match finding.verdict {
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Waived => TestCaseStatus::skipped(),
    };
    let message = match &finding.waiver {
        Some(_) => format!("{}: {}", advice(finding), finding.message),
        None => finding.message.clone(),
    };
    status.set_type(finding.severity.as_str()).set_message(message);
    status.set_description(description(finding, report));
    status
}

fn description(finding: &Finding, report: &Report) -> String {
    let mut out = format!("{}\n-> {}\n\n", finding.message, advice(finding));
    let _ = writeln!(out, "finding:  {}", finding.id);
    let _ = writeln!(out, "verdict:  {} ({})", finding.verdict.name(), finding.severity);
    let _ = writeln!(out, "resource: {}", finding.resource.arn);
    let _ = writeln!(out, "phase:    {}", finding.phase);
    if let Some(id) = &finding.caused_by {
        let cause = cause_of(report, finding).map(|c| format!(", {} on {}", c.rule, c.resource.id));
        let _ = writeln!(out, "cause:    {id}{}", cause.unwrap_or_default());
    }
    for e in &finding.evidence {
        let _ = writeln!(out, "evidence: {} is {}, expected {}", e.field, e.observed, e.expected);
    }
    for call in finding.remediation.iter().flat_map(|r| &r.calls) {
        let _ = writeln!(out, "call:     {}:{} {}", call.service, call.operation, call.parameters);
    }
    if !finding.controls.is_empty() {
        let _ = writeln!(out, "controls: {}", finding.controls.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_whole_report() {
        insta::assert_snapshot!(junit(&sample::report()).expect("XML"));
    }

    #[test]
    fn every_verdict_is_one_case_and_counted() {
        let mut report = sample::report();
        report.errors.clear();
        let text = junit(&report).expect("XML");
        let first = text.lines().nth(1).expect("the root");
        for count in [r#"tests="8""#, r#"failures="4""#, r#"errors="1""#, r#"skipped="1""#] {
            assert!(first.contains(count), "{count} in {first}");
        }
        assert!(text.contains(r#"<testsuite name="calm (123456789012 us-east-1)" tests="1""#));
    }
}
