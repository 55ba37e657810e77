//! What metrics are made of: bounded label values, gauges that are replaced as a whole, registration.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::proto::MetricType;
use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use holdfast_core::model::key::Scope;

/// Stands for label values past a bound.
pub(super) const OTHER: &str = "other";

/// A set of label values that stops growing.
#[derive(Debug)]
pub(super) struct Bounded {
    max: usize,
    seen: Mutex<HashSet<String>>,
}

impl Bounded {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            seen: Mutex::new(HashSet::new()),
        }
    }

    /// `value` if it is a plain word and fits, else `other`.
    pub(super) fn admit<'a>(&self, value: &'a str) -> &'a str {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._:/-".contains(c);
        if value.is_empty() || value.len() > 100 || !value.chars().all(is_plain) {
            return OTHER;
        }
        let mut seen = lock(&self.seen);
        if seen.contains(value) {
            return value;
        }
        if seen.len() >= self.max {
            return OTHER;
        }
        seen.insert(value.to_owned());
        value
    }
}

/// Remembers which series a scope has, so that the next round can remove those it no longer has.
#[derive(Debug)]
pub(super) struct ScopedGauge {
    gauge: IntGaugeVec,
    series: HashMap<Scope, HashSet<Vec<String>>>,
}

impl ScopedGauge {
    pub(super) fn new(gauge: IntGaugeVec) -> Self {
        Self {
            gauge,
            series: HashMap::new(),
        }
    }

    pub(super) fn replace(&mut self, scope: &Scope, values: HashMap<Vec<String>, i64>) {
        let old = self.series.remove(scope).unwrap_or_default();
        for labels in old.iter().filter(|labels| !values.contains_key(*labels)) {
            // A series that is gone already is what we want.
            let _ = self.gauge.remove_label_values(labels);
        }
        for (labels, value) in &values {
            self.gauge.with_label_values(labels).set(*value);
        }
        if !values.is_empty() {
            self.series.insert(scope.clone(), values.into_keys().collect());
        }
    }
}

impl ScopedGauge {
    /// As [`Self::replace`], but what is gone stays at 0 while there is room: an alert then resolves at the next
    /// scrape, and a correction quicker than a scrape still leaves its trace.
    pub(super) fn replace_keeping(&mut self, scope: &Scope, mut values: HashMap<Vec<String>, i64>, room: usize) {
        for labels in self.series.get(scope).into_iter().flatten() {
            if values.len() < room && !values.contains_key(labels) {
                values.insert(labels.clone(), 0);
            }
        }
        self.replace(scope, values);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not take the metrics with it: they are how it gets noticed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers families in one place, so that a name is written once.
pub(super) struct Maker<'a>(pub(super) &'a Registry, pub(super) RefCell<Vec<Description>>);

/// What a metric is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it counts or measures.
    pub help: String,
}

impl Maker<'_> {
    pub(super) fn add<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        let kind = collector
            .collect()
            .first()
            .map(prometheus::proto::MetricFamily::get_field_type);
        let kind = match kind {
            Some(MetricType::COUNTER) => "counter",
            Some(MetricType::HISTOGRAM) => "histogram",
            _ => "gauge",
        };
        self.1
            .borrow_mut()
            .extend(collector.desc().into_iter().map(|d| Description {
                name: d.fq_name.clone(),
                kind,
                labels: d.variable_labels.clone(),
                help: d.help.clone(),
            }));
        Ok(collector)
    }
    pub(super) fn counter(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }
    pub(super) fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }
    pub(super) fn int_gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.add(IntGauge::new(name, help)?)
    }
    pub(super) fn gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.add(Gauge::new(name, help)?)
    }
    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.add(GaugeVec::new(Opts::new(name, help), labels)?)
    }
    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        self.add(HistogramVec::new(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
            labels,
        )?)
    }
}

pub(super) fn clamp(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
