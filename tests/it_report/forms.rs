//! Every form has every leaf.

use cutover::report::{Form, ReportDocument};
use cutover::step::{ErasedPlan, Proof, Risk};
use serde_json::{Value, json};

use super::ground::{Planned, long, missing, playbooks};

fn must_show_all(name: &str, report: &ReportDocument, forms: &[Form]) {
    for form in forms {
        let text = report.render(*form, None).unwrap_or_else(|mistake| panic!("{mistake}"));
        let missing = missing(report, *form, &text);
        assert!(missing.is_empty(), "{name} in {}: {missing:#?}\n{text}", form.as_str());
    }
}

#[test]
fn every_playbook_is_whole_in_every_form() {
    for (name, planned) in playbooks() {
        let report = planned.report();
        must_show_all(&name, &report, &Form::ALL);
        assert_eq!(report.left_out, None, "{name}");
    }
}

#[test]
fn a_run_is_whole_in_every_form_also_on_its_way_back() {
    let planned = Planned::file("hello.yaml");
    let forward = planned.run_report(false);
    let steps: Vec<_> = forward.steps.iter().filter_map(|step| step.outcome.as_ref()).collect();
    assert!(steps.len() > 4 && steps.iter().any(|outcome| !outcome.evidence.is_empty()), "{steps:#?}");
    must_show_all("forward", &forward, &Form::ALL);
    let back = planned.run_report(true);
    assert!(!back.back.is_empty() && back.run.as_ref().is_some_and(|run| run.state == "reverted"), "{:?}", back.run);
    must_show_all("back", &back, &Form::ALL);
}

#[test]
fn a_long_plan_is_whole_where_nothing_cuts_it_off() {
    must_show_all("long", &long(150).report(), &[Form::Text, Form::Json, Form::Html]);
}

/// A report in which every key has a value, and every list one member.
fn full() -> Value {
    let violation = json!({ "rule": "", "subject": "", "steps": [""], "line": 0, "column": 0, "story": "", "mend": "" });
    let (effect, act) = (json!({ "mark": "", "word": "", "what": "", "from": "", "to": "" }), json!({ "line": "", "state": "" }));
    let question = json!({ "text": "", "evidence": "" });
    let outcome = json!({
        "state": "", "line": "", "question": question, "error": "", "began": "", "ended": "", "took": "",
        "evidence": [{ "name": "", "value": "" }],
    });
    let guard = json!({
        "kind": "", "query": "", "limit": "", "then": "", "options": "", "held": "",
        "samples": [{ "at": "", "line": "", "verdict": "" }],
    });
    let details = json!({
        "line": 0, "risk": "", "effects": [effect], "acts": [act], "waits": { "now": "", "goal": "" }, "question": question, "approval": "",
        "guards": [guard], "durations": [{ "what": "", "bound": "", "length": "" }], "retry": "", "on_failure": "",
        "touches": [{ "how": "", "resource": "" }],
    });
    let run = json!({
        "id": "", "state": "", "progress": "", "started_by": "", "started_at": "", "ended_at": "", "took": "", "seq": 0, "quarantined": "",
    });
    let proof = json!({
        "verdict": "", "sentence": "", "states": 0, "violations": [violation], "start_violations": [violation], "assumed": [""],
    });
    json!({
        "schema": "", "playbook": "", "link": "", "description": "", "file": "", "environment": "",
        "params": [{ "name": "", "value": "" }], "made_at": "", "bundle": "", "summary": "", "remarks": [""], "left_out": "", "whole": "",
        "run": run, "proof": proof,
        "no_return": { "step": "", "sentence": "" },
        "approvals": { "policy": "", "who": "", "needed": [{ "step": "", "text": "", "when": "" }] },
        "durations": { "at_least": "", "sentence": "" },
        "steps": [{
            "number": 0, "id": "", "kind": "", "mark": "", "word": "", "says": "", "no_return": "",
            "details": details, "outcome": outcome,
        }],
        "back": [{ "number": 0, "id": "", "kind": "", "effects": [effect], "acts": [act], "outcome": outcome }],
        "touches": {
            "sentence": "",
            "systems": [{ "system": "", "things": [{ "sort": "", "id": "", "lock": "", "means": "", "steps": [""] }] }],
        },
    })
}

/// Puts something into every leaf that stands nowhere else.
fn mark(value: &mut Value, next: &mut u32) {
    match value {
        Value::Object(parts) => parts.values_mut().for_each(|value| mark(value, next)),
        Value::Array(parts) => parts.iter_mut().for_each(|value| mark(value, next)),
        leaf => {
            *next += 1;
            *leaf = if leaf.is_number() { json!(70_000 + *next) } else { json!(format!("leaf{}x", 1000 + *next)) };
        }
    }
}

#[test]
fn no_form_forgets_a_key() {
    let (mut value, mut marked) = (full(), 0);
    mark(&mut value, &mut marked);
    let report: ReportDocument = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap(), value, "a key of the report is not in this test");
    assert!(marked > 100, "{marked}");
    must_show_all("full", &report, &Form::ALL);
    let text = report.render(Form::Text, None).unwrap();
    assert!(!missing(&report, Form::Text, &text.replace("leaf1100x", "")).is_empty(), "a leaf that is gone is found");
}

