//! The ledger: counts afterwards, from the raw data and by nobody's word, what became of every request. Owns the judgement; it shares
//! no counter with the services, the traffic or the controller.

pub mod evidence;
pub mod judge;
pub mod sabotage;
pub mod whereabouts;

mod assigned;
mod read;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use judge::Report;
pub use sabotage::{Damage, Damaged, Sabotage};
pub use whereabouts::Whereabouts;

use crate::adapters::secret::Secrets;
use crate::ports::PortError;
use crate::stack::files::FileError;

/// How long between two readings while something is on its way.
const AGAIN: Duration = Duration::from_millis(500);

/// The ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The traffic's file or the addresses.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody wrote down where things are.
    #[error("{} is not there; whoever starts the traffic writes it", .0.display())]
    NoPlaces(PathBuf),
    /// A secret or the settings of a system.
    #[error("{0}")]
    Secret(String),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] PortError),
    /// A service's database.
    #[error("the database of {service} cannot be read")]
    Database {
        /// Which service.
        service: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// There is nothing that could be damaged.
    #[error("there is nothing to {0} yet: the traffic has left too little")]
    NothingToDamage(Sabotage),
}

/// A judgement, and the damage that it was made on.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The judgement.
    pub report: Report,
    /// What sabotage did.
    pub sabotaged: Option<String>,
}

/// Judges the traffic of `directory`. Reads again while something is on its way or seems lost, at most for `patience`; with `sabotage`,
/// judges once more on damaged data.
///
/// # Errors
/// When something cannot be read.
pub async fn judge_directory(
    directory: &Path,
    secrets: &dyn Secrets,
    patience: Duration,
    sabotage: Option<Damage>,
) -> Result<Judged, LedgerError> {
    let places = Whereabouts::read(directory)?.ok_or_else(|| LedgerError::NoPlaces(directory.join(whereabouts::NAME)))?;
    let end = Instant::now() + patience;
    let report = loop {
        let report = judge::judge(&read::read(directory, &places, secrets, None).await?.evidence);
        if (report.is_clean() && report.is_settled()) || Instant::now() >= end {
            break report;
        }
        sleep(AGAIN).await;
    };
    let Some(sabotage) = sabotage else { return Ok(Judged { report, sabotaged: None }) };
    let read = read::read(directory, &places, secrets, Some(sabotage)).await?;
    let sabotaged = read.sabotaged.ok_or(LedgerError::NothingToDamage(sabotage.how))?;
    Ok(Judged { report: judge::judge(&read.evidence), sabotaged: Some(sabotaged) })
}
