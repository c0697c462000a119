//! The story of a finding: when it happens, what goes wrong, by which steps it came to be so, and why the steps that were meant to
//! prevent it did not. In words for people who know their services and not this proof.

use super::book::Book;
use super::finding::{Finding, Rule, Subject};
use super::model::{Model, ReleaseId};
use super::state::{Fact, Space};
use super::transition::Stays;
use super::walk::{Moment, Seen, Trail};
use crate::step::Move;

/// A finding in words.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) text: String,
    /// The steps that it tells of, in their order.
    pub(super) steps: Vec<usize>,
}

/// Tells the story.
pub(super) fn tell(space: &Space, book: &Book, trail: &Trail, seen: &Seen) -> Story {
    let mut teller = Teller { model: &space.model, book, trail, seen, steps: Vec::new() };
    let what = teller.what();
    let mut text = match seen.moment {
        Moment::Start => format!("Already before the first step {what}"),
        Moment::Inside => format!("While step {} is under way {what}", teller.step(seen.step)),
        Moment::After => format!("After step {} {what}", teller.step(seen.step)),
    };
    if seen.finding.rule == Rule::Back {
        text = what;
    }
    text.push('.');
    for sentence in teller.because() {
        text.push(' ');
        text.push_str(&sentence);
        text.push('.');
    }
    let mut steps = teller.steps;
    steps.sort_unstable();
    steps.dedup();
    Story { text, steps }
}

struct Teller<'a> {
    model: &'a Model,
    book: &'a Book,
    trail: &'a Trail,
    seen: &'a Seen,
    steps: Vec<usize>,
}

