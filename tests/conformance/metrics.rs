//! What a store of metrics promises.

use cutover::ports::PortError;
use cutover::ports::metrics::Metrics;

pub async fn it_answers(metrics: &dyn Metrics) {
    metrics.ping().await.unwrap();
}

pub async fn a_number_is_a_series_without_labels(metrics: &dyn Metrics) {
    let series = metrics.query("42").await.unwrap();
    assert_eq!(series.len(), 1);
    assert!(series[0].labels.is_empty());
    assert!((series[0].value - 42.0).abs() < f64::EPSILON);
}

pub async fn what_nobody_ever_counted_is_empty(metrics: &dyn Metrics) {
    assert_eq!(metrics.query("cutover_test_nobody_counts_this").await.unwrap(), []);
}

pub async fn what_is_no_expression_is_invalid(metrics: &dyn Metrics) {
    for expression in ["sum(rate(http_requests_total[1m])", ""] {
        let error = metrics.query(expression).await.unwrap_err();
        assert!(matches!(error, PortError::Invalid { .. }), "{expression}: {error}");
    }
}
