//! The proof of a plan as lines for people. This room shows it and proves nothing.

use super::plan::{Line, Tone};
use super::words::{counted, grouped};
use crate::step::{Proof, Violation};

/// How a proof came out.
pub(super) enum Outcome {
    /// Nothing breaks.
    Proven,
    /// Nothing breaks but for these gaps, in words.
    But(String),
    /// Nothing is known.
    Unknown,
    /// This breaks, in words.
    Breaks(String),
}

impl Outcome {
    pub(super) fn of(proof: &Proof) -> Self {
        match (proof.proven, proof.violations.len()) {
            (true, _) if proof.accepted.is_empty() => Self::Proven,
            (true, _) => Self::But(format!("{} accepted", counted(proof.accepted.len(), "gap that was", "gaps that were"))),
            (false, 0) => Self::Unknown,
            (false, count) => Self::Breaks(counted(count, "thing breaks", "things break")),
        }
    }
}

/// The verdict, as the end of a sentence.
#[must_use]
pub fn verdict(proof: &Proof) -> Line {
    let states = counted(proof.states, "state", "states");
    match Outcome::of(proof) {
        Outcome::Proven => Line::new(Tone::Good, format!("proven over {states}")),
        Outcome::But(gaps) => Line::new(Tone::Warn, format!("proven over {states} but for {gaps}")),
        Outcome::Unknown => Line::new(Tone::Warn, "nothing is proven"),
        Outcome::Breaks(what) => Line::new(Tone::Bad, format!("not proven, {what} over {states}")),
    }
}

/// What stands behind the verdict. `file` is the playbook's, for places; what is assumed is listed when `all` is wanted, and when
/// nothing is proven, because then it says why.
#[must_use]
pub fn lines(proof: &Proof, file: Option<&str>, all: bool) -> Vec<Line> {
    let mut out = Vec::new();
    for gap in &proof.accepted {
        out.push(Line::new(Tone::Warn, format!("accepted: {}, because {}", gap.name(), gap.reason)));
    }
    for violation in &proof.start_violations {
        out.push(Line::new(Tone::Plain, ""));
        out.push(Line::new(Tone::Warn, format!("{}  already so today", violation.name())));
        out.push(Line::new(Tone::Plain, format!("  {}", violation.story)));
    }
    for violation in &proof.violations {
        out.push(Line::new(Tone::Plain, ""));
        out.push(Line::new(Tone::Bad, format!("{}{}", violation.name(), place(file, violation))));
        out.push(Line::new(Tone::Plain, format!("  {}", violation.story)));
        if !violation.mend.is_empty() {
            out.push(Line::new(Tone::Plain, format!("  mend: {}", violation.mend)));
        }
    }
    // Why also where something breaks: what the proof began with is part of why it does.
    if !proof.assumed.is_empty() && (all || !proof.proven) {
        out.push(Line::new(Tone::Plain, ""));
        out.push(Line::new(Tone::Dim, format!("assumed, {}:", grouped(proof.assumed.len()))));
        out.extend(proof.assumed.iter().map(|assumed| Line::new(Tone::Dim, format!("  {assumed}"))));
    }
    out
}

/// How far the way back goes, where that is proven.
#[must_use]
pub fn back(proof: &Proof) -> Option<Line> {
    let text = match &proof.line {
        Some(step) => format!("the way back ends at step `{step}`, which the playbook names as its line"),
        None => "there is a way back from every state".to_owned(),
    };
    proof.proven.then(|| Line::new(Tone::Plain, text))
}

fn place(file: Option<&str>, violation: &Violation) -> String {
    match (violation.line, violation.column, file) {
        (Some(line), Some(column), Some(file)) => format!("  {file}:{line}:{column}"),
        (Some(line), _, None) => format!("  line {line}"),
        _ => String::new(),
    }
}
