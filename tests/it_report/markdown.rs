//! The Markdown form stays within what platforms take, and says what it leaves out.

use cutover::report::{Form, MOST_MARKDOWN, ReportDocument};

use super::ground::{Planned, WHOLE, leaves, long, one_line, seen};

fn markdown(report: &ReportDocument) -> String {
    let text = report.render(Form::Markdown, None).unwrap();
    assert!(text.len() <= MOST_MARKDOWN && MOST_MARKDOWN < 65_000, "{} bytes", text.len());
    text
}

/// The numbers of the steps of which a report says that their details are left out.
fn left_out(seen: &str) -> Vec<u64> {
    let (_, rest) = seen
        .split_once("Left out for length: the details of steps ")
        .unwrap_or_else(|| panic!("{}", seen.chars().take(600).collect::<String>()));
    let (numbers, _) = rest.split_once(". ").unwrap();
    let span = |span: &str| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        first.parse::<u64>().unwrap()..=last.parse::<u64>().unwrap()
    };
    numbers.split(", ").flat_map(span).collect()
}

#[test]
fn a_long_plan_loses_the_details_of_some_steps_and_nothing_else() {
    let report = long(50).report();
    let text = markdown(&report);
    let seen = seen(Form::Markdown, &text);
    assert!(seen.contains(WHOLE), "it does not say where all of it is");
    let gone = left_out(&seen);
    assert!(gone.len() > 3 && gone.len() < 45, "{gone:?}");
    let value = serde_json::to_value(&report).unwrap();
    for (at, step) in report.steps.iter().enumerate() {
        let details = leaves(&value["steps"][at]["details"]["guards"]);
        let whole = details.iter().all(|(_, leaf)| seen.contains(&one_line(leaf)));
        assert_eq!(whole, !gone.contains(&step.number), "step {}", step.number);
        assert!(seen.contains(&one_line(&step.says)) && text.contains(&format!("<code>{}</code>", step.id)));
    }
    let mut rest = value;
    rest["steps"].take();
    let missing: Vec<_> = leaves(&rest).into_iter().filter(|(_, leaf)| !seen.contains(&one_line(leaf))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // One step fewer with its details would have been one too many left out.
    let room = MOST_MARKDOWN - text.len();
    assert!(room < 3000, "{room} bytes are left");
}

#[test]
fn what_is_left_out_is_said_however_long_the_plan_is() {
    let full = long(60).report();
    for steps in [400, 1500] {
        let mut report = full.clone();
        report.steps = report.steps.iter().cycle().take(steps).cloned().collect();
        (1..).zip(&mut report.steps).for_each(|(number, step)| step.number = number);
        let text = markdown(&report);
        let seen = seen(Form::Markdown, &text);
        assert!(seen.contains("Left out for length: the details of all steps") && seen.contains(WHOLE), "{steps} steps");
        assert!(steps < 1000 || seen.contains(&format!("of {steps} steps, all from number ")), "{steps} steps");
    }
}

#[test]
fn values_of_any_length_fit() {
    let mut report = long(60).report();
    let huge = "|`<@".repeat(100_000);
    report.description = Some(huge.clone());
    report.no_return.sentence.clone_from(&huge);
    report.summary.clone_from(&huge);
    report.whole = format!("{WHOLE} {huge}");
    let seen = seen(Form::Markdown, &markdown(&report));
    assert!(seen.contains("Left out for length: every step") && seen.contains(WHOLE), "{}", seen.len());
}

#[test]
fn idle_steps_lose_their_details_first() {
    let mut report = long(50).report();
    for step in report.steps.iter_mut().take(3) {
        "=".clone_into(&mut step.mark);
    }
    let gone = left_out(&seen(Form::Markdown, &markdown(&report)));
    let more = gone.len() as u64 - 3;
    let wanted: Vec<u64> = (1..=3).chain(51 - more..=50).collect();
    assert_eq!(gone, wanted);
}

#[test]
fn a_short_plan_leaves_nothing_out() {
    let text = markdown(&Planned::file("comm-020.yaml").report());
    assert!(!text.contains("Left out"), "{text}");
}
