//! The commands on files.

use std::fs;
use std::path::{Path, PathBuf};

use cutover::cli::Output;
use cutover::cli::exit::CliError;
use cutover::cli::explain::{self, ExplainArgs};
use cutover::cli::fmt::{self, FmtArgs};
use cutover::cli::init::{self, InitArgs};
use cutover::cli::lint::{self, LintArgs};
use cutover::cli::schema::{self, SchemaArgs, Subject};
use cutover::cli::steps::{self, StepsArgs, StepsCommand};

/// What a command said: its exit number, its answer and its talk, without the directory that it ran in.
fn said(directory: &Path, command: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> Result<u8, CliError>) -> String {
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let exit = match command(&mut out, &mut talk) {
        Ok(exit) => format!("exit {exit}"),
        Err(error) => format!("exit {}: {error} ({})", error.exit, error.hint.as_deref().unwrap_or_default()),
    };
    let text = format!("{}{}{exit}", String::from_utf8(out).expect("text"), String::from_utf8(talk).expect("text"));
    text.replace(&*directory.to_string_lossy(), "DIR")
}

fn lint(directory: &Path, paths: &[&str], output: Output) -> String {
    let args = LintArgs { paths: paths.iter().map(|path| directory.join(path)).collect(), vars: Vec::new() };
    said(directory, |out, talk| lint::run(&args, out, talk, output))
}

fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    all.sort();
    all
}

