//! `cutover runs`: the list, one run, and the verbs.

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::exit::{self, CliError};
use super::plan;
use super::session::Session;
use crate::engine::command::{Answer, Command};
use crate::report::words::{counted, relative, short_id};
use crate::report::{Line, RunDocument, Tone};
use crate::ui::progress::{guard_lines, step_line};
use crate::ui::prompt;
use crate::web::documents::{OrderRequest, RunsDocument};

/// List runs, show one, or tell one something
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    /// What is done; the list when it is left out.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// What is done with runs.
#[derive(Clone, Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, the newest first
    List(ListArgs),
    /// Show one run with its steps
    Show {
        /// The run; the newest one when it is left out
        run: Option<String>,
    },
    /// Begin nothing new; what is under way is finished
    Pause(VerbArgs),
    /// Go on after a pause
    Resume(VerbArgs),
    /// Say yes to what the run asks
    Approve(VerbArgs),
    /// Try the failed step again
    Retry(VerbArgs),
    /// Go on without the present step; needs --reason
    Skip(VerbArgs),
    /// Show the way back, then take back what the run did, as far as it can be
    Revert(RevertArgs),
    /// Stop where it stands
    Abort(VerbArgs),
    /// Give up a run that cannot go on; needs --reason
    Abandon(VerbArgs),
}

/// Which runs.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// Only runs in this state
    #[arg(long)]
    pub state: Option<String>,
    /// Only runs of this playbook
    #[arg(long)]
    pub playbook: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    pub limit: u16,
}

/// Which run is told something, and with what.
#[derive(Clone, Debug, Args)]
pub struct VerbArgs {
    /// The run: its id, or the last eight characters of it
    pub run: String,
    /// The step that is meant; refused when the run is at another one by now
    pub step: Option<String>,
    /// Why, for the journal
    #[arg(long)]
    pub reason: Option<String>,
    /// What the question asks for besides a yes
    #[arg(long)]
    pub evidence: Option<String>,
}

/// Which run is taken back.
#[derive(Clone, Debug, Args)]
pub struct RevertArgs {
    /// Which run, and why.
    #[command(flatten)]
    pub verb: VerbArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such run, or it refuses.
pub async fn run(session: &Session, args: &RunsArgs) -> Result<u8, CliError> {
    let client = Client::connect(session).await?;
    let (command, verb) = match args.command.as_ref() {
        None => return list(session, &client, &ListArgs { limit: 20, ..ListArgs::default() }).await,
        Some(RunsCommand::List(args)) => return list(session, &client, args).await,
        Some(RunsCommand::Show { run }) => return show(session, &client, run.as_deref()).await,
        Some(RunsCommand::Pause(args)) => (Command::Pause, args),
        Some(RunsCommand::Resume(args)) => (Command::Resume, args),
        Some(RunsCommand::Approve(args)) => (Command::Approve, args),
        Some(RunsCommand::Retry(args)) => (Command::Retry, args),
        Some(RunsCommand::Skip(args)) => (Command::Skip, args),
        Some(RunsCommand::Revert(args)) => {
            show_way_back(session, &client, args).await?;
            (Command::Revert, &args.verb)
        }
        Some(RunsCommand::Abort(args)) => (Command::Abort, args),
        Some(RunsCommand::Abandon(args)) => (Command::Abandon, args),
    };
    tell(session, &client, command, verb).await
}

/// The run that is meant: by id or its end, or the newest one.
///
/// # Errors
/// When there is none.
pub async fn resolve(client: &Client, run: Option<&str>) -> Result<Uuid, CliError> {
    if let Some(run) = run {
        if !run.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-') || run.is_empty() {
            return Err(CliError::new(exit::USAGE, format!("`{run}` is not the id of a run")).hint("cutover runs"));
        }
        let found: RunDocument = client.get(&format!("/api/runs/{run}")).await?;
        return Ok(found.id);
    }
    let newest: RunsDocument = client.get("/api/runs?limit=1").await?;
    newest.runs.first().map(|run| run.id).ok_or_else(|| CliError::new(exit::USAGE, "there are no runs yet").hint("cutover apply PLAYBOOK"))
}

