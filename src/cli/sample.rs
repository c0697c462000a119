//! `cutover sample`: one process of a sample service, as the supervisor starts it.

use std::net::SocketAddr;

use clap::Args;

use super::exit::{self, CliError};
use crate::samples::{self, ByHand, Release, SampleError, Service};

/// Run one instance of a sample service: exercises, hiring or bonuses
///
/// Listens on the sockets that are handed over (`LISTEN_FDS`), or on `--listen`. Everything else is read from the environment.
#[derive(Clone, Debug, Args)]
pub struct SampleArgs {
    /// exercises, hiring or bonuses
    pub name: Service,

    /// Release of the service: 1.4 to 1.8, or one with a fault such as 1.5-crash
    #[arg(long, value_name = "RELEASE")]
    pub release: Release,

    /// Address to listen on when no socket is handed over
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Runs the command.
///
/// # Errors
/// When the service cannot start.
pub async fn run(args: &SampleArgs) -> Result<u8, CliError> {
    samples::run(args.name, args.release.clone(), ByHand { listen: args.listen }).await?;
    Ok(exit::OK)
}

impl From<SampleError> for CliError {
    fn from(error: SampleError) -> Self {
        let exit = match error {
            SampleError::Missing { .. } | SampleError::NoSocket | SampleError::Listen { .. } => exit::CONFIG,
            SampleError::NoFlags { .. } | SampleError::Database(_) => exit::UNREACHABLE,
            _ => exit::UNEXPECTED,
        };
        let hint = matches!(error, SampleError::NoFlags { .. }).then_some("start the controller with `cutover serve` first");
        let made = Self::new(exit, exit::chain(&error));
        match hint {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}