impl Teller<'_> {
    /// A step by its name, and noted as one of the story's.
    fn step(&mut self, at: usize) -> String {
        self.steps.push(at);
        self.book.steps.get(at).map_or_else(|| format!("{}", at + 1), |step| format!("{} `{}`", at + 1, step.id))
    }

    fn release(&self, release: Option<ReleaseId>) -> String {
        release.map_or_else(|| "somebody".to_owned(), |release| self.model.release_words(release))
    }

    /// What goes wrong.
    fn what(&mut self) -> String {
        let Finding { rule, subject, release, other, facts } = &self.seen.finding;
        let (who, whom) = (self.release(*release), self.release(*other));
        let model = self.model;
        match (rule, subject) {
            (Rule::Path, Subject::Link(link)) => {
                let name = &model.links[*link].name;
                match (other, facts.iter().find(|fact| matches!(fact, Fact::Up(_)))) {
                    (Some(_), _) => format!("{who} calls {name}, and {whom} does not answer that call"),
                    (None, Some(Fact::Up(service))) => {
                        format!("{who} calls {name}, and no instance of {} may be there to answer", model.services[*service].name)
                    }
                    _ => format!("{who} has no way to fill its need {name}"),
                }
            }
            (Rule::Handled, Subject::Stream(service, stream)) => {
                let (stream, service) = (&model.streams[*stream].label, &model.services[*service].name);
                match release {
                    Some(_) => format!("{who} may be handed {stream}, has no handler for it and loses it"),
                    None => format!("{stream} may still arrive and no live release of {service} consumes it, so its effect never happens"),
                }
            }
            (Rule::Handled, Subject::Held(link)) => {
                format!("no live release lets go what may be held of {}, so those effects never happen", model.links[*link].name)
            }
            (Rule::Valid, Subject::Field(stream, column)) => {
                let (stream, column) = (&model.streams[*stream].label, &model.columns[*column].name);
                let who = release.map_or_else(|| "the snapshot".to_owned(), |_| who.clone());
                match facts.iter().find_map(|fact| if let Fact::Means(meaning) = fact { Some(*meaning) } else { None }) {
                    Some(meaning) => format!(
                        "{who} publishes {stream} from {column}, where rows may still mean `{}`, and does not convert them",
                        model.meanings[meaning].1
                    ),
                    None => format!("{who} publishes {stream}, which requires {column}, and that is empty in some rows"),
                }
            }
            (Rule::Columns, _) => self.what_of_columns(),
            (Rule::Used, _) => self.what_is_not_there(),
            (Rule::Once, Subject::Key(link)) => {
                let name = &model.links[*link].name;
                format!("{name} may travel by event, and events come twice; without a `key` its effect happens twice")
            }
            (Rule::Once, Subject::Order(link)) if facts.contains(&Fact::Held(*link)) => {
                format!("{who} does not know of what may be held of {} and may send past it", model.links[*link].name)
            }
            (Rule::Once, Subject::Order(link)) => {
                let name = &model.links[*link].name;
                format!("{name} may travel by call and by event at once, and the later one of a key may overtake the earlier one")
            }
            (Rule::Once, Subject::Seq(link)) => {
                format!("a snapshot of {} would overwrite newer changes: the link has no `seq` to tell them apart", model.links[*link].name)
            }
            (Rule::Complete, Subject::Link(link)) => {
                let name = &model.links[*link].name;
                format!("{who} may rely on its copy of {name}, which may lack entities or changes")
            }
            (Rule::Back, Subject::Step(step)) => {
                let step = self.step(*step);
                format!("From step {step} on there is no proven way back, and the playbook does not name that step as its line")
            }
            (Rule::Ends, _) => self.what_never_ends(),
            (Rule::Declared, _) => "it brings a release that is not declared, so nothing can be said of it".to_owned(),
            (rule, _) => broken(*rule),
        }
    }

    /// What is used and not there.
    fn what_is_not_there(&self) -> String {
        let Finding { rule, subject, release, facts, .. } = &self.seen.finding;
        let who = self.release(*release);
        let model = self.model;
        match subject {
            Subject::Topic(topic) => {
                let name = &model.topics[*topic].name;
                match (release, facts.contains(&Fact::Gone(*topic))) {
                    (Some(_), true) => format!("{who} still consumes {name}, which is gone"),
                    (None, true) => format!("{name} is gone while something of it was still to be read or sent"),
                    (Some(_), false) => format!("{who} produces to {name}, which is not there"),
                    (None, false) => format!("something is published to {name}, which is not there"),
                }
            }
            Subject::Flag(flag) => {
                let name = &model.flags[*flag].0;
                let default =
                    model.defaults.get(flag).map_or("whatever default is in its code", |default| model.variants[*default].1.as_str());
                format!("{who} still evaluates {name}: the step is refused as long as it runs, and without the flag it would get {default}")
            }
            Subject::Schema(stream) => {
                let name = &model.streams[*stream].label;
                match release {
                    Some(_) => format!("{who} produces {name}, which has no schema"),
                    None => format!("the schema of {name} is not there, and {name} is still in use"),
                }
            }
            _ => broken(*rule),
        }
    }

    /// Why a wait never ends.
    fn what_never_ends(&self) -> String {
        let Finding { rule, subject, release, facts, .. } = &self.seen.finding;
        let who = self.release(*release);
        let model = self.model;
        match subject {
            Subject::Retire(stream) => {
                format!("it waits for ever: {who} goes on producing {}", model.streams[*stream].label)
            }
            Subject::Drain(service, stream) if matches!(facts.first(), Some(Fact::Up(_))) => {
                let topic = &model.topics[model.streams[*stream].topic].name;
                format!("it waits for ever: no live release of {} reads {topic}", model.services[*service].name)
            }
            Subject::Drain(service, stream) => {
                let (stream, service) = (&model.streams[*stream].label, &model.services[*service].name);
                format!("it waits for ever: {stream} is unread, and no live release of {service} reads its topic")
            }
            Subject::Quiet(stream) => {
                let stream = &model.streams[*stream].label;
                match release {
                    Some(_) => format!("it waits for ever: {who} goes on producing {stream}"),
                    None => format!("it waits for ever: the topic is compacted, and keys that nobody writes again keep {stream}"),
                }
            }
            Subject::CatchUp(link) => {
                format!("it waits for ever: no live release consumes the events of {}", model.links[*link].name)
            }
            _ => broken(*rule),
        }
    }

    /// What goes wrong with a column.
    fn what_of_columns(&self) -> String {
        let Finding { rule, subject, release, facts, .. } = &self.seen.finding;
        let who = self.release(*release);
        let model = self.model;
        match subject {
            Subject::Column(column) => match release {
                Some(_) => format!("{who} uses {}, which is not there", model.columns[*column].name),
                None => format!("the step needs {}, which is not there", model.columns[*column].name),
            },
            Subject::Filled(column) => match release {
                Some(_) => format!("{who} breaks on an empty {}, and some rows have none", model.columns[*column].name),
                None => format!("{} is empty in some rows, so it cannot be required", model.columns[*column].name),
            },
            Subject::Given(column) => {
                format!("{who} inserts rows without {}, which must not be null", model.columns[*column].name)
            }
            Subject::Meaning(column) => {
                let meaning = facts.iter().find_map(|fact| if let Fact::Means(meaning) = fact { Some(*meaning) } else { None });
                let meaning = meaning.map_or("something else", |meaning| model.meanings[meaning].1.as_str());
                format!("{who} reads {}, where rows may mean `{meaning}`, and takes it for something else", model.columns[*column].name)
            }
            _ => broken(*rule),
        }
    }

    /// How it came to be so.
    fn because(&mut self) -> Vec<String> {
        let facts = self.seen.finding.facts.clone();
        let mut told = Vec::new();
        for fact in facts {
            if let Some(sentence) = self.origin(fact) {
                told.push(sentence);
            }
            let until = self.seen.step;
            let kept: Vec<_> = self.trail.kept(fact, until).collect();
            if let Some((step, why)) = kept.last() {
                let step = self.step(*step);
                told.push(format!("Step {step} {}", stays(*why)));
            }
        }
        told.extend(self.in_vain());
        told.dedup();
        told.truncate(4);
        told
    }

    /// The last step that was meant to keep a version from arriving, and why it did not; or that there is none.
    fn in_vain(&mut self) -> Option<String> {
        let (Subject::Stream(_, stream) | Subject::Schema(stream)) = self.seen.finding.subject else { return None };
        let pending = self.seen.finding.facts.iter().any(|fact| matches!(fact, Fact::Latent(_) | Fact::Unread(_) | Fact::Lies(_)));
        if !pending {
            return None;
        }
        let model = self.model;
        let info = &model.streams[stream];
        let facts = info.unread.iter().map(|(_, unread)| Fact::Unread(*unread)).chain([Fact::Lies(stream)]);
        let kept: Vec<_> = facts.flat_map(|fact| self.trail.kept(fact, self.seen.step).collect::<Vec<_>>()).collect();
        let last = kept.into_iter().max_by_key(|(step, _)| *step);
        Some(match last {
            Some((step, why)) => format!("Step {} {}", self.step(step), stays(why)),
            None => format!("No step before has retired the producers of {} and drained it", info.label),
        })
    }

    /// By which step a fact came or went.
    fn origin(&mut self, fact: Fact) -> Option<String> {
        let until = self.seen.step;
        let model = self.model;
        let came = self.trail.came(fact, until);
        let went = self.trail.went(fact, until);
        Some(match fact {
            Fact::Live(release) => match came {
                Some(step) if step != until => format!("{} is live since step {}", model.release_words(release), self.step(step)),
                Some(_) => return None,
                None => format!("{} is live from the start", model.release_words(release)),
            },
            Fact::Latent(at) => {
                let (service, stream) = model.latents[at];
                let since = self.since(came);
                let name = &model.services[service].name;
                format!(
                    "{name} may produce {} {since}, and what its buffers, outbox and open transactions hold may come later",
                    model.streams[stream].label
                )
            }
            Fact::Unread(at) => {
                let (service, stream) = model.unreads[at];
                let since = self.since(came);
                format!("{} may lie unread by {} {since}", model.streams[stream].label, model.services[service].name)
            }
            Fact::Held(link) => {
                let since = self.since(came);
                format!("{} may be held {since}, and no flag that ends this has been verified", model.links[link].name)
            }
            Fact::Lies(stream) => {
                let since = self.since(came);
                let topic = &model.topics[model.streams[stream].topic].name;
                format!("{topic} is compacted and keeps {} {since}: whoever builds its copy anew is handed it", model.streams[stream].label)
            }
            Fact::Complete(link) => match went {
                Some(step) => format!("The copy behind {} was complete until step {}", model.links[link].name, self.step(step)),
                None => format!(
                    "No step has proven the copy behind {} complete: that takes a snapshot while every live release publishes its changes, and then a catch-up",
                    model.links[link].name
                ),
            },
            Fact::Schema(stream) | Fact::Rewritten(stream) if went.is_some() => {
                let step = went.map(|step| self.step(step)).unwrap_or_default();
                match fact {
                    Fact::Schema(_) => format!("The schema of {} went by step {step}", model.streams[stream].label),
                    _ => format!("Keys may hold {} again since step {step}", model.streams[stream].label),
                }
            }
            Fact::Gone(topic) => format!("{} went by step {}", model.topics[topic].name, self.step(came?)),
            _ => return self.origin_in_a_column(fact, came, went),
        })
    }

    fn origin_in_a_column(&mut self, fact: Fact, came: Option<usize>, went: Option<usize>) -> Option<String> {
        let model = self.model;
        Some(match fact {
            Fact::Filled(column) => match went {
                Some(step) => format!("{} has had empty rows since step {}", model.columns[column].name, self.step(step)),
                None => format!("{} has empty rows from the start", model.columns[column].name),
            },
            Fact::Means(meaning) => {
                let (column, name) = &model.meanings[meaning];
                let since = self.since(came);
                format!("Rows of {} may mean `{name}` {since}", model.columns[*column].name)
            }
            Fact::Absent(column) => {
                let name = &model.columns[column].name;
                if let Some(step) = came {
                    return Some(format!("{name} went by step {}", self.step(step)));
                }
                let added = self.later(|one| matches!(one, Move::AddColumn { column } if column == name))?;
                format!("It comes only with step {}", self.step(added))
            }
            Fact::Required(column) => match came {
                Some(step) => format!("{} is required since step {}", model.columns[column].name, self.step(step)),
                None => format!("{} is required from the start", model.columns[column].name),
            },
            _ => return None,
        })
    }

    fn since(&mut self, step: Option<usize>) -> String {
        step.map_or_else(|| "from the start".to_owned(), |step| format!("since step {}", self.step(step)))
    }

    fn later(&self, fits: impl Fn(&Move) -> bool) -> Option<usize> {
        let steps = self.book.steps.iter().enumerate().skip(self.seen.step);
        steps.into_iter().find(|(_, step)| step.moves.iter().any(&fits)).map(|(at, _)| at)
    }
}

