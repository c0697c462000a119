//! Gives an order to a run and waits for the run's own answer, for the API and for the pages alike.

use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::App;
use super::documents::OrderRequest;
use super::problem::Problem;
use crate::driver::claim_again;
use crate::engine::command::Answer;
use crate::engine::{Command, Order, RunState};
use crate::store::runs::RunRow;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two looks for an answer.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Most characters of a reason and of evidence.
const MOST_TEXT: usize = 2000;

/// Most characters of a step's id.
const MOST_ID: usize = 200;

/// What became of an order.
pub(super) struct Given {
    /// Number of its row in the inbox.
    pub(super) inbox: i64,
    /// The run's answer, when one came in time.
    pub(super) answer: Option<Answer>,
}

/// Gives an order.
pub(super) async fn give(app: &App, row: &RunRow, request: OrderRequest, by: &str) -> Result<Given, Problem> {
    let order = order(request, by)?;
    let over = matches!(row.state.parse(), Ok(RunState::Done | RunState::Aborted));
    if order.command == Command::Revert && over {
        // Why: claims that are taken for an order which the run then refuses would be held for ever.
        if let Some(step) = &order.step {
            return Err(Problem::new(StatusCode::CONFLICT, "refused", format!("the run is past {step}")));
        }
        claim_again(&app.store, app.worlds.as_ref(), row.id).await?;
    }
    let inbox = app.store.say(row.id, &order).await?;
    app.poke.notify_one();
    let (since, mut pause) = (Instant::now(), Duration::from_millis(10));
    while since.elapsed() < PATIENCE {
        if let Some(answer) = app.store.answer(inbox).await? {
            return Ok(Given { inbox, answer: Some(answer) });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(Given { inbox, answer: None })
}

fn order(request: OrderRequest, by: &str) -> Result<Order, Problem> {
    Ok(Order {
        command: request.command,
        by: by.to_owned(),
        reason: text("reason", request.reason, MOST_TEXT)?,
        step: text("step", request.step, MOST_ID)?,
        evidence: text("evidence", request.evidence, MOST_TEXT)?,
    })
}

/// A text of bounded length; an empty one counts as none.
fn text(name: &str, text: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > most {
        return Err(Problem::malformed(format!("`{name}` has more than {most} characters")));
    }
    if text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t')) {
        return Err(Problem::malformed(format!("`{name}` holds characters that do not print")));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_blank_ones_are_none() {
        assert_eq!(text("reason", Some(" \n ".to_owned()), 5).unwrap(), None);
        assert_eq!(text("reason", Some(" a\nb ".to_owned()), 5).unwrap().as_deref(), Some("a\nb"));
        assert!(text("reason", Some("ä".repeat(6)), 5).unwrap_err().message.contains("`reason`"));
        assert!(text("reason", Some("a\u{1b}[31m".to_owned()), 50).is_err());
    }
}
