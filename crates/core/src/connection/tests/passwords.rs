//! Passwords that are as awkward as they come, and how they are written.

use proptest::prelude::*;

/// Each character but letters and digits, or each character.
pub(super) fn percent(s: &str, all: bool) -> String {
    s.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() && !all {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

pub(super) fn escaped(s: &str) -> String {
    format!("'{}'", s.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub(super) fn password() -> impl Strategy<Value = String> {
    proptest::string::string_regex(r#"[QXZ789é/@?#:\[\]=!$&'()*+,;%"<>\\^`{|}~_.\- ]{4,24}"#).unwrap()
}

/// Passwords in the likeness of what follows a host.
pub(super) fn devious() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "@", "/", "?", "#", ":", "&", "=", "XZ", "789", "X7", "Z", ".", "XX=ZZ", ",", "[", "]", "%", "%58", "\\", "'",
        "\"", " ", "://", "X:7", "@X:789/Z", "{", "}", ";",
    ]);
    prop::collection::vec(pieces, 2..9)
        .prop_map(|p| p.concat())
        .prop_filter("short", |p| p.len() >= 4)
}

/// `cases`, or what `PROPTEST_CASES` says.
#[allow(clippy::disallowed_methods, reason = "as proptest itself does")]
pub(super) fn config(cases: u32) -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if said {
        default
    } else {
        ProptestConfig { cases, ..default }
    }
}
