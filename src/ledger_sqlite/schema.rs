//! The tables, and their migrations.

use holdfast_operator::ledger::{KEPT, RUNS_KEPT_FOR, sortable};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// `HOLD`: distinguishes a ledger from other SQLite files. <https://www.sqlite.org/pragma.html#pragma_application_id>
pub(super) const APPLICATION_ID: i32 = 0x484f_4c44;

/// Each migrates a file from the version of its index to the next. A released migration is never edited: add a new one
/// at the end.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        workload TEXT NOT NULL,
        change TEXT NOT NULL,       -- one line: before -> after
        begun_at TEXT NOT NULL,     -- instants are UTC, with nine digits of a second
        updated_at TEXT NOT NULL,
        step TEXT NOT NULL,         -- begun, registered, called, going_back, set_back
        step_at TEXT NOT NULL,
        outcome TEXT,               -- verified, applied, refused, failed, reverted; NULL while under way
        detail TEXT NOT NULL,
        replica TEXT NOT NULL,
        fence INTEGER NOT NULL,
        revision TEXT,
        action TEXT NOT NULL CHECK (json_valid(action))
    ) STRICT;
    CREATE INDEX attempts_by_scope ON attempts (account, region, begun_at);
    CREATE INDEX attempts_by_workload ON attempts (workload, begun_at);
    CREATE INDEX attempts_by_time ON attempts (begun_at);
    CREATE INDEX attempts_open ON attempts (account, region) WHERE outcome IS NULL;

    CREATE TABLE findings (
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        workload TEXT NOT NULL,
        finding TEXT NOT NULL,      -- the finding's id
        rule TEXT NOT NULL,
        message TEXT NOT NULL,
        first_seen TEXT NOT NULL,
        resolved_at TEXT,           -- NULL while open
        resource TEXT NOT NULL CHECK (json_valid(resource)),
        PRIMARY KEY (first_seen, finding, workload, account, region)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX findings_by_workload ON findings (workload, first_seen);
    CREATE INDEX findings_open ON findings (account, region) WHERE resolved_at IS NULL;
",
    "
    CREATE TABLE migration_runs (
        task TEXT NOT NULL,         -- ARN of the task
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        workload TEXT NOT NULL,
        family TEXT NOT NULL,
        revision TEXT NOT NULL,     -- ARN of the task definition
        result TEXT NOT NULL,       -- running, succeeded, failed, unknown
        why TEXT,                   -- why it failed
        container TEXT,             -- the container that decided
        image TEXT,                 -- its image as written
        digest TEXT,                -- the image's digest
        exit_code INTEGER,          -- that container's
        started_at TEXT,
        stopped_at TEXT,
        stop_code TEXT,
        run TEXT NOT NULL CHECK (json_valid(run)), -- all that was seen of it
        PRIMARY KEY (account, region, family, task)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX migration_runs_by_workload ON migration_runs (workload, started_at);
",
];

/// The version from which on there are runs of migrations.
pub(super) const WITH_RUNS: usize = 2;

/// The version of the file; 0 if it is empty.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative version is unknown, and treated as a later one.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Runs the missing migrations, each in a separate transaction.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    loop {
        // Under the write lock: of two processes that start at once, one migrates.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = version(&transaction)?;
        let Some(next) = migrations.get(done) else {
            return Ok(());
        };
        transaction.execute_batch(next)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(done + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
}

/// Deletes what ended more than [`KEPT`] ago.
pub(super) fn prune(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let oldest = sortable(now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN));
    transaction.execute(
        "DELETE FROM attempts WHERE outcome IS NOT NULL AND updated_at < ?1",
        [&oldest],
    )?;
    transaction.execute("DELETE FROM findings WHERE resolved_at < ?1", [&oldest])?;
    let oldest = sortable(now.saturating_sub(RUNS_KEPT_FOR).unwrap_or(Timestamp::MIN));
    transaction.execute("DELETE FROM migration_runs WHERE started_at < ?1", [&oldest])?;
    Ok(())
}
