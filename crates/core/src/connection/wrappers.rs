//! Programs and variables that tell that settings are fetched at start.
/// x
#[must_use]
pub fn fetches_settings(variable: &str) -> bool {
    variable.ends_with("_SECRET_ID")
}
/// x
#[must_use]
pub fn wrapper(_entry_point: &[impl AsRef<str>], _command: &[impl AsRef<str>]) -> Option<&'static str> {
    None
}
