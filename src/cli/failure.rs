//! Why a command could not run.

/// A sentence for standard error; the exit code is 2. No caller decides by it, so any error becomes one.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
