//! How long a large plan takes: 5,000 changes, parsed and evaluated, on one core.
//!
//!     cargo bench -p holdfast-core --bench plan

#![allow(clippy::expect_used, reason = "the plans made here are whole")]

mod large_plan;

use criterion::{Criterion, criterion_group, criterion_main};
use holdfast_core::check::{CheckOptions, check};
use holdfast_core::config::Config;
use jiff::Timestamp;
use large_plan::large_plan;

fn changes(c: &mut Criterion) {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("an instant");
    let config = Config::default();
    let text = large_plan(5_000);
    let mut group = c.benchmark_group("check a plan");
    group.sample_size(20);
    group.bench_function("5,000 changes", |b| {
        b.iter(|| check("plan.json", text.as_bytes(), CheckOptions::default(), &config, now).expect("a plan"));
    });
    group.finish();
}

criterion_group!(benches, changes);
criterion_main!(benches);
