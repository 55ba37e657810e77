//! The value of a secret: URL, keywords, JSON. It may not panic, and what it keeps may not hold a long piece of a password.
#![no_main]

use holdfast_core::connection::{inspect, inspect_plain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| {
    let _ = inspect(value);
    let _ = inspect_plain(value);
    // A password of our own inside of an arbitrary URL stays where it is.
    let url = format!("postgres://user:Kanarienvogel7@{value}");
    let kept = format!("{:?}", inspect(&url));
    // What the host is taken from may be arbitrary text, but never what stands between `:` and `@`.
    assert!(!kept.contains("Kanarienvogel7") || value.contains("Kanarienvogel7"), "{kept}");
});
