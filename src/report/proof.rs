//! The proof of a plan as lines for people. This room shows it and proves nothing.

use super::plan::{Line, Tone};
use super::words::{counted, grouped};
use crate::step::{Proof, Violation};

fn line(tone: Tone, text: impl Into<String>) -> Line {
    Line { tone, text: text.into() }
}

/// The verdict, as the end of a sentence.
#[must_use]
pub fn verdict(proof: &Proof) -> Line {
    let states = counted(proof.states, "state", "states");
    match (proof.proven, proof.violations.len()) {
        (true, _) if proof.accepted.is_empty() => line(Tone::Good, format!("proven over {states}")),
        (true, _) => {
            let gaps = counted(proof.accepted.len(), "gap that was", "gaps that were");
            line(Tone::Warn, format!("proven over {states} but for {gaps} accepted"))
        }
        (false, 0) => line(Tone::Warn, "nothing is proven"),
        (false, count) => line(Tone::Bad, format!("not proven, {} over {states}", counted(count, "thing breaks", "things break"))),
    }
}

/// What stands behind the verdict. `file` is the playbook's, for places; what is assumed is listed when `all` is wanted, and when
/// nothing is proven, because then it says why.
#[must_use]
pub fn lines(proof: &Proof, file: Option<&str>, all: bool) -> Vec<Line> {
    let mut out = Vec::new();
    for gap in &proof.accepted {
        out.push(line(Tone::Warn, format!("accepted: {}, because {}", gap.name(), gap.reason)));
    }
    for violation in &proof.start_violations {
        out.push(line(Tone::Plain, ""));
        out.push(line(Tone::Warn, format!("{}  already so today", violation.name())));
        out.push(line(Tone::Plain, format!("  {}", violation.story)));
    }
    for violation in &proof.violations {
        out.push(line(Tone::Plain, ""));
        out.push(line(Tone::Bad, format!("{}{}", violation.name(), place(file, violation))));
        out.push(line(Tone::Plain, format!("  {}", violation.story)));
        if !violation.mend.is_empty() {
            out.push(line(Tone::Plain, format!("  mend: {}", violation.mend)));
        }
    }
    if !proof.assumed.is_empty() && (all || (!proof.proven && proof.violations.is_empty())) {
        out.push(line(Tone::Plain, ""));
        out.push(line(Tone::Dim, format!("assumed, {}:", grouped(proof.assumed.len()))));
        out.extend(proof.assumed.iter().map(|assumed| line(Tone::Dim, format!("  {assumed}"))));
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
    proof.proven.then(|| line(Tone::Plain, text))
}

fn place(file: Option<&str>, violation: &Violation) -> String {
    match (violation.line, violation.column, file) {
        (Some(line), Some(column), Some(file)) => format!("  {file}:{line}:{column}"),
        (Some(line), _, None) => format!("  line {line}"),
        _ => String::new(),
    }
}
