//! The rules of counting against a small model of their own, over random samples, crashes and releases.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::step::OnNoData;

#[derive(Clone, Copy, Debug)]
enum Turn {
    Good,
    Bad,
    NoData,
    Dead,
    Crash,
    Resume,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let one = prop_oneof![
        5 => Just(Turn::Good),
        4 => Just(Turn::Bad),
        2 => Just(Turn::NoData),
        3 => Just(Turn::Dead),
        2 => Just(Turn::Crash),
        1 => Just(Turn::Resume),
    ];
    vec(one, 0..60)
}

fn options() -> impl Strategy<Value = GuardOptions> {
    let outcome = |at: usize| [GuardOutcome::Hold, GuardOutcome::RevertStep, GuardOutcome::RevertRun, GuardOutcome::Freeze][at];
    (0_usize..4, 0_usize..4, 0_u32..4, 0_u32..4, 0_usize..3, 1_u32..4).prop_map(move |(then, on_error, bad, errors, no_data, release)| {
        GuardOptions {
            failure_limit: bad,
            consecutive_error_limit: errors,
            on_error: outcome(on_error),
            on_no_data: [OnNoData::Good, OnNoData::Bad, OnNoData::Error][no_data],
            release_after: release,
            ..GuardOptions::new(outcome(then))
        }
    })
}

/// What the samples so far mean, from their list alone: nothing is carried along but where counting began.
struct Model {
    options: GuardOptions,
    since: Vec<char>,
    held: bool,
}

impl Model {
    fn run_of(&self, wanted: char) -> usize {
        self.since.iter().rev().take_while(|one| **one == wanted).count()
    }

    /// What one more sample leads to: an outcome other than a hold ends it.
    fn sample(&mut self, sign: char) -> Option<GuardOutcome> {
        self.since.push(sign);
        if self.held && self.run_of('g') >= self.options.release_after as usize {
            (self.held, self.since) = (false, Vec::new());
            return None;
        }
        let bad = self.since.iter().filter(|one| **one == 'b').count() > self.options.failure_limit as usize;
        let dead = self.run_of('e') > self.options.consecutive_error_limit as usize;
        let outcomes = [bad.then_some(self.options.then), dead.then_some(self.options.on_error)];
        let strictest = outcomes.into_iter().flatten().max()?;
        if strictest != GuardOutcome::Hold {
            return Some(strictest);
        }
        if !self.held {
            (self.held, self.since) = (true, Vec::new());
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: super::properties::cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_guard_counts_as_the_model_does(options in options(), turns in turns()) {
        let definition = GuardDefinition { options: options.clone(), ..guard(GuardOutcome::Hold) };
        let mut bench = Bench::new(steps([StepDefinition { guards: vec![definition], ..step("a") }]));
        bench.load();
        bench.say(change(1));
        let mut model = Model { options: options.clone(), since: Vec::new(), held: false };
        // A round that was asked for before a person said go on says nothing of what is so afterwards.
        let mut early = false;
        for turn in turns {
            let (reading, sign) = match turn {
                Turn::Crash => {
                    bench.crash();
                    early = false;
                    prop_assert_eq!(bench.run.is_held(), model.held);
                    continue;
                }
                Turn::Resume => {
                    let asked = bench.watch().is_some();
                    bench.order(Command::Resume);
                    prop_assert_eq!(bench.last_answer().taken, model.held);
                    if model.held {
                        (model.held, model.since) = (false, Vec::new());
                        early = asked;
                    }
                    continue;
                }
                Turn::Good => (good(), 'g'),
                Turn::Bad => (bad(), 'b'),
                Turn::Dead => (dead(), 'e'),
                Turn::NoData => {
                    let sign = match options.on_no_data {
                        OnNoData::Good => 'g',
                        OnNoData::Bad => 'b',
                        OnNoData::Error => 'e',
                    };
                    (Reading::NoData("nothing".to_owned()), sign)
                }
            };
            if bench.watch().is_none() {
                bench.pass(5);
            }
            let before = bench.run.present().is_some_and(|(_, record)| record.act_begun);
            bench.sample(&[reading]);
            let expected = model.sample(sign);
            let after = bench.run.present().is_some_and(|(_, record)| record.act_begun);
            prop_assert!(before || after == (sign == 'g' && !model.held && !early), "an act begins on a good sample of a run that is not held, and only then");
            early = false;
            match expected {
                None => prop_assert_eq!(bench.run.is_held(), model.held),
                Some(outcome) => {
                    let state = bench.state();
                    let expected = match outcome {
                        GuardOutcome::RevertRun => RunState::Reverting,
                        GuardOutcome::RevertStep if before => RunState::Reverting,
                        GuardOutcome::Freeze => RunState::Frozen,
                        _ => RunState::Failed,
                    };
                    prop_assert_eq!(state, expected);
                    break;
                }
            }
        }
    }
}
