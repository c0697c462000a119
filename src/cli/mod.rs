//! The commands, one file each. They may import every other room, and nobody imports them.

pub mod apply;
pub mod check;
pub mod check_schema;
pub mod client;
pub mod completions;
pub mod db;
pub mod demo;
pub mod doctor;
pub mod drain;
pub mod exit;
pub mod explain;
pub mod fmt;
pub mod follow;
pub mod init;
pub mod lint;
pub mod load;
pub mod log;
pub mod man;
pub mod open;
pub mod plan;
pub mod report;
pub mod rights;
pub mod runbook;
pub mod runs;
pub mod sample;
pub mod saved;
pub mod schema;
pub mod schema_fix;
pub mod serve;
pub mod server;
pub mod session;
pub mod show;
pub mod sim;
pub mod stack;
pub mod steps;
pub mod supervise;
pub mod version;
pub mod watch;

mod sources;

use std::ffi::OsString;
use std::io::{self, BufReader, Write};

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use self::exit::CliError;
use self::session::{Global, Session};
use crate::report::{Line, Tone};
use crate::stack::progress::Lines;
use crate::stack::{keeper, reaper};

/// In which form a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Lines for people and pipes.
    #[default]
    Text,
    /// For people at a terminal: with excerpts of files.
    Terminal {
        /// Whether colours may be used.
        color: bool,
        /// Columns of the terminal.
        width: u16,
    },
    /// One JSON document.
    Json,
}

/// Risky changes to event-driven systems as programs: checked, planned, run, watched and taken back
#[derive(Debug, Parser)]
#[command(
    name = "cutover",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "`cutover help exit-codes` lists the exit codes."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Lint(lint::LintArgs),
    Fmt(fmt::FmtArgs),
    Check(check::CheckArgs),
    CheckSchema(check_schema::CheckSchemaArgs),
    Plan(plan::PlanArgs),
    Report(report::ReportArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Watch(watch::WatchArgs),
    Runs(runs::RunsArgs),
    Log(log::LogArgs),
    Runbook(runbook::RunbookArgs),
    Sim(sim::SimArgs),
    Open(open::OpenArgs),
    Steps(steps::StepsArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
    SchemaFix(schema_fix::SchemaFixArgs),
    Doctor(doctor::DoctorArgs),
    Drain(drain::DrainArgs),
    Serve(serve::ServeArgs),
    Supervise(supervise::SuperviseArgs),
    /// A real Kafka, schema registry, Postgres and Prometheus on this machine
    #[command(subcommand)]
    Stack(StackCommand),
    Db(db::DbArgs),
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// Print the version
    Version,
    /// Print help: of a command, or `exit-codes`
    Help {
        /// Command or subject
        subject: Vec<String>,
    },
    #[command(hide = true)]
    Sample(sample::SampleArgs),
    #[command(hide = true)]
    Keeper,
    #[command(hide = true)]
    Reaper,
}

#[derive(Clone, Debug, Subcommand)]
enum StackCommand {
    Up(stack::StackUp),
    Down(stack::StackDown),
    Status(stack::StackStatusArgs),
}

/// Runs the program and returns its exit code.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Why: nobody is helped when the terminal that should show the help has gone.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::OK,
                _ => exit::USAGE,
            };
        }
    };
    let session = Session::new(cli.global.clone());
    match dispatch(&session, cli.command).await {
        Ok(code) => code,
        Err(error) => {
            complain(&session, &error);
            error.exit
        }
    }
}

fn complain(session: &Session, error: &CliError) {
    if error.message.is_empty() {
        return;
    }
    let marked = error.message.contains("error[");
    let text = if marked { error.message.clone() } else { format!("error: {}", error.message) };
    session.terminal.talk(&Line { tone: if marked { Tone::Plain } else { Tone::Bad }, text });
    if let Some(hint) = &error.hint {
        session.terminal.talk(&Line { tone: Tone::Dim, text: format!("hint: {hint}") });
    }
}

async fn dispatch(session: &Session, command: Command) -> Result<u8, CliError> {
    let (mut out, mut talk) = (io::stdout(), io::stderr());
    match command {
        Command::Init(args) => init::run(&args, &mut out, &mut talk, session.form()),
        Command::Lint(args) => lint::run(&args, &mut out, &mut talk, session.form()),
        Command::Fmt(args) => fmt::run(&args, &mut out, &mut talk, session.form()),
        Command::Check(args) => check::run(session, &args),
        Command::CheckSchema(args) => check_schema::run(session, &args),
        Command::Plan(args) => plan::run(session, &args).await,
        Command::Report(args) => report::run(session, &args).await,
        Command::Show(args) => show::run(session, &args).await,
        Command::Apply(args) => apply::run(session, &args).await,
        Command::Watch(args) => watch::run(session, &args).await,
        Command::Runs(args) => runs::run(session, &args).await,
        Command::Log(args) => log::run(session, &args).await,
        Command::Runbook(args) => runbook::run(session, &args).await,
        Command::Sim(args) => sim::run(session, &args),
        Command::Open(args) => open::run(session, &args).await,
        Command::Steps(args) => steps::run(&args, &mut out, &mut talk, session.form()),
        Command::Explain(args) => explain::run(&args, &mut out, &mut talk, session.form()),
        Command::Schema(args) => schema::run(&args, &mut out, &mut talk, session.form()),
        Command::SchemaFix(args) => schema_fix::run(session, &args),
        Command::Doctor(args) => doctor::run(session, &args).await,
        Command::Drain(args) => drain::run(session, &args).await,
        Command::Serve(args) => serve::run(session, &args).await,
        Command::Supervise(args) => supervise::run(session, &args).await,
        Command::Stack(command) => run_stack(session, command).await,
        Command::Db(args) => db::run(session, &args).await,
        Command::Demo(args) => demo::run(session, &args).await,
        Command::Completions(args) => completions::run(session, &args),
        Command::Man(args) => man::run(session, &args),
        Command::Version => version::run(session),
        Command::Help { subject } => help(session, &subject),
        Command::Sample(args) => sample::run(&args).await,
        Command::Keeper => {
            keeper::run(&session.data_path()).await?;
            Ok(exit::OK)
        }
        Command::Reaper => {
            for error in reaper::run(BufReader::new(io::stdin())).await {
                complain(session, &CliError::from(error));
            }
            Ok(exit::OK)
        }
    }
}

async fn run_stack(session: &Session, command: StackCommand) -> Result<u8, CliError> {
    let (data, mut out, mut progress) = (session.data_path(), io::stdout(), Lines(io::stderr()));
    let form = session.form();
    match command {
        StackCommand::Up(args) => stack::up(&data, &args, &mut out, form, &mut progress).await?,
        StackCommand::Down(args) => stack::down(&data, &args, &mut progress).await?,
        StackCommand::Status(args) => {
            stack::status(&data, &args, &mut out, form).await?;
        }
    }
    out.flush()?;
    Ok(exit::OK)
}

fn help(session: &Session, subject: &[String]) -> Result<u8, CliError> {
    if subject.first().is_some_and(|subject| subject == "exit-codes") {
        session.terminal.write(exit::TABLE)?;
        return Ok(exit::OK);
    }
    let mut command = <Cli as clap::CommandFactory>::command();
    command.build();
    let mut found = &mut command;
    for name in subject {
        found = found
            .find_subcommand_mut(name)
            .ok_or_else(|| CliError::new(exit::USAGE, format!("there is no command `{name}`")).hint("cutover help"))?;
    }
    session.terminal.write(&found.render_long_help().to_string())?;
    Ok(exit::OK)
}
