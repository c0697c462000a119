//! Plays a playbook in a world in memory, from a seed: the same seed is the same play, accident by accident.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use uuid::Uuid;

use super::faults::Faults;
use super::judge;
use super::stage::Stage;
use super::{Moment, SimWorld};
use crate::driver::{Opened, definition, plan_back_steps, plan_playbook};
use crate::engine::run::Back;
use crate::engine::{Approvals, Command, Entry, JournalEntry, PlanDocument, PlannedStep, Run, RunState, StepState};
use crate::playbook::Playbook;
use crate::playbook::environment::Environment;
use crate::ports::Clock;

/// What all chance in a play comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

/// What may go wrong, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accidents {
    /// The controller dies at this point; a play counts its points in [`Outcome::points`].
    pub die_at: Option<usize>,
    /// How often a controller dies anywhere.
    pub deaths: u32,
    /// How often another controller takes over from one that lives on for a while.
    pub takeovers: u32,
    /// How often a changing call fails: before it, in the middle, or after it so that only the reply is lost.
    pub faults: u32,
    /// How often somebody pauses the run.
    pub pauses: u32,
    /// Somebody orders the way back once this point is reached, instead of at the end.
    pub turn_at: Option<usize>,
}

/// How a playbook is played.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What may go wrong.
    pub accidents: Accidents,
    /// Makes the world what it is at the start.
    pub start: Option<fn(&SimWorld)>,
    /// What services do all the time: read what there is, and say so.
    pub live: Option<fn(&SimWorld)>,
}

/// What came of a play.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many points it had at which a controller could have died.
    pub points: usize,
    /// The run's state before the way back; `None` when the way back was ordered earlier.
    pub state: Option<RunState>,
    /// The world at the start, at the end of the way forward, and at the end of the way back.
    pub worlds: [Value; 3],
    /// The plan.
    pub plan: Option<PlanDocument>,
    /// The way back as it was planned at the end of the way forward.
    pub back: Vec<PlannedStep>,
    /// What the run said of things that stay.
    pub kept: Vec<String>,
    /// The journal.
    pub journal: Vec<JournalEntry>,
    /// What happened, line by line.
    pub trace: Vec<String>,
    /// What must not have happened.
    pub problems: Vec<String>,
}

/// A play that went wrong, with everything that is needed to repeat it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: Seed,
    /// The accidents.
    pub accidents: Accidents,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What happened, line by line.
    pub trace: Vec<String>,
}

impl Accidents {
    /// Several of everything.
    #[must_use]
    pub fn wild() -> Self {
        Self { deaths: 4, takeovers: 2, faults: 3, pauses: 2, ..Self::default() }
    }

