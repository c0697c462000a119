//! Plans that nobody wrote, over services that nobody wrote.

use std::process::Command;

use cutover::sim::town::{Tally, invent, judge};
use serde_json::Value;

use crate::mutants::number;

#[test]
fn no_invented_plan_is_proven_and_loses() {
    // Why so few: each pays for a play; `cutover sim --count` goes on from any seed.
    let tally = Tally::of(0..number("CUTOVER_CHECK_INVENTED", 60), 8);
    println!("{tally:#?}");
    assert!(tally.proven_and_loses.is_empty(), "cutover sim --seed {:?}", tally.proven_and_loses);
    assert!(tally.stories >= tally.plans / 2, "too few stories are told");
    assert!(tally.stories_not_reached.is_empty(), "cutover sim --seed: {:?}", tally.stories_not_reached);
    assert!(tally.proven_and_clean * 5 >= tally.plans, "too few are proven");
    assert!(tally.refused_and_loses * 5 >= tally.plans, "the plans are too kind");
    assert!(tally.refused_and_clean * 20 <= tally.plans, "too many are refused and lose nothing");
}

#[test]
fn a_seed_invents_the_same_for_ever_and_the_program_tells_it() {
    for seed in 0..50 {
        let twice = [invent(seed), invent(seed)].map(|one| one.map(|one| (one.written, one.book)));
        assert_eq!(twice[0], twice[1]);
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_cutover")).args(["sim", "--seed", "7", "--schedules", "3", "-o", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{told:#}");
    assert_eq!(told["steps"].as_array().unwrap().len(), invent(7).unwrap().book.steps.len());
    assert!(told["proof"]["proven"].is_boolean(), "{told:#}");
}

#[test]
fn who_sends_by_event_while_it_is_said_to_produce_under_one_variant_only_sends_all_the_same() {
    for seed in [5479, 5962, 6728, 8627] {
        let judged = judge(seed, 40).expect("a plan");
        assert!(judged.lost.is_some() && !judged.is_proven(), "{seed}: {:#?}", judged.proof);
    }
}
