//! What our own rules say of a schema that is to follow another: where it breaks, which levels would admit it, and who is deployed first.

use crate::ports::registry::{Compatibility, SchemaFormat, SchemaVersion};
use crate::schemas::{Document, Policy, RegistryKind, Unreadable, Verdict, fix, judge};

/// How many places are told of a refused schema.
const TOLD: usize = 5;

/// Why a file holds no schema in that language, with the place in it.
pub(super) fn unreadable(path: &str, text: &str, format: SchemaFormat) -> Option<String> {
    if format == SchemaFormat::Protobuf {
        return None;
    }
    let Unreadable { line, column, message } = Document::read(text, format).err()?;
    let first = (format == SchemaFormat::Json).then(|| fix::mend(text).ok()).flatten();
    let first = first.and_then(|mended| mended.flaws.into_iter().find(|flaw| flaw.broken));
    Some(match first {
        Some(flaw) => {
            format!("{path}:{}:{}: {}; `cutover schema-fix {path}` writes what was meant", flaw.line, flaw.column, flaw.message)
        }
        None => format!("{path}:{line}:{column}: {message}"),
    })
}

/// The judgement on a schema that follows another; `None` when our rules do not know the language.
pub(super) fn judged(latest: &SchemaVersion, format: SchemaFormat, text: &str, level: Compatibility) -> Option<Verdict> {
    if format == SchemaFormat::Protobuf || latest.format != format {
        return None;
    }
    let old = Document::read(&latest.text, format).ok()?;
    let new = Document::read(text, format).ok()?;
    Some(judge(&[old], &new, level, Policy::Strict, RegistryKind::Confluent))
}

/// Where it breaks and who would admit it, as the end of a sentence.
pub(super) fn told(verdict: &Verdict) -> String {
    let places: Vec<String> = verdict.reasons.iter().take(TOLD).map(|reason| format!("{}: {}", reason.path, reason.message)).collect();
    let more = verdict.reasons.len().saturating_sub(TOLD);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let levels: Vec<&str> = verdict.admitted_by.iter().map(|level| level.as_str()).collect();
    let places = if places.is_empty() { String::new() } else { format!(". By our rules: {}{more}", places.join("; ")) };
    format!("{places}. Levels that admit it: {}; {}", levels.join(", "), verdict.order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_is_told_with_its_place_and_its_cure() {
        let told = unreadable("schemas/a.json", "{\n  'type': 'object'}", SchemaFormat::Json).unwrap();
        assert!(told.starts_with("schemas/a.json:2:3: a text in single quotes") && told.contains("schema-fix"), "{told}");
        assert_eq!(unreadable("a.json", "{}", SchemaFormat::Json), None);
        assert_eq!(unreadable("a.proto", "syntax = \"proto3\";", SchemaFormat::Protobuf), None);
    }

    #[test]
    fn a_refused_schema_is_told_with_the_levels_that_admit_it() {
        let text = |more: &str| format!(r#"{{"type": "object", "properties": {{"a": {{}}{more}}}}}"#);
        let latest = SchemaVersion { id: None, version: Some(1), format: SchemaFormat::Json, text: text("") };
        let verdict = judged(&latest, SchemaFormat::Json, &text(r#", "b": {"type": "string"}"#), Compatibility::Backward).unwrap();
        let told = told(&verdict);
        assert!(told.contains("#/properties/b") && told.contains("FORWARD") && told.contains("writers first"), "{told}");
    }
}
