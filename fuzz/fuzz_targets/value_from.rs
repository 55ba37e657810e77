//! References to secrets in task definitions.
#![no_main]

use holdfast_core::model::value_from::{self, ValueFrom};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let ValueFrom::Secret(target) = value_from::parse(text) {
        // What was read is written so that it reads the same.
        let written = value_from::write(&target.arn, &target.selector);
        assert_eq!(value_from::parse(&written), ValueFrom::Secret(target));
    }
});
