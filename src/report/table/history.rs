//! What Holdfast found, and what it did about it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use comfy_table::Cell;
use holdfast_core::model::key::Scope;
use holdfast_operator::attempt::{Attempt, FindingRecord, History, Outcome};
use jiff::Timestamp;

use crate::report::style::{Colour, Style, table_text};

/// One line of the table.
struct Line<'a> {
    at: Timestamp,
    scope: &'a Scope,
    workload: &'a str,
    what: String,
    outcome: (String, Option<Colour>),
    detail: String,
}

/// Corrections and findings in one list, newest first. An empty history is an empty text.
#[must_use]
pub fn history_table(history: &History, style: Style) -> String {
    let attempts = history.attempts.iter().map(of_attempt);
    let mut lines: Vec<Line<'_>> = attempts.chain(history.records.iter().map(of_record)).collect();
    if lines.is_empty() {
        return String::new();
    }
    // The sort is stable: a correction comes before the finding of the same instant, which led to it.
    lines.sort_by_key(|line| Reverse(line.at));
    let scopes: BTreeSet<&Scope> = lines.iter().map(|l| l.scope).collect();
    let mut header = vec!["WHEN (UTC)", "WORKLOAD", "WHAT", "OUTCOME", "DETAIL"];
    if scopes.len() > 1 {
        header.insert(1, "WHERE");
    }
    let mut table = style.table();
    table.set_header(header);
    for line in &lines {
        let mut row = vec![
            Cell::new(line.at.strftime("%Y-%m-%d %H:%M:%S")),
            Cell::new(line.workload),
            Cell::new(&line.what),
            style.cell(&line.outcome.0, line.outcome.1),
            Cell::new(&line.detail),
        ];
        if scopes.len() > 1 {
            row.insert(1, Cell::new(line.scope));
        }
        table.add_row(row);
    }
    table_text(&table)
}

fn of_attempt(attempt: &Attempt) -> Line<'_> {
    let outcome = match attempt.outcome {
        None => (format!("under way ({})", attempt.step.as_str()), Some(Colour::Yellow)),
        Some(end @ (Outcome::Verified | Outcome::Applied)) => (end.as_str().to_owned(), None),
        Some(end @ Outcome::Refused) => (end.as_str().to_owned(), Some(Colour::Magenta)),
        Some(end @ (Outcome::Failed | Outcome::Reverted)) => (end.as_str().to_owned(), Some(Colour::Red)),
    };
    Line {
        at: attempt.begun_at,
        scope: attempt.scope(),
        workload: &attempt.action.workload,
        what: attempt.action.change.clone(),
        outcome,
        detail: attempt.detail.clone(),
    }
}

