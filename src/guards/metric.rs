//! `metric`: the value of an expression in a store of metrics.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Guard, GuardKind, limit, main_system};
use crate::ports::metrics::Series;
use crate::step::{Claim, Reading, Resource, StepError, World};

/// The value of a Prometheus expression. When it answers several series, the worst one counts; a series that is not a number is no data.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Name of the store of metrics.
    #[serde(default = "main_system")]
    pub metrics: String,
    /// The expression, in the store's own language.
    #[schemars(length(min = 1, max = 10000))]
    pub query: String,
    /// A value above this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// A value below this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

impl Metric {
    /// See [`GuardKind`].
    pub const KIND: GuardKind = GuardKind {
        name: "metric",
        summary: "the value of a Prometheus expression",
        example: "metric: {query: 'sum(rate(http_requests_total{code=~\"5..\"}[1m]))', above: 1, then: revert_step}",
    };

    fn judge(&self, series: &[Series]) -> Reading {
        let low = self.below.is_some();
        let worst = series.iter().filter(|one| !one.value.is_nan()).min_by(|one, other| {
            let order = one.value.total_cmp(&other.value);
            if low { order } else { order.reverse() }
        });
        match worst {
            Some(worst) if limit::is_bad(worst.value, self.above, self.below) => reading(worst, false),
            // Why: what is not a number is not known, and what is not known is never good.
            _ if series.iter().any(|one| one.value.is_nan()) => Reading::NoData("a series is not a number".to_owned()),
            Some(worst) => reading(worst, true),
            None => Reading::NoData("the expression has no data".to_owned()),
        }
    }
}

#[async_trait]
impl Guard for Metric {
    fn kind(&self) -> &'static GuardKind {
        &Self::KIND
    }

    fn query(&self) -> String {
        self.query.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn limit(&self) -> String {
        limit::words(self.above, self.below).unwrap_or_default()
    }

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::read(Resource::query(&self.metrics, &self.query()))]
    }

    fn complaints(&self) -> Vec<(String, String)> {
        limit::complaints("metric", &[("above", self.above.is_some()), ("below", self.below.is_some())])
    }

    async fn ready(&self, world: &World) -> Result<(), StepError> {
        world.metrics(&self.metrics)?.query(&self.query).await?;
        Ok(())
    }

    async fn look(&self, world: &World) -> Result<Reading, StepError> {
        Ok(self.judge(&world.metrics(&self.metrics)?.query(&self.query).await?))
    }
}

fn reading(series: &Series, good: bool) -> Reading {
    let labels = series.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(", ");
    let value = series.value;
    let line = if labels.is_empty() { value.to_string() } else { format!("{value} for {labels}") };
    Reading::Value { value, good, line }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn metric(above: Option<f64>, below: Option<f64>) -> Metric {
        Metric { metrics: "main".to_owned(), query: "q".to_owned(), above, below }
    }

    fn series(values: &[f64]) -> Vec<Series> {
        let one = |(at, value): (usize, &f64)| Series { labels: BTreeMap::from([("at".to_owned(), at.to_string())]), value: *value };
        values.iter().enumerate().map(one).collect()
    }

    fn said(guard: &Metric, values: &[f64]) -> (Option<bool>, String) {
        match guard.judge(&series(values)) {
            Reading::Value { good, line, .. } => (Some(good), line),
            Reading::NoData(line) | Reading::Failed(line) => (None, line),
        }
    }

    #[test]
    fn the_worst_series_counts() {
        assert_eq!(said(&metric(Some(1.0), None), &[0.5, 3.0, 2.0]), (Some(false), "3 for at=\"1\"".to_owned()));
        assert_eq!(said(&metric(None, Some(1.0)), &[2.0, 0.5]), (Some(false), "0.5 for at=\"1\"".to_owned()));
        assert_eq!(said(&metric(Some(3.0), None), &[0.5, 3.0]).0, Some(true), "the limit itself is good");
        assert_eq!(said(&metric(Some(3.0), None), &[f64::INFINITY]).0, Some(false));
    }

    #[test]
    fn what_is_not_known_is_never_good() {
        assert_eq!(said(&metric(Some(1.0), None), &[]).0, None);
        assert_eq!(said(&metric(Some(1.0), None), &[0.1, f64::NAN]).0, None);
        assert_eq!(said(&metric(Some(1.0), None), &[9.0, f64::NAN]).0, Some(false), "what is known to be bad is bad");
    }

    #[test]
    fn it_has_exactly_one_limit() {
        assert_eq!(metric(Some(1.0), None).complaints(), []);
        assert_eq!(metric(None, None).complaints().len(), 1);
        assert_eq!(metric(Some(1.0), Some(0.0)).complaints()[0].0, "/below");
    }
}
