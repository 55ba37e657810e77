//! Files that are no valid ledger: each is refused with one sentence, and unchanged.

mod like_memory;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::RunResult;
use holdfast_operator::attempt::{Attempt, FindingRecord, Outcome};
use holdfast_operator::ledger::conformance;
use holdfast_operator::ports::{Ledger as _, LedgerError};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{SqliteLedger, schema};

fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().expect("an instant")
}

fn scope() -> Scope {
    conformance::scope("us-east-1")
}

fn record(finding: &str, first_seen: &str, resolved_at: Option<&str>) -> FindingRecord {
    let at = |text: &str| text.parse().expect("an instant");
    FindingRecord {
        message: "m".repeat(3000),
        first_seen: at(first_seen),
        resolved_at: resolved_at.map(at),
        ..conformance::sighting(&scope(), "shop", finding, 0)
    }
}

struct TestLedger {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl TestLedger {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("holdfast.db");
        Self { dir, path }
    }

    /// A closed ledger of several pages.
    async fn filled() -> Self {
        let file = Self::new();
        let ledger = SqliteLedger::open(&file.path, now()).await.expect("made");
        let many: Vec<FindingRecord> = (0..50)
            .map(|i| record(&format!("f{i}"), "2026-11-20T00:00:00Z", None))
            .collect();
        ledger.record_findings(&many).await.expect("sighted");
        drop(ledger);
        assert_eq!(file.files(), ["holdfast.db"], "nothing is left beside it");
        file
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("a directory");
        let name =
            |e: std::io::Result<std::fs::DirEntry>| e.expect("an entry").file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// Asserts that opening for writing and for reading both fail with a sentence that contains `what`, and that no
    /// file changes.
    async fn is_refused(&self, what: &str) {
        self.is_refused_within(what, super::LOCK_TIMEOUT).await;
    }

    async fn is_refused_within(&self, what: &str, lock_timeout: Duration) {
        let (before, files) = (std::fs::read(&self.path).ok(), self.files());
        let written = SqliteLedger::open_within(&self.path, now(), lock_timeout).await.err();
        let read = SqliteLedger::open_existing(&self.path).await.err();
        for refused in [written, read] {
            let Some(LedgerError::Unusable(message)) = refused else {
                panic!("{what}: not refused: {refused:?}");
            };
            assert!(message.contains(what), "{message}");
            assert!(message.contains("ledger.path"), "{message}");
            assert!(message.contains(self.path.to_str().expect("a name")), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
        assert_eq!(std::fs::read(&self.path).ok(), before, "{what}: the file was changed");
        assert_eq!(self.files(), files, "{what}: files were made or removed");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    for content in [b"x".as_slice(), &b"# my notes\n".repeat(1000), &[0; 8192]] {
        let file = TestLedger::new();
        std::fs::write(&file.path, content).expect("written");
        file.is_refused("not an SQLite database").await;
    }
}

#[tokio::test]
async fn the_database_of_another_program() {
    let file = TestLedger::new();
    let theirs = Connection::open(&file.path).expect("made");
    theirs
        .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .expect("filled");
    drop(theirs);
    file.is_refused("of another program").await;
    let theirs = Connection::open(&file.path).expect("opened");
    theirs
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA application_id = 7; INSERT INTO t VALUES (2)")
        .expect("filled");
    drop(theirs);
    file.is_refused("of another program").await;
}

#[tokio::test]
async fn a_truncated_ledger() {
    let file = TestLedger::filled().await;
    let whole = std::fs::read(&file.path).expect("read");
    for length in [20, 100, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        std::fs::write(&file.path, &whole[..length]).expect("written");
        file.is_refused("and was left as it is").await;
    }
}

#[tokio::test]
async fn a_ledger_with_a_bad_page() {
    let file = TestLedger::filled().await;
    let whole = std::fs::read(&file.path).expect("read");
    let mut found = 0;
    for page in 1..whole.len() / 4096 {
        let mut bad = whole.clone();
        bad[page * 4096..page * 4096 + 64].fill(0xa5);
        std::fs::write(&file.path, &bad).expect("written");
        // A page of text that overflowed holds nothing that could contradict itself.
        if SqliteLedger::open_existing(&file.path).await.is_err() {
            found += 1;
            file.is_refused("is damaged").await;
        }
    }
    assert!(found > 5, "{found} of {}", whole.len() / 4096);
}

#[tokio::test]
async fn a_crash_leaves_a_wal_that_is_read() {
    let file = TestLedger::filled().await;
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("opened");
    let late = record("late", "2026-11-21T00:00:00Z", None);
    ledger
        .record_findings(std::slice::from_ref(&late))
        .await
        .expect("sighted");
    // As a kill would leave it.
    let crashed = TestLedger::new();
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", file.path.display());
        std::fs::copy(from, format!("{}{suffix}", crashed.path.display())).expect("copied");
    }
    let read = SqliteLedger::open_existing(&crashed.path).await.expect("opened");
    let newest = read.history(None, 1).await.expect("history").records;
    assert_eq!(newest, [late]);
    drop(read);
    let whole = std::fs::read(&crashed.path).expect("read");
    let mut bad = whole.clone();
    bad[4096..4160].fill(0xa5);
    std::fs::write(&crashed.path, &bad).expect("written");
    let refused = SqliteLedger::open(&crashed.path, now()).await.err();
    if let Some(refused) = refused {
        assert!(refused.to_string().contains("is damaged"), "{refused}");
        assert_eq!(
            std::fs::read(&crashed.path).expect("read"),
            bad,
            "the WAL was moved into a damaged file"
        );
    }
}

#[tokio::test]
async fn a_locked_ledger() {
    let file = TestLedger::filled().await;
    let other = Connection::open(&file.path).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let before = std::fs::read(&file.path).expect("read");
    let short = Duration::from_millis(50);
    let refused = SqliteLedger::open_within(&file.path, now(), short).await.err();
    let message = refused.expect("refused").to_string();
    assert!(
        message.contains("locked by another process") && message.contains("ledger.path"),
        "{message}"
    );
    assert_eq!(std::fs::read(&file.path).expect("read"), before);
    // Reading goes on.
    let read = SqliteLedger::open_existing(&file.path).await.expect("opened");
    assert_eq!(read.open_findings(&scope()).await.expect("read").len(), 50);
    other.execute_batch("ROLLBACK").expect("unlocked");
    // The lock may come later too.
    let ledger = SqliteLedger::open_within(&file.path, now(), short)
        .await
        .expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let refused = ledger
        .record_findings(&[record("g", "2026-11-20T00:00:00Z", None)])
        .await;
    assert!(
        refused
            .expect_err("locked")
            .to_string()
            .contains("locked by another process")
    );
    other.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(ledger.open_findings(&scope()).await.expect("read").len(), 50);
}

#[tokio::test]
async fn a_place_that_does_not_exist() {
    let file = TestLedger::new();
    let path = file.dir.path().join("missing/holdfast.db");
    let refused = SqliteLedger::open(&path, now()).await.expect_err("refused").to_string();
    assert!(
        refused.contains("there is no directory") && refused.contains("missing; make it"),
        "{refused}"
    );
    let refused = SqliteLedger::open(file.dir.path(), now())
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        refused.contains("is not a file") && refused.contains("ledger.path"),
        "{refused}"
    );
    let refused = SqliteLedger::open_existing(&file.path)
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        refused.contains("does not exist") && refused.contains("ledger.path"),
        "{refused}"
    );
    assert_eq!(file.files(), [] as [&str; 0]);
}

/// Whether permissions bind this process: they don't bind root.
fn is_bound(path: &Path) -> bool {
    std::fs::OpenOptions::new().append(true).open(path).is_err()
}

#[tokio::test]
async fn a_read_only_file() {
    let file = TestLedger::filled().await;
    let set = |mode| std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(mode)).expect("set");
    set(0o400);
    if is_bound(&file.path) {
        let message = SqliteLedger::open(&file.path, now())
            .await
            .expect_err("refused")
            .to_string();
        assert!(
            message.contains("can't be written") && message.contains("ledger.path"),
            "{message}"
        );
    }
    // It can be read all the same.
    let read = SqliteLedger::open_existing(&file.path).await.expect("opened");
    assert_eq!(read.open_findings(&scope()).await.expect("read").len(), 50);
    drop(read);
    assert_eq!(file.files(), ["holdfast.db"]);
}

