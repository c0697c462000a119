//! Ways to play a demo that several rows share: with controllers that die, and taken back from the middle.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cutover::engine::JournalEntry;
use cutover::engine::PlanDocument;
use cutover::stack::keeper;
use cutover::step::ErasedPlan;
use cutover::store::{Store, StoreOptions};
use serde_json::Value;
use uuid::Uuid;

use super::stage::{PROGRAM, Stage, clean, document};
use crate::foreseen;

/// Where controllers die, again and again, each counting the writes from its own start.
const DEATHS: [&str; 2] = ["committed:7", "before:8"];

async fn store(stage: &Stage) -> Store {
    let url = keeper::ensure_with(&stage.data, Path::new(PROGRAM)).await.unwrap();
    let options = StoreOptions { url: url.expose().to_owned(), lease: Duration::from_mins(1), connections: 1 };
    Store::connect(&options).unwrap()
}

async fn journal(stage: &Stage, run: Uuid) -> Vec<JournalEntry> {
    store(stage).await.journal(run, 0, i64::MAX).await.unwrap()
}

/// The run's journal is its plan come true.
pub async fn did_what_it_foresaw(stage: &Stage, run: Uuid) {
    let source = store(stage).await.run_sources(&[run]).await.unwrap().pop().expect("the run");
    let plan: PlanDocument = serde_json::from_value(source.plan).unwrap();
    assert_eq!(foreseen::unforeseen(&plan.steps, &journal(stage, run).await), Vec::<String>::new(), "{}", plan.playbook);
    assert!(plan.proof.expect("a proof").proven, "{}", plan.playbook);
    let today = plan.today.expect("what the live systems said");
    assert_eq!(today.unasked, Vec::<String>::new(), "{}", plan.playbook);
    let (release, read) = match plan.playbook.as_str() {
        "comm-020" => ("1.4", "call"),
        "p2" => ("1.6", "events"),
        _ => return,
    };
    assert_eq!(today.releases["hiring"], [release.to_owned()].into(), "{today:#?}");
    assert_eq!(today.flags["exercise-read"], [read.to_owned()].into(), "{today:#?}");
}

/// Plays a demo while controllers die, at least three of them in each of its runs.
pub async fn killed(stage: &Stage, options: &[&str]) -> Value {
    // Why: the deaths are counted from the first write of this demo, so an earlier server must not be joined.
    stage.run(&["serve", "--stop"]).await;
    let first = stage.serve(Some(DEATHS[0]));
    stage.until_served(first.id()).await;
    let mut demo = stage.command(&[&["demo", "--seconds", "1", "--output", "json"], options].concat());
    let demo = tokio::task::spawn_blocking(move || demo.output().unwrap());
    let deaths = Mutex::new(Vec::new());
    let output = tokio::select! {
        () = die_again_and_again(stage, first, &deaths) => unreachable!("there is always another controller"),
        output = demo => output.unwrap(),
    };
    if let Some(last) = stage.server() {
        last.kill().await.unwrap();
    }
    let (told, deaths) = (document(&output), deaths.into_inner().unwrap());
    assert_eq!(told["outcome"], "done", "{told:#}");
    for run in told["runs"].as_array().unwrap() {
        let (seen, _) = stage.json(&["runs", "show", run["run"].as_str().unwrap()]).await;
        let at = |field: &str| seen[field].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        let within = deaths.iter().filter(|death| (at("started_at")..at("ended_at")).contains(death)).count();
        println!("{within} controllers died in {}", run["playbook"]);
        assert!(within >= 3, "{} controllers died in {}: {deaths:?}", within, run["playbook"]);
    }
    told
}

/// Serves until each crash point has come, without end, and writes down when each controller died.
async fn die_again_and_again(stage: &Stage, first: Child, deaths: &Mutex<Vec<DateTime<Utc>>>) {
    let mut next = Some(first);
    for crash in DEATHS.iter().cycle() {
        let mut server = next.take().unwrap_or_else(|| stage.serve(Some(crash)));
        let ended = tokio::task::spawn_blocking(move || server.wait().unwrap()).await.unwrap();
        assert_eq!(ended.signal(), Some(9), "{crash}: {ended}");
        deaths.lock().unwrap().push(Utc::now());
    }
}

/// A demo under way.
pub type Demo = tokio::task::JoinHandle<std::process::Output>;

