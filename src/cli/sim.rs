//! `cutover sim`.

use clap::Args;
use serde_json::json;

use super::exit::{self, CliError};
use super::session::Session;
use crate::report::words::{counted, grouped};
use crate::report::{self, Tone};
use crate::sim::town::{Judged, Story, Tally, judge};

/// Play plans that nobody wrote, to find where the proof is wrong
///
/// Invents small services and a plan from each seed, proves the plan, and plays it in memory under unfair schedules. What is proven must lose
/// nothing, and every story of what would break is brought about on purpose. One seed is told in full; several are counted. Touches no
/// system. Exits with 1 when something that was proven loses.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// How many seeds, one after the other
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,

    /// Under how many schedules each plan is played
    #[arg(long, value_name = "NUMBER", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..))]
    pub schedules: u64,
}

/// Runs the command.
///
/// # Errors
/// When standard output is gone.
pub fn run(session: &Session, args: &SimArgs) -> Result<u8, CliError> {
    let wrong = if args.count == 1 { one(session, args)? } else { several(session, args)? };
    Ok(if wrong { exit::UNEXPECTED } else { exit::OK })
}

fn one(session: &Session, args: &SimArgs) -> Result<bool, CliError> {
    let Some(judged) = judge(args.seed, args.schedules) else {
        session.say("this seed invents what cannot be declared");
        return Ok(false);
    };
    let Judged { invented, proof, lost, stories } = &judged;
    let steps: Vec<String> = invented
        .book
        .steps
        .iter()
        .map(|step| format!("{}: {}", step.id, step.moves.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        .collect();
    if session.is_json() {
        let lost = lost.as_ref().map(|(schedule, what)| json!({ "schedule": schedule, "what": what }));
        session.json(&json!({
            "schema": "cutover.sim-seed/1", "seed": args.seed, "start": invented.book.start, "services": invented.written, "steps": steps,
            "proof": proof, "lost": lost, "stories": stories,
        }))?;
        return Ok(judged.is_wrong());
    }
    let declared = json!({ "start": invented.book.start, "services": invented.written });
    session.print(Tone::Dim, format!("{declared:#}"))?;
    for step in steps {
        session.print(Tone::Plain, step)?;
    }
    session.print(Tone::Plain, "")?;
    let verdict = report::proof::verdict(proof);
    session.print(verdict.tone, verdict.text)?;
    for line in report::proof::lines(proof, None, false) {
        session.print(line.tone, line.text)?;
    }
    session.print(Tone::Plain, "")?;
    match lost {
        None => session.print(Tone::Good, format!("nothing is lost under {}", counted_schedules(args)))?,
        Some((schedule, what)) => {
            session.print(Tone::Bad, format!("schedule {schedule} loses"))?;
            for (why, count) in what {
                session.print(Tone::Plain, format!("  {why} ({count})"))?;
            }
        }
    }
    for Story { name, schedule } in stories {
        let (tone, told) = match schedule {
            Some(schedule) => (Tone::Plain, format!("the story of {name} comes true under the directed schedule {schedule}")),
            None => (Tone::Bad, format!("no directed schedule brings about the story of {name}")),
        };
        session.print(tone, told)?;
    }
    Ok(judged.is_wrong())
}

fn several(session: &Session, args: &SimArgs) -> Result<bool, CliError> {
    let tally = Tally::of(args.seed..args.seed.saturating_add(args.count), args.schedules);
    if session.is_json() {
        session.json(
            &json!({ "schema": "cutover.sim/1", "seed": args.seed, "count": args.count, "schedules": args.schedules, "tally": tally }),
        )?;
        return Ok(!tally.proven_and_loses.is_empty());
    }
    let count = usize::try_from(tally.plans).unwrap_or(usize::MAX);
    session.print(Tone::Strong, format!("{}, each under {}", counted(count, "plan", "plans"), counted_schedules(args)))?;
    let rows = [
        ("refused, and loses", tally.refused_and_loses),
        ("refused, and nothing was lost", tally.refused_and_clean),
        ("proven, and nothing was lost", tally.proven_and_clean),
        ("proven, and loses", tally.proven_and_loses.len() as u64),
        ("stories of what would break", tally.stories),
        ("stories that did not come true", tally.stories_not_reached.len() as u64),
    ];
    for (what, count) in rows {
        session.print(Tone::Plain, format!("{what:<30} {:>7}", grouped(usize::try_from(count).unwrap_or(usize::MAX))))?;
    }
    for (seed, name) in &tally.stories_not_reached {
        session.print(Tone::Warn, format!("cutover sim --seed {seed}: {name}"))?;
    }
    for seed in &tally.proven_and_loses {
        session.print(Tone::Bad, format!("cutover sim --seed {seed} --schedules {}", args.schedules))?;
    }
    Ok(!tally.proven_and_loses.is_empty())
}

fn counted_schedules(args: &SimArgs) -> String {
    counted(usize::try_from(args.schedules).unwrap_or(usize::MAX), "schedule", "schedules")
}
