//! `http`: what a service answers to a GET.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Guard, GuardKind, limit};
use crate::ports::PortError;
use crate::ports::http::{HttpAnswer, HttpRequest};
use crate::step::pointer::mistake;
use crate::step::scalar::Span;
use crate::step::{Claim, Reading, Resource, StepError, World};

/// The longest part of a text that is told.
const SHOWN: usize = 40;

/// What a service answers to a GET: its status, and with `pointer` one value of an answer in JSON. Another status is bad. No answer, an
/// answer that is no JSON, and one without a value there are never good.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Name of the service under `http` in `cutover.yaml`.
    pub http: String,
    /// Path and query, beginning with a slash.
    #[schemars(extend("format" = "url-path"))]
    pub path: String,
    /// The status that the answer must have.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// JSON pointer to the value that is looked at, for instance `/queue/length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A number above this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// A number below this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Anything but this text, number or boolean is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = ["string", "number", "boolean"]))]
    pub equals: Option<Value>,
    /// How long one answer may take, at most 10s.
    #[serde(default = "patience")]
    pub timeout: Span,
}

fn ok() -> u16 {
    200
}

fn patience() -> Span {
    Span(Duration::from_secs(5))
}

impl Http {
    /// See [`GuardKind`].
    pub const KIND: GuardKind = GuardKind {
        name: "http",
        summary: "what a service answers to a GET",
        example: "http: {http: hiring, path: /health, pointer: /queue, above: 100, then: hold}",
    };

    async fn ask(&self, world: &World) -> Result<Result<HttpAnswer, PortError>, StepError> {
        let request = HttpRequest { method: "GET".to_owned(), path: self.path.clone(), body: None, timeout: self.timeout.0 };
        Ok(world.http(&self.http)?.send(&request).await)
    }

    fn judge(&self, answer: &HttpAnswer) -> Reading {
        let HttpAnswer { status, body, .. } = answer;
        if *status != self.status {
            return Reading::Value { value: f64::from(*status), good: false, line: format!("status {status}") };
        }
        let Some(pointer) = &self.pointer else {
            return Reading::Value { value: f64::from(*status), good: true, line: format!("status {status}") };
        };
        if answer.cut {
            return Reading::NoData("the answer is too long to be read".to_owned());
        }
        let Ok(found) = serde_json::from_str::<Value>(body) else { return Reading::NoData("the answer is no JSON".to_owned()) };
        match found.pointer(pointer) {
            None => Reading::NoData(format!("the answer has nothing at {pointer}")),
            Some(value) => self.value(pointer, value),
        }
    }

    fn value(&self, pointer: &str, value: &Value) -> Reading {
        let sort = match value {
            Value::Null => "null",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
            Value::String(_) => "a text",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
        };
        match (&self.equals, value.as_f64()) {
            (Some(_), _) if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) => {
                Reading::NoData(format!("{pointer} is {sort}"))
            }
            (Some(wanted), number) => {
                // Why for a number: 1 and 1.0 are the same to everybody but a parser.
                let good = wanted == value || number.is_some() && number == wanted.as_f64();
                Reading::Value { value: number.unwrap_or_else(|| f64::from(u8::from(good))), good, line: shown(value) }
            }
            (None, Some(number)) => {
                let good = !limit::is_bad(number, self.above, self.below);
                Reading::Value { value: number, good, line: value.to_string() }
            }
            (None, None) => Reading::NoData(format!("{pointer} is {sort}, not a number")),
        }
    }
}

