//! The change of a roll-out: what the flag was, who is drawn, and what the flag is after each share.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::flag;
use crate::flags::rollout::Cohort;
use crate::ports::flags::FlagState;
use crate::step::scalar::Share;

/// The flag before, who is drawn, and the shares that are still to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollOut {
    pub(super) before: Option<FlagState>,
    pub(super) variants: BTreeMap<String, Value>,
    pub(super) cohort: Cohort,
    /// By which rules the cohort is drawn: other rules would draw another one.
    pub(super) algorithm: String,
    pub(super) shares: Vec<Share>,
}

/// One share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServeShare {
    /// Which one, from 0.
    pub(super) number: usize,
    pub(super) flag: String,
    pub(super) to: String,
    pub(super) share: Share,
}

impl fmt::Display for ServeShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set flag {} to {} for {}", self.flag, self.to, self.share)
    }
}

impl RollOut {
    /// The flag after the share of that number; before the first one, what it was.
    pub(super) fn state(&self, number: usize) -> Option<FlagState> {
        let Some(share) = self.shares.get(number) else { return self.before.clone() };
        let (default, targeting) = match *share {
            Share::ALL => (&self.cohort.to, None),
            share => (&self.cohort.from, Some(self.cohort.targeting(share.parts()))),
        };
        let variants = self.variants.clone();
        Some(FlagState { enabled: true, variants, default_variant: Some(default.clone()), targeting })
    }

    /// The flag on which the share of that number is written.
    pub(super) fn state_before(&self, number: usize) -> Option<FlagState> {
        number.checked_sub(1).map_or_else(|| self.before.clone(), |before| self.state(before))
    }

    /// What somebody made of the flag, when it is not what that share left.
    pub(super) fn changed_by_hand(&self, number: usize, now: Option<&FlagState>) -> Option<String> {
        let written = self.state(number);
        if now == written.as_ref() {
            return None;
        }
        let words = |state: Option<&FlagState>| state.map_or_else(|| "not there".to_owned(), words);
        Some(format!("changed by hand: it is {}, not {}", words(now), words(written.as_ref())))
    }
}

/// What a flag serves, with its share when a roll-out is under way.
fn words(state: &FlagState) -> String {
    match state.targeting.as_ref().and_then(Cohort::read) {
        Some((cohort, parts)) if state.enabled => {
            Share::of_parts(parts).map_or_else(|| cohort.from.clone(), |share| format!("{} for {share}", cohort.to))
        }
        _ => flag::words(state),
    }
}
