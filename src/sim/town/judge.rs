//! What proof and play say of the same plan, side by side.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;

use serde::Serialize;

use super::invent::{Invented, invent};
use super::replay::{replay, tells_a_state};
use super::run;
use crate::check::prove;
use crate::step::{Proof, Violation};

/// What was lost, and how often.
pub type Lost = BTreeMap<String, usize>;

/// An invented plan with both verdicts.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The plan.
    pub invented: Invented,
    /// What the proof says.
    pub proof: Proof,
    /// The first schedule that loses something, and what.
    pub lost: Option<(u64, Lost)>,
    /// Every story of the proof that tells of a state.
    pub stories: Vec<Story>,
}

/// A story of the proof, brought about on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The name of what it is about, `rule:subject`.
    pub name: String,
    /// The directed schedule under which the told state is there; `None` when no schedule that was tried brings it about.
    pub schedule: Option<u64>,
}

impl Judged {
    /// Whether the proof accepts it, today's state included.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.proof.proven && self.proof.start_violations.is_empty()
    }

    /// Whether the proof is wrong: it accepts what loses.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.is_proven() && self.lost.is_some()
    }
}

/// Invents a plan, proves it, and plays it until something is lost; `None` when the seed invents what cannot be declared.
#[must_use]
pub fn judge(seed: u64, schedules: u64) -> Option<Judged> {
    let invented = invent(seed)?;
    let proof = prove(&invented.services, &invented.book);
    let played = (0..schedules).map(|schedule| (schedule, run(&invented.services, &invented.services, &invented.book, schedule)));
    let lost = played.into_iter().find(|(_, lost)| !lost.is_empty());
    let told = proof.violations.iter().chain(&proof.start_violations).filter(|violation| tells_a_state(violation));
    let story = |violation| Story { name: Violation::name(violation), schedule: replay(&invented.services, &invented.book, violation) };
    let stories = told.map(story).collect();
    Some(Judged { invented, proof, lost, stories })
}

/// How many plans fell where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Plans in all; seeds that invent nothing are left out.
    pub plans: u64,
    /// Refused, and something is lost.
    pub refused_and_loses: u64,
    /// Refused, and no schedule that was tried loses anything.
    pub refused_and_clean: u64,
    /// Proven, and nothing is lost.
    pub proven_and_clean: u64,
    /// Seeds of those that were proven and lose.
    pub proven_and_loses: Vec<u64>,
    /// Stories that tell of a state.
    pub stories: u64,
    /// Those of them whose state no directed schedule brought about: seed, and name of the story.
    pub stories_not_reached: Vec<(u64, String)>,
}

impl Tally {
    /// Judges a range of seeds, on every core.
    #[must_use]
    pub fn of(seeds: Range<u64>, schedules: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            // Why every so many and not a stretch each: a seed's plan may be long, and nobody knows which.
            let of = |first: usize| seeds.clone().skip(first).step_by(cores);
            let workers: Vec<_> = (0..cores).map(of).map(|seeds| scope.spawn(move || Self::of_each(seeds, schedules))).collect();
            let mut tally = Self::default();
            for part in workers.into_iter().filter_map(|worker| worker.join().ok()) {
                tally.add(part);
            }
            tally.proven_and_loses.sort_unstable();
            tally.stories_not_reached.sort_unstable();
            tally
        })
    }

    fn of_each(seeds: impl Iterator<Item = u64>, schedules: u64) -> Self {
        let mut tally = Self::default();
        for seed in seeds {
            let Some(judged) = judge(seed, schedules) else { continue };
            tally.plans += 1;
            match (judged.is_proven(), judged.lost.is_some()) {
                (true, true) => tally.proven_and_loses.push(seed),
                (true, false) => tally.proven_and_clean += 1,
                (false, true) => tally.refused_and_loses += 1,
                (false, false) => tally.refused_and_clean += 1,
            }
            tally.stories += judged.stories.len() as u64;
            let missed = judged.stories.into_iter().filter(|story| story.schedule.is_none());
            tally.stories_not_reached.extend(missed.map(|story| (seed, story.name)));
        }
        tally
    }

    fn add(&mut self, part: Self) {
        self.plans += part.plans;
        self.refused_and_loses += part.refused_and_loses;
        self.refused_and_clean += part.refused_and_clean;
        self.proven_and_clean += part.proven_and_clean;
        self.proven_and_loses.extend(part.proven_and_loses);
        self.stories += part.stories;
        self.stories_not_reached.extend(part.stories_not_reached);
    }
}
