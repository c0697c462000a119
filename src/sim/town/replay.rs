//! Brings about the state that a story tells of: whoever the story names is stalled or kept busy on purpose, and everybody else goes on
//! as usual. Owns what it means that a told state is there, in the town's own terms.

use crate::check::{Book, Violation};
use crate::services::{Services, Way};
use crate::step::{DrainGoal, Move, Running, Scene, Waiting};

use super::declared::{Release, Town, way};
use super::play::{PATIENCE, Play};
use super::world::{Instance, Shape, World};
use super::{begin, split};

/// Schedules that are tried at most. What is directed comes about soon or never.
const TRIES: u64 = 48;

/// Small happenings in which the told state may come about once the step is reached.
const HAPPENINGS: usize = 120;

/// Small happenings after which a wait is given up by who is in a hurry.
const IN_A_HURRY: usize = 60;

/// Whether a violation tells of a state at all: that there is no way back is told of all states at once.
#[must_use]
pub fn tells_a_state(violation: &Violation) -> bool {
    !matches!(violation.rule.as_str(), "g" | "declared")
}

/// The schedule under which the told state is there; `None` when none of those that were tried brings it about.
#[must_use]
pub fn replay(services: &Services, book: &Book, violation: &Violation) -> Option<u64> {
    let town = Town::new(services, services, book);
    (0..TRIES).find(|schedule| Replay::new(&town, book, violation, *schedule).reaches(book))
}

struct Replay<'a> {
    play: Play<'a>,
    rule: &'a str,
    subject: &'a str,
    scene: &'a Scene,
    /// Whether days pass before each step.
    slow: bool,
    /// Whether a person who is in a hurry soon skips a step that never ends.
    hurried: bool,
    /// Whether something that the story says is unread was so when its step began; a topic takes that with it.
    unread: bool,
}

impl<'a> Replay<'a> {
    fn new(town: &'a Town, book: &Book, violation: &'a Violation, schedule: u64) -> Self {
        let mut world = World::new(town, &book.start.flags, schedule);
        begin(&mut world, book);
        // Why: rows that nobody fills stay as they are only where nobody changes them.
        world.only_new = violation.scene.column.is_some() && violation.scene.meaning.is_none() && schedule % 4 >= 2;
        Self {
            play: Play::new(world, schedule),
            rule: &violation.rule,
            subject: &violation.subject,
            scene: &violation.scene,
            slow: !schedule.is_multiple_of(2),
            hurried: schedule % 3 == 2,
            unread: false,
        }
    }

    fn reaches(&mut self, book: &Book) -> bool {
        let Some(told) = &self.scene.step else { return self.comes_about() };
        for step in &book.steps {
            let here = step.id == *told;
            for (at, one) in step.moves.iter().enumerate() {
                let last = at + 1 == step.moves.len();
                if self.slow {
                    self.play.world.rest();
                }
                self.direct(one);
                self.play.traffic();
                self.unread = self.is_unread();
                if here && self.rule == "h" {
                    return !self.play.step(one, false);
                }
                // Why whatever it says: a step that can never end is told of by a story of its own, and a person may have skipped it.
                self.step(one, here && last && self.scene.under_way);
                self.direct(one);
                // Why: what a step fails on is there when it has failed.
                if here && last {
                    return self.comes_about();
                }
            }
        }
        false
    }

    fn step(&mut self, one: &Move, half: bool) {
        let before = self.hurried.then(|| self.play.clone());
        let ended = self.play.step(one, half);
        if let Some(before) = before.filter(|_| !ended) {
            self.play = before;
            self.play.patience = IN_A_HURRY;
            self.play.step(one, half);
            self.play.patience = PATIENCE;
        }
    }

