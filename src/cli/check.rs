//! `cutover check`.

use std::collections::BTreeMap;

use clap::Args;

use super::exit::{self, CliError};
use super::load::{self, PlaybookArgs, mistakes};
use super::session::Session;
use crate::check::{self, Mended, Proof, Violation, diff, rewrite};
use crate::playbook::{self, Directory, Source};
use crate::report::Tone;
use crate::report::words::{counted, grouped};
use crate::services::Services;

/// Prove that a playbook breaks nothing, at any instant, forward and back
///
/// Walks every state of the playbook over what its file of services declares, and tells the story of whatever would break. Touches no
/// system. Exits with 65 when something would break.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Which playbook, with which values.
    #[command(flatten)]
    pub playbook: PlaybookArgs,

    /// Propose an order that is proven
    #[arg(long)]
    pub mend: bool,

    /// Name of something that would break and may; can be given several times
    #[arg(long, value_name = "NAME")]
    pub accept: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the playbook cannot be read.
pub fn run(session: &Session, args: &CheckArgs) -> Result<u8, CliError> {
    let path = load::find(session, &args.playbook.playbook)?;
    let bytes = std::fs::read(&path).map_err(|error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", path.display())))?;
    let name = path.strip_prefix(&session.here).unwrap_or(&path).to_string_lossy().into_owned();
    let source = Source::from_bytes(&name, bytes).map_err(|wrong| mistakes(session, &wrong, exit::INVALID))?;
    let vars: BTreeMap<String, String> = args.playbook.vars.iter().cloned().collect();
    let (playbook, warnings) =
        playbook::read(&source, &vars, &Directory::of(&path)).map_err(|wrong| mistakes(session, &wrong, exit::INVALID))?;
    if !warnings.is_empty() {
        session.say(warnings.plain().trim_end());
    }
    let book = check::book_of(&playbook);
    let nothing = Services::default();
    let services = playbook.services.as_deref();
    let mut proof = check::prove(services.unwrap_or(&nothing), &book, &args.accept);
    if services.is_none() {
        proof.proven = false;
        proof.assumed.insert(
            0,
            "no services are declared, so nothing that they do is checked; name their file at the top: `services: services.yaml`"
                .to_owned(),
        );
    }
    let broken = !proof.violations.is_empty();
    let mended = (args.mend && broken).then(|| check::mend(services.unwrap_or(&nothing), &book, &args.accept));
    if session.is_json() {
        session.json(&document(&proof, mended.as_ref(), &source)?)?;
    } else {
        show(session, &playbook.name, &name, &proof)?;
        if let Some(mended) = &mended {
            show_mended(session, mended, &source)?;
        }
    }
    Ok(if broken { exit::INVALID } else { exit::OK })
}

fn document(proof: &Proof, mended: Option<&Mended>, source: &Source) -> Result<serde_json::Value, CliError> {
    let broken = |error: serde_json::Error| CliError::new(exit::UNEXPECTED, error.to_string());
    let mut document = serde_json::to_value(proof).map_err(broken)?;
    if let (Some(object), Some(mended)) = (document.as_object_mut(), mended) {
        let mut mend = serde_json::to_value(mended).map_err(broken)?;
        if let Some(mend) = mend.as_object_mut() {
            mend.insert("yaml".to_owned(), rewrite(&source.text, mended).into());
        }
        object.insert("mended".to_owned(), mend);
    }
    Ok(document)
}

fn show(session: &Session, playbook: &str, file: &str, proof: &Proof) -> Result<(), CliError> {
    let states = counted(proof.states, "state", "states");
    let (tone, verdict) = match (proof.proven, proof.violations.len()) {
        (true, _) => (Tone::Good, format!("{playbook}: proven over {states}")),
        (false, 0) => (Tone::Warn, format!("{playbook}: nothing found, and little is known")),
        (false, count) => (Tone::Bad, format!("{playbook}: not proven, {} over {states}", counted(count, "thing breaks", "things break"))),
    };
    session.print(tone, verdict)?;
    if proof.proven {
        let line = match &proof.line {
            Some(step) => format!("the way back ends at step `{step}`, which the playbook names as its line"),
            None => "there is a way back from every state".to_owned(),
        };
        session.print(Tone::Plain, line)?;
    }
    for violation in &proof.start_violations {
        session.print(Tone::Plain, "")?;
        session.print(Tone::Warn, format!("{}  already so today", violation.name()))?;
        session.print(Tone::Plain, format!("  {}", violation.story))?;
    }
    for violation in &proof.violations {
        session.print(Tone::Plain, "")?;
        session.print(Tone::Bad, format!("{}{}", violation.name(), place(file, violation)))?;
        session.print(Tone::Plain, format!("  {}", violation.story))?;
        session.print(Tone::Plain, format!("  mend: {}", violation.mend))?;
    }
    if !proof.assumed.is_empty() {
        session.print(Tone::Plain, "")?;
        session.print(Tone::Dim, format!("assumed, {}:", grouped(proof.assumed.len())))?;
        for assumed in &proof.assumed {
            session.print(Tone::Dim, format!("  {assumed}"))?;
        }
    }
    if !proof.violations.is_empty() {
        session.next("cutover check --mend proposes an order; --accept NAME accepts one of these by name");
    }
    Ok(())
}

fn place(file: &str, violation: &Violation) -> String {
    match (violation.line, violation.column) {
        (Some(line), Some(column)) => format!("  {file}:{line}:{column}"),
        _ => String::new(),
    }
}

fn show_mended(session: &Session, mended: &Mended, source: &Source) -> Result<(), CliError> {
    session.print(Tone::Plain, "")?;
    let verdict = if mended.proven { "this order is proven:" } else { "the best order that was found; it is not proven:" };
    session.print(if mended.proven { Tone::Good } else { Tone::Warn }, verdict)?;
    for change in &mended.changes {
        session.print(Tone::Plain, format!("  {change}"))?;
    }
    session.print(Tone::Plain, "")?;
    for line in diff(&source.text, &rewrite(&source.text, mended)) {
        let tone = match line.chars().next() {
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            _ => Tone::Dim,
        };
        session.print(tone, line)?;
    }
    Ok(())
}
