//! The stage on which a run is played: what the driver does, on one thread, in virtual time, and with accidents drawn from a seed.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::SimWorld;
use super::book::Book;
use super::hand::{Desk, Task};
use super::play::{Accidents, Seed};
use crate::driver::{Doing, Opened, Watching, Work, way_back};
use crate::engine::command::Answer;
use crate::engine::entry::AskedFor;
use crate::engine::{Command, Definition, Effect, Entry, Event, JournalEntry, Order, Run, RunState};
use crate::ports::Clock;

/// More turns than any run of a few steps takes.
const MOST_TURNS: usize = 20_000;

/// The controller died.
pub(super) struct Died;

/// A controller's view of the run.
struct Player {
    epoch: u64,
    run: Run,
    unsent: Vec<JournalEntry>,
    answers: Vec<(i64, Answer)>,
    deferred: Vec<Effect>,
    mail: Vec<Event>,
    heard: BTreeSet<i64>,
    desk: Desk,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Holder,
    /// One that has lost the run and does not know it yet.
    Zombie(usize),
}

/// The stage.
pub(super) struct Stage {
    pub(super) world: SimWorld,
    pub(super) book: Book,
    pub(super) points: usize,
    pub(super) problems: Vec<String>,
    pub(super) trace: Vec<String>,
    id: Uuid,
    opened: Arc<Opened>,
    definition: Definition,
    holder: Player,
    zombies: Vec<Player>,
    rng: StdRng,
    accidents: Accidents,
    /// Whether chance decides at all.
    wild: bool,
    /// What services do all the time.
    pub(super) live: Option<fn(&SimWorld)>,
}

impl Player {
    fn new(book: &mut Book, definition: &Definition) -> Self {
        Self {
            epoch: book.take_over(),
            run: Run::replay(definition.clone(), book.entries.iter().cloned()),
            unsent: Vec::new(),
            answers: Vec::new(),
            deferred: Vec::new(),
            mail: Vec::new(),
            heard: BTreeSet::new(),
            desk: Desk::default(),
        }
    }

    fn has_to_write(&self) -> bool {
        !self.unsent.is_empty() || !self.answers.is_empty() || !self.deferred.is_empty()
    }
}

impl Stage {
    pub(super) fn new(
        id: Uuid,
        world: SimWorld,
        opened: Arc<Opened>,
        definition: Definition,
        begun: Entry,
        seed: Seed,
        accidents: Accidents,
    ) -> Self {
        let mut book = Book::default();
        book.entries.push(JournalEntry { seq: 1, at: world.clock.now(), entry: begun });
        let holder = Player::new(&mut book, &definition);
        let rng = StdRng::seed_from_u64(seed.0);
        let (points, problems, trace) = (0, Vec::new(), Vec::new());
        Self {
            world,
            book,
            points,
            problems,
            trace,
            id,
            opened,
            definition,
            holder,
            zombies: Vec::new(),
            rng,
            wild: accidents.is_wild(),
            accidents,
            live: None,
        }
    }

    /// The run as its present controller sees it.
    pub(super) fn run(&self) -> &Run {
        &self.holder.run
    }

    /// Somebody gives an order.
    pub(super) fn say(&mut self, command: Command) {
        let evidence = Some("https://example.org/evidence".to_owned());
        let asked = || self.holder.run.foremost().map(|(definition, _)| definition.id.clone());
        let step = if command == Command::Approve { asked() } else { None };
        self.book.say(Order { command, by: "bob".to_owned(), reason: Some("simulated".to_owned()), step, evidence });
    }

    /// Plays until the run is over or cannot go on.
    pub(super) fn play(&mut self) {
        let mut begun = self.feed(Who::Holder, Event::Loaded);
        for _ in 0..MOST_TURNS {
            match begun.and_then(|()| self.turn()) {
                Ok(true) => return,
                Ok(false) => begun = Ok(()),
                Err(Died) => begun = self.succeed(),
            }
            if !self.problems.is_empty() {
                return;
            }
        }
        self.problems.push("the run does not come to an end".to_owned());
    }

    /// Another controller takes over from one that died.
    fn succeed(&mut self) -> Result<(), Died> {
        self.trace.push(format!("a controller died at point {}", self.points - 1));
        self.holder = Player::new(&mut self.book, &self.definition);
        self.feed(Who::Holder, Event::Loaded)
    }

