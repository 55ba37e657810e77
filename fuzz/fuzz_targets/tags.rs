//! Values of the `holdfast:` tags.
#![no_main]

use std::time::Duration;

use holdfast_core::model::tags::Tags;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: (&str, &str, &str, &str, i64)| {
    let (waive, reason, phase, until, second) = given;
    let pairs = [("waive", waive), ("waive-reason", reason), ("phase", phase), ("migration-until", until), ("mode", waive)];
    let tags = Tags(pairs.into_iter().map(|(k, v)| (format!("holdfast:{k}"), v.to_owned())).collect());
    let Ok(now) = Timestamp::from_second(second) else { return };
    let _ = tags.mode("holdfast:");
    let _ = tags.phase("holdfast:", now, Duration::from_secs(3600));
    let faults = tags.waiver_faults("holdfast:", &["rds-public-access"], now);
    if tags.waiver("holdfast:", "rds-public-access", now).is_some() {
        // What holds is not told to be expired.
        assert!(!format!("{faults:?}").contains("Expired { rule: \"rds-public-access\""), "{faults:?}");
    }
});