#[tokio::test]
async fn a_directory_that_this_user_cannot_write() {
    let file = TestLedger::filled().await;
    let set = |mode| std::fs::set_permissions(file.dir.path(), std::fs::Permissions::from_mode(mode)).expect("set");
    set(0o500);
    if std::fs::write(file.dir.path().join("probe"), "").is_err() {
        for path in [&file.path, &file.dir.path().join("new.db")] {
            let message = SqliteLedger::open(path, now()).await.expect_err("refused").to_string();
            assert!(
                message.contains("directory") && message.contains("ledger.path"),
                "{message}"
            );
        }
        let read = SqliteLedger::open_existing(&file.path).await.expect("opened");
        assert_eq!(read.open_findings(&scope()).await.expect("read").len(), 50);
        drop(read);
        assert_eq!(file.files(), ["holdfast.db"]);
    }
    set(0o700);
}

#[tokio::test]
async fn a_row_written_by_hand() {
    let file = TestLedger::filled().await;
    let hand = Connection::open(&file.path).expect("opened");
    hand.execute("UPDATE findings SET resource = '{}' WHERE finding = 'f7'", [])
        .expect("written");
    drop(hand);
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("opened");
    let message = ledger.open_findings(&scope()).await.expect_err("refused").to_string();
    assert!(
        message.contains("a row that can't be read (resource of f7: missing field") && message.contains("ledger.path"),
        "{message}"
    );
}

