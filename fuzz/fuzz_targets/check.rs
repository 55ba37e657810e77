//! Files for `check`: task definitions, Terraform's plans and states, CloudFormation's templates and change sets.
#![no_main]

use holdfast_core::check::{CheckOptions, check};
use holdfast_core::config::Config;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check("fuzz.json", bytes, CheckOptions::default(), &Config::default(), Timestamp::UNIX_EPOCH);
});