#[async_trait]
impl Guard for Http {
    fn kind(&self) -> &'static GuardKind {
        &Self::KIND
    }

    fn query(&self) -> String {
        let pointer = self.pointer.as_ref().map(|pointer| format!(" at {pointer}")).unwrap_or_default();
        format!("{} of {}{pointer}", self.path, self.http)
    }

    fn limit(&self) -> String {
        let other = format!("another status than {}", self.status);
        let limit =
            limit::words(self.above, self.below).or_else(|| self.equals.as_ref().map(|value| format!("other than {}", shown(value))));
        limit.map_or(other, |limit| if self.status == ok() { limit } else { format!("{limit}, with status {}", self.status) })
    }

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::read(Resource::path(&self.http, &self.path))]
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let limits = [("above", self.above.is_some()), ("below", self.below.is_some()), ("equals", self.equals.is_some())];
        let mut complaints = limit::patience(self.timeout);
        if let Some(pointer) = &self.pointer {
            complaints.extend(limit::complaints("http", &limits));
            complaints.extend(mistake(pointer).map(|why| ("/pointer".to_owned(), why)));
        } else {
            let lost = limits.into_iter().find(|(_, given)| *given);
            let told = |key| (format!("/{key}"), format!("`{key}` compares the value at `pointer`, and there is none: add `pointer: /…`"));
            complaints.extend(lost.map(|(key, _)| told(key)));
        }
        complaints
    }

    async fn ready(&self, world: &World) -> Result<(), StepError> {
        // Why: the service, or this endpoint of it, may only come with the run's own earlier steps.
        match self.ask(world).await? {
            Err(error) if !error.is_passing() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn look(&self, world: &World) -> Result<Reading, StepError> {
        Ok(self.judge(&self.ask(world).await??))
    }
}

/// A value, not longer than a line takes.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    text.char_indices().nth(SHOWN).map_or_else(|| text.clone(), |(end, _)| format!("{}…", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guard(more: &Value) -> Http {
        let mut body = json!({ "http": "hiring", "path": "/health" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn said(more: &Value, status: u16, body: &str) -> (Option<bool>, String) {
        match guard(more).judge(&HttpAnswer { status, body: body.to_owned(), cut: false }) {
            Reading::Value { good, line, .. } => (Some(good), line),
            Reading::NoData(line) | Reading::Failed(line) => (None, line),
        }
    }

    #[test]
    fn another_status_is_bad_whatever_the_answer_holds() {
        assert_eq!(said(&json!({}), 200, ""), (Some(true), "status 200".to_owned()));
        assert_eq!(said(&json!({ "status": 404 }), 200, ""), (Some(false), "status 200".to_owned()));
        assert_eq!(said(&json!({ "pointer": "/n", "above": 1 }), 503, r#"{"n": 0}"#), (Some(false), "status 503".to_owned()));
    }

    #[test]
    fn a_value_is_held_against_its_limit() {
        let body = r#"{"n": 2, "state": "open", "on": true}"#;
        assert_eq!(said(&json!({ "pointer": "/n", "above": 1 }), 200, body), (Some(false), "2".to_owned()));
        assert_eq!(said(&json!({ "pointer": "/n", "above": 2 }), 200, body).0, Some(true));
        assert_eq!(said(&json!({ "pointer": "/n", "below": 3 }), 200, body).0, Some(false));
        assert_eq!(said(&json!({ "pointer": "/n", "equals": 2.0 }), 200, body).0, Some(true));
        assert_eq!(said(&json!({ "pointer": "/state", "equals": "shut" }), 200, body), (Some(false), "\"open\"".to_owned()));
        assert_eq!(said(&json!({ "pointer": "/on", "equals": true }), 200, body).0, Some(true));
    }

    #[test]
    fn what_is_not_known_is_never_good() {
        let limit = json!({ "pointer": "/n", "above": 1 });
        for (body, why) in [
            ("", "the answer is no JSON"),
            ("{}", "the answer has nothing at /n"),
            (r#"{"n": null}"#, "/n is null, not a number"),
            (r#"{"n": "0"}"#, "/n is a text, not a number"),
        ] {
            assert_eq!(said(&limit, 200, body), (None, why.to_owned()));
        }
        assert_eq!(said(&json!({ "pointer": "/n", "equals": "x" }), 200, r#"{"n": ["x"]}"#).0, None);
        let cut = HttpAnswer { status: 200, body: r#"{"n": 0}"#.to_owned(), cut: true };
        assert!(matches!(guard(&limit).judge(&cut), Reading::NoData(_)));
    }

    #[test]
    fn a_limit_needs_a_pointer_and_a_pointer_one_limit() {
        let places = |more: Value| guard(&more).complaints().into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(places(json!({})), Vec::<String>::new());
        assert_eq!(places(json!({ "above": 1 })), ["/above"]);
        assert_eq!(places(json!({ "pointer": "/n" })), [""]);
        assert_eq!(places(json!({ "pointer": "/n", "above": 1, "equals": 2 })), ["/equals"]);
        assert_eq!(places(json!({ "pointer": "n.m", "above": 1, "timeout": "0s" })), ["/timeout", "/pointer"]);
    }
}