#[tokio::test]
async fn a_directory_that_nobody_can_write() {
    // Not even root.
    let path = Path::new("/proc/holdfast.db");
    let message = SqliteLedger::open(path, now()).await.expect_err("refused").to_string();
    assert!(
        message.contains("/proc/holdfast.db") && message.contains("ledger.path"),
        "{message}"
    );
}

#[tokio::test]
async fn a_new_ledger_is_its_owners_alone() {
    let file = TestLedger::new();
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("made");
    ledger
        .record_findings(&[record("f", "2026-11-20T00:00:00Z", None)])
        .await
        .expect("sighted");
    assert_eq!(file.files(), ["holdfast.db", "holdfast.db-shm", "holdfast.db-wal"]);
    for name in file.files() {
        let mode = std::fs::metadata(file.dir.path().join(&name))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_ledger() {
    let file = TestLedger::new();
    std::fs::write(&file.path, "").expect("written");
    let refused = SqliteLedger::open_existing(&file.path)
        .await
        .expect_err("refused")
        .to_string();
    assert!(refused.contains("is empty"), "{refused}");
    SqliteLedger::open(&file.path, now()).await.expect("made");
    SqliteLedger::open_existing(&file.path).await.expect("opened");
    assert_eq!(file.files(), ["holdfast.db"]);
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in [":memory:", "file:x?mode=memory", "a b%20c#d?e.db", "日本.db"] {
        let path = dir.path().join(name);
        let ledger = SqliteLedger::open(&path, now()).await.expect("made");
        ledger
            .record_findings(&[record("f", "2026-11-20T00:00:00Z", None)])
            .await
            .expect("sighted");
        drop(ledger);
        assert!(path.exists());
        let read = SqliteLedger::open_existing(&path).await.expect("opened");
        assert_eq!(read.open_findings(&scope()).await.expect("read").len(), 1);
    }
}

#[tokio::test]
async fn a_ledger_of_a_later_version() {
    let file = TestLedger::filled().await;
    let later = Connection::open(&file.path).expect("opened");
    later.pragma_update(None, "user_version", 9).expect("set");
    drop(later);
    file.is_refused("is of version 9, and this Holdfast knows none above 2")
        .await;
}

#[tokio::test]
async fn migrations_run_once_and_whole() {
    let file = TestLedger::filled().await;
    let mut connection = Connection::open(&file.path).expect("opened");
    let [first, second] = schema::MIGRATIONS else {
        panic!("another one: add it here");
    };
    let broken = [
        *first,
        *second,
        "CREATE TABLE more (x TEXT) STRICT",
        "CREATE TABLE even (x TEXT); NONSENSE",
    ];
    schema::migrate(&mut connection, &broken).expect_err("nonsense");
    assert_eq!(schema::version(&connection).expect("a version"), 3);
    let tables = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)";
    let named: String = connection.query_row(tables, [], |row| row.get(0)).expect("tables");
    assert_eq!(named, "attempts,findings,migration_runs,more");
    let mended = [
        *first,
        *second,
        "CREATE TABLE more (x TEXT) STRICT",
        "CREATE TABLE even (x TEXT) STRICT",
    ];
    schema::migrate(&mut connection, &mended).expect("migrated");
    schema::migrate(&mut connection, &mended).expect("nothing to do");
    assert_eq!(schema::version(&connection).expect("a version"), 4);
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM findings", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 50);
}

/// A file of the first version knows no runs; it is read as it is, and brought up to date by the first write.
#[tokio::test]
async fn a_ledger_of_the_first_version() {
    let file = TestLedger::new();
    std::fs::write(&file.path, "").expect("made");
    let mut connection = Connection::open(&file.path).expect("opened");
    schema::migrate(&mut connection, &schema::MIGRATIONS[..1]).expect("made");
    drop(connection);
    let before = std::fs::read(&file.path).expect("read");
    let read = SqliteLedger::open_existing(&file.path).await.expect("opened");
    assert_eq!(read.runs(&scope(), None).await, Ok(vec![]));
    assert_eq!(read.history(None, 9).await.expect("history").attempts, []);
    drop(read);
    assert_eq!(
        std::fs::read(&file.path).expect("read"),
        before,
        "reading changes nothing"
    );
    let run = conformance::migration_run(&scope(), "shop-migrate", 0, RunResult::Failed);
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("brought up to date");
    ledger.record_runs(std::slice::from_ref(&run)).await.expect("recorded");
    drop(ledger);
    let read = SqliteLedger::open_existing(&file.path).await.expect("opened");
    assert_eq!(read.runs(&scope(), None).await, Ok(vec![run]));
}

/// Runs outlive the rest, but not for ever.
#[tokio::test]
async fn old_runs_are_forgotten() {
    let file = TestLedger::new();
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("made");
    let run = |family: &str, days: i64| conformance::migration_run(&scope(), family, -days * 86_400, RunResult::Failed);
    let kept = run("young", 1_199);
    ledger
        .record_runs(&[run("old", 1_201), kept.clone()])
        .await
        .expect("recorded");
    drop(ledger);
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("opened");
    assert_eq!(ledger.runs(&scope(), None).await, Ok(vec![kept]));
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let file = TestLedger::new();
    let ledger = SqliteLedger::open(&file.path, now()).await.expect("made");
    let seen = [
        record("ancient", "2025-01-01T00:00:00Z", Some("2025-10-17T07:59:59Z")),
        record("old", "2025-01-01T00:00:00Z", Some("2025-10-17T08:00:00Z")),
        record("open", "2025-01-01T00:00:00Z", None),
    ];
    ledger.record_findings(&seen).await.expect("sighted");
    let written = r#"{"id":"a","action":{"id":"a","scope":{"account":"123456789012","region":"us-east-1"},"workload":"shop","rules":[],"findings":[],"severity":"low","resource":{"kind":"workload","id":"shop","arn":"workload/shop","account":"123456789012","region":"us-east-1"},"change":"","risk":"none","preconditions":[],"calls":[],"action":{"action":"close_public_access","instance":"db"}},"replica":"r","fence":0,"begun_at":"2025-01-01T00:00:00Z","updated_at":"2025-10-01T00:00:00Z","step":"called","step_at":"2025-10-01T00:00:00Z","revision":null,"outcome":null,"detail":""}"#;
    let open: Attempt = serde_json::from_str(written).expect("an attempt");
    let done = Attempt {
        id: "b".into(),
        outcome: Some(Outcome::Verified),
        ..open.clone()
    };
    for attempt in [&open, &done] {
        ledger.put(attempt).await.expect("put");
    }
    drop(ledger);
    let history = SqliteLedger::open(&file.path, now())
        .await
        .expect("opened")
        .history(None, 9)
        .await
        .expect("history");
    assert_eq!(history.attempts, [open]);
    let left: Vec<&str> = history.records.iter().map(|s| s.finding.as_str()).collect();
    assert_eq!(left, ["open", "old"]);
}
