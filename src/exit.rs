//! How the process ends.

use std::process::ExitCode;

/// The exit codes, which pipelines rely on: `--help` of each command says what they mean there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing to report, and everything is known.
    Clean = 0,
    /// Findings at or above `--fail-on`; for `apply`, a correction that failed or was refused.
    Findings = 1,
    /// The command could not run: usage, configuration, no credentials, nothing readable.
    CannotRun = 2,
    /// No such finding, but a verdict is unknown.
    Unknown = 3,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
