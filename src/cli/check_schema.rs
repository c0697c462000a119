//! `cutover check-schema`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::exit::{self, CliError};
use super::session::Session;
use crate::ports::registry::{Compatibility, SchemaFormat};
use crate::report::Tone;
use crate::schemas::samples::{Tried, try_lines};
use crate::schemas::{self, Direction, Document, Policy, Reason, RegistryKind, Unreadable, Verdict, envelope};

/// Say whether a schema may follow earlier ones, and why not, without asking a registry
///
/// JSON Schema is judged by the rules of Confluent's registry, place by place; Avro by the rules of its specification. What the registry lets
/// pass although a validator may refuse documents is said as a warning. Shows the levels that would admit the change, and in which order
/// readers and writers may then be deployed. Exits with 65 when the schema may not follow, or a sample is refused.
#[derive(Clone, Debug, Args)]
pub struct CheckSchemaArgs {
    /// File with an earlier version; several, the oldest first
    #[arg(long, required = true, value_name = "FILE")]
    pub old: Vec<PathBuf>,

    /// File with the new schema
    #[arg(long, value_name = "FILE")]
    pub new: PathBuf,

    /// Compatibility level
    #[arg(long, value_name = "LEVEL", default_value = "BACKWARD", value_parser = level)]
    pub mode: Compatibility,

    /// Language of the schemas; told by the ending of the new one when it is left out
    #[arg(long, value_enum)]
    pub format: Option<Language>,

    /// Whose registry will judge it in the end
    #[arg(long, value_enum, default_value_t)]
    pub registry_kind: RegistryKind,

    /// How strict the registry is about open objects; `lenient` is its `compatibilityPolicy`
    #[arg(long, value_enum, default_value_t)]
    pub policy: Policy,

    /// Schema that others refer to, under the name that they use; can be given several times
    #[arg(long = "reference", value_name = "NAME=FILE", value_parser = super::lint::variable)]
    pub references: Vec<(String, String)>,

    /// File with real documents of the earlier version, one JSON document per line; each is tried with the new and the newest old schema
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,

    /// Look at the envelope of the new schema, too: `event_id`, `event_version`, `event_name`, `produced_at`, `payload`
    #[arg(long)]
    pub envelope: bool,
}

/// A language that is compared without a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// JSON Schema
    Json,
    /// Avro
    Avro,
}

fn level(text: &str) -> Result<Compatibility, String> {
    text.to_ascii_uppercase().replace('-', "_").parse()
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or holds no schema.
pub fn run(session: &Session, args: &CheckSchemaArgs) -> Result<u8, CliError> {
    let format = match args.format {
        Some(Language::Avro) => SchemaFormat::Avro,
        None if args.new.extension().is_some_and(|ending| ending == "avsc") => SchemaFormat::Avro,
        Some(Language::Json) | None => SchemaFormat::Json,
    };
    let references = args.references.iter().map(|(name, path)| Ok((name.clone(), document(Path::new(path), format)?.value)));
    let references = references.collect::<Result<Vec<_>, CliError>>()?;
    let read = |path: &PathBuf| document(path, format).map(|document| document.with_references(references.clone()));
    let old = args.old.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let new = read(&args.new)?;
    let verdict = schemas::judge(&old, &new, args.mode, args.policy, args.registry_kind);
    let tried = samples(args, &old, &new)?;
    let remarks = args.envelope.then(|| envelope::examine(&new.value).unwrap_or_else(envelope::none));
    let fits = tried.iter().all(|(_, tried)| tried.refused.is_empty()) && remarks.iter().flatten().all(|remark| remark.advice);
    if session.is_json() {
        let mut answer = serde_json::to_value(&verdict).map_err(|error| CliError::new(exit::UNEXPECTED, error.to_string()))?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("mode".to_owned(), json!(args.mode));
            if let Some(remarks) = &remarks {
                answer.insert("envelope".to_owned(), json!(remarks));
            }
            if args.samples.is_some() {
                let tried = tried.iter().map(|(schema, tried)| (schema.replace(' ', "_"), json!(tried)));
                answer.insert("samples".to_owned(), tried.collect::<serde_json::Map<_, _>>().into());
            }
        }
        session.json(&answer)?;
    } else {
        show(session, args, &verdict)?;
        for remark in remarks.iter().flatten() {
            let (tone, mark) = if remark.advice { (Tone::Warn, "advice") } else { (Tone::Bad, "envelope") };
            session.print(tone, format!("  {} ({mark}): {}", remark.path, remark.message))?;
        }
        for (schema, tried) in &tried {
            show_tried(session, schema, tried)?;
        }
    }
    Ok(if verdict.compatible && fits { exit::OK } else { exit::INVALID })
}