    /// Stalls whoever holds what the story needs to be waiting, and whoever could bring in time what it needs to be missing.
    fn direct(&mut self, next: &Move) {
        let world = &mut self.play.world;
        let town = world.town;
        for waiting in &self.scene.waiting {
            match waiting {
                Waiting::Unsent { service, .. } => {
                    world.stalled.insert(format!("relay {service}"));
                }
                // Why the producers too: what comes behind a barrier is what a wait before it has not seen.
                Waiting::Unread { service, event } => {
                    world.stalled.insert(format!("group {service}"));
                    world.stalled.extend(relays(town, event));
                }
                Waiting::Lying { event } => {
                    world.stalled.extend(relays(town, event));
                    let topic = town.event(event).map(|event| event.topic.clone()).unwrap_or_default();
                    if matches!(next, Move::Drain { goal: DrainGoal::Absent, .. }) {
                        world.compacts_late.remove(&topic);
                    } else {
                        world.compacts_late.insert(topic);
                    }
                }
            }
        }
        let link = self.scene.link.as_ref().and_then(|link| town.links.get(link));
        if let Some(link) = link.filter(|_| self.rule == "f") {
            world.stalled.insert(format!("group {}", link.copy.split('.').next().unwrap_or_default()));
            world.stalled.insert(format!("relay {}", link.state.split('.').next().unwrap_or_default()));
        }
    }

    fn comes_about(&mut self) -> bool {
        for _ in 0..HAPPENINGS {
            if self.is_there() {
                return true;
            }
            self.play.world.tick();
        }
        false
    }

    fn is_there(&self) -> bool {
        let scene = self.scene;
        match self.rule {
            "a" => self.harmed(|instance, body| self.has_no_path(instance, body)),
            "b" if self.subject.ends_with("/held") => self.is_held() && !self.is_let_go(),
            "b" if scene.release.is_some() => self.harmed(|_, body| {
                let event = scene.event.as_deref().unwrap_or_default();
                !body.handles.contains_key(event) && self.arrives(event)
            }),
            "b" => self.arrives(scene.event.as_deref().unwrap_or_default()) && !self.is_consumed(),
            "b2" => {
                let produces = |instance: &Instance, body: &Release| {
                    self.play.world.produces(instance, body, scene.event.as_deref().unwrap_or_default())
                };
                (scene.release.is_none() || self.harmed(produces)) && self.rows_are_wrong()
            }
            "c" => (scene.release.is_none() || self.harmed(|_, _| true)) && self.column_is_wrong(),
            "d" => self.is_destroyed(),
            "e" => self.is_twice_or_out_of_order(),
            "f" => self.harmed(|instance, body| {
                let link = scene.link.as_deref().unwrap_or_default();
                taken(body, link, instance) == Some(Way::Copy) && self.copy_lacks(link)
            }),
            _ => false,
        }
    }