async fn list(session: &Session, client: &Client, args: &ListArgs) -> Result<u8, CliError> {
    let mut path = format!("/api/runs?limit={}", args.limit);
    for (name, value) in [("state", &args.state), ("playbook", &args.playbook)] {
        if let Some(value) = value {
            if !value.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')) {
                return Err(CliError::new(exit::USAGE, format!("`{value}` is not a {name}")));
            }
            path.extend(["&", name, "=", value.as_str()]);
        }
    }
    let document: RunsDocument = client.get(&path).await?;
    if session.is_json() {
        session.json(&document)?;
        return Ok(exit::OK);
    }
    let runs = document.runs;
    if runs.is_empty() {
        session.say("No runs");
        session.next("cutover apply PLAYBOOK");
    }
    let now = Utc::now();
    let (states, playbooks) = (width(runs.iter().map(|run| run.state.as_str())), width(runs.iter().map(|run| run.playbook.as_str())));
    for run in &runs {
        let text = format!(
            "{}  {:<states$}  {:<playbooks$}  {}  {}, by {}",
            short_id(run.id),
            run.state,
            run.playbook,
            run.environment,
            relative(run.started_at, now),
            run.started_by
        );
        session.print(tone(&run.state), text)?;
    }
    Ok(exit::OK)
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

fn tone(state: &str) -> Tone {
    match state {
        "done" => Tone::Good,
        "asking" | "paused" | "waiting" | "held" => Tone::Warn,
        "failed" | "stuck" | "frozen" | "quarantined" => Tone::Bad,
        "aborted" | "abandoned" | "reverted" => Tone::Dim,
        _ => Tone::Plain,
    }
}

/// Shows what the order would do, and asks whether it is meant, where somebody can be asked.
async fn show_way_back(session: &Session, client: &Client, args: &RevertArgs) -> Result<(), CliError> {
    if session.is_json() {
        return Ok(());
    }
    let id = resolve(client, Some(&args.verb.run)).await?;
    let way = plan::ask_back(client, id).await?;
    // Why: a run that refuses the order says so itself.
    if !way.taken {
        return Ok(());
    }
    if let Some(plan) = &way.plan {
        plan::show(session, plan, false)?;
    } else {
        session.say(format!("The way back cannot be planned now: {}", way.problem.as_deref().unwrap_or_default()));
    }
    let environment = way.plan.as_ref().map_or("its environment", |plan| plan.environment.as_str());
    if args.yes || !session.terminal.asks || prompt::yes(&session.terminal, &format!("Take this back in {environment}?")) {
        return Ok(());
    }
    Err(CliError::new(exit::REFUSED, "nothing was ordered"))
}

/// Prints a run with its steps; the newest one when none is named.
///
/// # Errors
/// When there is no such run.
pub async fn show(session: &Session, client: &Client, run: Option<&str>) -> Result<u8, CliError> {
    let id = resolve(client, run).await?;
    let run: RunDocument = client.get(&format!("/api/runs/{id}")).await?;
    if session.is_json() {
        session.json(&run)?;
        return Ok(exit::OK);
    }
    let (over, all) = run.progress();
    let steps = counted(all, "step", "steps");
    session.print(Tone::Strong, format!("{} in {}: {}, {over} of {steps}", run.playbook, run.environment, run.state))?;
    session.print(Tone::Dim, format!("run {}, started {} by {}", run.id, relative(run.started_at, Utc::now()), run.started_by))?;
    let ids = width(run.steps.iter().chain(&run.back).map(|step| step.id.as_str()));
    for step in &run.steps {
        session.terminal.print(&step_line(step, ids))?;
        for line in guard_lines(step, ids) {
            session.terminal.print(&line)?;
        }
    }
    if !run.back.is_empty() {
        session.print(Tone::Strong, "the way back")?;
    }
    for step in &run.back {
        session.terminal.print(&step_line(step, ids))?;
    }
    if !run.state.is_end() {
        let verbs: Vec<_> = run.verbs.iter().filter(|verb| verb.taken).map(|verb| verb.verb.as_str()).collect();
        session.next(format!("cutover runs {} {}", verbs.join("|"), short_id(run.id)));
    }
    Ok(exit::OK)
}

async fn tell(session: &Session, client: &Client, command: Command, args: &VerbArgs) -> Result<u8, CliError> {
    if command.needs_reason() && args.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(CliError::new(exit::USAGE, format!("{} needs a reason", command.as_str())).hint("--reason TEXT"));
    }
    let id = resolve(client, Some(&args.run)).await?;
    let order = OrderRequest { command, step: args.step.clone(), reason: args.reason.clone(), evidence: args.evidence.clone() };
    let answer: Value = client.post(&format!("/api/runs/{id}/orders"), &order).await?;
    if session.is_json() {
        session.json(&answer)?;
        return Ok(exit::OK);
    }
    if let Ok(answer) = serde_json::from_value::<Answer>(answer) {
        session.terminal.print(&Line { tone: Tone::Good, text: format!("{}: the run {}", command.as_str(), answer.text) })?;
    } else {
        session.say("The order is in the run's inbox; no controller has answered yet");
        return Ok(exit::UNFINISHED);
    }
    session.next(format!("cutover watch {}", short_id(id)));
    Ok(exit::OK)
}