    /// One thing happens. `true` when nothing will any more.
    fn turn(&mut self) -> Result<bool, Died> {
        self.people();
        if let Some(live) = self.live {
            live(&self.world);
        }
        if self.wild {
            let passed = TimeDelta::milliseconds(self.rng.random_range(0..80));
            self.world.clock.advance(passed);
            if self.accidents.takeovers > 0 && self.rng.random_bool(0.03) {
                self.accidents.takeovers -= 1;
                self.trace.push("another controller took over".to_owned());
                let next = Player::new(&mut self.book, &self.definition);
                self.zombies.push(std::mem::replace(&mut self.holder, next));
                self.feed(Who::Holder, Event::Loaded)?;
                return Ok(false);
            }
            if !self.zombies.is_empty() && self.rng.random_bool(0.3) {
                self.haunt()?;
                return Ok(false);
            }
        }
        let mail = !self.holder.mail.is_empty();
        let write = self.holder.has_to_write();
        let unheard = self.book.inbox.iter().find(|said| said.answer.is_none() && !self.holder.heard.contains(&said.id)).cloned();
        let chance = if self.wild { self.rng.random_range(0..3) } else { 0 };
        match (mail, write, unheard) {
            (true, _, _) if chance != 1 || !write => self.deliver(Who::Holder)?,
            (_, true, _) if chance != 2 || !mail => self.flush(Who::Holder)?,
            (_, _, Some(said)) => {
                self.holder.heard.insert(said.id);
                self.feed(Who::Holder, Event::Ordered(said.id, said.order))?;
            }
            (true, _, _) => self.deliver(Who::Holder)?,
            (_, true, _) => self.flush(Who::Holder)?,
            _ => return self.pass_time(),
        }
        Ok(false)
    }

    /// Nothing is under way: time passes until the run wants to be woken.
    fn pass_time(&mut self) -> Result<bool, Died> {
        let state = self.holder.run.state();
        if state.is_end() && self.book.is_heard() {
            return Ok(true);
        }
        if let Some(at) = self.holder.run.wake_at() {
            let now = self.now();
            self.world.clock.set(at.max(now));
            self.feed(Who::Holder, Event::Woke)?;
            return Ok(false);
        }
        let error = self.holder.run.present().and_then(|(_, record)| record.error.as_ref().map(ToString::to_string));
        self.problems.push(format!("the run stands still as {state}: {}", error.unwrap_or_default()));
        Ok(true)
    }

    /// What people do: answer what is asked, let a paused run go on, and sometimes get in the way.
    fn people(&mut self) {
        if !self.book.is_heard() {
            return;
        }
        let asked = self
            .holder
            .run
            .foremost()
            .and_then(|(_, record)| record.question.as_ref().map(|(why, question)| (*why, question.text.clone())));
        match self.holder.run.state() {
            RunState::Asking => {
                if let Some((AskedFor::Unclear | AskedFor::Stale, text)) = asked {
                    self.problems.push(format!("a person is asked what should be known: {text}"));
                }
                self.say(Command::Approve);
                if self.wild && self.rng.random_bool(0.3) {
                    self.say(Command::Approve);
                }
            }
            RunState::Paused => self.say(Command::Resume),
            RunState::Running | RunState::Waiting | RunState::Reverting if self.accidents.pauses > 0 && self.rng.random_bool(0.03) => {
                self.accidents.pauses -= 1;
                self.say(Command::Pause);
            }
            _ => {}
        }
        if self.accidents.turn_at.is_some_and(|point| self.points >= point) {
            self.accidents.turn_at = None;
            self.say(Command::Revert);
        }
    }

    /// A controller that has lost the run goes on for a while with what it has.
    fn haunt(&mut self) -> Result<(), Died> {
        let at = self.rng.random_range(0..self.zombies.len());
        let zombie = &self.zombies[at];
        if !zombie.mail.is_empty() {
            self.deliver(Who::Zombie(at))
        } else if zombie.has_to_write() {
            self.flush(Who::Zombie(at))
        } else {
            self.zombies.remove(at);
            Ok(())
        }
    }

    fn deliver(&mut self, who: Who) -> Result<(), Died> {
        let wild = self.wild;
        let count = self.player(who).mail.len();
        let at = if wild { self.rng.random_range(0..count) } else { 0 };
        let again = wild && self.rng.random_bool(0.1);
        let player = self.player(who);
        let event = if again { player.mail[at].clone() } else { player.mail.remove(at) };
        self.feed(who, event)
    }

    fn feed(&mut self, who: Who, event: Event) -> Result<(), Died> {
        let now = self.now();
        let effects = self.player(who).run.handle(now, event);
        for effect in effects {
            match effect {
                Effect::Record(entry) => self.player(who).unsent.push(entry),
                Effect::Answer(inbox, answer) => self.player(who).answers.push((inbox, answer)),
                Effect::Act(_) | Effect::CursorSaved(_) => self.player(who).deferred.push(effect),
                Effect::Plan(ticket) => self.look(who, Doing::Plan, ticket)?,
                Effect::Stand(ticket) => self.look(who, Doing::Stand, ticket)?,
                Effect::Settle(ticket) => self.look(who, Doing::Settle, ticket)?,
                Effect::Verify(ticket) => self.look(who, Doing::Verify, ticket)?,
                Effect::Watch(ticket, which) => self.watch(who, ticket, &which)?,
                Effect::PlanBack(ticket) => {
                    let opened = Arc::clone(&self.opened);
                    let lines = way_back(&self.player(who).run, &opened);
                    self.player(who).mail.push(Event::BackPlanned(ticket, lines));
                }
            }
        }
        if self.player(who).unsent.is_empty() && !self.player(who).deferred.is_empty() {
            self.dispatch(who)?;
        }
        Ok(())
    }

