//! Runs of migrations as rows.

use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{MigrationRun, newest_first};
use holdfast_operator::ledger::sortable;
use rusqlite::{Connection, Row, ToSql, params};

use super::values::{json, of_json, of_word, word};

// The first column identifies the row in an error.
const RUN: &str = "task, account, region, workload, family, result, why, container, image, digest, run";

/// The runs of one family, or of all in a scope; by family, the newest first.
pub(super) fn read(
    connection: &Connection,
    scope: &Scope,
    family: Option<&str>,
) -> rusqlite::Result<Vec<MigrationRun>> {
    let of: &[&dyn ToSql] = &[&scope.account, &scope.region, &family];
    let mut statement = connection.prepare(&format!(
        "SELECT {RUN} FROM migration_runs WHERE account = ?1 AND region = ?2 AND (?3 IS NULL OR family = ?3) ORDER BY family, task"
    ))?;
    let all: Vec<MigrationRun> = statement.query_map(of, run)?.collect::<rusqlite::Result<_>>()?;
    let by_family = all.chunk_by(|a, b| a.family == b.family).map(|runs| {
        let mut runs = runs.to_vec();
        newest_first(&mut runs, |r| &r.run);
        runs
    });
    Ok(by_family.flatten().collect())
}

/// Adds runs to what is known of their families.
pub(super) fn record(connection: &Connection, runs: &[MigrationRun]) -> rusqlite::Result<()> {
    for new in runs {
        let mut known = read(connection, &new.scope, Some(&new.family))?;
        let before = known.clone();
        MigrationRun::add_to(&mut known, new);
        for gone in before.iter().filter(|b| known.iter().all(|k| k.run.arn != b.run.arn)) {
            connection.execute(
                "DELETE FROM migration_runs WHERE account = ?1 AND region = ?2 AND family = ?3 AND task = ?4",
                params![gone.scope.account, gone.scope.region, gone.family, gone.run.arn],
            )?;
        }
        if let Some(changed) = known.iter().find(|k| k.run.arn == new.run.arn) {
            put(connection, changed)?;
        }
    }
    Ok(())
}

fn put(connection: &Connection, run: &MigrationRun) -> rusqlite::Result<()> {
    let exit_code = run
        .container
        .as_ref()
        .and_then(|c| run.run.exit_codes.get(c))
        .copied()
        .flatten();
    let mut statement = connection.prepare(
        "INSERT OR REPLACE INTO migration_runs (task, account, region, workload, family, revision, result, why, container, image,
                                                digest, exit_code, started_at, stopped_at, stop_code, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        run.run.arn,
        run.scope.account,
        run.scope.region,
        run.workload,
        run.family,
        run.run.task_definition,
        word(&run.result)?,
        run.why,
        run.container,
        run.image,
        run.digest,
        exit_code,
        run.run.when().map(sortable),
        run.run.stopped_at.map(sortable),
        run.run.stop_code,
        json(&run.run)?,
    ])?;
    Ok(())
}

fn run(row: &Row<'_>) -> rusqlite::Result<MigrationRun> {
    Ok(MigrationRun {
        scope: Scope {
            account: row.get(1)?,
            region: row.get(2)?,
        },
        workload: row.get(3)?,
        family: row.get(4)?,
        result: of_word(row, 5)?,
        why: row.get(6)?,
        container: row.get(7)?,
        image: row.get(8)?,
        digest: row.get(9)?,
        run: of_json(row, 10)?,
    })
}