/// As [`taken_back_after`], with nothing happening meanwhile.
pub async fn taken_back(stage: &Stage, rows: &[&str], before: &str) -> (Value, Vec<String>) {
    taken_back_after(stage, rows, before, async |_| ()).await
}

/// Plays `rows` under traffic, the last one only up to before its step `before`, and takes that one back from there. The way back must be
/// proven and come as `plan --revert` tells it, and the count be clean. The lines that were kept or lost, with their reasons.
pub async fn taken_back_after(stage: &Stage, rows: &[&str], before: &str, meanwhile: impl AsyncFnOnce(&mut Demo)) -> (Value, Vec<String>) {
    let (last, first) = rows.split_last().expect("a row");
    let stopped = stopped(stage, last, before);
    let named = first.iter().copied().chain([stopped.as_str()]).flat_map(|row| ["--playbook", row]);
    let mut demo = stage.command(&["demo", "--seconds", "1", "--output", "json"].into_iter().chain(named).collect::<Vec<_>>());
    let mut demo = tokio::task::spawn_blocking(move || demo.output().unwrap());
    meanwhile(&mut demo).await;
    let id = loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!demo.is_finished(), "the demo ended before it came there: {:#}", document(&demo.await.unwrap()));
        if stage.server().is_none() {
            continue;
        }
        let output = stage.run(&["runs", "show", "--output", "json"]).await;
        let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let never = run["steps"].as_array().into_iter().flatten().find(|step| step["id"] == "never");
        if run["playbook"] == playbook_name(last) && never.is_some_and(|step| step["state"] == "waiting") {
            break run["id"].as_str().unwrap().to_owned();
        }
    };
    let (told, code) = stage.json(&["plan", "--revert", &id]).await;
    assert_eq!(code, 0, "{told:#}");
    let plan: PlanDocument = serde_json::from_value(told).unwrap();
    let proof = plan.proof.as_ref().expect("a proof");
    assert!(proof.proven, "{proof:#?}");
    let said = stage.run(&["runs", "revert", &id, "--reason", "a test", "--yes"]).await;
    assert!(said.status.success(), "{said:?}");
    let told = document(&demo.await.unwrap());
    assert_eq!(told["outcome"], "reverted", "{told:#}");
    clean(&told);
    assert_eq!(foreseen::unforeseen_back(&plan.steps, &journal(stage, id.parse().unwrap()).await), Vec::<String>::new());
    let (seen, _) = stage.json(&["runs", "show", &id]).await;
    let mut kept = Vec::new();
    for step in &plan.steps {
        println!("{}: {}", step.id, step.kind);
        if let ErasedPlan::Kept(why) | ErasedPlan::Impossible(why) = &step.plan {
            let line = seen["back"].as_array().unwrap().iter().find(|line| line["id"] == step.id.as_str()).expect("the line");
            let said = foreseen::countless(line["line"].as_str().unwrap_or_default());
            assert!(said.contains(&foreseen::countless(why)), "{line:#} does not say {why}");
            kept.push(format!("{}: {why}", step.id));
        }
    }
    println!("kept: {kept:#?}");
    (told, kept)
}

/// The name that a row's playbook has for itself.
fn playbook_name(row: &str) -> &str {
    if row == "p1" { "comm-020" } else { row }
}

/// A row that waits for ever before one of its steps. Its schemas say something new, so that registering them is a change.
fn stopped(stage: &Stage, row: &str, before: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let to = stage.directory.join("playbooks");
    std::fs::create_dir_all(to.join("schemas")).unwrap();
    for directory in ["", "schemas"] {
        for entry in std::fs::read_dir(from.join(directory)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let text =
                std::fs::read_to_string(entry.path()).unwrap().replacen("\"title\":", "\"description\": \"once more\", \"title\":", 1);
            std::fs::write(to.join(directory).join(entry.file_name()), text).unwrap();
        }
    }
    let path = to.join(format!("{}.yaml", playbook_name(row)));
    let text = std::fs::read_to_string(&path).unwrap();
    let step = format!("  - id: {before}\n");
    assert!(text.contains(&step), "{row} has no step {before}");
    let never = "  - id: never\n    check_http: {http: exercises, path: /version, json: {/release: never}}\n\n";
    std::fs::write(&path, text.replace(&step, &format!("{never}{step}"))).unwrap();
    path.to_string_lossy().into_owned()
}