fn samples(args: &CheckSchemaArgs, old: &[Document], new: &Document) -> Result<Vec<(&'static str, Tried)>, CliError> {
    let Some(path) = &args.samples else { return Ok(Vec::new()) };
    if new.format != SchemaFormat::Json {
        return Err(CliError::new(exit::USAGE, "samples are tried with JSON Schema only"));
    }
    let lines = text(path)?;
    let schemas = [("new schema", Some(new)), ("old schema", old.last())];
    let schemas = schemas.into_iter().filter_map(|(name, schema)| Some((name, schema?)));
    let tried = schemas.map(|(name, schema)| match try_lines(&schema.value, &lines) {
        Ok(tried) => Ok((name, tried)),
        Err(error) => Err(CliError::new(exit::INVALID, format!("the {name} is no schema that documents can be tried with: {error}"))),
    });
    tried.collect()
}

fn show(session: &Session, args: &CheckSchemaArgs, verdict: &Verdict) -> Result<(), CliError> {
    let (tone, says) = if verdict.compatible { (Tone::Good, "may follow") } else { (Tone::Bad, "may not follow") };
    session.print(tone, format!("{} {says} at {}", args.new.display(), args.mode))?;
    let several = args.old.len() > 1;
    for (tone, reasons) in [(Tone::Bad, &verdict.reasons), (Tone::Warn, &verdict.warnings)] {
        for reason in reasons {
            session.print(tone, told(reason, tone, several))?;
        }
    }
    let levels: Vec<&str> = verdict.admitted_by.iter().map(|level| level.as_str()).collect();
    session.print(Tone::Plain, format!("admitted by {}", levels.join(", ")))?;
    session.print(Tone::Plain, format!("order: {}", verdict.order))?;
    Ok(())
}

fn told(reason: &Reason, tone: Tone, several: bool) -> String {
    let direction = match reason.direction {
        Direction::Backward => "backward",
        Direction::Forward => "forward",
    };
    let mark = if tone == Tone::Warn { "warning, " } else { "" };
    let against = if several { format!(", with version {}", reason.against) } else { String::new() };
    format!("  {} ({mark}{direction}{against}): {}  [{}]", reason.path, reason.message, reason.rule)
}

fn show_tried(session: &Session, schema: &str, tried: &Tried) -> Result<(), CliError> {
    let tone = if tried.refused.is_empty() { Tone::Good } else { Tone::Bad };
    session.print(tone, format!("samples: the {schema} takes {} of {}", tried.taken, tried.documents))?;
    for refused in &tried.refused {
        let place = if refused.path.is_empty() { "the whole document" } else { &refused.path };
        session.print(Tone::Bad, format!("  line {}, {place}: {}", refused.line, refused.message))?;
    }
    Ok(())
}

/// Reads a file as text.
pub(super) fn text(path: &Path) -> Result<String, CliError> {
    let bytes = fs::read(path).map_err(|error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::new(exit::INVALID, format!("{} is not UTF-8 text, from byte {at} on", path.display()))
    })
}

fn document(path: &Path, format: SchemaFormat) -> Result<Document, CliError> {
    Document::read(&text(path)?, format).map_err(|Unreadable { line, column, message }| {
        let error = CliError::new(exit::INVALID, format!("{}:{line}:{column}: {message}", path.display()));
        if format == SchemaFormat::Json {
            error.hint(format!("cutover schema-fix {} says what it should have been", path.display()))
        } else {
            error
        }
    })
}
