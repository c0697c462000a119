//! `cutover demo ledger`: what became of every request of a traffic, counted from the raw data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::adapters::secret::{ProcessSecrets, Redactor};
use crate::cli::exit::{self, CliError};
use crate::cli::session::Session;
use crate::report::Tone;
use crate::samples::ledger::{self, Damage, Damaged, Judged, LedgerError, Report, Sabotage};
use crate::stack::DataDir;
use crate::stack::local::{self, Ending};
use crate::stack::progress::Lines;

/// The directory below the data directory in which every demo keeps its books, by the time at which it began.
pub(super) const BOOKS: &str = "demo";

/// Count what became of every request of a traffic
///
/// Compares what was sent and acknowledged with the services' tables and the topic, which it reads itself. A local stack that was stopped
/// since is brought up for the reading, and stopped again. Ends with 0 when nothing is
/// lost, double, out of order or unknown, with 1 when something is, and with 75 when something is still on its way.
#[derive(Clone, Debug, Args)]
pub struct LedgerArgs {
    /// Directory with traffic.jsonl and ledger.json; the newest one of the demo when it is left out
    pub directory: Option<PathBuf>,

    /// Damage what is judged, to see that it is found: in a transaction that is rolled back, so that nothing stays
    #[arg(long, value_enum, value_name = "DAMAGE")]
    pub sabotage: Option<Sabotage>,

    /// What the damage is done to
    #[arg(long = "of", value_enum, value_name = "LINK", default_value = "exercise", requires = "sabotage")]
    pub of: Damaged,

    /// Seconds to wait for what is still on its way
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub patience: u64,
}

/// Runs the command.
///
/// # Errors
/// When something cannot be read.
pub async fn run(session: &Session, args: &LedgerArgs) -> Result<u8, CliError> {
    let data = session.data()?;
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => newest(&data)?,
    };
    let raised = directory.starts_with(data.path()) && !local::status(&data).await?.is_up();
    if raised {
        local::up(&data, &mut Lines(std::io::stderr())).await?;
    }
    let secrets = ProcessSecrets::new(Arc::new(Redactor::default()));
    let damage = args.sabotage.map(|how| Damage { how, of: args.of });
    let judged = ledger::judge_directory(&directory, &secrets, Duration::from_secs(args.patience), damage).await;
    if raised {
        local::down(&data, Ending::Clean, false, &mut Lines(std::io::stderr())).await?;
    }
    let judged = judged?;
    if session.is_json() {
        let mut body = json!(judged.report);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("clean".to_owned(), json!(judged.report.is_clean() && judged.report.is_settled()));
            fields.insert("sabotage".to_owned(), json!(judged.sabotaged));
        }
        session.json(&body)?;
    } else {
        show(session, &judged)?;
    }
    Ok(code(&judged.report))
}

/// Where the last demo kept its books.
fn newest(data: &DataDir) -> Result<PathBuf, CliError> {
    let found = std::fs::read_dir(data.path().join(BOOKS)).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(|path| path.join("traffic.jsonl").exists()).max().ok_or_else(|| {
        CliError::new(exit::CONFIG, format!("no demo has run yet with the data directory {}", data.path().display()))
            .hint("cutover demo --once")
    })
}

/// The exit code of a count.
pub(super) fn code(report: &Report) -> u8 {
    match (report.is_clean(), report.is_settled()) {
        (false, _) => exit::UNEXPECTED,
        (true, false) => exit::UNFINISHED,
        (true, true) => exit::OK,
    }
}

/// Shows a count.
pub(super) fn show(session: &Session, judged: &Judged) -> Result<(), CliError> {
    let report = &judged.report;
    if let Some(done) = &judged.sabotaged {
        session.print(Tone::Warn, format!("sabotage: {done}, and put back after the reading"))?;
    }
    let told = [
        ("requests", report.requests),
        ("acknowledged", report.acknowledged),
        ("effects", report.effects),
        ("attempts by call", report.by_call),
        ("attempts by events", report.by_events),
        ("events", report.events),
        ("credits", report.credits),
        ("assigned by call", report.assigned_by_call),
        ("assigned by events", report.assigned_by_events),
    ];
    let wrong = [
        ("lost", report.lost),
        ("duplicated", report.duplicated),
        ("out of order", report.out_of_order),
        ("unknown exercise", report.unknown_exercise),
        ("pending", report.pending),
    ];
    let beside = [
        ("late", report.late),
        ("unanswered", report.unanswered),
        ("refused connections", report.refused),
        ("put aside", report.put_aside),
    ];
    let line = |(word, count): (&str, u64)| format!("{word:<20} {count:>9}");
    for row in told {
        session.print(Tone::Plain, line(row))?;
    }
    for row in wrong {
        session.print(if row.1 == 0 { Tone::Good } else { Tone::Bad }, line(row))?;
    }
    for row in beside {
        session.print(Tone::Dim, line(row))?;
    }
    for finding in &report.findings {
        session.print(Tone::Bad, format!("  {}", finding.what))?;
    }
    for note in &report.notes {
        session.print(Tone::Dim, format!("note: {note}"))?;
    }
    let (tone, verdict) = match (report.is_clean(), report.is_settled()) {
        (false, _) => (Tone::Bad, "not clean"),
        (true, false) => (Tone::Warn, "not finished: something is still on its way"),
        (true, true) => (Tone::Good, "clean: nothing lost, nothing double, everything in order"),
    };
    session.print(tone, verdict)
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let exit = match error {
            LedgerError::Kafka(_) | LedgerError::Database { .. } => exit::UNREACHABLE,
            LedgerError::File(_) | LedgerError::NoPlaces(_) | LedgerError::Secret(_) => exit::CONFIG,
            LedgerError::NothingToDamage(_) => exit::REFUSED,
        };
        Self::new(exit, exit::chain(&error))
    }
}
