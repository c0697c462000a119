//! What the YAML reader found wrong, in our own words.

use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Error, ExternalMessageSource, Location};

use super::super::codes::{self, Code};
use super::super::diagnostic::Diagnostic;
use super::{Place, events, lines};

/// One diagnostic for an error that ended the reading.
pub(super) fn describe(file: &str, text: &str, error: &Error) -> Diagnostic {
    let error = innermost(error);
    let told = error.location().filter(|location| *location != Location::UNKNOWN);
    let place = exact(text, error).unwrap_or_else(|| told.map_or_else(|| end(text), |location| within(text, location)));
    if let Some(tab) = indenting_tab(text, place.line)
        && matches!(error, Error::ExternalMessage { .. })
    {
        return Diagnostic::new(codes::TAB, file, tab, "a tab cannot indent a line").help("indent with spaces, two for each level");
    }
    if let Error::ExternalMessage { source, .. } = error
        && matches!(source.as_ref(), ExternalMessageSource::Parser(scan) if *scan.kind() == ErrorKind::MappingValueNotAllowed)
        && !before(text, place).contains(": ")
    {
        return Diagnostic::new(codes::NOT_YAML, file, place, "this key goes on from the line above")
            .help("the line above lacks its `:`, or this line must be indented");
    }
    let (code, message, help) = words(error);
    let diagnostic = Diagnostic::new(code, file, place, message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Where the mistake is, when the reader only told where it noticed.
fn exact(text: &str, error: &Error) -> Option<Place> {
    match error {
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => events::unfolding_alias(text),
        Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => events::foreign_tag(text),
        _ => None,
    }
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => innermost(error),
        _ => error,
    }
}

fn words(error: &Error) -> (Code, String, Option<&'static str>) {
    let unfold = |what: &str| {
        (
            codes::TOO_MUCH_YAML,
            format!("{what} unfold into more than a playbook can hold"),
            Some("write the values out instead of using `&` and `*`"),
        )
    };
    match error {
        Error::MultipleDocuments { .. } => (
            codes::SEVERAL_DOCUMENTS,
            "a second document begins here".to_owned(),
            Some("one file holds one playbook: take the `---` line out or split the file"),
        ),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => unfold("the aliases of this file"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => unfold("aliases that hold themselves"),
        Error::Budget { .. } => (
            codes::TOO_MUCH_YAML,
            "the file is nested too deep or holds too many values".to_owned(),
            Some("at most 64 levels and 1000 aliases are read"),
        ),
        Error::UnknownAnchor { .. } => {
            (codes::NOT_YAML, "`*` names an anchor that is not there".to_owned(), Some("put the text in quotes if the `*` belongs to it"))
        }
        Error::MergeKeyNotAllowed { .. } => (codes::FOREIGN_YAML, "`<<` does not merge maps here".to_owned(), Some("write the keys out")),
        Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } | Error::TaggedEnumMismatch { .. } => (
            codes::FOREIGN_YAML,
            "tags such as `!name` are not used here".to_owned(),
            Some("put the text in quotes if the `!` belongs to it"),
        ),
        Error::NonFiniteFloat { .. } => (codes::FOREIGN_YAML, "a number must be finite".to_owned(), Some("put it in quotes if it is text")),
        Error::ExternalMessage { source, msg, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(scan) => parser_words(scan.kind(), msg),
            _ => (codes::NOT_YAML, format!("this is not YAML: {msg}"), None),
        },
        Error::Eof { .. } => (codes::NOT_YAML, "the file ends too early".to_owned(), None),
        other => (codes::FOREIGN_YAML, format!("this cannot be read: {}", plain(other)), None),
    }
}

/// Words for the mistakes that people make; for the others the parser's own.
fn parser_words(kind: &ErrorKind, original: &str) -> (Code, String, Option<&'static str>) {
    let (message, help) = match kind {
        ErrorKind::RecursionLimitExceeded => {
            return (codes::TOO_MUCH_YAML, "the file is nested too deep".to_owned(), Some("at most 64 levels are read"));
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            return (codes::TAB, "a tab cannot stand here".to_owned(), Some("use spaces"));
        }
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote is opened and never closed", Some("close it, or double it inside single quotes: `''`"))
        }
        ErrorKind::InvalidQuotedScalarIndent => {
            ("a text in quotes goes on over a line that is not indented", Some("close the quote, or indent the line"))
        }
        ErrorKind::UnclosedFlowCollection { open: '[' } | ErrorKind::UnexpectedEofFlowSequence => {
            ("a `[` is never closed", Some("add the `]`"))
        }
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("a `{` is never closed", Some("add the `}`; a text that holds braces needs quotes"))
        }
        ErrorKind::ExpectedFlowMappingSeparator => ("a `,` or `}` is missing here", Some("a text that holds `{`, `}` or `,` needs quotes")),
        ErrorKind::ExpectedFlowSequenceSeparator => {
            ("a `,` or `]` is missing here", Some("a text that holds `[`, `]` or `,` needs quotes"))
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            ("a `:` makes a second key on this line", Some("put the text in quotes, or begin a new line"))
        }
        ErrorKind::SimpleKeyExpected => ("a key without its `:`", Some("a map needs `key: value` on every line")),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => ("this line is not indented like the ones above it", None),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("an unknown `\\` escape in double quotes", Some("double the backslash, or use single quotes"))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (codes::NOT_YAML, format!("a `{open}` cannot be closed by `{close}`"), Some("a text that holds brackets needs quotes"));
        }
        ErrorKind::UnexpectedCharacter { character: '`' } => ("a text cannot begin with a back-quote", Some("put it in quotes")),
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("a text cannot begin with `{}`", character.escape_default());
            return (codes::NOT_YAML, message, Some("put it in quotes"));
        }
        _ => return (codes::NOT_YAML, format!("this is not YAML: {original}"), None),
    };
    (codes::NOT_YAML, message.to_owned(), help)
}

/// The reader's own sentence without the place, which the diagnostic says.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

/// A location that lies inside the text, so that every editor can jump to it.
fn within(text: &str, location: Location) -> Place {
    let last = end(text);
    let line = u32::try_from(location.line()).unwrap_or(u32::MAX).max(1);
    if line > last.line {
        return last;
    }
    Place { line, column: u32::try_from(location.column()).unwrap_or(u32::MAX).max(1), length: 1 }
}

/// The last character that is not a line's end.
fn end(text: &str) -> Place {
    let (line, last) = lines::last(text.trim_end_matches(['\n', '\r']));
    Place { line, column: u32::try_from(last.chars().count()).unwrap_or(u32::MAX).max(1), length: 0 }
}

/// What stands before the place on its line.
fn before(text: &str, place: Place) -> String {
    let line = lines::line(text, place.line).map_or("", |(_, line)| line);
    line.chars().take(place.column.saturating_sub(1) as usize).collect()
}

fn indenting_tab(text: &str, line: u32) -> Option<Place> {
    let (_, found) = lines::line(text, line)?;
    let indent = found.chars().take_while(|one| matches!(one, ' ' | '\t'));
    let column = indent.into_iter().position(|one| one == '\t')?;
    Some(Place { line, column: u32::try_from(column).ok()? + 1, length: 1 })
}
