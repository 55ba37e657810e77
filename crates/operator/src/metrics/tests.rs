use std::time::Duration;

use std::collections::BTreeMap;

use super::*;
use crate::queue::{QueueObserver, QueueStats};

fn scope(region: &str) -> Scope {
    Scope {
        account: "123456789012".into(),
        region: region.into(),
    }
}

fn finding<'a>(rule: &'a str, workload: &'a str) -> FindingLabels<'a> {
    FindingLabels {
        rule,
        severity: "high",
        verdict: "fail",
        workload,
    }
}

/// The value of the one series that begins so.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[test]
fn every_name_of_the_interface_is_there() {
    let m = Metrics::new("0.1.0").unwrap();
    let s = scope("us-east-1");
    m.findings.set(&s, [finding("rds-public-access", "coder")]);
    m.findings
        .set_inventory(&s, 1, &BTreeMap::from([("rds-db-instance", 2)]));
    m.sweeps
        .completed(&s, 0.5, Some("2026-11-21T08:00:00Z".parse().unwrap()), 141);
    m.sweeps.covered(12.5);
    m.reconciles.finished("workload", "ok", 0.1);
    let queue = m.queues.of("workload");
    queue.added();
    queue.retried();
    queue.observe(&QueueStats {
        depth: 3,
        oldest: Some(Duration::from_secs(7)),
        ..QueueStats::default()
    });
    m.events.received("aws.rds", "RDS DB Instance Event", "queued");
    m.events.handled(0.1, Some(-3.0));
    m.actions.ended("rds-public-access", "ModifyDBInstance", "verified");
    m.actions.corrected("rds-public-access", 12.0);
    m.requests.observe("rds", "DescribeDBInstances", "ok", 0.02);
    m.requests.throttled("rds", "DescribeDBInstances");
    m.sweeps.evidence_age("rds-db-instance", 4.0);
    m.process.set_paused(true);
    m.process.set_leader(true);
    m.process.set_mode(RunMode::Enforce);
    let text = m.render();
    for name in [
        "holdfast_findings",
        "holdfast_workloads",
        "holdfast_resources",
        "holdfast_sweep_duration_seconds_bucket",
        "holdfast_sweep_last_success_timestamp_seconds",
        "holdfast_sweep_calls{account=\"123456789012\",region=\"us-east-1\"} 141",
        "holdfast_full_coverage_seconds 12.5",
        "holdfast_reconcile_total",
        "holdfast_reconcile_duration_seconds_count",
        "holdfast_workqueue_depth",
        "holdfast_workqueue_adds_total",
        "holdfast_workqueue_retries_total",
        "holdfast_workqueue_oldest_seconds",
        "holdfast_events_received_total",
        "holdfast_event_lag_seconds_sum",
        "holdfast_actions_total",
        "holdfast_time_to_correct_seconds_bucket",
        "holdfast_aws_requests_total",
        "holdfast_aws_request_duration_seconds_bucket",
        "holdfast_aws_throttled_total",
        "holdfast_evidence_age_seconds",
        "holdfast_paused 1",
        "holdfast_leader 1",
        "holdfast_mode{mode=\"enforce\"} 1",
        "holdfast_mode{mode=\"audit\"} 0",
        "holdfast_build_info{version=\"0.1.0\"} 1",
        "holdfast_workqueue_oldest_seconds{controller=\"workload\"} 7",
    ] {
        assert!(text.contains(name), "{name} is missing");
    }
    #[cfg(target_os = "linux")]
    assert!(text.contains("process_resident_memory_bytes"));
    let at = "holdfast_sweep_last_success_timestamp_seconds{account=\"123456789012\",region=\"us-east-1\"}";
    assert_eq!(value(&text, at), Some(1_795_248_000.0));
}

#[test]
fn findings_are_replaced_by_scope() {
    let m = Metrics::new("0").unwrap();
    let (east, west) = (scope("us-east-1"), scope("us-west-2"));
    m.findings.set(
        &east,
        [finding("a", "coder"), finding("a", "coder"), finding("b", "coder")],
    );
    m.findings.set(&west, [finding("a", "coder")]);
    let count = |region: &str, rule: &str| {
        let series = format!(
            "holdfast_findings{{account=\"123456789012\",region=\"{region}\",rule=\"{rule}\",severity=\"high\",\
             verdict=\"fail\",workload=\"coder\"}}"
        );
        value(&m.render(), &series)
    };
    assert_eq!(
        (count("us-east-1", "a"), count("us-east-1", "b")),
        (Some(2.0), Some(1.0))
    );
    m.findings.set(&east, [finding("b", "coder")]);
    assert_eq!(
        (count("us-east-1", "a"), count("us-east-1", "b")),
        (Some(0.0), Some(1.0)),
        "gone is 0, not absent"
    );
    assert_eq!(count("us-west-2", "a"), Some(1.0));
    m.forget_scope(&west);
    assert_eq!(count("us-west-2", "a"), None);
}

#[test]
fn values_from_outside_are_bounded() {
    let m = Metrics::new("0").unwrap();
    for n in 0..1_000 {
        m.requests
            .observe("rds", "DescribeDBInstances", &format!("Code{n}"), 0.1);
        m.events.received(&format!("custom.{n}"), "x\ny", "ignored");
    }
    let text = m.render();
    let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(series("holdfast_aws_requests_total{"), 201);
    assert_eq!(series("holdfast_events_received_total{"), 21);
    assert!(!text.contains("detail_type=\"x"), "only plain words become labels");
}

#[test]
fn hooks_run_before_each_scrape() {
    let m = Metrics::new("0").unwrap();
    let queue = m.queues.of("workload");
    m.before_render(move || {
        queue.observe(&QueueStats {
            depth: 9,
            ..QueueStats::default()
        });
    });
    assert!(
        m.render()
            .contains("holdfast_workqueue_depth{controller=\"workload\"} 9")
    );
}
