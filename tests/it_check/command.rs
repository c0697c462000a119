//! `cutover check` as people and programs see it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn check(playbook: &str, options: &[&str]) -> Output {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it_check/playbooks");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
    command.current_dir(directory).args(["check", &format!("{playbook}.yaml")]).args(options);
    command.output().expect("the program")
}

fn json(playbook: &str, options: &[&str]) -> (i32, Value) {
    let output = check(playbook, &[options, &["--output", "json"]].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().expect("an exit code"), document)
}

fn names(document: &Value) -> Vec<String> {
    let violations = document["violations"].as_array().expect("a list");
    let text = |one: &Value, key: &str| one[key].as_str().expect("a text").to_owned();
    violations.iter().map(|one| format!("{}:{}", text(one, "rule"), text(one, "subject"))).collect()
}

#[test]
fn a_proven_playbook_is_said_to_be_proven() {
    let (code, document) = json("proven", &[]);
    assert_eq!((code, &document["proven"]), (0, &Value::Bool(true)), "{document:#}");
    let keys: Vec<&String> = document.as_object().expect("a map").keys().collect();
    assert_eq!(keys, ["proven", "line", "states", "violations", "start_violations", "assumed"], "no gap was accepted");
    let text = String::from_utf8(check("proven", &[]).stdout).expect("text");
    assert!(text.starts_with("proven: proven over "), "{text}");
}

#[test]
fn a_playbook_that_breaks_something_is_refused_with_its_place_and_story() {
    let (code, document) = json("refused", &[]);
    assert_eq!(code, 65, "{document:#}");
    assert_eq!(names(&document), ["d:domain.candidate_attempt", "d:ManagerAssigned@0"]);
    let first = &document["violations"][0];
    let keys: Vec<&String> = first.as_object().expect("a map").keys().collect();
    assert_eq!(keys, ["rule", "subject", "steps", "line", "column", "story", "mend"]);
    assert_eq!((&first["line"], &first["column"]), (&Value::from(6), &Value::from(9)));
    assert!(first["story"].as_str().expect("a story").contains("`switch`"), "{first:#}");
    let text = String::from_utf8(check("refused", &[]).stdout).expect("text");
    assert!(text.contains("refused.yaml:6:9") && text.contains("mend: "), "{text}");
}

#[test]
fn a_gap_is_accepted_by_name_and_said() {
    let (code, document) =
        json("refused", &["--accept", "d:domain.candidate_attempt", "--accept", "d:ManagerAssigned@0", "--accept", "x:y"]);
    assert_eq!((code, &document["proven"]), (0, &Value::Bool(true)), "{document:#}");
    let assumed: Vec<&str> = document["assumed"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(assumed.contains(&"accepted: d:ManagerAssigned@0, because --accept says so"), "{assumed:?}");
    assert!(assumed.iter().any(|one| one.starts_with("nothing is called x:y;")), "{assumed:?}");
}

#[test]
fn a_mend_is_a_proven_order_and_a_difference_of_the_file() {
    let (code, document) = json("refused", &["--mend"]);
    assert_eq!(code, 65);
    let mended = &document["mended"];
    assert_eq!(mended["proven"], Value::Bool(true), "{mended:#}");
    let order: Vec<&str> = mended["steps"].as_array().expect("a list").iter().filter_map(|step| step["id"].as_str()).collect();
    assert_eq!(order.last(), Some(&"switch"), "{order:?}");
    let text = String::from_utf8(check("refused", &["--mend"]).stdout).expect("text");
    assert!(text.contains("this order is proven:") && text.contains("\n+   - id: "), "{text}");
}

#[test]
fn the_line_is_the_step_that_cannot_be_taken_back() {
    let (code, document) = json("line", &[]);
    assert_eq!(code, 65, "{document:#}");
    assert_eq!(document["line"], Value::from("no-topic"), "{document:#}");
}

#[test]
fn without_declarations_little_is_checked_and_that_is_said() {
    let (code, document) = json("bare", &[]);
    assert_eq!((code, &document["proven"]), (0, &Value::Bool(false)), "{document:#}");
    let first = document["assumed"][0].as_str().expect("a text");
    assert!(first.starts_with("no services are declared"), "{first}");
}

#[test]
fn a_start_that_is_not_declared_is_told_at_its_place() {
    let output = check("elsewhere", &[]);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(65), "{text}");
    assert!(text.contains("elsewhere.yaml:3:31: error[C0119]: there is no release `1.2` of exercises"), "{text}");
}
