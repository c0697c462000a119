//! A file that a step names.

use std::sync::Arc;

use serde_json::Value;

use super::super::Source;
use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::files::FileError;
use super::super::services;
use super::super::shape::Located;
use super::super::suggest;
use super::super::tree::Place;
use super::read::Reading;
use crate::step::pointer::escape;

/// The text of the file; `None` when it cannot be used, which was reported.
pub(super) fn read(path: &str, located: &Located, reading: &mut Reading<'_>) -> Option<Arc<str>> {
    if let Some(text) = reading.texts.get(path) {
        return Some(Arc::clone(text));
    }
    let text = match reading.files.text(path) {
        Ok(text) => text,
        Err(error) => {
            let place = located.value(&pointer_of(path, &located.json, "").unwrap_or_default());
            let diagnostic = Diagnostic::new(codes::NO_FILE, reading.file, place, error.to_string());
            let near = reading.files.near(path);
            reading.out.push(match (&error, suggest::nearest(path, near.iter().map(String::as_str))) {
                (FileError::Missing(_), Some(near)) => diagnostic.help(format!("did you mean `{near}`?")),
                _ => diagnostic.help("paths begin at the directory in which the playbook lies"),
            });
            return None;
        }
    };
    let is_json = path.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
    if is_json && let Some(diagnostic) = not_json(&beside(reading.file, path), &text) {
        reading.out.attach(&diagnostic.file, Arc::clone(&text));
        reading.out.push(diagnostic);
        return None;
    }
    let is_yaml = path.rsplit_once('.').is_some_and(|(_, extension)| matches!(extension, "yaml" | "yml"));
    if is_yaml
        && services::is_services(&text)
        && let Err(mistakes) = services::read(&Source::new(beside(reading.file, path), Arc::clone(&text)))
    {
        reading.out.extend(mistakes);
        return None;
    }
    reading.texts.insert(path.to_owned(), Arc::clone(&text));
    Some(text)
}

/// The file's name for messages: as the playbook's file was named.
pub(super) fn beside(playbook: &str, path: &str) -> String {
    playbook.rsplit_once('/').map_or_else(|| path.to_owned(), |(directory, _)| format!("{directory}/{path}"))
}

/// Where the text stands as a whole value.
pub(super) fn pointer_of(path: &str, value: &Value, pointer: &str) -> Option<String> {
    match value {
        Value::String(text) if text == path => Some(pointer.to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| pointer_of(path, item, &format!("{pointer}/{index}"))),
        Value::Object(object) => object.iter().find_map(|(key, item)| pointer_of(path, item, &format!("{pointer}/{}", escape(key)))),
        _ => None,
    }
}

fn not_json(file: &str, text: &str) -> Option<Diagnostic> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // Why: the reader counts bytes up to and with the one that it did not expect.
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    let found = line.get(before.len()..).and_then(|rest| rest.chars().next());
    let place = Place {
        line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        length: 1,
    };
    let diagnostic = Diagnostic::new(codes::NOT_JSON, file, place, format!("this is not JSON: {}", why(&error)));
    let comma = text.split('\n').take(error.line().saturating_sub(1)).chain([before]).collect::<String>().trim_end().ends_with(',');
    Some(match found {
        Some('\'') => diagnostic.help("JSON has double quotes; single ones come from a Python dictionary"),
        Some('}' | ']') if comma => diagnostic.help("take the comma before it away"),
        Some('T' | 'F' | 'N') => diagnostic.help("JSON writes `true`, `false` and `null`"),
        Some('/' | '#') => diagnostic.help("JSON has no comments"),
        _ => diagnostic,
    })
}

fn why(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let original = full.split(" at line ").next().unwrap_or(&full);
    let words = match original {
        _ if error.is_eof() => "it ends too early",
        "key must be a string" => "a key in double quotes is expected here",
        "expected value" => "a value is expected here",
        "trailing comma" => "this comma is one too many",
        "trailing characters" => "it goes on after its end",
        other => other,
    };
    words.to_owned()
}
