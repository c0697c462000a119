//! Blanks that somebody left in a template: `<topic>`, `TODO`, `{{ topic }}`, `___`.

use std::sync::LazyLock;

use regex::Regex;

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::tree::Node;

// Why: a `<` behind a letter is a comparison or a type such as `List<string>`, and two underscores begin Kafka's internal topics.
static BLANK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[^A-Za-z0-9_<])(<[A-Za-z][A-Za-z0-9 _.-]*>)|\b(TODO|FIXME)\b|(\{\{[^{}]*\}\})|(_{3,})").ok());

/// A blank inside a text.
pub(super) struct Blank<'a> {
    /// The blank itself.
    pub(super) text: &'a str,
}

/// The first blank of a text.
pub(super) fn find(text: &str) -> Option<Blank<'_>> {
    let captures = BLANK.as_ref()?.captures(text)?;
    let found = captures.iter().skip(1).flatten().next()?;
    Some(Blank { text: found.as_str() })
}

/// Reports the first blank of every text in the node.
pub fn report(file: &str, node: &Node, out: &mut Diagnostics) {
    node.each_text(&mut |text, place| {
        if let Some(blank) = find(text) {
            let diagnostic = Diagnostic::new(codes::BLANK, file, place, format!("`{}` is a blank that was not filled in", blank.text));
            out.push(diagnostic.help("write what belongs there, or make it a parameter: `${name}`"));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_found_and_ordinary_text_is_left_alone() {
        for (text, blank) in [
            ("<topic>", "<topic>"),
            ("a <Knowledge Area> b", "<Knowledge Area>"),
            ("TODO: say it", "TODO"),
            ("x-{{ name }}", "{{ name }}"),
            ("fill ____ in", "____"),
        ] {
            assert_eq!(find(text).map(|found| found.text), Some(blank), "{text}");
        }
        for text in
            ["a < b and c > d", "List<string>", "__consumer_offsets", "TODOS", "${topic}", "rate(x{code=~'5..'}[1m])", "1<2>0", "<<"]
        {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