    fn world(&self) -> &World<'a> {
        &self.play.world
    }

    fn instances_of<'b>(&'b self, running: &'b Running) -> impl Iterator<Item = &'b Instance> {
        let instances = self.world().instances.get(&running.service);
        instances.into_iter().flatten().filter(|instance| instance.release == running.release)
    }

    fn body(&self, service: &str, release: &str) -> Option<&'a Release> {
        self.world().town.releases.get(&(service.to_owned(), release.to_owned()))
    }

    /// Whether an instance of the harmed release is live of which that holds.
    fn harmed(&self, holds: impl Fn(&Instance, &Release) -> bool) -> bool {
        let Some(running) = &self.scene.release else { return false };
        let Some(body) = self.body(&running.service, &running.release) else { return false };
        self.instances_of(running).any(|instance| holds(instance, body))
    }

    fn has_no_path(&self, instance: &Instance, body: &Release) -> bool {
        let link = self.scene.link.as_deref().unwrap_or_default();
        let Some(told) = self.world().town.links.get(link) else { return false };
        let sink = if told.effect { told.to.as_str() } else { told.state.split('.').next().unwrap_or_default() };
        let unanswered = || match &self.scene.other {
            Some(other) => {
                let serves = self.body(&other.service, &other.release).is_some_and(|body| body.serves.contains(link));
                !serves && self.instances_of(other).next().is_some()
            }
            None => self.world().instances.get(sink).is_none_or(Vec::is_empty),
        };
        let asks_back = body.handles.iter().any(|(event, (_, calls))| calls.as_deref() == Some(link) && self.arrives(event));
        let way = taken(body, link, instance);
        let calls = way == Some(Way::Call) || asks_back;
        let unfilled = match way {
            Some(Way::Copy) => !self.is_consumed(),
            None => !asks_back,
            Some(_) => false,
        };
        unfilled || (calls && unanswered())
    }

    /// Whether somebody live reads the topic of the story's event, or of its link's.
    fn is_consumed(&self) -> bool {
        let world = self.world();
        let of_link = self.scene.link.as_ref().and_then(|link| world.town.links.get(link)).and_then(|link| link.event.clone());
        let Some(name) = self.scene.event.clone().or(of_link) else { return false };
        let topic = world.town.event(&name).map(|event| &event.topic);
        world.instances.iter().any(|(service, instances)| {
            let reads = |release: &Release| release.handles.keys().any(|label| world.town.event(label).map(|event| &event.topic) == topic);
            let meant = self.scene.reader.as_ref().is_none_or(|reader| reader == service);
            meant && instances.iter().any(|instance| self.body(service, &instance.release).is_some_and(reads))
        })
    }

    /// Whether the version is produced, on its way, unread by whom it may concern, or kept by compaction.
    fn arrives(&self, event: &str) -> bool {
        let world = self.world();
        let is = |label: &str| label == event;
        let produced = || {
            world.instances.iter().any(|(service, instances)| {
                let one = |instance: &Instance| {
                    self.body(service, &instance.release).is_some_and(|body| self.play.world.produces(instance, body, event))
                };
                instances.iter().any(one)
            })
        };
        let unsent = || world.outbox.values().flatten().any(|record| is(&record.label));
        produced() || unsent() || self.lies(event)
    }

    fn is_unread(&self) -> bool {
        self.scene.waiting.iter().any(|waiting| matches!(waiting, Waiting::Unread { event, .. } if self.lies(event)))
    }

    /// Whether a record of the version lies where somebody will still be handed it.
    fn lies(&self, event: &str) -> bool {
        let world = self.world();
        let Some(name) = world.town.event(event).map(|event| &event.topic) else { return false };
        let Some(topic) = world.topics.get(name) else { return false };
        let compacted = world.town.compacted.contains(name);
        // Why only who wants it: anybody else is handed it and passes on, and nobody waits for that.
        let wanted = |name: &String| event.split('@').next() == Some(name.as_str());
        let readers: Vec<&String> = world.town.wants.iter().filter(|(_, name)| wanted(name)).map(|(service, _)| service).collect();
        topic.log.iter().filter(|(_, record)| record.label == event).any(|(offset, _)| {
            let unread = |reader: &&String| world.read.get(&((*reader).clone(), name.clone())).copied().unwrap_or_default() <= *offset;
            compacted || readers.iter().any(unread)
        })
    }

    /// Whether rows of the truth lack a field of the version, or have it in the told meaning.
    fn rows_are_wrong(&self) -> bool {
        let (table, column) = split(self.scene.column.as_deref().unwrap_or_default());
        let shape = self.world().shapes.get(&(table.clone(), column.clone()));
        let rows = self.world().rows.get(&table).into_iter().flat_map(|rows| rows.values());
        shape == Some(&Shape::Absent)
            || rows.into_iter().any(|row| match (&self.scene.meaning, row.columns.get(&column)) {
                (Some(meaning), Some(found)) => found == meaning,
                (Some(_), None) => false,
                (None, found) => found.is_none(),
            })
    }

    fn column_is_wrong(&self) -> bool {
        let (table, column) = split(self.scene.column.as_deref().unwrap_or_default());
        let shape = self.world().shapes.get(&(table, column)).copied().unwrap_or(Shape::Nullable);
        match self.subject.rsplit_once('/').map(|(_, aspect)| aspect) {
            Some("given") => shape == Shape::Required,
            Some("filled" | "meaning") => self.rows_are_wrong(),
            _ => shape == Shape::Absent,
        }
    }

    fn is_destroyed(&self) -> bool {
        let world = self.world();
        let topic = self.scene.topic.as_ref();
        let gone = match (topic, self.scene.event.as_deref()) {
            (Some(topic), _) => !world.topics.get(topic).is_some_and(|topic| topic.there),
            (None, Some(event)) => !world.schemas.contains(event),
            (None, None) => false,
        };
        let of_story = |label: &str| match topic {
            Some(topic) => world.town.event(label).is_some_and(|event| event.topic == *topic),
            None => self.scene.event.as_deref() == Some(label),
        };
        let waits = || {
            let unsent = world.outbox.values().flatten().any(|record| of_story(&record.label));
            unsent || self.unread || self.scene.event.as_deref().is_some_and(|event| self.lies(event))
        };
        gone && if self.scene.release.is_some() { self.harmed(|_, _| true) } else { self.scene.waiting.is_empty() || waits() }
    }

    fn is_twice_or_out_of_order(&self) -> bool {
        let Some((name, link)) = self.scene.link.as_ref().and_then(|name| Some((name, self.world().town.links.get(name)?))) else {
            return false;
        };
        if !link.effect {
            return !link.seq;
        }
        let releases = self.world().town.releases.values();
        let prefix = format!("{}@", link.event.as_deref().unwrap_or_default());
        let labels = releases.flat_map(|body| body.handles.keys().chain(body.produces.iter().map(|(label, _)| label)));
        let on_its_way = labels.into_iter().any(|label| label.starts_with(&prefix) && self.arrives(label));
        match &self.scene.release {
            Some(_) => self.harmed(|instance, body| match taken(body, name, instance) {
                // Why also what is held: who cannot hold sends past it on any way.
                Some(Way::Call) => on_its_way || (self.is_held() && !body.can_hold(name)),
                Some(Way::Event) => self.is_held() && !body.can_hold(name),
                _ => false,
            }),
            None => on_its_way && !link.key,
        }
    }

    /// Whether an effect of the story's link waits in its source for another way.
    fn is_held(&self) -> bool {
        self.world().held.iter().any(|effect| Some(&effect.link) == self.scene.link.as_ref())
    }

    /// Whether somebody live can let it go.
    fn is_let_go(&self) -> bool {
        let Some(link) = &self.scene.link else { return false };
        let world = self.world();
        let from = world.town.links.get(link).map(|link| link.from.as_str()).unwrap_or_default();
        world.instances.get(from).into_iter().flatten().any(|instance| world.knows_hold(from, &instance.release, link))
    }

    /// Whether the copy lacks an entity, or a change that nothing under way will bring.
    fn copy_lacks(&self, link: &str) -> bool {
        let world = self.world();
        let Some(told) = world.town.links.get(link) else { return false };
        let have = |key: &usize| world.rows.get(&told.copy).and_then(|rows| rows.get(key)).map(|row| row.seq);
        let owner = told.state.split('.').next().unwrap_or_default();
        let reader = told.copy.split('.').next().unwrap_or_default();
        let topic = told.event.as_ref().and_then(|event| world.town.events.get(event)).map(|event| event.topic.clone()).unwrap_or_default();
        let position = world.read.get(&(reader.to_owned(), topic.clone())).copied().unwrap_or_default();
        let unread = world.topics.get(&topic).map(|topic| topic.log.as_slice()).unwrap_or_default();
        world.rows.get(&told.state).into_iter().flatten().any(|(key, truth)| {
            let brings = |record: &super::world::Record| record.key == *key && record.seq >= truth.seq;
            let unsent = world.outbox.get(owner).is_some_and(|records| records.iter().any(brings));
            let coming = unsent || unread.iter().any(|(offset, record)| *offset >= position && brings(record));
            let late = || world.is_old(&told.state, *key, have(key)) || !coming || !self.is_consumed();
            have(key).is_none_or(|seq| seq < truth.seq) && late()
        })
    }
}

fn taken(body: &Release, link: &str, instance: &Instance) -> Option<Way> {
    way(body.uses.get(link).or_else(|| body.sends.get(link)), &instance.view)
}

fn relays<'a>(town: &'a Town, event: &'a str) -> impl Iterator<Item = String> + 'a {
    town.producers(event).map(|service| format!("relay {service}"))
}
