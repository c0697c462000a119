//! The commands on schemas, as a shell sees them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::support::PROGRAM;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).current_dir(directory).env_remove("CUTOVER_OUTPUT").output().expect("the program")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

const OLD: &str = r#"{"type": "object", "properties": {"title": {"type": "string"}}}"#;
const NEW: &str = r#"{"type": "object", "properties": {"title": {"type": "string"}, "area": {"type": "string"}}}"#;

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [("old.json", OLD), ("new.json", NEW), ("samples.jsonl", "{\"title\": \"x\"}\n{\"title\": \"x\", \"area\": 5}\n")] {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

#[test]
fn a_refused_change_ends_with_65_and_says_who_would_admit_it() {
    let directory = directory();
    let said = run(directory.path(), &["check-schema", "--old", "old.json", "--new", "new.json", "--mode", "BACKWARD"]);
    assert_eq!(said.status.code(), Some(65));
    insta::assert_snapshot!(text(&said.stdout), @r"
    new.json may not follow at BACKWARD
      #/properties/area (backward): the new schema says what `area` must be; the old schema does not mention it and allows further properties, so documents may hold anything under that name  [OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL]
    admitted by FORWARD_TRANSITIVE, FORWARD, NONE
    order: deploy the writers first, with the new schema; the readers when nothing old is left to be read
    ");
    let said = run(directory.path(), &["check-schema", "--old", "old.json", "--new", "new.json", "--mode", "BACKWARD", "--output", "json"]);
    assert_eq!(said.status.code(), Some(65));
    let answer: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!(answer["compatible"], false);
    assert_eq!(answer["reasons"][0]["path"], "#/properties/area");
    assert_eq!(answer["reasons"][0]["rule"], "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL");
    assert_eq!(answer["admitted_by"], serde_json::json!(["FORWARD_TRANSITIVE", "FORWARD", "NONE"]));
}

#[test]
fn an_admitted_change_ends_with_0_and_lenient_admits_more() {
    let directory = directory();
    for more in [["--mode", "FORWARD"], ["--policy", "lenient"]] {
        let said = run(directory.path(), &[&["check-schema", "--old", "old.json", "--new", "new.json"], more.as_slice()].concat());
        assert_eq!(said.status.code(), Some(0), "{}", text(&said.stdout));
    }
}

#[test]
fn samples_show_what_rules_cannot() {
    let directory = directory();
    let arguments = ["check-schema", "--old", "old.json", "--new", "new.json", "--mode", "FORWARD", "--samples", "samples.jsonl"];
    let said = run(directory.path(), &arguments);
    assert_eq!(said.status.code(), Some(65));
    let out = text(&said.stdout);
    assert!(
        out.contains("the new schema takes 1 of 2") && out.contains("line 2, /area") && out.contains("the old schema takes 2 of 2"),
        "{out}"
    );
}

#[test]
fn a_schema_that_is_no_json_has_a_place_and_is_mended() {
    let directory = directory();
    let broken = "{\n  'type': 'object',\n}\n";
    fs::write(directory.path().join("broken.json"), broken).expect("a file");
    let said = run(directory.path(), &["check-schema", "--old", "old.json", "--new", "broken.json"]);
    assert_eq!(said.status.code(), Some(65));
    assert!(
        text(&said.stderr).contains("broken.json:2:3: it is no JSON") && text(&said.stderr).contains("schema-fix"),
        "{}",
        text(&said.stderr)
    );

    let said = run(directory.path(), &["schema-fix", "broken.json"]);
    assert_eq!(said.status.code(), Some(65));
    assert!(text(&said.stderr).contains("broken.json:2:3: error: a text in single quotes"), "{}", text(&said.stderr));
    assert!(serde_json::from_slice::<Value>(&said.stdout).is_ok());
    assert_eq!(fs::read_to_string(directory.path().join("broken.json")).expect("a file"), broken, "nothing is written unasked");

    let said = run(directory.path(), &["schema-fix", "broken.json", "--output", "json"]);
    let answer: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!((&answer["broken"], &answer["flaws"][1]["line"]), (&Value::Bool(true), &serde_json::json!(2)));

    assert_eq!(run(directory.path(), &["schema-fix", "broken.json", "--write"]).status.code(), Some(0));
    assert_eq!(run(directory.path(), &["schema-fix", "broken.json"]).status.code(), Some(0));
    let said = run(directory.path(), &["check-schema", "--old", "broken.json", "--new", "broken.json", "--mode", "FULL_TRANSITIVE"]);
    assert_eq!(said.status.code(), Some(0));
}
