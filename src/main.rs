//! The program's entry.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cutover::cli::stack;
use cutover::sim;
use cutover::stack::progress::Lines;
use cutover::stack::{DataDir, StackError, keeper, reaper};

#[derive(Parser)]
#[command(name = "cutover", version)]
struct Arguments {
    /// The data directory
    #[arg(long, global = true, env = "CUTOVER_DATA")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A real Kafka, schema registry and Postgres on this machine
    #[command(subcommand)]
    Stack(Stack),
    #[command(hide = true)]
    Keeper,
    #[command(hide = true)]
    Reaper,
    #[command(hide = true)]
    CrashChild,
}

#[derive(Subcommand)]
enum Stack {
    Up(stack::StackUp),
    Down(stack::StackDown),
    Status(stack::StackStatusArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let data = DataDir::locate(arguments.data.as_deref(), Path::new(&std::env::current_dir().unwrap_or_default()));
    let errors = match arguments.command {
        Command::CrashChild => return crash_child().await,
        Command::Reaper => reaper::run(io::stdin().lock()).await,
        Command::Keeper => hold(&data).await.err().into_iter().collect(),
        Command::Stack(command) => run(&data, command).await.err().into_iter().collect(),
    };
    for error in &errors {
        report(error);
    }
    if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn crash_child() -> ExitCode {
    match sim::child::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn hold(data: &Path) -> Result<(), StackError> {
    keeper::run(&DataDir::open(data)?).await
}

async fn run(data: &Path, command: Stack) -> Result<(), StackError> {
    let (mut out, mut progress) = (io::stdout(), Lines(io::stderr()));
    match command {
        Stack::Up(arguments) => stack::up(data, &arguments, &mut out, &mut progress).await,
        Stack::Down(arguments) => stack::down(data, &arguments, &mut progress).await,
        Stack::Status(arguments) => stack::status(data, &arguments, &mut out).await.map(drop),
    }
}

fn report(error: &StackError) {
    let mut out = io::stderr();
    let _ = writeln!(out, "error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let _ = writeln!(out, "  because {source}");
        cause = source.source();
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(out, "hint: {hint}");
    }
}
