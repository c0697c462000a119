//! Following a run until it rests: the common part of `apply` and `watch`.

use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::exit::{self, CliError};
use super::session::{Format, Session};
use crate::engine::table::exit_code;
use crate::engine::{Command, RunState};
use crate::report::words::{counted, length, short_id};
use crate::report::{RunDocument, Tone};
use crate::ui::progress::RunProgress;
use crate::ui::prompt;
use crate::web::documents::{EventsDocument, OrderRequest};

/// How long one request waits for something new.
const WAIT: Duration = Duration::from_secs(20);

/// How long the server may be away before following gives up: a takeover by another one takes less.
const AWAY: Duration = Duration::from_mins(1);

/// How a run is followed.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// Whether a question to a person, or a pause, ends the following.
    pub ends_on_question: bool,
    /// How long it is followed at most.
    pub patience: Option<Duration>,
    /// Whether a person at the terminal is asked the run's questions.
    pub answers: bool,
}

/// Follows a run and returns the exit code of the state in which it rests.
///
/// # Errors
/// When the server stays away, or there is no such run.
pub async fn follow(session: &Session, client: &Client, id: Uuid, how: &Following) -> Result<u8, CliError> {
    match until_rest(session, client, id, how).await? {
        Some(run) => conclude(session, &run),
        None => Ok(exit::INTERRUPTED),
    }
}

/// Follows a run until it rests; `None` when the person at the terminal has detached.
///
/// # Errors
/// As [`follow`].
pub async fn until_rest(session: &Session, client: &Client, id: Uuid, how: &Following) -> Result<Option<RunDocument>, CliError> {
    let progress = RunProgress::new(session.terminal);
    let followed = tokio::select! {
        followed = watch(session, client, id, how, &progress) => followed,
        _ = tokio::signal::ctrl_c() => {
            progress.end();
            session.say(format!("Detached; run {} goes on", short_id(id)));
            session.next(format!("cutover watch {0}, or cutover runs abort {0}", short_id(id)));
            return Ok(None);
        }
    };
    progress.end();
    followed.map(Some)
}

async fn watch(session: &Session, client: &Client, id: Uuid, how: &Following, progress: &RunProgress) -> Result<RunDocument, CliError> {
    let begun = Instant::now();
    let mut after = 0;
    let mut state: Option<RunState> = None;
    let mut away_since: Option<Instant> = None;
    let mut asked_at = 0;
    loop {
        let known = state.map(|state| format!("&state={state}")).unwrap_or_default();
        let path = format!("/api/runs/{id}/events?after={after}&wait={}{known}", WAIT.as_secs());
        let asked = async {
            let news: EventsDocument = client.wait_for(&path, WAIT + Duration::from_secs(15)).await?;
            let run: RunDocument = client.get(&format!("/api/runs/{id}")).await?;
            Ok::<_, CliError>((news, run))
        };
        let (news, run) = match asked.await {
            Ok(told) => told,
            Err(error) if error.exit == exit::UNREACHABLE && away_since.is_none_or(|since| since.elapsed() < AWAY) => {
                if away_since.is_none() {
                    session.say("The server does not answer; the run is safe, waiting for it");
                    away_since = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        away_since = None;
        for event in &news.events {
            after = after.max(event.seq);
            if session.global.output == Format::Jsonl {
                session.json(event)?;
            } else {
                progress.event(event, Some(&run));
            }
        }
        state = Some(news.state);
        progress.present(&run, chrono::Utc::now());
        if run.seq > after {
            continue;
        }
        if run.state == RunState::Asking && how.answers && asked_at != run.seq && session.terminal.asks {
            asked_at = run.seq;
            progress.end();
            if answer(session, client, &run).await? {
                continue;
            }
        }
        if rests(run.state, how.ends_on_question) {
            return Ok(run);
        }
        if how.patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Ok(run);
        }
    }
}

fn rests(state: RunState, ends_on_question: bool) -> bool {
    state.is_end() || (state.needs_person() && (ends_on_question || !matches!(state, RunState::Asking | RunState::Paused | RunState::Held)))
}

/// Asks the person at the terminal what the run asks.
async fn answer(session: &Session, client: &Client, run: &RunDocument) -> Result<bool, CliError> {
    let Some((step, question)) = run.present_step().and_then(|step| Some((step, step.question.as_ref()?))) else { return Ok(false) };
    let evidence = match &question.evidence {
        Some(kind) => match prompt::line(&session.terminal, &format!("{} ({kind}, empty to decide later): ", question.text)) {
            Some(evidence) => Some(evidence),
            None => return Ok(false),
        },
        None if prompt::yes(&session.terminal, &format!("{} — approve?", question.text)) => None,
        None => return Ok(false),
    };
    let order = OrderRequest { command: Command::Approve, step: Some(step.id.clone()), reason: None, evidence };
    match client.post::<Value>(&format!("/api/runs/{}/orders", run.id), &order).await {
        Ok(_) => Ok(true),
        Err(error) => {
            session.say(error.message);
            Ok(false)
        }
    }
}

/// Says how the run rests and what to do next, and returns the exit code for it.
///
/// # Errors
/// When standard output is gone.
pub fn conclude(session: &Session, run: &RunDocument) -> Result<u8, CliError> {
    let code = exit_code(run.state);
    if session.global.output == Format::Json {
        session.json(run)?;
        return Ok(code);
    }
    if session.global.output == Format::Jsonl {
        return Ok(code);
    }
    let (over, all) = run.progress();
    let took = run.ended_at.map(|ended| format!(" in {}", length(ended - run.started_at))).unwrap_or_default();
    let tone = match code {
        0 => Tone::Good,
        75 => Tone::Warn,
        _ => Tone::Bad,
    };
    session.print(
        tone,
        format!("{} in {}: {}, {over} of {}{took}", run.playbook, run.environment, run.state, counted(all, "step", "steps")),
    )?;
    if let Some(step) = run.present_step().filter(|_| code != 0) {
        session.print(Tone::Plain, format!("  {}: {}", step.id, step.line))?;
    }
    let id = short_id(run.id);
    match run.state {
        RunState::Asking => match run.present_step().and_then(|step| step.question.as_ref()).and_then(|question| question.evidence.clone())
        {
            Some(kind) => session.next(format!("cutover runs approve {id} --evidence {}", kind.to_uppercase())),
            None => session.next(format!("cutover runs approve {id}")),
        },
        RunState::Held => session.next(format!("cutover runs resume {id} --reason TEXT, or cutover runs revert {id}")),
        RunState::Failed | RunState::Frozen => {
            session.next(format!("cutover runs retry {id}, or cutover plan --revert {id} and cutover runs revert {id}"));
        }
        RunState::Stuck => {
            session.say("A person must mend what is in the way of this step, or do by hand what it does");
            session.next(format!(
                "cutover plan --revert {id} shows what is left; then cutover runs retry {id}, or once it is done by hand cutover runs skip \
                 {id} --reason TEXT, or cutover runs abandon {id} --reason TEXT"
            ));
        }
        RunState::Quarantined => {
            session.next(format!("cutover runs retry {id}, or cutover runs abandon {id} --reason TEXT"));
        }
        RunState::Paused => session.next(format!("cutover runs resume {id}")),
        RunState::Done => session.next(format!("cutover runs show {id}, or cutover open")),
        _ => {}
    }
    Ok(code)
}
