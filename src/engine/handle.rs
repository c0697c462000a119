//! How a run answers what the driver tells it.

use chrono::{DateTime, Duration, Utc};

use super::definition::OnFailure;
use super::effect::Effect;
use super::entry::{AskedFor, BackAction, Doing, Entry, How, JournalEntry, Scope};
use super::event::Event;
use super::run::{Phase, Run};
use super::stale::differences;
use super::state::{RunState, StepState};
use crate::step::{ErasedPlan, Evidence, GuardOptions, OnUnknown, Question, Receipt, Standing, StepError, Verdict, binding_holds};

/// How often a number that is being waited for is written down while it changes.
const WRITE_WAITS_EVERY: Duration = Duration::seconds(5);

impl Run {
    /// Takes an event and says what is to be done. `now` must not go back between calls.
    pub fn handle(&mut self, now: DateTime<Utc>, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            // Why: whoever loaded the run has none of the answers that an earlier life waited for.
            Event::Loaded => {
                self.lanes.clear();
                self.loaded = self.seq;
            }
            Event::Planned(ticket, result) if self.redeem(ticket) => self.planned(now, result, &mut effects),
            Event::Stood(ticket, result) if self.redeem(ticket) => self.stood(now, result, &mut effects),
            Event::Acted(ticket, result) if self.redeem(ticket) => self.acted(now, result, &mut effects),
            Event::Settled(ticket, result) if self.redeem(ticket) => self.settled(now, result, &mut effects),
            Event::Watched(ticket, readings) if self.face(ticket) => {
                self.watched(now, readings, &mut effects);
            }
            Event::Verified(ticket, result) if self.redeem(ticket) => self.verified(now, result, &mut effects),
            Event::BackPlanned(ticket, steps) if self.redeem(ticket) => {
                if let Some(scope) = self.revert_ordered {
                    self.write(now, Entry::RevertBegun { scope, steps }, &mut effects);
                }
            }
            Event::Cursor(ticket, cursor) if self.face(ticket) && self.ended.is_none() => {
                let step = self.step_id();
                self.write(now, Entry::CursorSaved { step, cursor }, &mut effects);
                effects.push(Effect::CursorSaved(ticket));
            }
            Event::Ordered(inbox, order) => self.obey(now, inbox, &order, &mut effects),
            Event::Quarantine(why) => {
                if self.ended.is_none() {
                    self.write(now, Entry::Quarantined { why }, &mut effects);
                }
            }
            Event::Woke
            | Event::Planned(..)
            | Event::Stood(..)
            | Event::Acted(..)
            | Event::Settled(..)
            | Event::Watched(..)
            | Event::Verified(..)
            | Event::BackPlanned(..)
            | Event::Cursor(..) => {}
        }
        self.each(|run| run.judge_guards(now, &mut effects));
        self.proceed(now, &mut effects);
        self.each(|run| run.look_at_guards(now, &mut effects));
        self.face_first();
        effects
    }

    /// Begins whatever comes next, unless something is under way or a person must move first.
    fn proceed(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        while self.ended.is_none() && self.quarantined.is_none() {
            // Why: whatever is under way is finished first, in every step.
            if (self.abort_ordered || self.revert_ordered.is_some()) && self.is_any_out() {
                return;
            }
            if self.abort_ordered {
                self.write(now, Entry::RunEnded { state: RunState::Aborted, why: None }, effects);
                return;
            }
            if self.revert_ordered.is_some() {
                self.turn_back(now, effects);
                return;
            }
            if self.paused {
                return;
            }
            if self.open_steps().is_empty() {
                self.end(now, effects);
                return;
            }
            let seq = self.seq;
            self.each(|run| run.proceed_step(now, effects));
            // Why: only what was written can have brought something whose turn has come.
            if self.seq == seq {
                return;
            }
        }
    }

    /// Begins whatever comes next in the step that is faced.
    fn proceed_step(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let at = self.at;
        while self.at == at && !self.is_out() && self.revert_ordered.is_none() {
            let Some((_, record)) = self.present() else { return };
            if record.again_at.is_some_and(|again| again > now) && !self.is_overdue(now) {
                return;
            }
            let (state, act, act_begun, settling) = (record.state, record.act, record.act_begun, record.settling);
            if record.is_held() {
                return;
            }
            match state {
                StepState::Pending => {
                    if !self.keep_back_step(now, effects) && !self.ask_approval(now, effects) {
                        self.issue(Effect::Plan, effects);
                    }
                }
                StepState::Acting | StepState::Verifying | StepState::Waiting if settling => self.issue(Effect::Settle, effects),
                StepState::Acting | StepState::Verifying | StepState::Waiting if record.has_acts_left() => {
                    if !self.may_go_on() {
                        self.wait_for_guards(now, effects);
                        return;
                    }
                    if act_begun {
                        self.issue(Effect::Stand, effects);
                    } else {
                        let step = self.step_id();
                        self.write(now, Entry::ActBegun { step, act }, effects);
                        self.issue(Effect::Act, effects);
                    }
                }
                StepState::Acting | StepState::Verifying | StepState::Waiting => {
                    // Why: a goal that is reached after the last act does not make the step done before its guards have seen the act, too.
                    if !self.is_sampled() {
                        return;
                    }
                    self.issue(Effect::Verify, effects);
                }
                StepState::Asking | StepState::Failed => return,
                StepState::Done | StepState::AlreadySo | StepState::Kept | StepState::Skipped => self.leave_step(),
            }
        }
    }

    /// Has the way back put together. Acts that may have happened are looked at first: what they brought must be known to be taken back.
    fn turn_back(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let mut unclear = false;
        self.each(|run| {
            let looked = run.lane().is_some_and(|lane| lane.looked);
            let Some(record) = run.record().filter(|record| run.phase == Phase::Forward && record.act_begun && !looked) else { return };
            unclear = true;
            if record.again_at.is_none_or(|again| again <= now) {
                run.issue(Effect::Stand, effects);
            }
        });
        if !unclear {
            self.issue(Effect::PlanBack, effects);
        }
    }

    fn end(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let (state, why) = match self.phase {
            Phase::Forward => (RunState::Done, None),
            Phase::Back(_) => (RunState::Reverted, self.left_behind()),
        };
        self.write(now, Entry::RunEnded { state, why }, effects);
    }

    /// A line of the way back that does nothing is over at once.
    fn keep_back_step(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) -> bool {
        let why = match (self.phase, self.back.get(self.at).map(|back| &back.step.action)) {
            (Phase::Back(_), Some(BackAction::Kept(why))) => why.clone(),
            (Phase::Back(_), Some(BackAction::Impossible(why))) => format!("cannot be taken back: {why}"),
            _ => return false,
        };
        self.done(now, How::Kept, Evidence::said(why), effects);
        true
    }

    fn planned(&mut self, now: DateTime<Utc>, result: Result<ErasedPlan, StepError>, effects: &mut Vec<Effect>) {
        match result {
            Ok(ErasedPlan::AlreadySo(why)) => self.done(now, How::AlreadySo, Evidence::said(why), effects),
            Ok(ErasedPlan::Kept(why)) => self.done(now, How::Kept, Evidence::said(why), effects),
            Ok(ErasedPlan::Change(change)) => {
                if let Some(question) = self.stale(&change.binding) {
                    self.ask(now, AskedFor::Stale, question, effects);
                    return;
                }
                let guarded = self.present().is_some_and(|(definition, _)| !definition.guards.is_empty());
                let (step, acts) = (self.step_id(), !change.acts.is_empty());
                self.write(now, Entry::StepBegun { step, change: Some(change), guarded }, effects);
                if acts && !guarded {
                    self.issue(Effect::Act, effects);
                }
            }
            Ok(ErasedPlan::Wait { .. }) => {
                let step = self.step_id();
                self.write(now, Entry::StepBegun { step, change: None, guarded: false }, effects);
            }
            Ok(ErasedPlan::Ask(question)) => self.ask(now, AskedFor::Question, question, effects),
            Ok(ErasedPlan::CannotPreview(why) | ErasedPlan::Impossible(why)) => self.fail(now, StepError::Impossible(why), effects),
            Err(error) => self.stumble(now, Doing::Planning, error, effects),
        }
    }

    /// The question to ask when what is there is not what the plan foresaw.
    fn stale(&self, found: &serde_json::Value) -> Option<Question> {
        let (definition, record) = self.present()?;
        let foreseen = definition.foreseen.as_ref().filter(|_| !record.stale_accepted)?;
        if binding_holds(foreseen, found) {
            return None;
        }
        let differences: Vec<String> = differences(foreseen, found).iter().map(ToString::to_string).collect();
        let text = format!("the plan is stale: {}; approve to go on with what is there, or revert", differences.join("; "));
        Some(Question { text, evidence: None })
    }

    fn stood(&mut self, now: DateTime<Utc>, result: Result<Standing, StepError>, effects: &mut Vec<Effect>) {
        if self.revert_ordered.is_some() {
            self.stood_before_turning(now, result, effects);
            return;
        }
        let on_unknown = self.present().map_or(OnUnknown::Ask, |(definition, _)| definition.on_unknown);
        match result {
            // Why: a guard may have turned bad while it was looked; the act is looked for again once it may go on.
            Ok(Standing::Before | Standing::Unclear(_)) if !self.may_go_on() => {}
            Ok(Standing::Before) => self.issue(Effect::Act, effects),
            Ok(Standing::After(receipt)) => self.act_done(now, receipt, true, effects),
            Ok(Standing::Unclear(_)) if on_unknown == OnUnknown::ActAgain => self.issue(Effect::Act, effects),
            Ok(Standing::Unclear(found)) => {
                let text =
                    format!("it cannot be told whether the act happened: {found}; approve to count it as done, or retry to look again");
                self.ask(now, AskedFor::Unclear, Question { text, evidence: None }, effects);
            }
            Err(error) => self.stumble(now, Doing::Acting, error, effects),
        }
    }

    fn stood_before_turning(&mut self, now: DateTime<Utc>, result: Result<Standing, StepError>, effects: &mut Vec<Effect>) {
        let Some((definition, record)) = self.present() else { return };
        let (attempt, retry, step) = (record.attempts + 1, definition.retry, definition.id.clone());
        match result {
            Ok(Standing::After(receipt)) => self.act_done(now, receipt, true, effects),
            Ok(Standing::Before | Standing::Unclear(_)) => self.lane_mut().looked = true,
            Err(error) => match retry.after(attempt).filter(|_| error.is_passing()) {
                Some(delay) => {
                    let again_at = now + Duration::from_std(delay).unwrap_or(Duration::MAX);
                    self.write(now, Entry::Stumbled { step, doing: Doing::Acting, error, attempt, again_at }, effects);
                }
                None => self.lane_mut().looked = true,
            },
        }
    }

    fn acted(&mut self, now: DateTime<Utc>, result: Result<Receipt, StepError>, effects: &mut Vec<Effect>) {
        match result {
            Ok(receipt) => self.act_done(now, receipt, false, effects),
            Err(error) => self.stumble(now, Doing::Acting, error, effects),
        }
    }

    pub(super) fn act_done(&mut self, now: DateTime<Utc>, receipt: Receipt, found: bool, effects: &mut Vec<Effect>) {
        let (step, act) = (self.step_id(), self.record().map_or(0, |record| record.act));
        let settles = self.present().is_some_and(|(definition, _)| definition.settles);
        self.write(now, Entry::ActDone { step, act, receipt, found, settles }, effects);
    }

    fn settled(&mut self, now: DateTime<Utc>, result: Result<Verdict, StepError>, effects: &mut Vec<Effect>) {
        match result {
            Ok(Verdict::Holds(evidence)) => {
                let (step, act) = (self.step_id(), self.record().map_or(0, |record| record.act.saturating_sub(1)));
                self.write(now, Entry::ActSettled { step, act, evidence }, effects);
            }
            Ok(Verdict::Broken(why)) => self.fail(now, StepError::Impossible(why), effects),
            Ok(Verdict::NotYet { now: is, goal, again_in }) => self.not_yet(now, is, goal, again_in, effects),
            Err(error) => self.stumble(now, Doing::Settling, error, effects),
        }
    }

    fn verified(&mut self, now: DateTime<Utc>, result: Result<Verdict, StepError>, effects: &mut Vec<Effect>) {
        match result {
            Ok(Verdict::Holds(evidence)) if self.may_go_on() => self.done(now, How::Verified, evidence, effects),
            Ok(Verdict::Holds(_)) => {
                // Why: a guard turned bad while the goal was looked at; the goal is looked at again when the guards are.
                let again_in = self.next_sample(self.at).and_then(|next| (next - now).to_std().ok()).unwrap_or(GuardOptions::SHORTEST);
                let (is, goal) =
                    self.kept_by_guards().unwrap_or_else(|| ("the goal is reached".to_owned(), "every guard has seen it".to_owned()));
                self.not_yet(now, is, goal, again_in.max(GuardOptions::SHORTEST), effects);
            }
            Ok(Verdict::Broken(why)) => self.fail(now, StepError::Impossible(why), effects),
            Ok(Verdict::NotYet { now: is, goal, again_in }) => self.not_yet(now, is, goal, again_in, effects),
            Err(error) => self.stumble(now, Doing::Verifying, error, effects),
        }
    }

    /// Nothing is wrong, and it is looked again later.
    fn not_yet(&mut self, now: DateTime<Utc>, is: String, goal: String, again_in: std::time::Duration, effects: &mut Vec<Effect>) {
        if self.is_overdue(now) {
            self.time_out(now, effects);
            return;
        }
        self.write_wait(now, is, goal, effects);
        if let Some(record) = self.record_mut() {
            record.again_at =
                Some(now.checked_add_signed(Duration::from_std(again_in).unwrap_or(Duration::MAX)).unwrap_or(DateTime::<Utc>::MAX_UTC));
        }
    }

    /// Writes down what is being waited for, unless it was written down just now.
    fn write_wait(&mut self, now: DateTime<Utc>, is: String, goal: String, effects: &mut Vec<Effect>) {
        let text = (is.clone(), goal.clone());
        let due = self.record().is_none_or(|record| {
            let quiet = record.waits_since.is_some_and(|since| now - since < WRITE_WAITS_EVERY);
            let stumbled = record.attempts > 0 || record.error.is_some();
            record.state != StepState::Waiting || stumbled || (record.waits.as_ref() != Some(&text) && !quiet)
        });
        if due {
            let step = self.step_id();
            self.write(now, Entry::StepWaits { step, now: is, goal }, effects);
        }
    }

    /// An act may not begin because of a guard that is not good. The next sample wakes the run.
    fn wait_for_guards(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        if self.is_overdue(now) {
            self.time_out(now, effects);
            return;
        }
        let begun = self.record().is_some_and(|record| record.act_begun);
        if let Some((is, goal)) = self.kept_by_guards().filter(|_| !begun && self.is_sampled()) {
            self.write_wait(now, is, goal, effects);
        }
    }

    fn stumble(&mut self, now: DateTime<Utc>, doing: Doing, error: StepError, effects: &mut Vec<Effect>) {
        let Some((definition, record)) = self.present() else { return };
        let (attempt, retry, step) = (record.attempts + 1, definition.retry, definition.id.clone());
        if self.is_overdue(now) {
            self.time_out(now, effects);
            return;
        }
        match retry.after(attempt).filter(|_| error.is_passing()) {
            Some(delay) => {
                let again_at = now + Duration::from_std(delay).unwrap_or(Duration::MAX);
                self.write(now, Entry::Stumbled { step, doing, error, attempt, again_at }, effects);
            }
            None => self.fail(now, error, effects),
        }
    }

    fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.present().is_some_and(|(definition, record)| {
            let limit = definition.timeout.and_then(|timeout| Duration::from_std(timeout).ok());
            limit.zip(record.began).is_some_and(|(limit, began)| now - began >= limit)
        })
    }

    fn time_out(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let limit = self.present().and_then(|(definition, _)| definition.timeout).unwrap_or_default();
        self.fail(now, StepError::TimedOut(crate::step::scalar::Span(limit).to_string()), effects);
    }

    fn fail(&mut self, now: DateTime<Utc>, error: StepError, effects: &mut Vec<Effect>) {
        // Why: a controller that lost the run writes nothing; the one that has it now goes on.
        if error == StepError::Fenced {
            return;
        }
        let Some((definition, record)) = self.present() else { return };
        let (step, policy, changed) = (definition.id.clone(), definition.on_failure, record.may_have_changed());
        let forward = self.phase == Phase::Forward;
        // Why: what destroyed something cannot be answered by a way back that nobody has looked at.
        let past = forward && self.past_no_return().is_some();
        let frozen = forward && (policy == OnFailure::Freeze || past);
        self.write(now, Entry::StepFailed { step, error, frozen }, effects);
        // Why: a person has said already what happens next.
        if self.abort_ordered || self.revert_ordered.is_some() || past {
            return;
        }
        let scope = match policy {
            OnFailure::RevertRun if forward => Scope::Run,
            OnFailure::RevertStep if forward && changed => Scope::Step,
            _ => return,
        };
        self.write(now, Entry::RevertOrdered { by: "on_failure".to_owned(), reason: None, scope }, effects);
    }

    pub(super) fn done(&mut self, now: DateTime<Utc>, how: How, evidence: Evidence, effects: &mut Vec<Effect>) {
        let step = self.step_id();
        self.write(now, Entry::StepDone { step, how, evidence }, effects);
    }

    pub(super) fn step_id(&self) -> String {
        self.present().map(|(definition, _)| definition.id.clone()).unwrap_or_default()
    }

    pub(super) fn write(&mut self, now: DateTime<Utc>, entry: Entry, effects: &mut Vec<Effect>) {
        let journaled = JournalEntry { seq: self.seq + 1, at: now, entry };
        self.apply(&journaled);
        effects.push(Effect::Record(journaled));
    }

    fn issue(&mut self, effect: fn(u64) -> Effect, effects: &mut Vec<Effect>) {
        self.last_ticket += 1;
        self.lane_mut().out = Some(self.last_ticket);
        if let Some(record) = self.record_mut() {
            record.again_at = None;
        }
        effects.push(effect(self.last_ticket));
    }

    fn redeem(&mut self, ticket: u64) -> bool {
        let fits = self.face(ticket) && self.lane().is_some_and(|lane| lane.out == Some(ticket));
        if fits {
            self.lane_mut().out = None;
        }
        fits && self.ended.is_none()
    }
}
