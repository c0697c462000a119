//! `cutover report`, as people type it, on a server that runs.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use cutover::report::ReportDocument;

use crate::ground::{Ground, LOCAL, OPERATE};

const PLAY: &str = "playbook: said
params:
  what: {type: string, default: plain}
steps:
  - id: one
    note: {text: \"${what} is said\"}
";

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn cutover(ground: &Ground, here: &Path, arguments: &[&str]) -> Said {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cutover"));
    command.args(["--server", &ground.base]).args(arguments).current_dir(here).env("CUTOVER_TOKEN", OPERATE).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn project() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().unwrap();
    fs::write(directory.path().join("cutover.yaml"), LOCAL).unwrap();
    fs::create_dir_all(directory.path().join("playbooks")).unwrap();
    fs::write(directory.path().join("playbooks/said.yaml"), PLAY).unwrap();
    directory
}

#[tokio::test]
async fn a_plan_and_a_run_are_reported_from_the_command_line() {
    let (ground, project) = (Ground::new().await, project());
    let here = project.path();
    let plan = cutover(&ground, here, &["report", "said", "--var", "what=it's", "--format", "markdown", "--out", "plan.md"]).await;
    assert_eq!((plan.code, plan.out.as_str()), (0, ""), "{}", plan.err);
    assert!(plan.err.contains("Wrote plan.md"), "{}", plan.err);
    let written = fs::read_to_string(here.join("plan.md")).unwrap();
    assert!(written.starts_with("## <code>cutover</code>: <b>said</b> in local\n") && written.contains("it's is said"), "{written}");
    let again = cutover(&ground, here, &["report", "playbooks/said.yaml", "--output", "json"]).await;
    let report: ReportDocument = serde_json::from_str(&again.out).unwrap();
    assert_eq!(report.whole, "cutover report playbooks/said.yaml --env local --format html");
    assert!(written.contains("--var") && report.run.is_none());

    let id = ground.start(PLAY).await;
    ground.until(id, "done").await;
    let short = id.to_string()[28..].to_owned();
    let run = cutover(&ground, here, &["report", &short]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains(&format!("run {id}: done, 1 of 1 step")) && run.out.contains("done: plain is said"), "{}", run.out);
    let html = cutover(&ground, here, &["report", &short, "--format", "html"]).await;
    assert!(html.out.starts_with("<!doctype html>") && html.out.contains(&id.to_string()), "{}", html.err);
}

#[tokio::test]
async fn a_projects_template_is_used_and_its_mistakes_have_places() {
    let (ground, project) = (Ground::without_driver().await, project());
    let here = project.path();
    let templates = here.join("templates/report");
    fs::create_dir_all(&templates).unwrap();
    fs::write(templates.join("text.hbs"), "ours: {{summary}}\n").unwrap();
    assert_eq!(cutover(&ground, here, &["report", "said"]).await.out, "ours: 1 step: 1 to create\n");
    fs::write(here.join("other.hbs"), "first\n  {{nothing}}\n").unwrap();
    let wrong = cutover(&ground, here, &["report", "said", "--template", "other.hbs"]).await;
    assert_eq!(wrong.code, 78);
    assert!(wrong.err.starts_with("error: other.hbs:2:3: a report has no `nothing` here"), "{}", wrong.err);
    fs::write(templates.join("html.hbs"), "\n{{#each steps}}").unwrap();
    let wrong = cutover(&ground, here, &["report", "said", "--format", "html"]).await;
    assert_eq!(wrong.code, 78);
    assert!(wrong.err.starts_with("error: templates/report/html.hbs:2:"), "{}", wrong.err);
}

#[tokio::test]
async fn what_is_no_report_is_said() {
    let (ground, project) = (Ground::without_driver().await, project());
    for (arguments, message) in [
        (["report", "nowhere.yaml", "--format", "text"], "`nowhere.yaml` is neither a playbook nor the id of a run"),
        (["report", "said", "--format", "pdf"], "invalid value 'pdf'"),
        (["report", "abcdef01", "--format", "text"], "there is no run `abcdef01`"),
        (["report", "abcdef01", "--var", "a=b"], "--var is for playbooks"),
        (["report", "said", "--output=json", "--template=x"], "the JSON form has no template"),
    ] {
        let said = cutover(&ground, project.path(), &arguments).await;
        assert_eq!(said.code, 64, "{arguments:?}: {}", said.err);
        assert!(said.err.contains(message), "{arguments:?}: {}", said.err);
    }
}
