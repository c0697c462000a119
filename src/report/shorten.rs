//! Keeps the Markdown form within what platforms take, whatever the plan: step by step something is left out, and the report says what,
//! and where all of it is.

use super::document::{ReportDocument, ReportStep};
use super::form::value;
use super::template::{OwnTemplate, Template, TemplateMistake};

/// Most bytes of a Markdown form, and so most characters: GitHub cuts off at 65,536 of them.
pub const MOST: usize = 64_900;

/// Most letters of one value once everything else was left out.
const CLIPPED: usize = 200;

/// Most spans of step numbers in a sentence. Why: a plan in which every second step keeps its details must not fill the report with numbers.
const MOST_SPANS: usize = 40;

/// The report in Markdown.
pub(super) fn markdown(report: &ReportDocument, template: &Template, own: Option<&OwnTemplate>) -> Result<String, TemplateMistake> {
    let render = |shown: &ReportDocument| {
        let mut text = template.render(&value(shown))?;
        // Why: a project's template may not show it, and nobody may take a shortened report for a whole one.
        if let Some(left_out) = shown.left_out.as_ref().filter(|_| own.is_some()) {
            let sentence = super::escape::markdown(left_out);
            if !text.contains(&sentence) {
                text = format!("{}\n\n{sentence}\n", text.trim_end());
            }
        }
        Ok::<_, TemplateMistake>(Some(text).filter(|text| text.len() <= MOST))
    };
    if let Some(whole) = render(report)? {
        return Ok(whole);
    }
    let order = order(report);
    if let Some(text) = fewest(order.len(), |count| render(&without_details(report, &order, count)))? {
        return Ok(text);
    }
    let bare = without_lists(&without_details(report, &order, order.len()));
    let steps = bare.steps.len();
    if let Some(text) = fewest(steps, |count| render(&without_rows(&bare, steps - count)))? {
        return Ok(text);
    }
    if let Some(text) = render(&clipped(&without_rows(&bare, 0)))? {
        return Ok(text);
    }
    let message = format!("the report is longer than {MOST} bytes even with everything left out that can be; make the template shorter");
    Err(TemplateMistake { file: template.file.clone(), line: 1, column: 1, message })
}

/// The first text when as few as possible of `most` things are left out, of which at least one must be.
fn fewest(most: usize, render: impl Fn(usize) -> Result<Option<String>, TemplateMistake>) -> Result<Option<String>, TemplateMistake> {
    let (mut low, mut high, mut found) = (1, most, None);
    while low <= high {
        let middle = low.midpoint(high);
        match render(middle)? {
            Some(text) => {
                found = Some(text);
                high = middle - 1;
            }
            None => low = middle + 1,
        }
    }
    Ok(found)
}

/// The steps in the order in which they lose their details: those that have nothing to do first, then from the last one on.
fn order(report: &ReportDocument) -> Vec<usize> {
    let idle = |step: &ReportStep| step.mark == "=" && step.outcome.is_none();
    let mut order: Vec<usize> = (0..report.steps.len()).collect();
    order.sort_by_key(|at| (report.steps.get(*at).is_none_or(|step| !idle(step)), std::cmp::Reverse(*at)));
    order
}

fn without_details(report: &ReportDocument, order: &[usize], count: usize) -> ReportDocument {
    let mut shown = report.clone();
    let mut numbers = Vec::new();
    for at in order.iter().take(count) {
        if let Some(step) = shown.steps.get_mut(*at) {
            numbers.push(step.number);
            strip(step);
        }
    }
    if count >= report.steps.len() {
        shown.left_out = Some(format!("Left out for length: the details of all steps. {}", all_of_it(report)));
    } else {
        shown.left_out = Some(format!("Left out for length: the details of steps {}. {}", ranges(numbers), all_of_it(report)));
    }
    shown
}

fn all_of_it(report: &ReportDocument) -> String {
    format!("All of it is in the HTML form: {}", report.whole)
}

fn strip(step: &mut ReportStep) {
    step.details = None;
    if let Some(outcome) = &mut step.outcome {
        outcome.evidence.clear();
    }
}

/// `2, 5-9`.
fn ranges(mut numbers: Vec<u64>) -> String {
    numbers.sort_unstable();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if last.saturating_add(1) == number => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let more = if spans.len() > MOST_SPANS { " and others" } else { "" };
    let span = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    format!("{}{more}", spans.iter().take(MOST_SPANS).map(span).collect::<Vec<_>>().join(", "))
}

fn without_lists(report: &ReportDocument) -> ReportDocument {
    let mut shown = report.clone();
    shown.touches.systems.clear();
    shown.params.clear();
    shown.approvals.needed.clear();
    shown.proof.violations.clear();
    shown.proof.start_violations.clear();
    shown.proof.assumed.clear();
    shown.back.clear();
    shown
}

fn without_rows(report: &ReportDocument, kept: usize) -> ReportDocument {
    let mut shown = report.clone();
    let all = shown.steps.len();
    shown.steps.truncate(kept);
    let what =
        "the details of all steps, what they touch, the questions, the parameters, the list of what the proof found and the way back";
    let rows = if kept == all { String::new() } else { format!("; of {all} steps, all from number {} on", kept + 1) };
    shown.left_out = Some(format!("Left out for length: {what}{rows}. {}", all_of_it(report)));
    shown
}

fn clipped(report: &ReportDocument) -> ReportDocument {
    let mut shown = report.clone();
    let clip = |text: &mut String| {
        if let Some((end, _)) = text.char_indices().nth(CLIPPED) {
            text.truncate(end);
            text.push('…');
        }
    };
    let run = shown.run.iter_mut().flat_map(|run| [&mut run.started_by].into_iter().chain(run.quarantined.as_mut()));
    let words = [&mut shown.playbook, &mut shown.environment, &mut shown.summary, &mut shown.no_return.sentence, &mut shown.whole];
    words.into_iter().chain(run).for_each(clip);
    [&mut shown.description, &mut shown.link, &mut shown.file, &mut shown.no_return.step].into_iter().flatten().for_each(clip);
    shown.remarks.clear();
    shown.left_out = Some(format!(
        "Left out for length: every step with its details, what they touch, the questions, the parameters, what the proof found, and the \
         ends of long texts. {}",
        all_of_it(&shown)
    ));
    shown
}
