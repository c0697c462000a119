//! What an instance of a service says, every second and at once on a change, about the flag document that it evaluates.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Longest name that is taken.
const LONGEST: usize = 200;

/// Most flags that one process may name.
const MOST_FLAGS: usize = 300;

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The environment whose document it evaluates.
    pub environment: String,
    /// The flag store whose document it evaluates.
    pub store: String,
    /// The service.
    pub service: String,
    /// Names the process for ever, as the workloads do.
    pub instance: String,
    /// The release that it is.
    pub release: String,
    /// The revision that new requests use.
    pub revision: i64,
    /// The oldest revision that a request which still runs may use.
    pub oldest: i64,
    /// The flags that the process may evaluate for as long as it lives, whether or not it has yet; left out, nobody knows, and no flag is
    /// taken away from under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<BTreeSet<String>>,
    /// Whether this is its last report: it serves nobody any more.
    #[serde(default)]
    pub ending: bool,
}

impl Heartbeat {
    /// Whether it can be true, and is small enough to be kept.
    ///
    /// # Errors
    /// What is wrong, as a sentence without an end.
    pub fn check(&self) -> Result<(), String> {
        let names = [("environment", &self.environment), ("store", &self.store)];
        if let Some((field, _)) = names.into_iter().find(|(_, name)| name.contains('/')) {
            return Err(format!("`{field}` holds a `/`, and names of environments and flag stores hold none"));
        }
        let texts = [("service", &self.service), ("instance", &self.instance), ("release", &self.release)];
        let bad = |text: &str| text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control);
        if let Some((field, _)) = names.into_iter().chain(texts).find(|(_, text)| bad(text)) {
            return Err(format!("`{field}` must be a text of 1 to {LONGEST} bytes without control characters"));
        }
        let flags = self.flags.iter().flatten();
        if flags.clone().count() > MOST_FLAGS || flags.into_iter().any(|flag| bad(flag)) {
            return Err(format!("`flags` must be at most {MOST_FLAGS} names of 1 to {LONGEST} bytes without control characters"));
        }
        if !(0..=self.revision).contains(&self.oldest) {
            return Err(format!("`oldest` is {}, which must be from 0 to `revision`, {}", self.oldest, self.revision));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat() -> Heartbeat {
        let text = |text: &str| text.to_owned();
        Heartbeat {
            environment: text("local"),
            store: text("main"),
            service: text("hiring"),
            instance: text("hiring-1"),
            release: text("1.5"),
            revision: 12,
            oldest: 11,
            flags: None,
            ending: false,
        }
    }

    #[test]
    fn what_cannot_be_true_is_refused() {
        assert_eq!(heartbeat().check(), Ok(()));
        let wrong = [
            (Heartbeat { store: "a/b".to_owned(), ..heartbeat() }, "`store`"),
            (Heartbeat { service: String::new(), ..heartbeat() }, "`service`"),
            (Heartbeat { instance: "x".repeat(201), ..heartbeat() }, "`instance`"),
            (Heartbeat { release: "1\n5".to_owned(), ..heartbeat() }, "`release`"),
            (Heartbeat { flags: Some(["a\nb".to_owned()].into()), ..heartbeat() }, "`flags`"),
            (Heartbeat { flags: Some((0..301).map(|at| at.to_string()).collect()), ..heartbeat() }, "`flags`"),
            (Heartbeat { oldest: 13, ..heartbeat() }, "`oldest`"),
            (Heartbeat { oldest: -1, ..heartbeat() }, "`oldest`"),
            (Heartbeat { oldest: -2, revision: -1, ..heartbeat() }, "`oldest`"),
        ];
        for (heartbeat, field) in wrong {
            assert!(heartbeat.check().unwrap_err().starts_with(field), "{heartbeat:?}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let mut body = serde_json::to_value(heartbeat()).unwrap();
        assert!(serde_json::from_value::<Heartbeat>(body.clone()).is_ok());
        body["pid"] = 7.into();
        assert!(serde_json::from_value::<Heartbeat>(body).is_err());
    }
}
