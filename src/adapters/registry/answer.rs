//! What a registry's answer means. The status alone does not say: 404 is "no such subject" or "no such page", and 409 is "not
//! compatible" or "somebody was faster", each with numbers that differ between registries.

use serde_json::Value;

use crate::adapters::http::Answer;
use crate::ports::{PortError, SystemRef};

/// The registry's own error numbers for things that are not there: subject, version, schema, level of a subject.
const ABSENT: [i64; 4] = [40401, 40402, 40403, 40408];

/// The number for a version that was deleted softly before.
const DELETED_BEFORE: i64 = 40406;

/// The number for a subject or registry that takes no changes.
const READ_ONLY: i64 = 42205;

/// The longest text of an answer that goes into a message, in characters.
const LONGEST: usize = 600;

/// An answer, read.
#[derive(Debug)]
pub(super) enum Said {
    /// 2xx, with its JSON; `null` when there was none.
    Yes(Value),
    /// Anything else.
    No(No),
}

/// A "no" with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct No {
    pub status: u16,
    /// `error_code` of the body, if it has one.
    pub code: Option<i64>,
    pub message: String,
}

impl Said {
    pub(super) fn read(answer: Answer) -> Self {
        let Answer { status, body, location } = answer;
        let json = serde_json::from_str::<Value>(&body);
        if (200..300).contains(&status) {
            return match json {
                Ok(value) => Self::Yes(value),
                Err(_) if body.trim().is_empty() => Self::Yes(Value::Null),
                Err(_) => Self::No(No { status, code: None, message: format!("the answer is not JSON: {}", in_one_line(&body)) }),
            };
        }
        let json = json.unwrap_or(Value::Null);
        let message = match json.get("message").and_then(Value::as_str) {
            Some(message) => without_exception(message).to_owned(),
            None => body,
        };
        let message = match location {
            Some(location) if (300..400).contains(&status) => format!("it redirects to {location}; set that as the address"),
            _ => in_one_line(&message),
        };
        Self::No(No { status, code: json.get("error_code").and_then(Value::as_i64), message })
    }
}

impl No {
    /// Whether the registry understood and the thing is not there.
    pub(super) fn is_absent(&self) -> bool {
        self.status == 404 && self.code.is_some_and(|code| ABSENT.contains(&code))
    }

    pub(super) fn is_deleted_before(&self) -> bool {
        self.code == Some(DELETED_BEFORE)
    }

    pub(super) fn port_error(self, system: &SystemRef, doing: &str) -> PortError {
        let system = system.clone();
        let detail = format!("{doing}: {} (HTTP {})", self.message, self.status);
        match self.status {
            401 => PortError::Refused { system, detail: format!("{detail}; see `basic`: user name and password") },
            403 => PortError::Refused { system, detail },
            _ if self.code == Some(READ_ONLY) => PortError::Refused { system, detail },
            408 | 425 | 429 | 500..=599 => PortError::Unreachable { system, detail },
            // Why: two first registrations at once make one of them fail like this; it was not judged, it only came second.
            409 if self.code == Some(0) || self.message.contains("already exists") => PortError::Conflict { system, detail },
            404 if self.code.is_none_or(|code| !ABSENT.contains(&code)) => {
                let detail = format!("{detail}; is the address the registry's API? Apicurio's ends with `/apis/ccompat/v7`");
                PortError::Invalid { system, detail }
            }
            _ => PortError::Invalid { system, detail },
        }
    }
}

/// Why a schema may not follow, in the registry's words: a list with some, one text with others.
pub(super) fn reasons(answer: &Value) -> Vec<String> {
    let list = answer.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let listed = list.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
    let single = answer.get("reason").and_then(Value::as_str).map(|reason| without_exception(reason).to_owned());
    listed.chain(single).filter(|reason| !reason.trim().is_empty()).collect()
}

/// Takes the name of a Java exception off the front.
fn without_exception(message: &str) -> &str {
    match message.split_once(": ") {
        Some((name, rest)) if name.ends_with("Exception") && name.contains('.') && !name.contains(' ') => rest,
        _ => message,
    }
}

fn in_one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = if line.is_empty() { "no reason given".to_owned() } else { line };
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(status: u16, body: &str) -> No {
        match Said::read(Answer { status, body: body.to_owned(), location: None }) {
            Said::No(no) => no,
            Said::Yes(value) => panic!("{status} was taken for a yes: {value}"),
        }
    }

    fn told(status: u16, body: &str) -> PortError {
        let system = SystemRef { name: "registry main".to_owned(), address: "http://r".to_owned(), setting: "s".to_owned() };
        no(status, body).port_error(&system, "doing")
    }

    #[test]
    fn two_registrations_at_once_are_a_race_and_not_an_incompatibility() {
        let second = r#"{"error_code":0,"message":"An artifact version 'null' for artifact ID 's' already exists."}"#;
        assert!(matches!(told(409, second), PortError::Conflict { .. }));
        let first = r#"{"error_code":409,"message":"An artifact with ID 's' in group 'null' already exists."}"#;
        assert!(matches!(told(409, first), PortError::Conflict { .. }));
        let judged = r#"{"error_code":409,"message":"io.apicurio.registry.rules.RuleViolationException: Incompatible artifact: s"}"#;
        let PortError::Invalid { detail, .. } = told(409, judged) else { panic!("an incompatibility is not Invalid") };
        assert_eq!(detail, "doing: Incompatible artifact: s (HTTP 409)");
    }

    #[test]
    fn a_missing_subject_is_none_and_a_missing_page_is_a_wrong_address() {
        assert!(no(404, r#"{"error_code":40401,"message":"Subject 's' not found."}"#).is_absent());
        let page = no(404, "<html>Not Found</html>");
        assert!(!page.is_absent());
        assert!(told(404, "<html>Not Found</html>").to_string().contains("is the address"));
    }

    #[test]
    fn refusals_troubles_and_wrong_requests_are_told_apart() {
        assert!(matches!(told(401, ""), PortError::Refused { .. }));
        assert!(matches!(told(403, r#"{"error_code":40301,"message":"no"}"#), PortError::Refused { .. }));
        assert!(matches!(told(422, r#"{"error_code":42205,"message":"read-only"}"#), PortError::Refused { .. }));
        assert!(matches!(told(422, r#"{"error_code":42201,"message":"bad"}"#), PortError::Invalid { .. }));
        assert!(matches!(told(400, "Not able to deserialize data provided."), PortError::Invalid { .. }));
        assert!(matches!(told(503, ""), PortError::Unreachable { .. }));
        assert!(matches!(told(429, ""), PortError::Unreachable { .. }));
    }

    #[test]
    fn a_success_that_is_no_json_is_not_taken_for_one() {
        assert!(no(200, "<html>Log in</html>").message.contains("not JSON"));
    }

    #[test]
    fn reasons_come_as_a_list_or_as_one_text() {
        assert_eq!(reasons(&serde_json::json!({ "messages": ["a", "b"] })), ["a", "b"]);
        assert_eq!(reasons(&serde_json::json!({ "reason": "c" })), ["c"]);
        assert!(reasons(&serde_json::json!({})).is_empty());
    }
}
