//! How long the pure core takes: all rules over so many workloads, on one core.
//!
//!     cargo bench -p holdfast-core --bench evaluate

#![allow(clippy::expect_used, reason = "the worlds made here are whole")]

mod fleet;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use fleet::snapshot;
use holdfast_core::config::Config;
use holdfast_core::evaluate::evaluate;
use holdfast_core::plan::plan;
use jiff::Timestamp;

fn core(c: &mut Criterion) {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("an instant");
    let config = Config::default();
    let mut group = c.benchmark_group("judge and plan, all rules");
    group.sample_size(10);
    for workloads in [1_000, 10_000, 100_000] {
        let s = snapshot(workloads, now);
        group.bench_with_input(BenchmarkId::from_parameter(workloads), &s, |b, s| {
            b.iter_batched(
                || (),
                |()| {
                    let evaluation = evaluate(s, &config, now, None);
                    plan(&s.scope, &evaluation, &config, now)
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
