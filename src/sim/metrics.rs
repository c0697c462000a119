//! A store of metrics in memory: series are set by hand, at once or for a later instant of the simulated clock. It does not evaluate
//! expressions; each is known by its text, and plain numbers are what they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::SimClock;
use super::faults::{Faults, Host, Moment};
use crate::ports::metrics::{Metrics, Series};
use crate::ports::{Clock, PortError};

/// What an expression answers from an instant on.
type Story = BTreeMap<DateTime<Utc>, Vec<Series>>;

/// Metrics in memory. For faults the one call is `query`, and its target is the expression.
#[derive(Debug)]
pub struct SimMetrics {
    host: Host,
    clock: Arc<SimClock>,
    stories: Mutex<BTreeMap<String, Story>>,
}

impl SimMetrics {
    /// A store without any series.
    #[must_use]
    pub fn new(name: &str, clock: Arc<SimClock>) -> Self {
        Self { host: Host::new("metrics", name), clock, stories: Mutex::default() }
    }

    /// From now on calls fail as `faults` says.
    pub fn set_faults(&self, faults: Faults) {
        self.host.set_faults(faults);
    }

    /// From now on the expression answers one series without labels.
    pub fn set(&self, expression: &str, value: f64) {
        self.set_in(TimeDelta::zero(), expression, &[(&[], value)]);
    }

    /// So long from now, and from then on, the expression answers these series.
    pub fn set_in(&self, wait: TimeDelta, expression: &str, series: &[(&[(&str, &str)], f64)]) {
        let label = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let one = |(labels, value): &(&[(&str, &str)], f64)| Series { labels: labels.iter().map(label).collect(), value: *value };
        let at = self.clock.now() + wait;
        self.lock().entry(expression.to_owned()).or_default().insert(at, series.iter().map(one).collect());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Story>> {
        self.stories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Metrics for SimMetrics {
    async fn ping(&self) -> Result<(), PortError> {
        self.host.strike("ping", "", Moment::Before)
    }

    async fn query(&self, expression: &str) -> Result<Vec<Series>, PortError> {
        self.host.strike("query", expression, Moment::Before)?;
        let count = |letter: char| expression.matches(letter).count();
        if expression.trim().is_empty() || count('(') != count(')') || count('{') != count('}') {
            return Err(self.host.invalid(format!("evaluating `{expression}`: parse error")));
        }
        if let Ok(value) = expression.trim().parse() {
            return Ok(vec![Series { labels: BTreeMap::new(), value }]);
        }
        let now = self.clock.now();
        let stories = self.lock();
        Ok(stories.get(expression).and_then(|story| story.range(..=now).next_back()).map(|(_, series)| series.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_series_changes_when_its_time_has_come() {
        let clock = Arc::new(SimClock::default());
        let metrics = SimMetrics::new("main", Arc::clone(&clock));
        metrics.set("errors", 1.0);
        metrics.set_in(TimeDelta::seconds(10), "errors", &[(&[("code", "500")], 9.0)]);
        assert_eq!(metrics.query("errors").await.unwrap()[0].value.to_string(), "1");
        clock.advance(TimeDelta::seconds(10));
        assert_eq!(metrics.query("errors").await.unwrap()[0].labels["code"], "500");
        assert_eq!(metrics.query("others").await.unwrap(), []);
    }
}
