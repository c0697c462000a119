//! What a rule finds: which rule, about what, and the facts that the story will be told from.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{ColumnId, LinkId, Model, ReleaseId, ServiceId, StreamId, TopicId};
use super::state::Fact;

/// The rules by their letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    /// Every link has a path.
    Path,
    /// Every event that may arrive is handled.
    Handled,
    /// Every produced version is valid.
    Valid,
    /// Columns are as every live release needs them.
    Columns,
    /// Nothing that is used is destroyed, and nothing is used before it is there.
    Used,
    /// An effect happens once and in order; a state has an order.
    Once,
    /// A copy is relied on only when it is complete.
    Complete,
    /// There is a way back, up to the line that the playbook names.
    Back,
    /// Every wait can end.
    Ends,
    /// What the plan names is declared.
    Declared,
}

impl Rule {
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Path => "a",
            Self::Handled => "b",
            Self::Valid => "b2",
            Self::Columns => "c",
            Self::Used => "d",
            Self::Once => "e",
            Self::Complete => "f",
            Self::Back => "g",
            Self::Ends => "h",
            Self::Declared => "declared",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// What a finding is about. Two findings with the same rule and subject are one to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// A need or an effect.
    Link(LinkId),
    /// Its idempotency key.
    Key(LinkId),
    /// Its order.
    Order(LinkId),
    /// What is held of it.
    Held(LinkId),
    /// Its version number.
    Seq(LinkId),
    /// A service that is handed a version.
    Stream(ServiceId, StreamId),
    /// A required field of a version, from this column.
    Field(StreamId, ColumnId),
    /// A column that is not there.
    Column(ColumnId),
    /// A column that must not be null when it is read.
    Filled(ColumnId),
    /// A column that must not be null when it is written.
    Given(ColumnId),
    /// A column's meaning.
    Meaning(ColumnId),
    /// A topic.
    Topic(TopicId),
    /// A flag.
    Flag(usize),
    /// A version's schema.
    Schema(StreamId),
    /// The retirement of a version's producers.
    Retire(StreamId),
    /// A drain of a version by a service's group.
    Drain(ServiceId, StreamId),
    /// A version that is never rewritten.
    Quiet(StreamId),
    /// A catch-up.
    CatchUp(LinkId),
    /// A step.
    Step(usize),
}

/// What a rule finds in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) subject: Subject,
    /// The live release that is harmed, or harms.
    pub(super) release: Option<ReleaseId>,
    /// The release that stands against it.
    pub(super) other: Option<ReleaseId>,
    /// The facts behind it, at most three.
    pub(super) facts: Vec<Fact>,
}

impl Finding {
    pub(super) fn new(rule: Rule, subject: Subject) -> Self {
        Self { rule, subject, release: None, other: None, facts: Vec::new() }
    }

    pub(super) fn release(mut self, release: ReleaseId) -> Self {
        self.release = Some(release);
        self.facts.push(Fact::Live(release));
        self
    }

    pub(super) fn other(mut self, release: ReleaseId) -> Self {
        self.other = Some(release);
        self.facts.push(Fact::Live(release));
        self
    }

    pub(super) fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    pub(super) fn key(&self) -> Key {
        Key(self.rule, self.subject)
    }
}

/// What does not count: what is so already, by exactly those releases, and what was accepted, by whomever.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) already: BTreeSet<(Key, Option<ReleaseId>, Option<ReleaseId>)>,
    pub(super) accepted: BTreeSet<Key>,
}

impl Known {
    pub(super) fn has(&self, finding: &Finding) -> bool {
        let key = finding.key();
        self.accepted.contains(&key) || self.already.contains(&(key, finding.release, finding.other))
    }
}

/// Rule and subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) Rule, pub(super) Subject);

impl Subject {
    /// The subject's name: without spaces, stable, and the same in the answer and in `--accept`.
    pub(super) fn name(self, model: &Model, step: &dyn Fn(usize) -> String) -> String {
        let stream = |stream: StreamId| model.streams[stream].label.clone();
        let service = |service: ServiceId| model.services[service].name.clone();
        let column = |column: ColumnId| model.columns[column].name.clone();
        let link = |link: LinkId| model.links[link].name.clone();
        match self {
            Self::Link(at) | Self::CatchUp(at) => link(at),
            Self::Key(at) => format!("{}/key", link(at)),
            Self::Order(at) => format!("{}/order", link(at)),
            Self::Held(at) => format!("{}/held", link(at)),
            Self::Seq(at) => format!("{}/seq", link(at)),
            Self::Stream(reader, at) | Self::Drain(reader, at) => format!("{}/{}", service(reader), stream(at)),
            Self::Field(at, from) => format!("{}/{}", stream(at), column(from)),
            Self::Column(at) => column(at),
            Self::Filled(at) => format!("{}/filled", column(at)),
            Self::Given(at) => format!("{}/given", column(at)),
            Self::Meaning(at) => format!("{}/meaning", column(at)),
            Self::Topic(at) => model.topics[at].name.clone(),
            Self::Flag(at) => model.flags[at].0.clone(),
            Self::Schema(at) | Self::Retire(at) | Self::Quiet(at) => stream(at),
            Self::Step(at) => step(at),
        }
    }
}
