//! Why a sample service does not start or cannot go on.

use std::path::PathBuf;

use crate::stack::files::FileError;

/// A sample service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A variable of the environment is missing.
    #[error("{variable} is not set: {what}")]
    Missing {
        /// Its name.
        variable: &'static str,
        /// What it should hold.
        what: &'static str,
    },
    /// It was given no socket and no address.
    #[error("nobody handed over a socket; the supervisor does, and by hand `--listen 127.0.0.1:8080` names an address")]
    NoSocket,
    /// A socket cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which one.
        address: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// There is no flag document, neither from the controller nor from before.
    #[error("there is no flag document to decide by: {controller}, and {} holds none from before", kept.display())]
    NoFlags {
        /// What the controller answered.
        controller: String,
        /// Where the last known document would lie.
        kept: PathBuf,
    },
    /// A service does not acknowledge what the traffic begins with.
    #[error("{service} at {url} does not make the exercises that the traffic works on")]
    NoAnswer {
        /// Which service.
        service: &'static str,
        /// Where it should be.
        url: String,
    },
    /// Its own database does not answer or refuses.
    #[error("the database does not do what it should")]
    Database(#[from] sqlx::Error),
    /// Kafka's client cannot be made.
    #[error("the Kafka client cannot be made")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// A file of its own.
    #[error(transparent)]
    File(#[from] FileError),
    /// A defect of the program itself.
    #[error("a part that is built in does not work: {0}")]
    Defect(String),
    /// The operating system refused something.
    #[error("the operating system refused")]
    System(#[from] std::io::Error),
}
