//! What is known of one step of a run.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::entry::AskedFor;
use super::guard::GuardRecord;
use super::state::StepState;
use crate::step::{ErasedChange, Evidence, Nature, Question, Receipt, StepError};

/// A step's part of the run, rebuilt from the journal.
#[expect(clippy::struct_excessive_bools, reason = "each is what one kind of journal entry says, and they are independent")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepRecord {
    /// Where it stands.
    pub state: StepState,
    /// The change with its before-image.
    pub change: Option<ErasedChange>,
    /// Changes that were made before the step was tried again from the start, oldest first, with their receipts.
    pub earlier: Vec<(ErasedChange, Vec<Receipt>)>,
    /// How often it was begun.
    pub rounds: u32,
    /// Index of the present act.
    pub act: usize,
    /// Whether the present act was begun.
    pub act_begun: bool,
    /// Whether the act that was done last has not settled yet.
    pub settling: bool,
    /// Number of the journal entry of the last act that was done, or of the one with which the step began or a person ended a hold.
    pub acted_seq: i64,
    /// When the last act was done or the last hold ended, whichever is later; when it began before that.
    pub rests_since: Option<DateTime<Utc>>,
    /// What is known of its guards, by their index.
    pub guards: Vec<GuardRecord>,
    /// What the acts that are done answered.
    pub receipts: Vec<Receipt>,
    /// The last saved position of the present act.
    pub cursor: Option<Value>,
    /// When it began.
    pub began: Option<DateTime<Utc>>,
    /// When it was over.
    pub ended: Option<DateTime<Utc>>,
    /// Failed tries in a row.
    pub attempts: u32,
    /// When it is tried or looked at again.
    pub again_at: Option<DateTime<Utc>>,
    /// The question that is open.
    pub question: Option<(AskedFor, Question)>,
    /// Whether its `approval` option was answered.
    pub approved: bool,
    /// Whether a person accepted that the world is not what the plan foresaw.
    pub stale_accepted: bool,
    /// What it waits for, as (now, goal).
    pub waits: Option<(String, String)>,
    /// When that was last written down.
    pub waits_since: Option<DateTime<Utc>>,
    /// What shows that it is over.
    pub evidence: Option<Evidence>,
    /// The last error.
    pub error: Option<StepError>,
    /// Who skipped or answered it.
    pub by: Option<String>,
}

impl StepRecord {
    /// Where the step stands as people are told: a step that is tried again later waits.
    #[must_use]
    pub fn shown(&self) -> StepState {
        if self.again_at.is_some() && !self.state.is_over() { StepState::Waiting } else { self.state }
    }

    /// Whether an act of it may have happened, so that a way back must look at it.
    #[must_use]
    pub fn may_have_changed(&self) -> bool {
        self.touched().is_some() || !self.earlier.is_empty()
    }

    /// Whether acts are left that were not done yet.
    #[must_use]
    pub fn has_acts_left(&self) -> bool {
        self.change.as_ref().is_some_and(|change| self.act < change.acts.len())
    }

    pub(super) fn has_touched(&self) -> bool {
        self.touched().is_some()
    }

    /// Whether a guard holds it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.state.is_over() && self.guards.iter().any(|guard| guard.held.is_some())
    }

    /// The present change, unless no act of it was begun: guards may keep the first one from beginning.
    fn touched(&self) -> Option<&ErasedChange> {
        self.change.as_ref().filter(|change| change.acts.is_empty() || self.act > 0 || self.act_begun)
    }

    /// All changes that may have happened, oldest first, with what their acts answered.
    pub(super) fn take_changes(&mut self) -> Vec<(ErasedChange, Vec<Receipt>)> {
        let mut changes = std::mem::take(&mut self.earlier);
        if self.has_touched()
            && let Some(change) = self.change.take()
        {
            changes.push((change, std::mem::take(&mut self.receipts)));
        }
        changes
    }

    /// The changes that a way back must take back, newest first, with what their acts answered.
    pub fn changes(&self) -> impl Iterator<Item = (&ErasedChange, &[Receipt])> {
        let present = self.touched().into_iter().map(|change| (change, self.receipts.as_slice()));
        present.chain(self.earlier.iter().rev().map(|(change, receipts)| (change, receipts.as_slice())))
    }
}

/// How entries change the record; [`super::Run`] says which entry does which.
impl StepRecord {
    pub(super) fn begin(&mut self, change: Option<ErasedChange>, guarded: bool, at: DateTime<Utc>) {
        let touched = self.has_touched();
        if let Some(change) = self.change.take().filter(|_| touched) {
            self.earlier.push((change, std::mem::take(&mut self.receipts)));
        }
        let acts = change.as_ref().is_some_and(|change| !change.acts.is_empty());
        self.state = if acts { StepState::Acting } else { StepState::Verifying };
        self.change = change;
        self.rounds += 1;
        self.act = 0;
        self.act_begun = acts && !guarded;
        self.settling = false;
        self.rests_since = Some(at);
        self.let_go();
        self.receipts = Vec::new();
        self.cursor = None;
        self.began = Some(at);
        self.attempts = 0;
        self.again_at = None;
        self.error = None;
    }

    pub(super) fn act_done(&mut self, act: usize, receipt: Receipt, settles: bool) {
        self.receipts.push(receipt);
        self.act = act + 1;
        self.act_begun = false;
        self.cursor = None;
        self.attempts = 0;
        self.again_at = None;
        self.question = None;
        self.waits = None;
        self.settling = settles;
        // Why: found done when the way back began; that the step failed stays true.
        if self.state == StepState::Failed {
            return;
        }
        self.error = None;
        self.state = if !settles && self.has_acts_left() { StepState::Acting } else { StepState::Verifying };
    }

    pub(super) fn settled(&mut self) {
        self.settling = false;
        self.attempts = 0;
        self.again_at = None;
        self.error = None;
        self.waits = None;
        self.state = if self.has_acts_left() { StepState::Acting } else { StepState::Verifying };
    }

    /// Ends every hold, and begins to count anew.
    pub(super) fn let_go(&mut self) {
        for guard in &mut self.guards {
            guard.forgive();
            guard.held = None;
        }
    }

    pub(super) fn answered(&mut self, by: &str) {
        self.by = Some(by.to_owned());
        let why = self.question.take().map(|(why, _)| why);
        match why {
            Some(AskedFor::Approval) => self.approved = true,
            Some(AskedFor::Stale) => self.stale_accepted = true,
            Some(AskedFor::Question | AskedFor::Unclear) | None => {}
        }
        self.state = if why == Some(AskedFor::Unclear) { StepState::Acting } else { StepState::Pending };
    }

    pub(super) fn over(&mut self, state: StepState, at: DateTime<Utc>) {
        self.state = state;
        self.ended = Some(at);
        self.again_at = None;
        self.question = None;
        self.error = None;
        self.waits = None;
        self.let_go();
    }

    /// Why: an act that was begun is looked at and never simply done again. A step of a `once` kind whose acts are done is only verified
    /// again, for doing it anew would be a second event; a `state` kind looks at the world afresh.
    pub(super) fn try_again(&mut self, nature: Option<Nature>) {
        self.attempts = 0;
        self.again_at = None;
        self.error = None;
        self.question = None;
        self.let_go();
        self.state = match &self.change {
            Some(_) if self.settling => StepState::Verifying,
            Some(change) if self.act < change.acts.len() => StepState::Acting,
            Some(_) if nature == Some(Nature::Once) => StepState::Verifying,
            _ => StepState::Pending,
        };
    }
}