fn broken(rule: Rule) -> String {
    format!("rule {rule} does not hold")
}

fn stays(why: Stays) -> &'static str {
    match why {
        Stays::Produced => "could not end that, because something live goes on producing it",
        Stays::Latent => {
            "proved only that what lay before its barrier was read: nothing had made sure before that no producer may still send"
        }
        Stays::OnlyConsumed => "proved that it is read, not that it is gone",
        Stays::NotFed => "came while not every live release published its changes",
        Stays::NoSnapshot => "came without a snapshot before it",
        Stays::Written => "filled the rows, but something live goes on writing rows otherwise",
    }
}

/// What usually helps against a finding, where no better order was found by trying.
pub(super) fn usual(rule: Rule, subject: Subject) -> &'static str {
    match (rule, subject) {
        (Rule::Path, _) => "put the release that answers or fills it before the one that needs it, and end it after",
        (Rule::Handled, Subject::Held(_)) => "flip the flag from `hold` to another way before the last release that can hold goes",
        (Rule::Handled, _) => {
            "put the handler's release before the first producer; before a handler goes, retire the producers, publish every key in the new version, and drain (`goal: absent` on a compacted topic)"
        }
        (Rule::Valid, _) => "backfill the column before the version is produced",
        (Rule::Columns, Subject::Given(_)) => "require the column only after the last release that inserts without it",
        (Rule::Columns, Subject::Meaning(_)) => "let a release that understands both meanings come first, and backfill before the next",
        (Rule::Columns, _) => {
            "add the column before the release that uses it, backfill before it is needed, and drop it after the last release"
        }
        (Rule::Used, Subject::Topic(_)) => {
            "create the topic before its first producer; delete it after producers are retired, the topic is drained and no consumer is left"
        }
        (Rule::Used, Subject::Flag(_)) => "remove the flag after the last release that evaluates it",
        (Rule::Used, _) => "register the schema before its first producer; delete it after its events are absent",
        (Rule::Once, Subject::Key(_)) => "declare the link's `key`, and let endpoint and handler use the same one",
        (Rule::Once, Subject::Order(_)) => "flip through a `hold` variant with a drain between, or declare `order: sink_waits`",
        (Rule::Once, _) => "declare the link's `seq`",
        (Rule::Complete, _) => "put publish_snapshot and catch_up after the producer and before the copy is relied on",
        (Rule::Back, _) => "give that step an `approval:`, or choose an order that keeps the way back longer",
        (Rule::Ends, _) => "put the wait after the step that ends its cause, and before the step that takes its reader away",
        (Rule::Declared, _) => "declare the release in the file of services",
    }
}
