//! The form with an excerpt of the file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

use super::super::tree;
use super::{Diagnostic, Severity};

/// How many are drawn. Nobody reads more excerpts than this, and drawing takes time with the length of the file.
const MOST_DRAWN: usize = 200;

/// Renders all; one whose file is not known is written in the plain form, and so are those after [`MOST_DRAWN`].
pub(super) fn render(diagnostics: &[Diagnostic], sources: &BTreeMap<String, Arc<str>>, color: bool, width: usize) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width.max(40)).with_links(false);
    let mut text = String::new();
    for (at, one) in diagnostics.iter().enumerate() {
        text.push_str(if at > 0 && at <= MOST_DRAWN { "\n" } else { "" });
        let drawn = at < MOST_DRAWN && sources.get(&one.file).is_some_and(|source| draw(one, source, &handler, &mut text));
        if !drawn {
            let _ = writeln!(text, "{one}");
        }
    }
    text
}

fn draw(one: &Diagnostic, source: &Arc<str>, handler: &GraphicalReportHandler, text: &mut String) -> bool {
    let Some((offset, length)) = bytes(one, source) else {
        return false;
    };
    let severity = match one.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    };
    let mut diagnostic = MietteDiagnostic::new(format!("{}[{}]: {}", one.severity, one.code, one.message))
        .with_severity(severity)
        .with_label(LabeledSpan::new(None, offset, length));
    if let Some(help) = &one.help {
        diagnostic = diagnostic.with_help(help);
    }
    let report = Report::new(diagnostic).with_source_code(NamedSource::new(&one.file, Arc::clone(source)));
    let before = text.len();
    if handler.render_report(text, report.as_ref()).is_err() {
        text.truncate(before);
        return false;
    }
    true
}

/// Offset and length in bytes; `None` when the text has no such line.
fn bytes(one: &Diagnostic, source: &str) -> Option<(usize, usize)> {
    // Why: whoever draws the excerpt counts line feeds, so a lone carriage return would make it show the wrong line.
    if source.contains('\r') && source.matches('\r').count() != source.matches("\r\n").count() {
        return None;
    }
    let (start, line) = tree::line(source, one.line)?;
    let column = one.column.saturating_sub(1) as usize;
    let before: usize = line.chars().take(column).map(char::len_utf8).sum();
    let length: usize = line.chars().skip(column).take(one.length.unwrap_or(1) as usize).map(char::len_utf8).sum();
    Some((start + before, length))
}