#[test]
fn the_forms_of_a_plan_and_of_a_run() {
    let report = Planned::file("comm-020.yaml").report();
    let html = report.render(Form::Html, None).unwrap();
    let (front, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    insta::assert_snapshot!("comm-020.text", report.render(Form::Text, None).unwrap());
    insta::assert_snapshot!("comm-020.json", report.render(Form::Json, None).unwrap());
    insta::assert_snapshot!("comm-020.markdown", report.render(Form::Markdown, None).unwrap());
    insta::assert_snapshot!("comm-020.html", format!("{front}<style>…</style>{body}"));
    insta::assert_snapshot!("hello-back.text", Planned::file("hello.yaml").run_report(true).render(Form::Text, None).unwrap());
}

#[test]
fn the_html_form_needs_nothing_from_outside() {
    for (name, planned) in playbooks() {
        let html = planned.report().render(Form::Html, None).unwrap();
        let tags = || html.split('<').map(|rest| format!("<{}", rest.split('>').next().unwrap_or_default()));
        for outside in ["<script", "<link", "<img", "<iframe", "src=", "http-equiv", " on"] {
            assert!(!tags().any(|tag| tag.contains(outside)), "{name}: {outside}");
        }
        assert!(!html.contains("url(") && !html.contains("@import"), "{name}");
        let addresses: Vec<_> = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        for address in &addresses {
            let target = address.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {address} leads out"));
            assert!(html.contains(&format!("id=\"{target}\"")), "{name}: {address} leads nowhere");
        }
        assert!(addresses.len() > 3);
    }
}

const HOSTILE: &str = r#"playbook: hostile
description: "</style></title><script src=x>alert(1)</script> \u202egpj \e[31m"
steps:
  - id: said
    note: {text: "x</dd></article><img src=x onerror=alert(1)> \"'`\n\n</details>\n# Big\n| a | b |\n/merge"}
  - id: ask
    approval: {text: "yes? @ann #12 !3 ~bug `rm -rf` **b** [x](javascript:alert(1)) <!-- "}
"#;

#[test]
fn texts_cannot_break_out() {
    let mut report = Planned::of(HOSTILE).report();
    report.steps[1].says.push_str(" {{steps}} {{{schema}}}");
    let html = report.render(Form::Html, None).unwrap();
    assert!(!html.contains("<script") && !html.contains("<img") && html.matches("</style>").count() == 1, "{html}");
    assert_eq!(html.matches("</article>").count(), 2);
    let text = report.render(Form::Text, None).unwrap();
    assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[31m") && !text.contains('\u{202e}'), "{text}");
    assert!(text.contains("{{steps}} {{{schema}}}") && text.contains("</details> # Big | a | b | /merge"), "{text}");
    let markdown = report.render(Form::Markdown, None).unwrap();
    for wrong in ["<script", "<img", "@ann", " #12", "!3", "`", "**b", "[x]", "<!--", "\n/merge", "\n# Big", "| a |"] {
        assert!(!markdown.contains(wrong), "{wrong}\n{markdown}");
    }
    let (opened, closed) = (markdown.matches("<details>").count(), markdown.matches("</details>").count());
    assert_eq!((opened, closed), (4, 4), "{markdown}");
    for form in Form::ALL {
        assert_eq!(report.render(form, None).unwrap(), report.render(form, None).unwrap());
    }
}

const DESTROYS: &str = "playbook: destroys
steps:
  - id: topic
    create_topic: {topic: orders, partitions: 1}
  - id: quiet
    set_flag: {flag: orders-events, to: off}
  - id: gone
    delete_topic: {topic: orders}
";

#[test]
fn the_line_of_no_return_is_the_earlier_of_what_is_proven_and_what_destroys() {
    let mut planned = Planned::of(DESTROYS);
    planned.plan.steps[2].risk = Risk::PointOfNoReturn;
    planned.plan.steps[2].plan = ErasedPlan::CannotPreview("the topic is not there yet".to_owned());
    let line = |report: &ReportDocument| {
        let marked: Vec<_> = report.steps.iter().filter(|step| step.no_return.is_some()).map(|step| step.id.clone()).collect();
        assert_eq!(marked, report.no_return.step.iter().cloned().collect::<Vec<_>>());
        report.no_return.step.clone()
    };
    let report = planned.proven(None);
    assert_eq!((report.proof.verdict.as_str(), line(&report).as_deref()), ("no proof", Some("gone")));
    let proof = |text: &str| planned.proven(Some(serde_json::from_str::<Proof>(text).unwrap()));
    let proven = proof(
        r#"{"proven": true, "line": "quiet", "states": 41, "violations": [], "start_violations": [], "assumed": ["nobody else writes"]}"#,
    );
    assert_eq!((proven.proof.verdict.as_str(), line(&proven).as_deref()), ("proven", Some("quiet")));
    must_show_all("proven", &proven, &Form::ALL);
    let broken = proof(
        r#"{"proven": false, "line": null, "states": 0, "assumed": [], "start_violations": [],
            "violations": [{"rule": "d", "subject": "topic orders", "steps": ["quiet", "gone"], "line": 7, "column": 5,
                            "story": "orders goes while hiring reads it", "mend": "drain it first", "more": 1}]}"#,
    );
    assert_eq!(broken.proof.sentence, "1 thing breaks on the way");
    assert_eq!(line(&broken).as_deref(), Some("gone"));
    must_show_all("broken", &broken, &Form::ALL);
    let safe = Planned::of("playbook: safe\nsteps:\n  - id: said\n    note: {text: a}\n");
    assert_eq!(line(&safe.report()), None);
    assert!(safe.report().no_return.sentence.contains("is not proven"));
}
