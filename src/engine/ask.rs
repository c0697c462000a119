//! Questions to people, and the answers that `--yes` gives in the starter's name.

use chrono::{DateTime, Utc};

use super::definition::Approvals;
use super::effect::Effect;
use super::entry::{AskedFor, Entry, How};
use super::run::{Phase, Run};
use crate::step::{Evidence, Question, Receipt, Risk};

/// The reason in the journal when `--yes` answered.
pub const BY_YES: &str = "--yes";

impl Run {
    pub(super) fn ask(&mut self, now: DateTime<Utc>, why: AskedFor, question: Question, effects: &mut Vec<Effect>) {
        let (step, plain_yes) = (self.step_id(), question.evidence.is_none());
        self.write(now, Entry::Asked { step, question, why }, effects);
        let starter = self.begun.as_ref().filter(|begun| begun.yes && begun.approvals != Approvals::Other).map(|begun| begun.by.clone());
        let askable = matches!(why, AskedFor::Question | AskedFor::Approval);
        if let Some(by) = starter.filter(|_| askable && plain_yes && !self.leads_over_the_line()) {
            self.answer(now, &by, Some(BY_YES.to_owned()), None, effects);
        }
    }

    /// Asks for the step's `approval` option, if it has one that is not answered yet.
    pub(super) fn ask_approval(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) -> bool {
        let Some((definition, record)) = self.present() else { return false };
        match definition.approval.clone().filter(|_| !record.approved) {
            Some(text) => {
                self.ask(now, AskedFor::Approval, Question { text, evidence: None }, effects);
                true
            }
            None => false,
        }
    }

    /// Writes a yes and what follows from it.
    pub(super) fn answer(
        &mut self,
        now: DateTime<Utc>,
        by: &str,
        reason: Option<String>,
        evidence: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let why = self.record().and_then(|record| record.question.as_ref()).map(|(why, _)| *why);
        let line = said_by(by, reason.as_deref(), evidence.as_deref());
        let step = self.step_id();
        self.write(now, Entry::Answered { step, by: by.to_owned(), reason, evidence }, effects);
        match why {
            Some(AskedFor::Question) => self.done(now, How::Answered, Evidence::said(line), effects),
            Some(AskedFor::Unclear) => self.act_done(now, Receipt::said(format!("counted as done: {line}")), true, effects),
            Some(AskedFor::Approval | AskedFor::Stale) | None => {}
        }
    }

    /// Whether a step that cannot be taken back follows before anybody is asked again.
    fn leads_over_the_line(&self) -> bool {
        let Some(begun) = &self.begun else { return true };
        if begun.approvals == Approvals::None || self.phase != Phase::Forward {
            return false;
        }
        let ahead = self.definition.steps.iter().skip(self.at);
        let until_next = ahead.enumerate().take_while(|(at, step)| *at == 0 || (step.approval.is_none() && step.kind != "approval"));
        until_next.map(|(_, step)| step).any(|step| step.risk == Risk::PointOfNoReturn)
    }
}

fn said_by(by: &str, reason: Option<&str>, evidence: Option<&str>) -> String {
    let mut line = format!("by {by}");
    for part in [reason, evidence].into_iter().flatten() {
        line.push_str(": ");
        line.push_str(part);
    }
    line
}
