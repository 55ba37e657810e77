//! A ledger in one SQLite file, for one machine.
//!
//! It uses a write-ahead log (WAL) and syncs at each commit: an attempt is recorded before its call, and must survive a
//! power loss between the two. All SQLite calls run on tokio's blocking threads.

mod fault;
mod rows;
mod runs;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::MigrationRun;
use holdfast_operator::attempt::{Attempt, FindingRecord, History};
use holdfast_operator::ledger::sortable;
use holdfast_operator::ports::{Ledger, LedgerError};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use self::fault::{explain, explain_io, fault};

/// How long a write waits for the lock of another process. A write takes milliseconds: a process that holds the lock
/// longer is an SQLite shell, or it hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The smallest page size of SQLite, in bytes. <https://www.sqlite.org/fileformat.html#page_size>
const SMALLEST_PAGE: u64 = 512;

/// A ledger in a file.
#[derive(Debug)]
pub struct SqliteLedger {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl SqliteLedger {
    /// Opens the ledger at `path`. Creates the file (mode 0600) if there is none, migrates one of an earlier version,
    /// and deletes what ended more than [`KEPT`](holdfast_operator::ledger::KEPT) before `now`.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] if the file is no ledger, damaged, locked, of a later version or not writable. The
    /// file is then unchanged.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, LedgerError> {
        Self::open_within(path, now, LOCK_TIMEOUT).await
    }