    fn flush(&mut self, who: Who) -> Result<(), Died> {
        self.point(who, "write")?;
        let player = self.player(who);
        let (epoch, entries, answers) = (player.epoch, std::mem::take(&mut player.unsent), std::mem::take(&mut player.answers));
        for entry in entries.iter().filter(|_| who == Who::Holder) {
            let (kind, _) = entry.entry.write().unwrap_or_default();
            self.trace.push(format!("{} {kind} {}", entry.seq, entry.entry.step().unwrap_or_default()));
        }
        match self.book.write(epoch, entries, answers) {
            Ok(true) => {}
            Ok(false) => {
                if let Who::Zombie(at) = who {
                    self.zombies.remove(at);
                }
                return Ok(());
            }
            Err(problem) => self.problems.push(problem),
        }
        self.point(who, "written")?;
        self.dispatch(who)
    }

    fn dispatch(&mut self, who: Who) -> Result<(), Died> {
        for effect in std::mem::take(&mut self.player(who).deferred) {
            match effect {
                Effect::CursorSaved(_) => self.player(who).desk.saved(),
                // Why: a controller whose lease has run out does not act any more.
                Effect::Act(ticket) if who == Who::Holder && self.holder.run.awaits(ticket) => self.act(ticket)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn look(&mut self, who: Who, doing: Doing, ticket: u64) -> Result<(), Died> {
        self.point(who, "look")?;
        let event = match self.task(who, doing, ticket) {
            Ok(mut task) => task.go_on(),
            Err(event) => Some(*event),
        };
        self.point(who, "looked")?;
        match event {
            Some(event) => self.player(who).mail.push(event),
            None => self.problems.push("a look wanted a position saved".to_owned()),
        }
        Ok(())
    }

    fn watch(&mut self, who: Who, ticket: u64, which: &[usize]) -> Result<(), Died> {
        self.point(who, "watch")?;
        let opened = Arc::clone(&self.opened);
        self.player(who).run.face(ticket);
        let readings = Watching::of(&self.player(who).run, &opened, which).look().now_or_never();
        self.point(who, "watched")?;
        match readings {
            Some(readings) => self.player(who).mail.push(Event::Watched(ticket, readings)),
            None => self.problems.push("a guard waits for something".to_owned()),
        }
        Ok(())
    }

    fn act(&mut self, ticket: u64) -> Result<(), Died> {
        self.point(Who::Holder, "act")?;
        self.holder.run.face(ticket);
        self.trace.push(format!("act {}", self.holder.run.key().unwrap_or_default()));
        let event = match self.task(Who::Holder, Doing::Act, ticket) {
            Ok(mut task) => loop {
                if let Some(event) = task.go_on() {
                    break event;
                }
                let Some(cursor) = self.holder.desk.asked() else {
                    self.problems.push("an act waits for nothing".to_owned());
                    return Ok(());
                };
                self.feed(Who::Holder, Event::Cursor(ticket, cursor))?;
                self.flush(Who::Holder)?;
            },
            Err(event) => *event,
        };
        self.point(Who::Holder, "acted")?;
        self.holder.mail.push(event);
        Ok(())
    }

    fn task(&mut self, who: Who, doing: Doing, ticket: u64) -> Result<Task, Box<Event>> {
        let (now, id, opened) = (self.now(), self.id, Arc::clone(&self.opened));
        let player = self.player(who);
        player.run.face(ticket);
        let desk = Arc::new(player.desk.clone());
        let work = Work::of(id, &player.run, &opened, now, desk).map_err(|error| Box::new(doing.failed(ticket, error)))?;
        Ok(Task::new(work, doing, ticket))
    }

    /// A place at which a controller may die.
    fn point(&mut self, who: Who, what: &str) -> Result<(), Died> {
        if who != Who::Holder {
            return Ok(());
        }
        let at = self.points;
        self.points += 1;
        let drawn = self.accidents.deaths > 0 && self.rng.random_bool(0.04);
        if drawn {
            self.accidents.deaths -= 1;
        }
        if drawn || self.accidents.die_at == Some(at) {
            self.trace.push(format!("death at {what}"));
            return Err(Died);
        }
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.clock.now()
    }

    fn player(&mut self, who: Who) -> &mut Player {
        match who {
            Who::Zombie(at) if at < self.zombies.len() => &mut self.zombies[at],
            _ => &mut self.holder,
        }
    }
}