#[test]
fn lint_finds_the_playbooks_of_a_directory_and_writes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    fs::create_dir_all(root.join("more/.hidden")).expect("directories");
    fs::write(root.join("good.yaml"), "playbook: good\nsteps:\n  - id: a\n    note: {text: a}\n").expect("a file");
    fs::write(root.join("bad.yaml"), "playbook: bad\nsteps:\n  - id: a\n    note: {text: 5}\n").expect("a file");
    fs::write(root.join("other.yaml"), "kind: Deployment\n").expect("a file");
    fs::write(root.join("cutover.yaml"), "environments: {local: {form: stack}}\n").expect("a file");
    fs::write(root.join("more/latin.yml"), b"playbook: latin\nsteps: \xe4\n").expect("a file");
    fs::write(root.join("more/.hidden/x.yaml"), "playbook: [\n").expect("a file");
    let before = contents(root);
    insta::assert_snapshot!(lint(root, &[""], Output::Text), @r"
    DIR/bad.yaml:4:18: error[C0104]: `text` must be text, not a number
      help: put it in quotes
    DIR/cutover.yaml:1:24: error[C0102]: `form` is not a key of `environments.local`
      help: did you mean `from`?
    DIR/more/latin.yml:2:8: error[C0001]: the file is not UTF-8 text
      help: save it as UTF-8
    4 files, 3 errors, 0 warnings
    hint: cutover explain C0104 says more
    exit 65
    ");
    insta::assert_snapshot!(lint(root, &["good.yaml"], Output::Text), @r"
    1 file, 0 errors, 0 warnings
    exit 0
    ");
    insta::assert_snapshot!(lint(root, &["good.yaml"], Output::Json), @r#"
    {
      "diagnostics": []
    }
    exit 0
    "#);
    insta::assert_snapshot!(lint(root, &["bad.yaml"], Output::Json), @r#"
    {
      "diagnostics": [
        {
          "code": "C0104",
          "severity": "error",
          "file": "DIR/bad.yaml",
          "line": 4,
          "column": 18,
          "message": "`text` must be text, not a number",
          "help": "put it in quotes"
        }
      ]
    }
    exit 65
    "#);
    insta::assert_snapshot!(lint(root, &["bad.yaml"], Output::Terminal { color: false, width: 80 }), @r"
      × error[C0104]: `text` must be text, not a number
       ╭─[DIR/bad.yaml:4:18]
     3 │   - id: a
     4 │     note: {text: 5}
       ·                  ─
       ╰────
      help: put it in quotes
    1 file, 1 error, 0 warnings
    hint: cutover explain C0104 says more
    exit 65
    ");
    insta::assert_snapshot!(lint(root, &["nowhere.yaml"], Output::Text), @"exit 64: cannot read DIR/nowhere.yaml: No such file or directory (os error 2) ()");
    insta::assert_snapshot!(lint(root, &["more/.hidden/y"], Output::Text), @"exit 64: cannot read DIR/more/.hidden/y: No such file or directory (os error 2) ()");
    assert_eq!(contents(root), before);
}

#[test]
fn a_file_that_may_hold_secrets_is_never_shown_in_excerpts() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    fs::write(root.join("cutover.yaml"), "enviroments: {prod: {kafka: {main: {sasl: {password: hunter2}}}}\n").expect("a file");
    let terminal = Output::Terminal { color: false, width: 80 };
    let args = FmtArgs { paths: vec![root.join("cutover.yaml")], check: true };
    for said in
        [lint(root, &["cutover.yaml"], terminal), lint(root, &[""], terminal), said(root, |out, talk| fmt::run(&args, out, talk, terminal))]
    {
        assert!(said.contains("exit 65") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn fmt_changes_the_layout_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let file = root.join("p.yaml");
    let ugly = "playbook:   p\nsteps:\n- id: a # why\n  note: { text: 'a' }\n";
    fs::write(&file, ugly).expect("a file");
    fs::write(root.join("broken.yaml"), "playbook: [\n").expect("a file");
    let run = |path: &str, check: bool| {
        let args = FmtArgs { paths: vec![root.join(path)], check };
        said(root, |out, talk| fmt::run(&args, out, talk, Output::Text))
    };
    insta::assert_snapshot!(run("p.yaml", true), @r"
    not formatted: DIR/p.yaml
    exit 1
    ");
    assert_eq!(fs::read_to_string(&file).expect("text"), ugly);
    insta::assert_snapshot!(run("p.yaml", false), @r"
    formatted: DIR/p.yaml
    exit 0
    ");
    insta::assert_snapshot!(fs::read_to_string(&file).expect("text"), @r#"
    playbook: p
    steps:
      - id: a # why
        note: {text: "a"}
    "#);
    insta::assert_snapshot!(run("p.yaml", true), @"exit 0");
    insta::assert_snapshot!(run("", false), @r"
    DIR/broken.yaml:1:11: error[C0001]: a `[` is never closed
      help: add the `]`
    exit 65
    ");
    assert_eq!(contents(root).len(), 2);
}

#[test]
fn init_writes_what_lints_clean_and_is_formatted_and_overwrites_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let run = || said(root, |out, talk| init::run(&InitArgs { directory: root.to_owned() }, out, talk, Output::Text));
    insta::assert_snapshot!(run(), @r"
    wrote DIR/cutover.yaml
    wrote DIR/playbooks/first.yaml
    next: cutover lint DIR/playbooks/first.yaml
    exit 0
    ");
    insta::assert_snapshot!(lint(root, &["", "cutover.yaml"], Output::Text), @r"
    3 files, 0 errors, 0 warnings
    exit 0
    ");
    let args = FmtArgs { paths: vec![root.to_owned()], check: true };
    assert_eq!(said(root, |out, talk| fmt::run(&args, out, talk, Output::Text)), "exit 0");
    fs::remove_file(root.join("cutover.yaml")).expect("removed");
    insta::assert_snapshot!(run(), @"exit 64: DIR/playbooks/first.yaml exists already (nothing was written; name another directory)");
    assert!(!root.join("cutover.yaml").exists());
}

#[test]
fn explain_prints_the_page() {
    let root = Path::new("/nowhere");
    let run = |code: &str| said(root, |out, talk| explain::run(&ExplainArgs { code: code.to_owned() }, out, talk, Output::Text));
    assert!(run("c0104").starts_with("# C0104: a value of the wrong type\n"));
    insta::assert_snapshot!(run("C9999"), @"exit 64: there is no code `C9999` (codes run from C0001 to C0405)");
}

#[test]
fn steps_are_listed_and_explained() {
    let root = Path::new("/nowhere");
    let run = |command: StepsCommand, output: Output| said(root, |out, talk| steps::run(&StepsArgs { command }, out, talk, output));
    let explain = |kind: &str| StepsCommand::Explain { kind: kind.to_owned() };
    assert!(run(StepsCommand::List, Output::Text).contains("writes a sentence into the journal\n"));
    insta::assert_snapshot!(run(explain("note"), Output::Text), @r#"
    note: writes a sentence into the journal

    Writes a sentence into the run's journal, for whoever reads it later.

    Risk:    changes nothing that anybody could miss
    Nature:  happens anew in every run

    Keys:
      text  (text, required)
          The sentence.

    Example:
      playbook: example-note
      steps:
        - id: remark
          note: {text: "the old endpoint is still served by release 1.5"}
    exit 0
    "#);
    let json = run(explain("note"), Output::Json);
    let json: serde_json::Value = serde_json::from_str(json.trim_end_matches("exit 0")).expect("JSON");
    assert_eq!(json["step"]["name"], "note");
    assert_eq!(json["body"]["properties"]["text"]["type"], "string");
}

#[test]
fn schemas_are_json() {
    for subject in [Subject::Playbook, Subject::Environment] {
        let said = said(Path::new("/nowhere"), |out, talk| schema::run(&SchemaArgs { subject }, out, talk, Output::Text));
        let json: serde_json::Value = serde_json::from_str(said.trim_end_matches("exit 0")).expect("JSON");
        assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}