    /// Opens the ledger at `path` for reading. Creates and changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] if there is none, and for the reasons of [`Self::open`].
    pub async fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        Self::begin(path, |path| existing(path, LOCK_TIMEOUT)).await
    }

    async fn open_within(path: &Path, now: Timestamp, lock_timeout: Duration) -> Result<Self, LedgerError> {
        Self::begin(path, move |path| writable(path, now, lock_timeout)).await
    }

    async fn begin(
        path: &Path,
        open: impl FnOnce(&Path) -> Result<Connection, LedgerError> + Send + 'static,
    ) -> Result<Self, LedgerError> {
        // SQLite treats names like `:memory:` and `file:x` specially, but not absolute paths.
        let path = std::path::absolute(path).map_err(|e| explain_io(path, &e))?;
        let of_task = path.clone();
        let opened = tokio::task::spawn_blocking(move || open(&of_task)).await;
        let connection = opened.map_err(|_| interrupted(&path))??;
        Ok(Self {
            path,
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Runs `work` on a blocking thread.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A panic drops its transaction, which rolls it back.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await
            .map_err(|_| interrupted(&self.path))?
            .map_err(|e| explain(&self.path, &e))
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<FindingRecord>, LedgerError> {
        let scope = scope.clone();
        self.with(move |c| {
            let rest =
                "WHERE resolved_at IS NULL AND account = ?1 AND region = ?2 ORDER BY first_seen, finding, workload";
            rows::records(c, rest, &[&scope.account, &scope.region])
        })
        .await
    }

    async fn record_findings(&self, records: &[FindingRecord]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        let records = records.to_vec();
        self.with(move |c| {
            let transaction = c.transaction_with_behavior(TransactionBehavior::Immediate)?;
            rows::record_findings(&transaction, &records)?;
            transaction.commit()
        })
        .await
    }

    async fn put(&self, attempt: &Attempt) -> Result<(), LedgerError> {
        let (id, attempt) = (attempt.id.clone(), attempt.clone());
        if self.with(move |c| rows::put(c, &attempt)).await? {
            Ok(())
        } else {
            Err(LedgerError::Fenced { attempt: id })
        }
    }

    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError> {
        let (scope, since) = (scope.clone(), sortable(since));
        self.with(move |c| {
            let rest =
                "WHERE account = ?1 AND region = ?2 AND (outcome IS NULL OR begun_at >= ?3) ORDER BY begun_at, id";
            rows::attempts(c, rest, &[&scope.account, &scope.region, &since])
        })
        .await
    }

    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError> {
        let workload = workload.map(str::to_owned);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.with(move |c| {
            let of = if workload.is_some() {
                "workload = ?1"
            } else {
                "?1 IS NULL"
            };
            let attempts = format!("WHERE {of} ORDER BY begun_at DESC, id DESC LIMIT ?2");
            let findings = format!(
                "WHERE {of} ORDER BY first_seen DESC, finding DESC, workload DESC, account DESC, region DESC LIMIT ?2"
            );
            let transaction = c.transaction()?;
            Ok(History {
                attempts: rows::attempts(&transaction, &attempts, &[&workload, &limit])?,
                records: rows::records(&transaction, &findings, &[&workload, &limit])?,
            })
        })
        .await
    }

    async fn record_runs(&self, runs: &[MigrationRun]) -> Result<(), LedgerError> {
        if runs.is_empty() {
            return Ok(());
        }
        let runs = runs.to_vec();
        self.with(move |c| {
            let transaction = c.transaction_with_behavior(TransactionBehavior::Immediate)?;
            runs::record(&transaction, &runs)?;
            transaction.commit()
        })
        .await
    }

    async fn runs(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError> {
        let (scope, family) = (scope.clone(), family.map(str::to_owned));
        self.with(move |c| {
            // A file of an earlier version that is only read.
            if schema::version(c)? < schema::WITH_RUNS {
                return Ok(vec![]);
            }
            runs::read(c, &scope, family.as_deref())
        })
        .await
    }
}

fn interrupted(path: &Path) -> LedgerError {
    fault(path, "was not reached: the process is ending")
}

/// Opens the file for writing.
fn writable(path: &Path, now: Timestamp, lock_timeout: Duration) -> Result<Connection, LedgerError> {
    if !examine(path)? {
        create(path)?;
    }
    let refused = |e: rusqlite::Error| explain(path, &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    connection.busy_timeout(lock_timeout).map_err(refused)?;
    // Closing must not move the WAL of a crashed process into a file that turns out to be damaged.
    let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let has_wal = std::fs::metadata(wal(path)).is_ok_and(|m| m.len() > 0);
    connection.set_db_config(no_checkpoint, has_wal).map_err(refused)?;
    // If SQLite may not write the file, it opens it for reading, without an error.
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(refused)? {
        return Err(fault(path, fault::READ_ONLY));
    }
    verify(path, &connection)?;
    schema::migrate(&mut connection, schema::MIGRATIONS).map_err(refused)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(refused)?;
    schema::prune(&transaction, now).map_err(refused)?;
    transaction.commit().map_err(refused)?;
    // This fails while another process opens the file. The next process that opens it does it then.
    let switched = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
    match switched.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
        Err(code) if code != Some(rusqlite::ErrorCode::DatabaseBusy) => switched.map_err(refused)?,
        _ => {}
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(refused)?;
    connection.set_db_config(no_checkpoint, false).map_err(refused)?;
    Ok(connection)
}

/// Opens the file for reading.
fn existing(path: &Path, lock_timeout: Duration) -> Result<Connection, LedgerError> {
    if !examine(path)? {
        let what = "does not exist or is empty: `holdfast run` and `holdfast apply` write it; correct ledger.path if it is \
                    elsewhere";
        return Err(fault(path, what));
    }
    let refused = |e: rusqlite::Error| explain(path, &e);
    // Without a WAL no process has it open: it can be read without creating the files that readers share.
    let connection = if wal(path).exists() {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags).map_err(refused)?
    } else {
        immutable(path).map_err(refused)?
    };
    connection.busy_timeout(lock_timeout).map_err(refused)?;
    verify(path, &connection)?;
    // The tables of every version so far can be read as they are.
    if schema::version(&connection).map_err(refused)? == 0 {
        let what = "is empty: `holdfast run` and `holdfast apply` write it; correct ledger.path if it is elsewhere";
        return Err(fault(path, what));
    }
    Ok(connection)
}

/// Returns whether there is a file with content; fails if its first page is not that of a ledger. Takes no lock and
/// creates no file.
///
/// SQLite reads the page: to open and close the file by other means would lose the locks of this process on it.
/// <https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>
fn examine(path: &Path) -> Result<bool, LedgerError> {
    // While there is a WAL, the file may be growing.
    let at_rest = !wal(path).exists();
    let length = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(explain_io(path, &e)),
        Ok(m) if !m.is_file() => return Err(fault(path, "is not a file; set ledger.path to the path of a file")),
        Ok(m) if m.len() == 0 => return Ok(false),
        // SQLite would treat a file shorter than a page as empty.
        Ok(m) if m.len() < SMALLEST_PAGE => return Err(fault(path, fault::NOT_A_DATABASE)),
        Ok(m) => m.len(),
    };
    let refused = |e: rusqlite::Error| explain(path, &e);
    let connection = immutable(path).map_err(refused)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id").map_err(refused)? != i64::from(schema::APPLICATION_ID) {
        let what = "is an SQLite database of another program and was left as it is; set ledger.path to another file";
        return Err(fault(path, what));
    }
    // SQLite silently fills an incomplete last page with zeros.
    let page = u64::try_from(pragma("page_size").map_err(refused)?).unwrap_or_default();
    if at_rest && length % page.max(SMALLEST_PAGE) != 0 {
        return Err(fault(path, &fault::damaged("its end is missing")));
    }
    Ok(true)
}

/// A connection that assumes that no process changes the file.
fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    let escaped = |b: &u8| {
        if plain(*b) {
            char::from(*b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    let name: String = path.as_os_str().as_bytes().iter().map(escaped).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

/// Creates an empty file that only its owner can read. The files that SQLite creates beside it get the same mode.
fn create(path: &Path) -> Result<(), LedgerError> {
    let parent = path.parent().unwrap_or(path);
    if !parent.is_dir() {
        let what = format!(
            "can't be made: there is no directory {}; make it, or set ledger.path to a place that exists",
            parent.display()
        );
        return Err(fault(path, &what));
    }
    let mut options = std::fs::OpenOptions::new();
    // Not truncated: another process may have created it meanwhile.
    let created = options.write(true).create(true).truncate(false).mode(0o600).open(path);
    created.map(drop).map_err(|e| explain_io(path, &e))
}

/// Checks the version of the file and the consistency of its pages.
fn verify(path: &Path, connection: &Connection) -> Result<(), LedgerError> {
    let refused = |e: rusqlite::Error| explain(path, &e);
    let version = schema::version(connection).map_err(refused)?;
    let known = schema::MIGRATIONS.len();
    if version > known {
        let what = format!(
            "is of version {version}, and this Holdfast knows none above {known}; run the Holdfast that wrote it, or set \
             ledger.path to another file"
        );
        return Err(fault(path, &what));
    }
    if version == 0 && rows::is_empty(connection).map_err(refused)? {
        return Ok(());
    }
    let result: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(refused)?;
    if result == "ok" {
        Ok(())
    } else {
        Err(fault(path, &fault::damaged(&result)))
    }
}

/// The write-ahead log: what is not yet in the file itself.
fn wal(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}