    pub(super) fn is_wild(&self) -> bool {
        self.deaths > 0 || self.takeovers > 0 || self.faults > 0 || self.pauses > 0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} with {:?}:", self.seed.0, self.accidents)?;
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        writeln!(f, "repeat it with CUTOVER_SIM_SEED={}; it went like this:", self.seed.0)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Failure {}

/// Plays a playbook forward and back.
#[must_use]
pub fn play(playbook: &Playbook, seed: Seed, options: &Options) -> Outcome {
    let world = SimWorld::new();
    if let Some(start) = options.start {
        start(&world);
    }
    let mut outcome = Outcome::default();
    outcome.worlds[0] = world.snapshot();
    let begun = Entry::RunBegun { by: "ada".to_owned(), approvals: Approvals::Other, yes: false, accepted: Vec::new() };
    let opened = Arc::new(Opened { playbook: playbook.clone(), world: world.world() });
    let planned = plan_playbook(playbook, &environment(), String::new(), &opened.world, world.clock.now()).now_or_never();
    let plan = match planned {
        Some(Ok(plan)) => plan,
        Some(Err(error)) => return Outcome { problems: vec![format!("it cannot be planned: {error}")], ..outcome },
        None => return Outcome { problems: vec!["planning waits for something".to_owned()], ..outcome },
    };
    world.set_faults(&faults(seed, options.accidents.faults));
    // Why: always the same, for ids of events come from it and worlds are compared.
    let id = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);
    let mut stage = Stage::new(id, world, Arc::clone(&opened), definition(playbook, Some(&plan)), begun, seed, options.accidents.clone());
    stage.live = options.live;
    stage.play();
    if stage.run().state() != RunState::Reverted {
        outcome.state = Some(stage.run().state());
        outcome.worlds[1] = stage.world.snapshot();
        if stage.problems.is_empty() && stage.run().state().is_end() {
            match plan_back_steps(stage.run(), &opened).now_or_never() {
                Some(Ok(steps)) => outcome.back = steps,
                Some(Err(error)) => stage.problems.push(format!("the way back cannot be planned: {error}")),
                None => stage.problems.push("planning the way back waits for something".to_owned()),
            }
            stage.say(Command::Revert);
            stage.play();
        }
    }
    outcome.worlds[2] = stage.world.snapshot();
    if stage.problems.is_empty() && stage.run().state() != RunState::Reverted {
        stage.problems.push(format!("after the way back the run is {}", stage.run().state()));
    }
    let replayed = Run::replay(definition(playbook, Some(&plan)), stage.book.entries.iter().cloned());
    let records = |run: &Run| run.forward().map(|(_, record)| record.clone()).collect::<Vec<_>>();
    let same = replayed.state() == stage.run().state() && replayed.seq() == stage.run().seq() && replayed.back() == stage.run().back();
    if !(same && records(&replayed) == records(stage.run())) && stage.problems.is_empty() {
        stage.problems.push("the journal replays to another run".to_owned());
    }
    outcome.kept = kept(playbook, stage.run());
    outcome.plan = Some(plan);
    Outcome { points: stage.points, journal: stage.book.entries, trace: stage.trace, problems: stage.problems, ..outcome }
}

/// Plays a playbook with accidents and compares it with the play in which nothing happened.
///
/// # Errors
/// What went wrong, with the seed.
pub fn check(playbook: &Playbook, seed: Seed, options: &Options) -> Result<Outcome, Box<Failure>> {
    let calm = play(playbook, Seed(0), &Options { start: options.start, live: options.live, ..Options::default() });
    let wild = play(playbook, seed, options);
    let mut problems: Vec<String> = calm.problems.iter().map(|problem| format!("undisturbed: {problem}")).collect();
    problems.extend(wild.problems.clone());
    problems.extend(judge::judge(&calm, &wild));
    if problems.is_empty() {
        Ok(wild)
    } else {
        Err(Box::new(Failure { seed, accidents: options.accidents.clone(), problems, trace: wild.trace }))
    }
}

fn environment() -> Environment {
    Environment { name: "sim".to_owned(), ..Environment::default() }
}

fn faults(seed: Seed, most: u32) -> Faults {
    let state = Mutex::new((StdRng::seed_from_u64(seed.0 ^ 0x5eed), most));
    Faults::new(move |_, moment| {
        let (rng, left) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
        let often = if moment == Moment::Between { 0.4 } else { 0.2 };
        let strikes = *left > 0 && rng.random_bool(often);
        *left -= u32::from(strikes);
        strikes
    })
}

/// What stays, with everything that the step touched that left it.
fn kept(playbook: &Playbook, run: &Run) -> Vec<String> {
    let kept = run.back().iter().filter(|back| back.record.state == StepState::Kept);
    let line = |back: &Back| {
        let why = back.record.evidence.as_ref().map_or("", |evidence| evidence.line.as_str());
        let step = playbook.steps.iter().find(|step| step.id == back.step.of);
        let touched = step.map(|step| step.step.resources().iter().map(|claim| claim.resource.to_string()).collect::<Vec<_>>().join(", "));
        format!("{}: {why} ({})", back.step.of, touched.unwrap_or_default())
    };
    kept.map(line).collect()
}
