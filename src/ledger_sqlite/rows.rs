//! Attempts and findings as rows.

use holdfast_core::model::key::Scope;
use holdfast_operator::attempt::{Attempt, FindingRecord, Outcome};
use holdfast_operator::ledger::{kept, sortable};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::values::{json, of_json, of_text, of_word, word};

// The first column of each identifies the row in an error.
const ATTEMPT: &str = "id, action, replica, fence, begun_at, updated_at, step, step_at, revision, outcome, detail";
const RECORD: &str = "finding, account, region, workload, rule, resource, message, first_seen, resolved_at";

/// The attempts that the rest of a SELECT selects.
pub(super) fn attempts(connection: &Connection, rest: &str, of: &[&dyn ToSql]) -> rusqlite::Result<Vec<Attempt>> {
    let mut statement = connection.prepare(&format!("SELECT {ATTEMPT} FROM attempts {rest}"))?;
    statement.query_map(of, attempt)?.collect()
}

/// The findings that the rest of a SELECT selects.
pub(super) fn records(connection: &Connection, rest: &str, of: &[&dyn ToSql]) -> rusqlite::Result<Vec<FindingRecord>> {
    let mut statement = connection.prepare(&format!("SELECT {RECORD} FROM findings {rest}"))?;
    statement.query_map(of, record)?.collect()
}

/// Writes an attempt. Returns `false` and writes nothing if the stored one is of a later lease.
pub(super) fn put(connection: &Connection, attempt: &Attempt) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(
        "INSERT INTO attempts (id, account, region, workload, change, begun_at, updated_at, step, step_at, outcome, detail,
                               replica, fence, revision, action)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (id) DO UPDATE SET
             updated_at = excluded.updated_at, step = excluded.step, step_at = excluded.step_at,
             outcome = excluded.outcome, detail = excluded.detail, replica = excluded.replica, fence = excluded.fence, revision = excluded.revision
         WHERE fence <= excluded.fence",
    )?;
    let changed = statement.execute(params![
        attempt.id,
        attempt.scope().account,
        attempt.scope().region,
        attempt.action.workload,
        attempt.action.change,
        sortable(attempt.begun_at),
        sortable(attempt.updated_at),
        word(&attempt.step)?,
        sortable(attempt.step_at),
        attempt.outcome.map(Outcome::as_str),
        kept(&attempt.detail),
        attempt.replica,
        i64::try_from(attempt.fence).unwrap_or(i64::MAX),
        attempt.revision,
        json(&attempt.action)?,
    ])?;
    Ok(changed > 0)
}

/// Writes findings.
pub(super) fn record_findings(connection: &Connection, records: &[FindingRecord]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "INSERT INTO findings (account, region, workload, finding, rule, message, first_seen, resolved_at, resource)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET resolved_at = coalesce(resolved_at, excluded.resolved_at)",
    )?;
    for record in records {
        statement.execute(params![
            record.scope.account,
            record.scope.region,
            record.workload,
            record.finding,
            record.rule,
            record.message,
            sortable(record.first_seen),
            record.resolved_at.map(sortable),
            json(&record.resource)?,
        ])?;
    }
    Ok(())
}

/// Returns whether the file has no table.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let found = connection
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
        .optional()?;
    Ok(found.is_none())
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        id: row.get(0)?,
        action: of_json(row, 1)?,
        replica: row.get(2)?,
        fence: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
        begun_at: of_text(row, 4)?,
        updated_at: of_text(row, 5)?,
        step: of_word(row, 6)?,
        step_at: of_text(row, 7)?,
        revision: row.get(8)?,
        outcome: row.get::<_, Option<String>>(9)?.map(|_| of_word(row, 9)).transpose()?,
        detail: row.get(10)?,
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<FindingRecord> {
    Ok(FindingRecord {
        scope: Scope {
            account: row.get(1)?,
            region: row.get(2)?,
        },
        workload: row.get(3)?,
        finding: row.get(0)?,
        rule: row.get(4)?,
        resource: of_json(row, 5)?,
        message: row.get(6)?,
        first_seen: of_text(row, 7)?,
        resolved_at: row.get::<_, Option<String>>(8)?.map(|_| of_text(row, 8)).transpose()?,
    })
}
