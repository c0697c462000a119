//! Small things that stand in many pages: a state's shape beside its word, instants, lengths of time.

use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::engine::{RunState, StepState};
use crate::report::words::{length, relative};

/// A shape and the word beside it. The shape is for eyes only; the word says it all.
#[derive(Template)]
#[template(
    source = r#"<span class="mark {{ class }}"><span class="shape" aria-hidden="true">{{ shape }}</span> {{ word }}</span>"#,
    ext = "html"
)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    pub(super) word: String,
}

// Why U+FE0E: it asks for the glyph of text rather than a coloured picture.
const PENDING: (&str, &str) = ("pending", "○");
const WORKING: (&str, &str) = ("working", "◌");
const WAITING: (&str, &str) = ("waiting", "◷");
const ASKING: (&str, &str) = ("asking", "?");
const DONE: (&str, &str) = ("done", "✔\u{fe0e}");
const FAILED: (&str, &str) = ("failed", "✖\u{fe0e}");
const REVERTED: (&str, &str) = ("reverted", "↶");
const STUCK: (&str, &str) = ("stuck", "⚠\u{fe0e}");

impl Mark {
    /// A run's state.
    pub(super) fn run(state: RunState) -> Self {
        use RunState as S;
        let (class, shape) = match state {
            S::Pending => PENDING,
            S::Running => WORKING,
            S::Waiting | S::Paused => WAITING,
            S::Asking => ASKING,
            S::Done => DONE,
            S::Failed | S::Aborted | S::Abandoned => FAILED,
            S::Reverting | S::Reverted => REVERTED,
            S::Held | S::Frozen | S::Stuck | S::Quarantined => STUCK,
        };
        Self { class, shape, word: state.as_str().to_owned() }
    }

    /// A state's word as a row keeps it; one that this program does not know is shown as it is.
    pub(super) fn word(word: &str) -> Self {
        word.parse().map_or_else(|_| Self { class: STUCK.0, shape: STUCK.1, word: word.to_owned() }, Self::run)
    }

    /// A step's state.
    pub(super) fn step(state: StepState) -> Self {
        use StepState as S;
        let (class, shape) = match state {
            S::Pending => PENDING,
            S::Acting | S::Verifying => WORKING,
            S::Waiting => WAITING,
            S::Asking => ASKING,
            S::Done | S::AlreadySo | S::Kept => DONE,
            S::Failed => FAILED,
            S::Skipped => STUCK,
        };
        Self { class, shape, word: state.as_str().replace('_', " ") }
    }
}

/// An instant: how long ago it was, with the instant itself behind it.
#[derive(Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ full }}" data-rel>{{ text }}</time>"#, ext = "html")]
pub(super) struct When {
    iso: String,
    full: String,
    text: String,
}

impl When {
    pub(super) fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { iso: iso(at), full: full(at), text: relative(at, now) }
    }
}

/// An instant as a clock shows it, for rows of a journal.
#[derive(Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ full }}">{{ text }}</time>"#, ext = "html")]
pub(super) struct Clock {
    iso: String,
    full: String,
    text: String,
}

impl Clock {
    pub(super) fn new(at: DateTime<Utc>) -> Self {
        Self { iso: iso(at), full: full(at), text: at.format("%H:%M:%S%.3f").to_string() }
    }
}

/// How long something took, or has taken so far.
#[derive(Template)]
#[template(
    source = r#"{% if let Some(since) = since %}<time datetime="{{ since }}" data-lasts>{{ text }}</time>{% else %}{{ text }}{% endif %}"#,
    ext = "html"
)]
pub(super) struct Lasted {
    since: Option<String>,
    text: String,
}

impl Lasted {
    pub(super) fn new(began: Option<DateTime<Utc>>, ended: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        match (began, ended) {
            (Some(began), Some(ended)) => Self { since: None, text: length(ended - began) },
            (Some(began), None) => Self { since: Some(iso(began)), text: length(now - began) },
            (None, _) => Self { since: None, text: String::new() },
        }
    }
}

/// For addresses and machines.
pub(super) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn full(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text with a capital at its beginning, as a page's sentences have.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A sentence in which backticks set off what is typed.
#[derive(Template)]
#[template(
    source = "{% for (code, text) in parts %}{% if *code %}<code>{{ text }}</code>{% else %}{{ text }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub(super) struct Prose {
    parts: Vec<(bool, String)>,
}

impl Prose {
    pub(super) fn new(text: &str) -> Self {
        Self { parts: text.split('`').enumerate().map(|(at, part)| (at % 2 == 1, part.to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_shape_and_its_word() {
        for state in RunState::ALL {
            let html = Mark::run(*state).to_string();
            assert!(html.contains("aria-hidden=\"true\"") && html.ends_with(&format!("</span> {state}</span>")), "{html}");
        }
        for state in StepState::ALL {
            assert_eq!(Mark::step(*state).word, state.as_str().replace('_', " "));
        }
        assert_eq!(Mark::word("<new>").to_string().matches("&#60;new&#62;").count(), 1);
    }

    #[test]
    fn prose_sets_commands_off_and_escapes() {
        assert_eq!(Prose::new("`cutover open` prints <it>").to_string(), "<code>cutover open</code> prints &#60;it&#62;");
    }
}
