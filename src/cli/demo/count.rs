//! The end of the demo: what became of every request, from the raw data.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::ledger;
use super::play::Played;
use crate::adapters::secret::{ProcessSecrets, Redactor};
use crate::cli::exit::{self, CliError};
use crate::cli::session::Session;
use crate::report::Tone;
use crate::samples::ledger::judge_directory;

/// How long what is still on its way may take.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Counts, tells, and returns the exit code of the whole demo.
pub(super) async fn tell(session: &Session, played: &[Played], code: u8, directory: &Path, page: &str) -> Result<u8, CliError> {
    let secrets = ProcessSecrets::new(Arc::new(Redactor::default()));
    let judged = judge_directory(directory, &secrets, ARRIVES_WITHIN, None).await?;
    let counted = ledger::code(&judged.report);
    let outcome = match (code, counted, played.last()) {
        (exit::OK, exit::OK, _) => "done",
        (exit::OK, _, _) | (_, _, None) => "not_clean",
        (_, _, Some(last)) => last.state.as_str(),
    };
    if session.is_json() {
        let mut body = json!(judged.report);
        if let Some(fields) = body.as_object_mut() {
            let names: Vec<_> = played.iter().map(|played| played.playbook.as_str()).collect();
            fields.insert("schema".to_owned(), json!("cutover.demo/1"));
            fields.insert("outcome".to_owned(), json!(outcome));
            fields.insert("playbooks".to_owned(), json!(names));
            fields.insert("runs".to_owned(), json!(played));
            fields.insert("directory".to_owned(), json!(directory));
        }
        session.json(&body)?;
    } else {
        session.print(Tone::Strong, "what became of every request")?;
        ledger::show(session, &judged)?;
        for played in played {
            session.print(Tone::Plain, format!("{}: {} in {:.1} s", played.playbook, played.state, played.seconds))?;
        }
        session.print(Tone::Plain, page)?;
        session.next(format!("cutover demo ledger {}", directory.display()));
    }
    Ok(if code == exit::OK { counted } else { code })
}
