//! Where a flag stands when a roll-out is planned, and what is in the way of one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::flag;
use super::{RollOut, RollOutFlag};
use crate::flags::rollout::Cohort;
use crate::ports::flags::FlagState;
use crate::step::Plan;
use crate::step::scalar::Share;

/// Where a flag stands when it is planned.
pub(super) struct Stand {
    /// The variant that the others keep.
    pub(super) from: String,
    /// The seed of the cohort.
    pub(super) seed: String,
    /// The share that a roll-out such as this one has reached before.
    pub(super) reached: Option<Share>,
}

impl RollOutFlag {
    /// Where the flag stands; `Err` holds the plan when there is nothing to roll out.
    pub(super) fn stand(&self, before: Option<&FlagState>, revision: i64) -> Result<Stand, Plan<RollOut>> {
        let Self { flag, to, .. } = self;
        // Why the revision: a later roll-out of the same flag begins with other keys, and a plan must be the same however often it is made.
        let seed = || format!("{flag}@{revision}:");
        let fresh = |from: String| Ok(Stand { from, seed: seed(), reached: None });
        let Some(before) = before else { return fresh(self.other(&BTreeMap::new())?) };
        match (before.enabled, &before.targeting, &before.default_variant) {
            (true, Some(targeting), default) => match Cohort::read(targeting).zip(default.as_ref()) {
                Some(((cohort, parts), default)) if self.is_own(&cohort, default) => {
                    Ok(Stand { from: cohort.from, seed: cohort.seed, reached: Share::of_parts(parts) })
                }
                _ => Err(Plan::Impossible(format!(
                    "flag {flag} has targeting that is no roll-out from {} to {to} by {}; take it away with set_flag first",
                    self.from.as_deref().unwrap_or("what it serves"),
                    self.key
                ))),
            },
            (false, Some(_), _) => {
                Err(Plan::Impossible(format!("flag {flag} is disabled and has targeting; enable it or take the targeting away first")))
            }
            (true, None, Some(default)) if default == to && !self.partial => Err(Plan::AlreadySo(format!("everybody gets {to}"))),
            (true, None, Some(default)) if default == to => {
                Err(Plan::Impossible(format!("everybody gets {to} already, more than {}", self.last())))
            }
            (true, None, Some(default)) => match &self.from {
                Some(from) if from != default => Err(Plan::Impossible(format!(
                    "flag {flag} serves {default} now, and the others would change to {from} at once; leave `from` out or set the flag first"
                ))),
                _ => fresh(default.clone()),
            },
            (true, None, None) | (false, None, _) => fresh(self.other(&before.variants)?),
        }
    }

    /// Whether targeting that stands is of a roll-out such as this one.
    fn is_own(&self, cohort: &Cohort, default: &str) -> bool {
        let from = self.from.as_deref().unwrap_or(default);
        cohort.to == self.to && cohort.key == self.key && cohort.from == from && default == from
    }

    /// The variant that the others keep when the flag itself does not say.
    fn other(&self, there: &BTreeMap<String, Value>) -> Result<String, Plan<RollOut>> {
        if let Some(from) = &self.from {
            return Ok(from.clone());
        }
        let on_off = there.is_empty() && self.variants.is_empty();
        let names = there.keys().chain(self.variants.keys()).map(String::as_str).chain(["on", "off"].into_iter().filter(|_| on_off));
        let others: BTreeSet<_> = names.filter(|name| *name != self.to).collect();
        match others.into_iter().collect::<Vec<_>>().as_slice() {
            [only] => Ok((*only).to_owned()),
            _ => Err(Plan::Impossible(format!("flag {} serves no variant now; name the one that the others keep in `from`", self.flag))),
        }
    }

    /// The variants once the named ones are added. One that is there is not given another value: that would change it for everybody.
    pub(super) fn variants(&self, before: Option<&FlagState>, from: &str) -> Result<BTreeMap<String, Value>, String> {
        let there = before.map(|before| &before.variants);
        if let Some((name, _)) =
            self.variants.iter().find(|(name, value)| there.and_then(|there| there.get(*name)).is_some_and(|old| old != *value))
        {
            return Err(format!("variant `{name}` of flag {} has another value, for everybody; change it with set_flag first", self.flag));
        }
        let variants = flag::variants(&self.flag, &self.to, before, &self.variants)?;
        let mut types = variants.values().map(flag::type_of);
        if let Some(first) = types.next()
            && types.any(|other| other != first)
        {
            return Err(format!("the variants {} of flag {} are not all of one type", flag::list(&variants), self.flag));
        }
        if variants.contains_key(from) {
            Ok(variants)
        } else {
            Err(format!("flag {} has no variant `{from}`, only {}", self.flag, flag::list(&variants)))
        }
    }
}
