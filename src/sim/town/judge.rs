//! What proof and play say of the same plan, side by side.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::invent::{Invented, invent};
use super::run;
use crate::check::prove;
use crate::step::Proof;

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
    Some(Judged { invented, proof, lost })
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
}

impl Tally {
    /// Judges a range of seeds.
    #[must_use]
    pub fn of(seeds: Range<u64>, schedules: u64) -> Self {
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
        }
        tally
    }
}
