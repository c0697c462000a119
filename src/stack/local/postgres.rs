//! The database server whose databases playbooks change. What it holds may be lost with the machine, so it does not wait for the
//! disk; the private Postgres that holds cutover's own state is another one.

use tokio::time::Instant;

use super::record::Book;
use super::{databases, seconds};
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::files;
use crate::stack::postgres::{Binaries, Manner};
use crate::stack::progress::Teller;

const PART: &str = "postgres";
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    // Why: with it off, a commit that was answered is lost when the server is killed, not only when the machine is.
    ("synchronous_commit", "on"),
    ("shared_buffers", "64MB"),
    ("max_connections", "150"),
    ("jit", "off"),
];

pub(super) async fn up(data: &DataDir, book: &Book, teller: &Teller) -> Result<(), StackError> {
    let directory = data.stack().join("postgres");
    files::create_private_dir(&directory)?;
    let manner = Manner { part: PART, settings: SETTINGS, throwaway: true, log: directory.join("postgres.log") };
    let since = Instant::now();
    let Some(mut cluster) = book.get(|record| record.postgres.cluster.clone()) else { return Err(StackError::NoPort) };
    let found = cluster.running().is_some();
    let major = Binaries::provide(&cluster.data(), teller).await?.major;
    let started = cluster.start(&manner, |cluster, process| {
        Ok(book.change(|record| {
            record.postgres.cluster = Some(cluster.clone());
            record.postgres.process = Some(process.clone());
            record.postgres.version = major;
            manner.log.clone_into(&mut record.postgres.log);
        })?)
    });
    started.await?;
    databases::make(data, &cluster).await?;
    let address = format!("127.0.0.1:{}", cluster.port);
    if found {
        teller.tell("Running", format!("postgres on {address}, already up"));
    } else {
        teller.tell("Started", format!("postgres on {address} in {}", seconds(since)));
    }
    Ok(())
}
