//! `cutover stack`: a real Kafka, schema registry, Postgres and Prometheus on this machine, for trying things out.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::Output;

use crate::stack::local::{self, Ending, PartState, PartStatus, StackAddresses, StackStatus};
use crate::stack::{DataDir, Progress, StackError};

/// Start what does not run of the local Kafka, schema registry, Postgres and, where it is installed, Prometheus
#[derive(Args, Clone, Debug)]
pub struct StackUp {}

/// Stop the services and the local Kafka, schema registry, Postgres and Prometheus; their data stay
#[derive(Args, Clone, Debug)]
pub struct StackDown {
    /// Remove their data too
    #[arg(long)]
    pub wipe: bool,
}

/// Show what of the local stack runs and answers
#[derive(Args, Clone, Debug)]
pub struct StackStatusArgs {}

/// `cutover stack up`: brings the stack of the data directory at `data` up and writes its addresses to `out`.
///
/// # Errors
/// When a part does not come up.
pub async fn up(data: &Path, _: &StackUp, out: &mut dyn Write, output: Output, progress: &mut dyn Progress) -> Result<(), StackError> {
    let data = DataDir::open(data)?;
    let addresses = local::up(&data, progress).await?;
    said(match output {
        Output::Text | Output::Terminal { .. } => addresses_text(&addresses, out),
        Output::Json => json(&addresses, out),
    })
}

/// `cutover stack down`: ends the stack of the data directory at `data`.
///
/// # Errors
/// When a part cannot be ended.
pub async fn down(data: &Path, args: &StackDown, progress: &mut dyn Progress) -> Result<(), StackError> {
    if let Some(data) = DataDir::open_existing(data)? {
        return local::down(&data, Ending::Clean, args.wipe, progress).await;
    }
    progress.tell("Stopped", "nothing: there is no data directory yet");
    Ok(())
}

/// `cutover stack status`: writes to `out` how the parts of the stack are.
///
/// # Errors
/// When the stack's own file cannot be read.
pub async fn status(data: &Path, _: &StackStatusArgs, out: &mut dyn Write, output: Output) -> Result<StackStatus, StackError> {
    let status = match DataDir::open_existing(data)? {
        Some(data) => local::status(&data).await?,
        None => StackStatus::never_started(),
    };
    said(match output {
        Output::Text | Output::Terminal { .. } => status_text(&status, out),
        Output::Json => json(&status, out),
    })?;
    Ok(status)
}

fn addresses_text(addresses: &StackAddresses, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "kafka      {}", addresses.kafka.bootstrap)?;
    writeln!(out, "registry   {}", addresses.registry.url)?;
    writeln!(out, "postgres   {}", addresses.postgres.url)?;
    match &addresses.prometheus {
        Some(prometheus) => writeln!(out, "prometheus {}", prometheus.url),
        None => Ok(()),
    }
}

fn status_text(status: &StackStatus, out: &mut dyn Write) -> io::Result<()> {
    let parts =
        [("kafka", &status.kafka), ("registry", &status.registry), ("postgres", &status.postgres), ("prometheus", &status.prometheus)];
    for (name, part) in parts {
        writeln!(out, "{name:<10} {}", part_text(part))?;
    }
    Ok(())
}

fn part_text(part: &PartStatus) -> String {
    let PartStatus { state, version, address, pid, reason, log } = part;
    let pid = pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    match state {
        PartState::Up => format!("up      {address} (version {version}{pid})"),
        PartState::Silent => format!("silent  {address}: {}; its log is {}{pid}", reason.as_deref().unwrap_or("no answer"), log.display()),
        PartState::Down => "down".to_owned(),
    }
}

fn json(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Somebody who closed the pipe has read enough.
fn said(written: io::Result<()>) -> Result<(), StackError> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(crate::stack::files::FileError::new("write to", Path::new("standard output"), error).into())
        }
        _ => Ok(()),
    }
}
