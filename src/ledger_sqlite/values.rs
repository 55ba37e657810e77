//! Values of columns.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// The name of a variant, as serde writes it.
pub(super) fn word(value: &impl Serialize) -> rusqlite::Result<String> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// The value of a column that holds JSON.
pub(super) fn of_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?).map_err(|e| unreadable(row, column, &e))
}

/// The variant of a column that holds its name.
pub(super) fn of_word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_value(row.get::<_, String>(column)?.into()).map_err(|e| unreadable(row, column, &e))
}

/// The value of a column that holds its text.
pub(super) fn of_text<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error>,
{
    row.get::<_, String>(column)?
        .parse()
        .map_err(|e| unreadable(row, column, &e))
}

/// The error for a value that was written by hand, or by another version.
fn unreadable(row: &Row<'_>, column: usize, error: &dyn std::error::Error) -> rusqlite::Error {
    let name = row.as_ref().column_name(column).unwrap_or("?");
    let of: String = row.get(0).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{name} of {of}: {error}").into())
}
