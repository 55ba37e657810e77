//! The body of a message: EventBridge, SNS and Pipes envelopes, anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    if let Ok(parsed) = holdfast_core::event::parse(body) {
        assert!(parsed.keys.len() <= 10_000);
    }
});
