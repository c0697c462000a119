//! `cutover version`.

use serde_json::json;

use super::exit::{self, CliError};
use super::server::VERSION;
use super::session::Session;
use crate::report::Tone;

/// Runs the command.
///
/// # Errors
/// When standard output is gone.
pub fn run(session: &Session) -> Result<u8, CliError> {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    if session.is_json() {
        session.json(&json!({ "schema": "cutover.version/1", "version": VERSION, "librdkafka": librdkafka }))?;
    } else {
        session.print(Tone::Plain, format!("cutover {VERSION} (librdkafka {librdkafka})"))?;
    }
    Ok(exit::OK)
}
