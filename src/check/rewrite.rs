//! A better order written into the playbook's own text, and what differs. Steps keep their lines with the comments above them; what was
//! put in is written out where its kind exists, and as a comment where it does not.

use similar::TextDiff;

use super::mend::{Mended, MendedStep};
use crate::step::{DrainGoal, Move};
use crate::steps;

/// Lines that are shown around a difference.
const AROUND: usize = 2;

/// The playbook's text with its steps in the better order.
#[must_use]
pub fn rewrite(text: &str, mended: &Mended) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut starts: Vec<usize> = mended.steps.iter().filter(|step| step.line > 0).map(|step| first_line(&lines, step.line)).collect();
    starts.sort_unstable();
    let Some(first) = starts.first().copied() else { return text.to_owned() };
    let indent = lines.get(first).map_or(2, |line| line.len() - line.trim_start().len());
    let mut out: Vec<String> = lines.iter().take(first).map(|line| (*line).to_owned()).collect();
    for (at, step) in mended.steps.iter().enumerate() {
        if step.line > 0 {
            let start = first_line(&lines, step.line);
            let end = starts.iter().copied().find(|next| *next > start).unwrap_or(lines.len());
            let block = lines.get(start..end).unwrap_or_default();
            out.extend(block.iter().map(|line| line.trim_end().to_owned()));
        } else {
            out.extend(written(step, at, mended).iter().map(|line| format!("{:indent$}{line}", "")));
        }
        if out.last().is_some_and(|line| !line.is_empty()) {
            out.push(String::new());
        }
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out.join("\n") + "\n"
}

/// The line at which a step's block begins, from 0: its first comment, or the step itself.
fn first_line(lines: &[&str], step: u32) -> usize {
    let mut start = usize::try_from(step).unwrap_or(1).saturating_sub(1);
    while start > 0 && lines.get(start - 1).is_some_and(|line| line.trim_start().starts_with('#')) {
        start -= 1;
    }
    start
}

fn written(step: &MendedStep, at: usize, mended: &Mended) -> Vec<String> {
    let Some(one) = step.moves.first() else { return Vec::new() };
    let body = match one {
        Move::Retire { event } => {
            let topic = mended.steps.iter().flat_map(|step| &step.moves).find_map(|one| match one {
                Move::Drain { topic, .. } if !topic.is_empty() => Some(topic.as_str()),
                _ => None,
            });
            let topic = topic.unwrap_or("<topic>");
            Some(("retire_producers", format!("{{event: {event}, topic: {topic}, services: services.yaml}}")))
        }
        Move::Drain { topic, groups, goal: DrainGoal::Consumed, .. } => {
            let groups = if groups.is_empty() { "<group>".to_owned() } else { groups.join(", ") };
            Some(("drain_topic", format!("{{topic: {topic}, groups: [{groups}]}}")))
        }
        Move::Snapshot { table, topic, event } => {
            let schema = mended.steps.iter().find_map(|step| {
                let registers = |one: &Move| matches!(one, Move::RegisterSchema { event: of, .. } if event.as_ref() == Some(of));
                step.moves.iter().any(registers).then(|| step.id.clone()).flatten()
            });
            let schema = schema.unwrap_or_else(|| "<step that registers the schema>".to_owned());
            Some(("publish_snapshot", format!("{{from: {table}, topic: {topic}, schema: {schema}}}")))
        }
        Move::CatchUp { group, .. } => {
            let of = mended.steps.iter().take(at).rposition(|step| step.moves.iter().any(|one| matches!(one, Move::Snapshot { .. })));
            Some(("catch_up", format!("{{group: {group}, of: {}}}", of.map_or_else(|| "<step>".to_owned(), |of| id(&mended.steps, of)))))
        }
        Move::CreateTopic { topic, compacted } => {
            let configs = if *compacted == Some(true) { ", configs: {cleanup.policy: compact}" } else { "" };
            Some(("create_topic", format!("{{topic: {topic}, partitions: <number>{configs}}}")))
        }
        Move::RegisterSchema { topic: Some(topic), .. } => Some(("register_schema", format!("{{subject: {topic}-value, file: <file>}}"))),
        Move::Flag { flag, to } => Some(("set_flag", format!("{{flag: {flag}, to: {to}}}"))),
        Move::RemoveFlag { flag } => Some(("remove_flag", format!("{{flag: {flag}}}"))),
        _ => None,
    };
    match body.filter(|(kind, _)| steps::find(kind).is_some()) {
        Some((kind, body)) => vec![format!("- id: {}", id(&mended.steps, at)), format!("  {kind}: {body}")],
        None => vec![format!("# here: {one}")],
    }
}

/// A name for a step that was put in.
fn id(steps: &[MendedStep], at: usize) -> String {
    let Some(step) = steps.get(at) else { return String::new() };
    if let Some(id) = &step.id {
        return id.clone();
    }
    let word = match step.moves.first() {
        Some(Move::Retire { .. }) => "retired",
        Some(Move::Drain { .. }) => "drained",
        Some(Move::Snapshot { .. }) => "snapshot",
        Some(Move::CatchUp { .. }) => "caught-up",
        _ => "mend",
    };
    let taken = |name: &str| steps.iter().any(|step| step.id.as_deref() == Some(name));
    if taken(word) { format!("{word}-{}", at + 1) } else { word.to_owned() }
}

/// The lines of two texts: ` ` for both, `-` for the first alone, `+` for the second alone. Long stretches without a difference are
/// left out.
#[must_use]
pub fn diff(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let lines = TextDiff::from_slices(&old, &new);
    let near = lines.grouped_ops(AROUND);
    near.iter().flatten().flat_map(|part| lines.iter_changes(part)).map(|change| format!("{} {}", change.tag(), change.value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_with_its_neighbours() {
        let shown = diff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nx\nf\n");
        assert_eq!(shown, ["  c", "  d", "- e", "+ x", "  f"]);
    }

    #[test]
    fn steps_keep_their_comments_when_they_move() {
        let text = "playbook: p\nsteps:\n  # the first\n  - id: a\n    note: {text: a}\n\n  - id: b\n    note: {text: b}\n";
        let step = |id: &str, line| MendedStep { id: Some(id.to_owned()), moves: Vec::new(), line };
        let mended = Mended { proven: true, changes: Vec::new(), steps: vec![step("b", 7), step("a", 4)] };
        assert_eq!(
            rewrite(text, &mended),
            "playbook: p\nsteps:\n  - id: b\n    note: {text: b}\n\n  # the first\n  - id: a\n    note: {text: a}\n"
        );
    }
}
