//! What a person does when no controller is there: a step in words, and in commands of the systems' own tools.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;
use shlex::Quoter;

use super::SystemKind;
use super::scalar::worded;

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandLine {
    /// Something to know or to do, as a sentence.
    Say(String),
    /// A command for a shell in which the variables of [`variable`] are set.
    Run(String),
}

/// A step as a person does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The task, without a full stop.
    pub task: String,
    /// What is done, in order.
    pub lines: Vec<HandLine>,
}

impl ByHand {
    /// A task of which nothing is said yet.
    pub fn new(task: impl Into<String>) -> Self {
        Self { task: task.into(), lines: Vec::new() }
    }

    /// Adds a sentence.
    #[must_use]
    pub fn say(mut self, text: impl Into<String>) -> Self {
        self.lines.push(HandLine::Say(text.into()));
        self
    }

    /// Adds a command.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.lines.push(HandLine::Run(command.into()));
        self
    }

    /// What can be said of any step: what its body says.
    #[must_use]
    pub fn of_body(kind: &str, body: &Value) -> Self {
        let mut text = String::new();
        for (field, value) in body.as_object().into_iter().flatten() {
            let _ = write!(text, "{}{field} {}", if text.is_empty() { "" } else { "; " }, worded(value));
        }
        Self::new(format!("do what `{kind}` does")).say(format!("Its settings: {text}."))
    }
}

/// The shell variable that holds where a system answers, for instance `KAFKA_MAIN` or `REGISTRY_EU_WEST`.
#[must_use]
pub fn variable(kind: SystemKind, name: &str) -> String {
    let word = |text: &str| {
        text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect::<String>()
    };
    format!("{}_{}", word(kind.as_str()), word(name))
}

/// A text as one word of a shell.
#[must_use]
pub fn quote(text: &str) -> String {
    // Why nothing for what cannot be quoted: that is a NUL alone, and those are let through.
    Quoter::new().allow_nul(true).quote(text).map_or_else(|_| String::new(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_variables_and_texts_words() {
        assert_eq!(variable(SystemKind::Kafka, "eu-west"), "KAFKA_EU_WEST");
        assert_eq!((quote("a.b-c"), quote("a b"), quote("")), ("a.b-c".into(), "'a b'".into(), "''".into()));
        for text in ["it's", "$HOME `x` \\ \"y\"", "a!b^c", "two\nlines"] {
            let said = Command::new("sh").args(["-c", &format!("printf %s {}", quote(text))]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), text, "{}", quote(text));
        }
    }

    #[test]
    fn any_step_can_be_told_by_its_body() {
        let told = ByHand::of_body("note", &json!({ "text": "x", "count": 2 }));
        assert_eq!(told.lines, [HandLine::Say("Its settings: text x; count 2.".to_owned())]);
    }
}