fn of_record(record: &FindingRecord) -> Line<'_> {
    let outcome = if record.resolved_at.is_some() {
        ("gone", None)
    } else {
        ("open", Some(Colour::Yellow))
    };
    let until = record
        .resolved_at
        .map(|at| at.strftime(", until %Y-%m-%d %H:%M:%S").to_string());
    Line {
        at: record.first_seen,
        scope: &record.scope,
        workload: &record.workload,
        what: record.message.clone(),
        outcome: (outcome.0.to_owned(), outcome.1),
        detail: format!("{}{}", record.rule, until.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::action::{Action, ClosePublicAccess};
    use holdfast_core::finding::{Kind, ResourceRef};
    use holdfast_core::model::policy::{Risk, Severity};
    use holdfast_core::plan::PlannedAction;
    use holdfast_operator::attempt::Step;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn scope(region: &str) -> Scope {
        Scope {
            account: "123456789012".into(),
            region: region.into(),
        }
    }

    fn attempt(change: &str, begun_at: &str, outcome: Option<Outcome>, detail: &str) -> Attempt {
        let s = scope("us-east-1");
        let action = Action::ClosePublicAccess(ClosePublicAccess {
            instance: "shop-db".into(),
        });
        let planned = PlannedAction {
            id: "a".into(),
            scope: s.clone(),
            workload: "shop".into(),
            rules: vec![],
            findings: vec![],
            severity: Severity::Critical,
            resource: ResourceRef::new(Kind::RdsDbInstance, "shop-db", "arn", &s),
            change: change.into(),
            risk: Risk::Brief,
            preconditions: vec![],
            calls: action.calls(),
            action,
        };
        Attempt {
            step: Step::GoingBack,
            outcome,
            detail: detail.into(),
            ..Attempt::new(planned, "r", 0, at(begun_at))
        }
    }

    fn record(message: &str, resolved_at: Option<&str>, region: &str) -> FindingRecord {
        FindingRecord {
            scope: scope(region),
            workload: "shop".into(),
            finding: "f".into(),
            rule: "rds-public-access".into(),
            resource: ResourceRef::workload("shop", &scope(region)),
            message: message.into(),
            first_seen: at("2026-11-21T08:00:00Z"),
            resolved_at: resolved_at.map(at),
        }
    }

    fn history(region: &str) -> History {
        History {
            attempts: vec![
                attempt(
                    "main/shop: shop:2 → shop:1",
                    "2026-11-21T09:30:00.5Z",
                    None,
                    "3 tasks are starting",
                ),
                attempt(
                    "shop-db: PubliclyAccessible true → false",
                    "2026-11-21T08:00:00Z",
                    Some(Outcome::Verified),
                    "a fresh read shows it",
                ),
                attempt(
                    "shop-db: BackupRetentionPeriod 1 → 7",
                    "2026-11-20T23:00:00Z",
                    Some(Outcome::Failed),
                    "AccessDenied: grant rds:ModifyDBInstance",
                ),
            ],
            records: vec![
                record("shop-db is publicly accessible", Some("2026-11-21T08:00:30Z"), region),
                record("shop-db keeps backups for 1 day", None, region),
            ],
        }
    }

    #[test]
    fn the_whole_table() {
        insta::assert_snapshot!(history_table(&history("us-east-1"), Style::PLAIN), @r"
        WHEN (UTC)           WORKLOAD  WHAT                                      OUTCOME                 DETAIL
        2026-11-21 09:30:00  shop      main/shop: shop:2 → shop:1                under way (going back)  3 tasks are starting
        2026-11-21 08:00:00  shop      shop-db: PubliclyAccessible true → false  verified                a fresh read shows it
        2026-11-21 08:00:00  shop      shop-db is publicly accessible            gone                    rds-public-access, until 2026-11-21 08:00:30
        2026-11-21 08:00:00  shop      shop-db keeps backups for 1 day           open                    rds-public-access
        2026-11-20 23:00:00  shop      shop-db: BackupRetentionPeriod 1 → 7      failed                  AccessDenied: grant rds:ModifyDBInstance
        ");
        insta::assert_snapshot!(history_table(&history("eu-west-1"), Style::PLAIN), @r"
        WHEN (UTC)           WHERE                   WORKLOAD  WHAT                                      OUTCOME                 DETAIL
        2026-11-21 09:30:00  123456789012/us-east-1  shop      main/shop: shop:2 → shop:1                under way (going back)  3 tasks are starting
        2026-11-21 08:00:00  123456789012/us-east-1  shop      shop-db: PubliclyAccessible true → false  verified                a fresh read shows it
        2026-11-21 08:00:00  123456789012/eu-west-1  shop      shop-db is publicly accessible            gone                    rds-public-access, until 2026-11-21 08:00:30
        2026-11-21 08:00:00  123456789012/eu-west-1  shop      shop-db keeps backups for 1 day           open                    rds-public-access
        2026-11-20 23:00:00  123456789012/us-east-1  shop      shop-db: BackupRetentionPeriod 1 → 7      failed                  AccessDenied: grant rds:ModifyDBInstance
        ");
        assert_eq!(history_table(&History::default(), Style::PLAIN), "");
    }
}
