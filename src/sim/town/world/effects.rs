//! What services cause in one another: calls that are tried again, events, and what is held. Each effect must happen once, and where its
//! link has an order none may be overtaken by a later one of its key.

use std::collections::BTreeMap;

use super::super::declared::{holds, name_of, way};
use super::{Instance, Record, Somebody, World};
use crate::services::{Condition, Order, Way};

/// Something that one service causes in another: its link, its key and the number of the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim::town) struct Effect {
    pub(in crate::sim::town) link: String,
    pub(super) key: usize,
    pub(super) action: u64,
}

impl World<'_> {
    pub(super) fn effect(&mut self, effect: &Effect) {
        let told = self.town.links.get(&effect.link);
        let dedupes = told.is_some_and(|link| link.key);
        let count = self.effects.entry(effect.action).or_default();
        let first = *count == 0;
        if first || !dedupes {
            *count += 1;
        }
        if first && told.is_some_and(|link| link.order == Some(Order::PerKey)) {
            let last = self.last.entry((effect.link.clone(), effect.key)).or_default();
            let overtaken = *last > effect.action;
            *last = effect.action.max(*last);
            if overtaken {
                self.lose(format!("an effect of {} was overtaken by a later one of its key", effect.link));
            }
        }
    }

    /// Whether an instance of this release knows that effects of the link may be held.
    pub(in crate::sim::town) fn knows_hold(&self, service: &str, release: &str, link: &str) -> bool {
        let body = self.town.releases.get(&(service.to_owned(), release.to_owned()));
        body.is_some_and(|body| body.can_hold(link))
    }

    /// A call that is still being tried comes through, the first one first.
    pub(super) fn try_again(&mut self) {
        let Some(effect) = self.calls.pop_front() else { return };
        let from = self.town.links.get(&effect.link).map(|link| link.from.clone()).unwrap_or_default();
        if self.call(&from, &effect.link) {
            self.effect(&effect);
        } else {
            self.effects.remove(&effect.action);
        }
    }

    /// The requests of a service are over, or those of all.
    pub(in crate::sim::town) fn finish_requests(&mut self, service: Option<&str>) {
        let town = self.town;
        let theirs = |effect: &Effect| service.is_none_or(|service| town.links.get(&effect.link).is_some_and(|link| link.from == service));
        let (over, left) = std::mem::take(&mut self.calls).into_iter().partition(theirs);
        self.calls = over;
        while !self.calls.is_empty() {
            self.try_again();
        }
        self.calls = left;
    }

    /// Whoever says that a flag is in use everywhere says that requests from before are over, and that nothing is held where nobody holds.
    pub(in crate::sim::town) fn acknowledge(&mut self) {
        self.finish_requests(None);
        for _ in 0..200 {
            let waits = self.held.iter().any(|effect| {
                let from = self.town.links.get(&effect.link).map(|link| link.from.as_str()).unwrap_or_default();
                let mut knowing = self
                    .instances
                    .get(from)
                    .into_iter()
                    .flatten()
                    .filter(|instance| self.knows_hold(from, &instance.release, &effect.link))
                    .peekable();
                let holds = |instance: &Instance| {
                    let body = self.town.releases.get(&(from.to_owned(), instance.release.clone()));
                    way(body.and_then(|body| body.sends.get(&effect.link)), &instance.view) == Some(Way::Hold)
                };
                knowing.peek().is_some() && !knowing.any(holds)
            });
            if !waits {
                return;
            }
            self.release_held();
            self.relay(None);
        }
    }

    /// An effect is caused, on whatever way the instance has; from what is held, when it is let go.
    pub(super) fn act(&mut self, service: &str, effect: &Effect, let_go: bool) {
        let Some(Somebody { instance, body, who }) = self.somebody(service) else {
            if let_go {
                self.held.push(effect.clone());
            }
            return;
        };
        let town = self.town;
        let Effect { link, key, action } = effect;
        // Why: who is declared to produce the event and not to send the effect on any way produces it all the same.
        let by_hand = || {
            let event = town.links.get(link).and_then(|link| link.event.as_deref());
            let produced =
                |(label, when): &(String, Option<Condition>)| Some(name_of(label)) == event && holds(when.as_ref(), &instance.view);
            (!body.sends.contains_key(link) && body.produces.iter().any(produced)).then_some(Way::Event)
        };
        let way = way(body.sends.get(link), &instance.view).or_else(by_hand);
        let same = |other: &Effect| other.link == *link && other.key == *key;
        let knows = self.knows_hold(service, &instance.release, link);
        // Why: who can hold sends nothing past what is held of the same key, and lets nothing go while something older of it is under way
        // elsewhere. Who cannot knows nothing of it.
        let mut waits = knows && way.is_some() && self.held.iter().any(same);
        if let_go {
            let promised = self.outbox.get(service).is_some_and(|records| {
                let of_link = |label: &str| town.event(label).and_then(|event| event.link.as_ref()) == Some(link);
                records.iter().any(|record| record.key == *key && record.action.is_some() && of_link(&record.label))
            });
            waits |= !knows || (way == Some(Way::Call) && promised) || (way == Some(Way::Event) && self.calls.iter().any(same));
        }
        if waits {
            self.held.push(effect.clone());
            return;
        }
        match way {
            Some(Way::Call) => {
                if self.calls.iter().any(same) || self.random.once_in(4) {
                    self.calls.push_back(effect.clone());
                } else if self.call(&who, link) {
                    self.effect(effect);
                    // Why: an answer that is lost is tried again, by whoever comes next and on whatever way that one has.
                    // Not where there is no other way: whether that does it twice is so today, and no question of a plan.
                    if town.links.get(link).is_some_and(|link| link.event.is_some()) && self.random.once_in(8) {
                        self.act(service, effect, false);
                    }
                } else {
                    self.effects.remove(action);
                }
            }
            Some(Way::Event) => {
                let event = town.links.get(link).and_then(|link| link.event.clone()).unwrap_or_default();
                let prefix = format!("{event}@");
                let label = body.produces.iter().find(|(label, when)| label.starts_with(&prefix) && holds(when.as_ref(), &instance.view));
                let label = label.map_or_else(|| format!("{event}@0"), |(label, _)| label.clone());
                let record = Record { label, key: *key, seq: *action, fields: BTreeMap::new(), action: Some(*action) };
                self.outbox.entry(service.to_owned()).or_default().push_back(record);
            }
            Some(Way::Hold) => self.held.push(effect.clone()),
            _ => {
                self.effects.remove(action);
                self.lose(format!("{who} has no way for {link}"));
            }
        }
    }

    /// Held effects go as soon as an instance that knows of them has another way, in their order.
    pub(super) fn release_held(&mut self) {
        for effect in std::mem::take(&mut self.held) {
            let from = self.town.links.get(&effect.link).map(|link| link.from.clone()).unwrap_or_default();
            self.act(&from, &effect, true);
        }
    }
}
