//! `check_http`: waits until a service answers a request as it should. It asks again and again, so it is for requests that may be
//! repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ports::PortError;
use crate::ports::http::{HttpAnswer, HttpRequest};
use crate::step::pointer::{escape, mistake};
use crate::step::scalar::Span;
use crate::step::{
    ActContext, Evidence, Kind, Length, Nature, Never, OnUnknown, Onlooker, Plan, Risk, StepError, SystemKind, Verdict, View, World,
};

/// How soon it is worth asking again.
const AGAIN: Duration = Duration::from_secs(1);

/// How much of an answer that does not fit is shown.
const SHOWN: usize = 160;

/// Waits until a request is answered as it should be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckHttp {
    /// Name of the service under `http` in `cutover.yaml`.
    pub http: String,
    /// Path and query, beginning with a slash.
    #[schemars(extend("format" = "url-path"))]
    pub path: String,
    /// The method; the request is sent again and again until the answer fits.
    #[serde(default, skip_serializing_if = "Method::is_get")]
    pub method: Method,
    /// Sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The status that the answer must have.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// Text that must be in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub contains: Option<String>,
    /// Values that must be in an answer in JSON, by their JSON pointer, for instance `/state: open`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, Value>,
    /// How long one answer may take.
    #[serde(default = "patience")]
    pub timeout: Span,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Asks for something.
    #[default]
    Get,
    /// Asks for everything but the thing itself.
    Head,
    /// Asks what may be done.
    Options,
    /// Hands something over.
    Post,
    /// Puts something in its place.
    Put,
}

impl Method {
    // Why: serde hands a reference to what may be left out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_get(&self) -> bool {
        *self == Self::Get
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

fn ok() -> u16 {
    200
}

fn patience() -> Span {
    Span(Duration::from_secs(5))
}

impl CheckHttp {
    fn goal(&self) -> String {
        let mut goal = format!("{} {} of {} answers {}", self.method.as_str(), self.path, self.http, self.status);
        if let Some(text) = &self.contains {
            goal = format!("{goal} with the text `{text}`");
        }
        if !self.json.is_empty() {
            let values: Vec<_> = self.json.iter().map(|(pointer, value)| format!("{pointer} = {value}")).collect();
            goal = format!("{goal} with {}", values.join(", "));
        }
        goal
    }

    /// What is wrong with an answer, if anything.
    fn misfit(&self, answer: &HttpAnswer) -> Option<String> {
        let HttpAnswer { status, body, .. } = answer;
        if *status != self.status {
            return Some(format!("it answered {status}: {}", shown(body)));
        }
        if let Some(text) = self.contains.as_ref().filter(|text| !body.contains(text.as_str())) {
            return Some(format!("it answered {status} without the text `{text}`: {}", shown(body)));
        }
        if self.json.is_empty() {
            return None;
        }
        let Ok(found) = serde_json::from_str::<Value>(body) else {
            return Some(format!("it answered {status} with something that is no JSON: {}", shown(body)));
        };
        self.json.iter().find_map(|(pointer, wanted)| match found.pointer(pointer) {
            Some(value) if value == wanted => None,
            Some(value) => Some(format!("it answered {status} with {pointer} = {}, not {wanted}", shown(&value.to_string()))),
            None => Some(format!("it answered {status} and nothing at {pointer}: {}", shown(body))),
        })
    }
}

impl Onlooker for CheckHttp {
    const KIND: Kind = Kind {
        name: "check_http",
        summary: "waits until a service answers a request as it should",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[SystemKind::Http],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-check-http
steps:
  - id: run
    deploy: {service: hiring, release: \"1.5\"}
  - id: endpoint
    check_http: {http: hiring, path: /version, json: {/version: \"1.5\"}}
",
    };

    fn complaints(&self) -> Vec<(String, String)> {
        let told = |pointer: &String| mistake(pointer).map(|why| (format!("/json/{}", escape(pointer)), why));
        let mut complaints: Vec<_> = self.json.keys().filter_map(told).collect();
        if self.timeout.0.is_zero() {
            complaints.push(("/timeout".to_owned(), "nothing answers within no time".to_owned()));
        }
        complaints
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        // Why: that there is such a system is known before the run; whether it answers already is the step's own business.
        world.http(&self.http)?;
        Ok(View::default())
    }

    fn plan(&self, _: &View) -> Plan<Never> {
        Plan::Wait { now: "not asked yet".to_owned(), goal: self.goal() }
    }

    fn lengths(&self) -> Vec<Length> {
        vec![Length::at_most("one answer", self.timeout)]
    }

    async fn verify(&self, context: &ActContext) -> Result<Verdict, StepError> {
        let request = HttpRequest {
            method: self.method.as_str().to_owned(),
            path: self.path.clone(),
            body: self.body.clone(),
            timeout: self.timeout.0,
        };
        let now = match context.world.http(&self.http)?.send(&request).await {
            Ok(answer) => match self.misfit(&answer) {
                None => {
                    // Why: what the answer holds may be personal; that it fits is what counts.
                    let data = json!({ "status": answer.status, "bytes": answer.body.len() });
                    return Ok(Verdict::Holds(Evidence::with(self.goal(), &data)));
                }
                Some(misfit) => misfit,
            },
            Err(PortError::Unreachable { detail, .. }) => format!("it does not answer: {detail}"),
            Err(other) => return Err(other.into()),
        };
        Ok(Verdict::NotYet { now, goal: self.goal(), again_in: AGAIN })
    }
}

/// The beginning of an answer, on one line.
fn shown(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None if line.is_empty() => "(nothing)".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Value) -> CheckHttp {
        serde_json::from_value(body).unwrap()
    }

    fn misfit(step: &CheckHttp, status: u16, body: &str) -> Option<String> {
        step.misfit(&HttpAnswer { status, body: body.to_owned(), cut: false })
    }

    #[test]
    fn an_answer_fits_in_status_text_and_values() {
        let step = check(json!({ "http": "hiring", "path": "/x", "contains": "open", "json": { "/state": "open", "/count": 2 } }));
        assert_eq!(misfit(&step, 200, r#"{"state": "open", "count": 2}"#), None);
        for (status, body, said) in [
            (503, "out of order", "it answered 503: out of order"),
            (200, "", "it answered 200 without the text `open`: (nothing)"),
            (200, "open", "it answered 200 with something that is no JSON: open"),
            (200, r#"{"state": "open", "count": "2"}"#, "it answered 200 with /count = \"2\", not 2"),
            (200, r#"{"state": "open"}"#, "it answered 200 and nothing at /count: {\"state\": \"open\"}"),
        ] {
            assert_eq!(misfit(&step, status, body).as_deref(), Some(said));
        }
    }

    #[test]
    fn a_path_of_another_notation_is_told_the_pointer() {
        let step = check(json!({ "http": "hiring", "path": "/x", "json": { "$.state.name": 1 } }));
        let told = step.complaints();
        assert_eq!(told, [("/json/$.state.name".to_owned(), "`$.state.name` is no JSON pointer; write `/state/name`".to_owned())]);
    }
}
