//! The order of the demo: the stage, then one playbook after the other, then the count.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DemoArgs, count, scene};
use crate::cli::client::Client;
use crate::cli::exit::{self, CliError};
use crate::cli::follow::{self, Following};
use crate::cli::load::{self, PlaybookArgs};
use crate::cli::plan;
use crate::cli::session::{Format, Session};
use crate::engine::RunState;
use crate::engine::table::exit_code;
use crate::report::words::short_id;
use crate::report::{RunDocument, Tone};

/// The playbook that puts the services where most others begin.
const START: &str = "start";

/// Rows each of which begins where the one before it ends, and the playbook that puts the services where the first one begins.
const LINES: [(&str, &[&str]); 3] = [(START, &["p1", "p2"]), ("start-p3", &["p3", "p4"]), (START, &["p1-notify"])];

/// The playbook that needs no services and no traffic.
const HELLO: &str = "hello";

/// How long each share of a flag is watched: long enough for guards to see it, short enough for whoever watches a demo.
const BAKE: (&str, &str) = ("bake", "2s");

/// One playbook that was applied.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Played {
    /// By which name it was asked for.
    pub(super) playbook: String,
    /// Its run.
    pub(super) run: Uuid,
    /// The state in which the run rests.
    pub(super) state: RunState,
    /// How long it took.
    pub(super) seconds: f64,
}

pub(super) async fn play(session: &Session, args: &DemoArgs) -> Result<u8, CliError> {
    let (start, names) = order(&args.playbooks)?;
    let client = scene::raise(session).await?;
    if names.iter().all(|name| name == HELLO) {
        return hello(session, &client, args).await;
    }
    scene::supervise(session).await?;
    let started = apply(session, &client, start).await?;
    if started.1.state != RunState::Done {
        return told(session, &started.1);
    }
    let stage = scene::Stage::open(session, args.rate).await?;
    let mut played = Vec::new();
    let mut code = exit::OK;
    for name in &names {
        session.print_text(Tone::Strong, name)?;
        let (seconds, run) = apply(session, &client, name).await?;
        session.say(format!("traffic: {}", stage.line()));
        played.push(Played { playbook: name.clone(), run: run.id, state: run.state, seconds });
        code = exit_code(run.state);
        if code != exit::OK {
            break;
        }
    }
    let directory = stage.close(session, Duration::from_secs(args.seconds)).await?;
    let page = page(&client, played.last().map(|played| played.run), args.once).await?;
    count::tell(session, &played, code, &directory, &page).await
}

/// The playbooks in their order, and the one that puts the services where the first of them begins.
///
/// # Errors
/// When one of them does not begin where the ones before it end.
fn order(asked: &[String]) -> Result<(&'static str, Vec<String>), CliError> {
    let asked: Vec<&str> = if asked.is_empty() { vec!["p1", "p2"] } else { asked.iter().map(String::as_str).collect() };
    let lines: Vec<usize> = asked.iter().filter_map(|name| LINES.iter().position(|(_, rows)| rows.contains(&row(name)))).collect();
    let line = lines.first().copied().unwrap_or_default();
    if lines.iter().any(|other| *other != line) {
        let each = LINES.map(|(_, rows)| rows.join(" then ")).join(", ");
        let told = format!("these playbooks do not begin where one another end; one demo plays {each}");
        return Err(CliError::new(exit::USAGE, told).hint("run the demo once for each"));
    }
    let Some((start, rows)) = LINES.get(line) else { return Ok((START, Vec::new())) };
    let mut names: Vec<String> = Vec::new();
    for name in asked {
        let before = rows.iter().position(|other| *other == row(name)).and_then(|at| at.checked_sub(1)).and_then(|at| rows.get(at));
        if let Some(before) = before.filter(|before| !names.iter().any(|there| row(there) == **before)) {
            names.push((*before).to_owned());
        }
        names.push(name.to_owned());
    }
    Ok((start, names))
}

