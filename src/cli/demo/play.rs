//! The order of the demo: the stage, then one playbook after the other, then the count.

use std::path::PathBuf;
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

/// The playbook that puts the services where the others begin.
const START: &str = "start";

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
    let names = names(&args.playbooks);
    let client = scene::raise(session).await?;
    if names.iter().all(|name| name == HELLO) {
        return hello(session, &client, args).await;
    }
    scene::supervise(session).await?;
    let started = apply(session, &client, START).await?;
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

/// The playbooks in their order. The way back from events begins where the way to events ends.
fn names(asked: &[String]) -> Vec<String> {
    let asked: Vec<&str> = if asked.is_empty() { vec!["p1", "p2"] } else { asked.iter().map(String::as_str).collect() };
    let there = |name: &&str| matches!(*name, "p1" | "comm-020");
    let back = asked.iter().position(|name| *name == "p2");
    let first = back.is_some_and(|at| !asked.iter().take(at).any(there)).then_some("p1");
    first.into_iter().chain(asked).map(str::to_owned).collect()
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
    if session.global.output == Format::Text && name != START {
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
    fn the_way_back_begins_where_the_way_there_ends() {
        let names = |asked: &[&str]| names(&asked.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]), ["p1", "p2"]);
        assert_eq!(names(&["p2"]), ["p1", "p2"]);
        assert_eq!(names(&["comm-020", "p2"]), ["comm-020", "p2"]);
        assert_eq!(names(&["p1"]), ["p1"]);
        assert_eq!(names(&["hello"]), ["hello"]);
    }
}
