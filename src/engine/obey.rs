//! How a run answers what a person tells it.

use chrono::{DateTime, Utc};

use super::command::{Answer, Command, Order};
use super::effect::Effect;
use super::entry::{AskedFor, Entry, Scope};
use super::run::{Phase, Run};
use super::state::{RunState, StepState};
use super::table::{Rule, rule};

impl Run {
    pub(super) fn obey(&mut self, now: DateTime<Utc>, inbox: i64, order: &Order, effects: &mut Vec<Effect>) {
        let state = self.state();
        let permit = self.meant(order).and_then(|at| {
            self.at = at;
            self.permit(order)
        });
        let (taken, text) = match permit {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        if taken {
            self.carry_out(now, order, effects);
        }
        effects.push(Effect::Answer(inbox, Answer { taken, text, state }));
    }

    /// Where the run stands for this order: of several steps that are under way only the meant one counts, if it is about a step.
    fn state_for(&self, order: &Order) -> RunState {
        if self.is_about_a_step(order) { self.state_of(&[self.at]) } else { self.state() }
    }

    /// What will happen, or why the order is refused.
    fn permit(&self, order: &Order) -> Result<String, String> {
        let text = match rule(self.state_for(order), order.command) {
            Rule::Taken(text) => text,
            Rule::Refused(text) => return Err(text.to_owned()),
        };
        if order.command.needs_reason() && order.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(format!("{} needs a reason", order.command.as_str()));
        }
        if order.command == Command::Skip && self.state() == RunState::Reverting && !self.waits_on_the_way_back() {
            return Err("a step of the way back is under way; only one that waits can be skipped".to_owned());
        }
        let question = self.record().and_then(|record| record.question.as_ref());
        match (order.command, question) {
            (Command::Skip, Some((AskedFor::Question | AskedFor::Approval, _))) => {
                return Err("a question is answered with approve, not skipped".to_owned());
            }
            (Command::Approve, Some((_, question))) => {
                self.may_answer(order)?;
                let given = order.evidence.as_deref().unwrap_or_default().trim();
                match question.evidence.as_deref() {
                    Some("url") if !given.starts_with("http://") && !given.starts_with("https://") => {
                        return Err(
                            "the answer must bring the address of a page that shows it, beginning with http:// or https://".to_owned()
                        );
                    }
                    Some(kind) if given.is_empty() => return Err(format!("the answer must bring evidence ({kind})")),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(text.to_owned())
    }

    /// Whether nothing but the goal of a step of the way back is waited for.
    fn waits_on_the_way_back(&self) -> bool {
        let waits = self.record().is_some_and(|record| record.shown() == StepState::Waiting);
        matches!(self.phase, Phase::Back(_)) && self.revert_ordered.is_none() && waits
    }

    fn carry_out(&mut self, now: DateTime<Utc>, order: &Order, effects: &mut Vec<Effect>) {
        let (by, reason, step) = (order.by.clone(), order.reason.clone(), self.step_id());
        let entry = match order.command {
            Command::Approve => {
                self.answer(now, &by, reason, order.evidence.clone(), effects);
                return;
            }
            Command::Pause => Entry::Paused { by, reason },
            Command::Resume if self.state() == RunState::Paused => Entry::Resumed { by, reason },
            Command::Resume if self.state_for(order) == RunState::Held => Entry::Released { step, guard: None, by, reason },
            Command::Resume | Command::Retry => Entry::Retried { step, by, reason },
            Command::Skip => {
                // Why: a look at the skipped step may be under way; its answer must not be taken for the next step's.
                self.lane_mut().out = None;
                Entry::StepSkipped { step, by, reason: reason.unwrap_or_default() }
            }
            Command::Revert => Entry::RevertOrdered { by, reason, scope: Scope::Run },
            Command::Abort => Entry::AbortOrdered { by, reason },
            Command::Abandon => {
                let why = format!("by {by}: {}", reason.unwrap_or_default());
                Entry::RunEnded { state: RunState::Abandoned, why: Some(why) }
            }
        };
        self.write(now, entry, effects);
    }
}
