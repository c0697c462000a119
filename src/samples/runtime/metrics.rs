//! What a service counts, as Prometheus reads it.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::samples::error::SampleError;
use crate::samples::surroundings::Surroundings;

/// Seconds: from what a local read takes to what a caller waits for at most.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Statuses that a route may answer with.
const EXPECTED: &[&str] = &["200", "201", "404", "500", "502", "503"];

/// The counters of one process. Cheap to clone; every figure carries the service and the release.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    produced: IntCounterVec,
    consumed: IntCounterVec,
    duplicates: IntCounterVec,
    failed: IntCounterVec,
    unsent: IntGauge,
    revision: IntGauge,
}

impl Metrics {
    /// Counters at zero.
    pub fn new(surroundings: &Surroundings) -> Result<Self, SampleError> {
        Self::make(surroundings).map_err(|error| SampleError::Defect(error.to_string()))
    }

    fn make(surroundings: &Surroundings) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let opts = |name: &str, help: &str| {
            Opts::new(name, help).const_label("service", surroundings.service.as_str()).const_label("release", surroundings.release.says())
        };
        let counter = |name: &str, help: &str, labels: &[&str]| added(&registry, IntCounterVec::new(opts(name, help), labels)?);
        let gauge = |name: &str, help: &str| added(&registry, IntGauge::with_opts(opts(name, help))?);
        let durations = HistogramOpts::from(opts("http_request_duration_seconds", "time from a request to its answer"));
        Ok(Self {
            requests: counter("http_requests_total", "requests that were answered", &["route", "code"])?,
            durations: added(&registry, HistogramVec::new(durations.buckets(BUCKETS.to_vec()), &["route"])?)?,
            produced: counter("events_produced_total", "events that the broker has acknowledged", &["topic"])?,
            consumed: counter("events_consumed_total", "events whose effect was stored", &["topic"])?,
            duplicates: counter("events_duplicate_total", "events that were skipped because they had been handled before", &["topic"])?,
            failed: counter("events_failed_total", "events that were put aside because they cannot be understood", &["topic"])?,
            unsent: gauge("outbox_unsent", "rows of the outbox that nobody has acknowledged yet")?,
            revision: gauge("flags_revision", "revision of the flag document that new requests use")?,
            registry,
        })
    }

    /// Begins a route's figures at zero, failures included.
    pub fn expect(&self, route: &str) {
        // Why: a rate over a series that begins with its first failure does not see that failure.
        for code in EXPECTED {
            let _ = self.requests.with_label_values(&[route, *code]);
        }
    }

    /// Counts an answered request.
    pub fn answered(&self, route: &str, code: u16, took: Duration) {
        self.requests.with_label_values(&[route, &code.to_string()]).inc();
        self.durations.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Counts events that the broker has acknowledged.
    pub fn produced(&self, topic: &str, count: u64) {
        self.produced.with_label_values(&[topic]).inc_by(count);
    }

    /// Counts an event whose effect was stored.
    pub fn consumed(&self, topic: &str) {
        self.consumed.with_label_values(&[topic]).inc();
    }

    /// Counts an event that had been handled before.
    pub fn duplicate(&self, topic: &str) {
        self.duplicates.with_label_values(&[topic]).inc();
    }

    /// Counts an event that was put aside.
    pub fn failed(&self, topic: &str) {
        self.failed.with_label_values(&[topic]).inc();
    }

    /// All figures as text, with what is looked up only when somebody asks.
    pub fn text(&self, unsent: Option<i64>, revision: i64) -> Result<String, SampleError> {
        if let Some(unsent) = unsent {
            self.unsent.set(unsent);
        }
        self.revision.set(revision);
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        encoded.map_err(|error| SampleError::Defect(error.to_string()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn added<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
