//! `cutover schema-fix`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::check_schema::text;
use super::exit::{self, CliError};
use super::session::Session;
use crate::report::Tone;
use crate::schemas::fix::{Flaw, mend};

/// Mend a pasted schema that is no JSON, and say what was wrong at which place
///
/// Knows Python dictionaries, comments, trailing and missing commas, keys without quotes, quotes of print, broken escapes, old drafts and
/// misspelt keywords. Prints the corrected text; exits with 65 when the file was broken and is not written, or when nobody can tell what
/// was meant.
#[derive(Clone, Debug, Args)]
pub struct SchemaFixArgs {
    /// File with the schema
    pub file: PathBuf,

    /// Write the corrected text to the file
    #[arg(long)]
    pub write: bool,
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read or written, or nobody can tell what was meant.
pub fn run(session: &Session, args: &SchemaFixArgs) -> Result<u8, CliError> {
    let name = args.file.display().to_string();
    let found = text(&args.file)?;
    let mended = mend(&found).map_err(|error| {
        let told = CliError::new(exit::INVALID, format!("{name}:{}:{}: {}", error.line, error.column, error.message));
        told.hint("mend this place by hand, then run it again")
    })?;
    let broken = mended.flaws.iter().any(|flaw| flaw.broken);
    if args.write && mended.text != found {
        fs::write(&args.file, &mended.text).map_err(|error| CliError::new(exit::USAGE, format!("cannot write {name}: {error}")))?;
    }
    if session.is_json() {
        session.json(&json!({ "file": name, "broken": broken, "written": args.write, "flaws": mended.flaws, "text": mended.text }))?;
    } else {
        for Flaw { line, column, message, mended, broken } in &mended.flaws {
            let (tone, word) = if *broken { (Tone::Bad, "error") } else { (Tone::Warn, "advice") };
            session.terminal.say(tone, format!("{name}:{line}:{column}: {word}: {message}; {mended}"));
        }
        if args.write {
            session.say(if mended.text == found { format!("{name} is as it should be") } else { format!("Wrote {name}") });
        } else {
            session.print(Tone::Plain, mended.text.trim_end())?;
        }
    }
    Ok(if broken && !args.write { exit::INVALID } else { exit::OK })
}
