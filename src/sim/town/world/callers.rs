//! Who needs something of another service: by the call, from a copy, or by an event that causes it there.

use super::super::declared::way;
use super::effects::Effect;
use super::{Record, Somebody, World};
use crate::services::Way;

impl World<'_> {
    /// Somebody needs something of another service.
    pub(super) fn need(&mut self) {
        let needs = &self.town.needs;
        let Some((service, link)) = needs.get(self.random.below(needs.len())).cloned() else { return };
        let Some(told) = self.town.links.get(&link).cloned() else { return };
        if told.effect {
            self.next_action += 1;
            self.effects.insert(self.next_action, 0);
            // Why so few keys: an order is lost only between effects of one key.
            let effect = Effect { link, key: self.random.below(2), action: self.next_action };
            self.act(&service, &effect, false);
        } else {
            self.look(&service, &link, &told.copy, &told.state, None);
        }
    }

    /// A state is looked at, on whatever way the instance has.
    pub(super) fn look(&mut self, service: &str, link: &str, copy: &str, state: &str, key: Option<usize>) {
        let Some(Somebody { instance, body, who }) = self.somebody(service) else { return };
        match way(body.uses.get(link), &instance.view) {
            Some(Way::Call) => {
                self.call(&who, link);
            }
            Some(Way::Copy) => {
                let any = self.random.below(self.next_entity);
                let key = key.unwrap_or(any);
                self.gap(&who, link, copy, state, key);
            }
            _ => self.lose(format!("{who} has no way for {link}")),
        }
    }

    /// Whether a copy lacks what it should have by now: an old entity, or a change that nothing under way will bring.
    fn gap(&mut self, who: &str, link: &str, copy: &str, state: &str, key: usize) {
        let Some(truth) = self.rows.get(state).and_then(|rows| rows.get(&key)).cloned() else { return };
        let have = self.rows.get(copy).and_then(|rows| rows.get(&key)).map(|row| row.seq);
        let owner = state.split('.').next().unwrap_or_default();
        let brings = |record: &Record| record.key == key && record.seq >= truth.seq && record.action.is_none();
        let in_outbox = self.outbox.get(owner).is_some_and(|records| records.iter().any(brings));
        let topic = self.town.links.get(link).and_then(|link| link.event.as_ref()).and_then(|event| self.town.events.get(event));
        let reader = copy.split('.').next().unwrap_or_default();
        // Why: what lies unread brings nothing when nobody is there to read it.
        let anybody = self.instances.get(reader).into_iter().flatten().any(|instance| {
            let body = self.town.releases.get(&(reader.to_owned(), instance.release.clone()));
            body.is_some_and(|body| {
                body.handles.keys().any(|label| self.town.event(label).map(|event| &event.topic) == topic.map(|event| &event.topic))
            })
        });
        let in_topic = anybody
            && topic.is_some_and(|event| {
                let position = self.read.get(&(reader.to_owned(), event.topic.clone())).copied().unwrap_or_default();
                let log = self.topics.get(&event.topic).map(|topic| topic.log.as_slice()).unwrap_or_default();
                log.iter().any(|(offset, record)| *offset >= position && brings(record))
            });
        let under_way = anybody && (in_outbox || in_topic);
        let old = self.is_old(state, key, have);
        match have {
            None if old || !under_way => self.lose(format!("{who} finds a gap in its copy of {link}: {key} of {}", truth.seq)),
            Some(seq) if seq < truth.seq && (old || !under_way) => {
                self.lose(format!("{who} reads a stale copy of {link}: {key} at {seq} of {}", truth.seq));
            }
            _ => {}
        }
    }

    pub(super) fn call(&mut self, who: &str, link: &str) -> bool {
        let Some(told) = self.town.links.get(link) else { return false };
        let sink = if told.effect { told.to.clone() } else { told.state.split('.').next().unwrap_or_default().to_owned() };
        let answers = self.somebody(&sink).is_some_and(|somebody| somebody.body.serves.contains(link));
        if !answers {
            self.lose(format!("{who} calls {link} and nobody answers"));
        }
        answers
    }
}
