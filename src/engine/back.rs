//! The way back, as far as the engine is concerned: what must be taken back, and what was left behind.

use super::definition::StepDefinition;
use super::entry::Scope;
use super::record::StepRecord;
use super::run::{Phase, Run};
use super::state::StepState;
use crate::step::Risk;

impl Run {
    /// The steps that the ordered way back must take back, newest first. On a run that turned before, what the first way back has
    /// already taken back is found to be so when its steps are planned.
    #[must_use]
    pub fn to_take_back(&self) -> Vec<(&StepDefinition, &StepRecord)> {
        let stand = if self.phase == Phase::Forward { self.at } else { self.turned_at };
        let touched = self.forward().take(self.definition.stage(stand).end).filter(|(_, record)| record.may_have_changed());
        match self.revert_ordered {
            Some(Scope::Step) => touched.filter(|(definition, _)| Some(&definition.id) == self.turning_step()).collect(),
            Some(Scope::Run) | None => {
                let mut steps: Vec<_> = touched.collect();
                steps.reverse();
                steps
            }
        }
    }

    /// The first step that destroyed something for good, once it may have: behind it there is no whole way back.
    #[must_use]
    pub fn past_no_return(&self) -> Option<&StepDefinition> {
        let gone =
            |(definition, record): &(&StepDefinition, &StepRecord)| definition.risk == Risk::PointOfNoReturn && record.may_have_changed();
        self.forward().find(gone).map(|(definition, _)| definition)
    }

    fn turning_step(&self) -> Option<&String> {
        self.definition.steps.get(self.turning).map(|step| &step.id)
    }

    /// One sentence about what the way back left behind, if anything.
    pub(super) fn left_behind(&self) -> Option<String> {
        let kept: Vec<_> = self.back.iter().filter(|back| back.record.state == StepState::Kept).collect();
        let skipped: Vec<_> = self.back.iter().filter(|back| back.record.state == StepState::Skipped).collect();
        if kept.is_empty() && skipped.is_empty() {
            return None;
        }
        let why = |back: &&super::run::Back| {
            let evidence = back.record.evidence.as_ref().map_or("skipped", |evidence| evidence.line.as_str());
            format!("{}: {evidence}", back.step.of)
        };
        Some(format!("left as it is: {}", kept.iter().chain(&skipped).map(why).collect::<Vec<_>>().join("; ")))
    }
}
