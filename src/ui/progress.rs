//! A run while it moves: one line per change, and on a terminal a moving line below them with the present step and its clock.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Terminal;
use crate::engine::StepState;
use crate::engine::guard::SampleVerdict;
use crate::report::words::length;
use crate::report::{EventDocument, GuardDocument, Line, RunDocument, StepDocument, Tone};

/// Shows a run.
pub struct RunProgress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
}

/// The shape beside a state's word.
#[must_use]
pub fn shape(state: StepState) -> (&'static str, Tone) {
    match state {
        StepState::Pending => ("○", Tone::Dim),
        StepState::Acting | StepState::Verifying => ("◌", Tone::Plain),
        StepState::Waiting => ("◷", Tone::Plain),
        StepState::Asking => ("?", Tone::Warn),
        StepState::Done | StepState::AlreadySo => ("✔", Tone::Good),
        StepState::Kept | StepState::Skipped => ("=", Tone::Dim),
        StepState::Failed => ("✖", Tone::Bad),
    }
}

/// A step in one line: shape, id, kind, what there is to say, how long it took.
#[must_use]
pub fn step_line(step: &StepDocument, ids: usize) -> Line {
    let (shape, tone) = shape(step.state);
    let took = match (step.began, step.ended) {
        (Some(began), Some(ended)) => format!("  {}", length(ended - began)),
        _ => String::new(),
    };
    let kind = if step.kind.is_empty() { String::new() } else { format!("{}: ", step.kind) };
    Line { tone, text: format!("{shape} {:<ids$}  {kind}{}{took}", step.id, step.line) }
}

/// The guards of a step, one line each; none for a step that is over.
#[must_use]
pub fn guard_lines(step: &StepDocument, ids: usize) -> Vec<Line> {
    let line = |guard: &GuardDocument| {
        let tone = if guard.held.is_some() || guard.verdict == Some(SampleVerdict::Bad) { Tone::Warn } else { Tone::Dim };
        Line { tone, text: format!("  {:<ids$}  guard: {}", "", guard.words()) }
    };
    let shown = step.guards.iter().filter(|_| step.began.is_some() && !step.state.is_over());
    shown.map(line).collect()
}

impl RunProgress {
    /// Begins to show a run.
    #[must_use]
    pub fn new(terminal: Terminal) -> Self {
        let bar = (terminal.err && !terminal.quiet).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style.tick_strings(&["◌", "○", "◌", "●", " "]));
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { terminal, bar }
    }

    /// Shows a change.
    pub fn event(&self, event: &EventDocument, run: Option<&RunDocument>) {
        let Some(line) = self.line(event, run) else { return };
        match &self.bar {
            Some(bar) => bar.println(self.terminal.painted(&line)),
            None if !self.terminal.quiet => self.terminal.talk(&line),
            None => {}
        }
    }

    /// Shows what is going on.
    pub fn present(&self, run: &RunDocument, now: chrono::DateTime<chrono::Utc>) {
        if let Some(bar) = &self.bar {
            let (over, all) = run.progress();
            let step = run.present_step().map_or_else(String::new, |step| {
                let clock = step.began.map(|began| format!("  {}", length(now - began))).unwrap_or_default();
                format!("{}  {}{clock}", step.id, step.line)
            });
            let text = format!("{} {over}/{all}  {step}", run.state);
            let width = usize::from(self.terminal.width()).saturating_sub(4);
            bar.set_message(text.chars().take(width).collect::<String>());
        }
    }

    /// Stops moving.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, event: &EventDocument, run: Option<&RunDocument>) -> Option<Line> {
        let steps = || run.into_iter().flat_map(|run| run.back.iter().chain(&run.steps));
        let ids = steps().map(|step| step.id.chars().count()).max().unwrap_or(8);
        let id = event.step.clone().unwrap_or_default();
        let found = steps().find(|step| step.id == id);
        let kind = found.map(|step| format!("{}: ", step.kind)).unwrap_or_default();
        let say = |shape: &str, tone: Tone| Some(Line { tone, text: format!("{shape} {id:<ids$}  {kind}{}", event.line) });
        match event.kind.as_str() {
            "step_done" => match found {
                Some(step) if step.state.is_over() => Some(step_line(step, ids)),
                _ => say("✔", Tone::Good),
            },
            "step_failed" => say("✖", Tone::Bad),
            "step_skipped" => say("=", Tone::Dim),
            "asked" => say("?", Tone::Warn),
            "stumbled" => say("!", Tone::Warn),
            "step_waits" if self.bar.is_none() => say("◷", Tone::Plain),
            "held" => say("⚠", Tone::Warn),
            "released" => say(" ", Tone::Plain),
            "retried" => say(" ", Tone::Dim),
            "paused" | "resumed" | "revert_ordered" | "revert_begun" | "abort_ordered" | "quarantined" => {
                Some(Line { tone: Tone::Strong, text: format!("  {}", event.line) })
            }
            _ => None,
        }
    }
}
