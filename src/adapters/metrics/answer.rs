//! What Prometheus' answer means.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::adapters::http::Answer;
use crate::ports::metrics::Series;
use crate::ports::{PortError, SystemRef};

/// The longest text of an answer that goes into a message, in characters.
const LONGEST: usize = 600;

/// The series of an answer.
pub(super) fn read(answer: Answer, system: &SystemRef, doing: &str) -> Result<Vec<Series>, PortError> {
    let invalid = |detail: String| PortError::Invalid { system: system.clone(), detail: format!("{doing}: {detail}") };
    let Answer { status, body, location } = answer;
    let json = serde_json::from_str::<Value>(&body).ok();
    let text = |key: &str| json.as_ref().and_then(|json| json.get(key)).and_then(Value::as_str);
    if !(200..300).contains(&status) || text("status") == Some("error") {
        let said = match (text("error"), location) {
            (Some(error), _) => error.to_owned(),
            (None, Some(location)) if (300..400).contains(&status) => format!("it redirects to {location}; set that as the address"),
            (None, _) => in_one_line(&body),
        };
        return Err(failure(status, text("errorType"), &said, system, doing));
    }
    let Some(data) = json.as_ref().and_then(|json| json.get("data")) else {
        return Err(invalid(format!("the answer is not Prometheus': {}", in_one_line(&body))));
    };
    let result = data.get("result").unwrap_or(&Value::Null);
    match data.get("resultType").and_then(Value::as_str) {
        Some("scalar") => Ok(vec![Series { labels: BTreeMap::new(), value: number(result).map_err(invalid)? }]),
        Some("vector") => result.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|one| series(one).map_err(invalid)).collect(),
        Some("matrix") => {
            Err(invalid("it answers ranges, not values; put a function such as rate() or max_over_time() around it".to_owned()))
        }
        Some("string") => Err(invalid("it answers a text, not a value".to_owned())),
        other => Err(invalid(format!("it answers {}, which is not a value", other.unwrap_or("nothing")))),
    }
}

fn failure(status: u16, kind: Option<&str>, said: &str, system: &SystemRef, doing: &str) -> PortError {
    let system = system.clone();
    let detail = format!("{doing}: {said} (HTTP {status})");
    match (status, kind) {
        (401 | 403, _) => PortError::Refused { system, detail },
        (_, Some("bad_data" | "execution")) => PortError::Invalid { system, detail },
        // Why: 422 without a reason of its own is a gateway's way to say that it had no luck with the stores behind it.
        (408 | 425 | 429 | 500..=599, _) | (_, Some("timeout" | "canceled" | "unavailable" | "internal")) => {
            PortError::Unreachable { system, detail }
        }
        (404, None) => {
            let detail = format!("{detail}; is the address that of Prometheus' API, without `/api/v1`?");
            PortError::Invalid { system, detail }
        }
        _ => PortError::Invalid { system, detail },
    }
}

fn series(one: &Value) -> Result<Series, String> {
    let labels = one.get("metric").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let value = one.get("value").ok_or("a series is a histogram, not a value; put histogram_quantile() around it")?;
    Ok(Series { labels: labels.collect(), value: number(value)? })
}

/// The number of `[instant, "number"]`.
fn number(sample: &Value) -> Result<f64, String> {
    let text = sample.get(1).and_then(Value::as_str).ok_or_else(|| format!("{sample} is not a sample"))?;
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

/// A text as a part of a sentence, cut where it gets long.
pub(super) fn in_one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no reason given".to_owned() } else { line.chars().take(LONGEST).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Vec<Series>, PortError> {
        let system = SystemRef { name: "metrics main".to_owned(), address: "http://p".to_owned(), setting: "s".to_owned() };
        read(Answer { status, body: body.to_owned(), location: None }, &system, "evaluating `q`")
    }

    fn data(kind: &str, result: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#)
    }

    #[test]
    fn numbers_are_read_with_all_that_a_float_can_be() {
        let vector = r#"[{"metric":{"code":"500"},"value":[1,"1.5"]},{"metric":{},"value":[1,"NaN"]},{"metric":{},"value":[1,"+Inf"]}]"#;
        let series = answered(200, &data("vector", vector)).unwrap();
        assert_eq!((series[0].value, series[0].labels["code"].as_str()), (1.5, "500"));
        assert!(series[1].value.is_nan() && series[2].value.is_infinite());
        assert_eq!(answered(200, &data("scalar", r#"[1,"2"]"#)).unwrap()[0].value.to_string(), "2");
        assert_eq!(answered(200, &data("vector", "[]")).unwrap(), []);
    }

    #[test]
    fn what_is_no_value_is_invalid() {
        for body in [data("matrix", "[]"), data("string", r#"[1,"x"]"#), data("vector", r#"[{"metric":{},"histogram":[1,{}]}]"#)] {
            assert!(matches!(answered(200, &body), Err(PortError::Invalid { .. })), "{body}");
        }
        assert!(matches!(answered(200, "<html>Log in</html>"), Err(PortError::Invalid { .. })));
    }

    #[test]
    fn refusals_troubles_and_wrong_expressions_are_told_apart() {
        let bad = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end of input"}"#;
        let Err(PortError::Invalid { detail, .. }) = answered(400, bad) else { panic!("not Invalid") };
        assert_eq!(detail, "evaluating `q`: parse error: unexpected end of input (HTTP 400)");
        let late = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        assert!(matches!(answered(503, late), Err(PortError::Unreachable { .. })));
        assert!(matches!(answered(401, "no"), Err(PortError::Refused { .. })));
        assert!(matches!(answered(502, ""), Err(PortError::Unreachable { .. })));
        assert!(answered(404, "404 page not found").unwrap_err().to_string().contains("without `/api/v1`"));
    }
}
