//! `cutover check`.

use clap::Args;

use super::exit::{self, CliError};
use super::load::{self, Loaded, PlaybookArgs};
use super::session::Session;
use crate::check::{self, Gap, Mended, Proof, diff, rewrite};
use crate::playbook::Source;
use crate::report::{self, Tone};

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

    /// Name of something that would break and may, to see what is left; can be given several times. For good it is accepted by
    /// `accept:` in the playbook
    #[arg(long, value_name = "NAME")]
    pub accept: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the playbook cannot be read.
pub fn run(session: &Session, args: &CheckArgs) -> Result<u8, CliError> {
    let Loaded { source, playbook, .. } = load::read(session, &args.playbook)?;
    let mut book = check::book_of(&playbook);
    book.accept.extend(args.accept.iter().map(|name| named(name)));
    let proof = check::prove_playbook(&playbook, &book);
    let broken = !proof.violations.is_empty();
    let mended = playbook.services.as_ref().filter(|_| args.mend && broken).map(|services| check::mend(services, &book));
    if session.is_json() {
        session.json(&document(&proof, mended.as_ref(), &source)?)?;
    } else {
        show(session, &playbook.name, &source.name, &proof)?;
        if let Some(mended) = &mended {
            show_mended(session, mended, &source)?;
        }
    }
    Ok(if broken { exit::INVALID } else { exit::OK })
}

/// What `--accept` names.
fn named(name: &str) -> Gap {
    let (rule, subject) = name.split_once(':').unwrap_or((name, ""));
    Gap { rule: rule.to_owned(), subject: subject.to_owned(), reason: "--accept says so".to_owned() }
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
    let verdict = report::proof::verdict(proof);
    session.print(verdict.tone, format!("{playbook}: {}", verdict.text))?;
    for line in report::proof::back(proof).into_iter().chain(report::proof::lines(proof, Some(file), true)) {
        session.print(line.tone, line.text)?;
    }
    if !proof.violations.is_empty() {
        session.next("cutover check --mend proposes an order; --accept NAME tries what is left when one of these may break");
    }
    Ok(())
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
