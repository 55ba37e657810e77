//! Files for `check`: task definitions, Terraform's plans and states.
#![no_main]

use holdfast_core::config::Config;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = holdfast_core::check::check("fuzz.json", bytes, None, &Config::default(), Timestamp::UNIX_EPOCH);
});
