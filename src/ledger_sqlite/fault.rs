//! Errors of SQLite and of the file system, as one sentence for the person on call.

use std::path::Path;

use holdfast_operator::ports::LedgerError;
use rusqlite::ErrorCode;

/// A sentence about the file at `path`.
pub(super) fn fault(path: &Path, what: &str) -> LedgerError {
    LedgerError::Unusable(format!("the ledger {} {what}", path.display()))
}

/// The sentence for an error of SQLite.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> LedgerError {
    if let rusqlite::Error::FromSqlConversionFailure(_, _, why) = error {
        let what = format!(
            "has a row that can't be read ({why}): it was written by hand or by another version of Holdfast; mend or delete \
             it, or set ledger.path to another file"
        );
        return fault(path, &what);
    }
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => NOT_A_DATABASE.to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => damaged(&error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            "is locked by another process that did not let go of it in time; `fuser` with its path names that process: end it, \
             or give each Holdfast a file of its own as ledger.path"
                .to_owned()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            READ_ONLY.to_owned()
        }
        Some(ErrorCode::CannotOpen) => format!(
            "can't be opened ({error}): this user must be able to write it and its directory, where SQLite keeps a -wal and \
             a -shm file beside it; make them writable, or set ledger.path to a place that is"
        ),
        Some(ErrorCode::DiskFull) => {
            "can't grow: its disk is full; free some space, or set ledger.path to another disk".to_owned()
        }
        _ => format!("can't be used: {error}; mend that, or set ledger.path to another file"),
    };
    fault(path, &what)
}

/// The sentence for an error of the file system.
pub(super) fn explain_io(path: &Path, error: &std::io::Error) -> LedgerError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => fault(path, READ_ONLY),
        _ => fault(
            path,
            &format!("can't be opened: {error}; set ledger.path to a file that can"),
        ),
    }
}

pub(super) const NOT_A_DATABASE: &str =
    "is not an SQLite database and was left as it is; set ledger.path to another file, or move this one away";

pub(super) const READ_ONLY: &str = "can't be written; make the file and its directory writable for the user that Holdfast \
                                    runs as, or set ledger.path to a place that is";

/// The sentence for a file with invalid content.
pub(super) fn damaged(how: &str) -> String {
    let how = how.trim().replace('\n', "; ");
    format!(
        "is damaged and was left as it is ({how}); restore it from a backup, or move it and its -wal file away to begin an \
         empty one (docs/ledger.md says what is forgotten then), or set ledger.path to another file"
    )
}