/// The row of a playbook, which may be a file or have a second name.
fn row(name: &str) -> &str {
    match Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name) {
        "comm-020" => "p1",
        "comm-030" => "p3",
        other => other,
    }
}

/// Applies a playbook and follows its run until it rests. How many seconds that took, and the run.
async fn apply(session: &Session, client: &Client, name: &str) -> Result<(f64, RunDocument), CliError> {
    let begun = Instant::now();
    let mut args = PlaybookArgs { playbook: PathBuf::from(name), vars: Vec::new() };
    if load::parameters(session, &args.playbook)?.iter().any(|parameter| parameter == BAKE.0) {
        args.vars.push((BAKE.0.to_owned(), BAKE.1.to_owned()));
    }
    let bundle = load::bundle(session, &args)?;
    let document = plan::ask(client, &bundle).await?;
    if session.global.output == Format::Text && !LINES.iter().any(|(start, _)| *start == name) {
        plan::show(session, &document, false)?;
    }
    let id = Uuid::now_v7();
    let _: Value = client.post("/api/runs", &json!({ "id": id, "bundle": bundle, "plan": document, "yes": true })).await?;
    session.say(format!("Started run {}", short_id(id)));
    let following = Following { ends_on_question: true, patience: None, answers: false };
    let run = match follow::until_rest(session, client, id, &following).await? {
        Some(run) => run,
        None => client.get(&format!("/api/runs/{id}")).await?,
    };
    Ok((begun.elapsed().as_secs_f64(), run))
}

async fn hello(session: &Session, client: &Client, args: &DemoArgs) -> Result<u8, CliError> {
    let (_, run) = apply(session, client, HELLO).await?;
    if session.global.output == Format::Text {
        session.print(Tone::Strong, "what it saw:")?;
        for (step, evidence) in run.steps.iter().filter_map(|step| step.evidence.as_ref().map(|evidence| (step, evidence))) {
            session.print(Tone::Plain, format!("  {}: {}", step.id, evidence.line))?;
        }
        session.print(Tone::Strong, page(client, Some(run.id), args.once).await?)?;
    }
    told(session, &run)
}

/// Says how a run rests that ends the demo.
fn told(session: &Session, run: &RunDocument) -> Result<u8, CliError> {
    if session.is_json() {
        session.json(run)?;
    } else {
        follow::conclude(session, run)?;
    }
    Ok(exit_code(run.state))
}

/// Where a run can be looked at.
async fn page(client: &Client, run: Option<Uuid>, once: bool) -> Result<String, CliError> {
    let path = run.map_or_else(|| "/".to_owned(), |run| format!("/runs/{run}"));
    Ok(if once {
        format!("page: {}{path}, once you run the demo without --once", client.url())
    } else {
        format!("page: {} (logs your browser in once, within a minute; `cutover open` prints a new one)", client.page(&path).await?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_begins_where_the_one_before_it_ends() {
        let order = |asked: &[&str]| order(&asked.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let names = |asked: &[&str]| order(asked).unwrap().1;
        assert_eq!(names(&[]), ["p1", "p2"]);
        assert_eq!(names(&["p2"]), ["p1", "p2"]);
        assert_eq!(names(&["comm-020", "p2"]), ["comm-020", "p2"]);
        assert_eq!(names(&["p1"]), ["p1"]);
        assert_eq!(order(&["hello"]).unwrap(), ("start", vec!["hello".to_owned()]));
        assert_eq!(order(&["p4"]).unwrap(), ("start-p3", vec!["p3".to_owned(), "p4".to_owned()]));
        assert_eq!(names(&["/tmp/p3.yaml", "p4"]), ["/tmp/p3.yaml", "p4"]);
        assert_eq!(order(&["p1-notify"]).unwrap().0, "start");
        assert_eq!(order(&["p1", "p3"]).unwrap_err().exit, exit::USAGE);
    }
}
