//! A secret value, reduced to facts.

use holdfast_core::model::connection::SecretShape;
use zeroize::Zeroizing;

/// Facts about a value, which is overwritten on return.
pub(super) fn shape(value: Option<String>) -> SecretShape {
    match value.map(Zeroizing::new) {
        Some(value) => holdfast_core::connection::inspect(&value),
        None => SecretShape::Binary,
    }
}
