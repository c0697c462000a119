//! A playbook that was read: typed, resolved and with the place of everything. It owns the truth about what a playbook says; it
//! knows nothing of runs.

mod body;
mod declared;
mod file;
mod guards;
mod options;
mod parallel;
mod read;
mod reference;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tree::Place;
use crate::guards::Guard;
use crate::services::{Services, Start};
use crate::step::{Claim, Gap, GuardOptions, Kind, Needed, Right, Step, least};

pub use options::{Retry, StepOptions};
pub(super) use read::{Draft, bad_name, read};

/// A playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The link of the catalogue of communications that it moves.
    pub link: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What the services do that the playbook moves, when it names a file that says so.
    pub services: Option<Arc<Services>>,
    /// Where it begins.
    pub start: Start,
    /// What may break although the proof finds it, by name and with a reason.
    pub accept: Vec<Gap>,
    /// The value of every parameter in this reading.
    pub params: BTreeMap<String, serde_json::Value>,
    /// The steps in their order; never empty.
    pub steps: Vec<PlaybookStep>,
    /// The files that the steps name, by path.
    pub files: BTreeMap<String, Arc<str>>,
}

impl Playbook {
    /// The least rights that all steps together need, each with the steps that need it.
    #[must_use]
    pub fn rights(&self) -> Vec<Needed<String>> {
        least(self.steps.iter().flat_map(|step| step.rights().into_iter().map(|right| (right, step.id.clone()))))
    }
}

/// A step of a playbook.
#[derive(Clone, Debug)]
pub struct PlaybookStep {
    /// Its name within the playbook.
    pub id: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// What it does.
    pub step: Arc<dyn Step>,
    /// The earlier steps that its body names.
    pub refers: Vec<String>,
    /// What it does around that.
    pub options: StepOptions,
    /// What is watched while it is under way.
    pub guards: Vec<PlaybookGuard>,
    /// Whether it is under way together with the step before it, in a `parallel` block.
    pub beside: bool,
    /// Where its `id` stands.
    pub place: Place,
    /// Where every value of its body stands, by JSON pointer into the body.
    pub places: BTreeMap<String, Place>,
}

impl PlaybookStep {
    /// What it touches, with what its guards read.
    #[must_use]
    pub fn resources(&self) -> Vec<Claim> {
        self.guards.iter().fold(self.step.resources(), |mut claims, guard| {
            claims.extend(guard.guard.resources());
            claims
        })
    }

    /// What it must be allowed to do, its way back and its guards included.
    #[must_use]
    pub fn rights(&self) -> Vec<Right> {
        self.step.rights().into_iter().chain(self.guards.iter().flat_map(|guard| guard.guard.rights())).collect()
    }
}

/// A guard of a step.
#[derive(Clone, Debug)]
pub struct PlaybookGuard {
    /// How it looks.
    pub guard: Arc<dyn Guard>,
    /// How often it looks, what it lets pass, and what it does when it trips.
    pub options: GuardOptions,
    /// Where its kind stands.
    pub place: Place,
}

/// Whether the text can name a playbook or a step: 1 to 60 of `a`–`z`, `0`–`9` and `-`, not beginning with `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 60 && !text.starts_with('-') && text.bytes().all(legal)
}
