//! The formatter: one layout for all playbooks, with every comment kept and nothing said differently.

use pretty_yaml::config::{FormatOptions, LanguageOptions, LayoutOptions};

use super::Source;
use super::diagnostic::Diagnostics;
use super::tree;

/// Why a file was not formatted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Invalid(Diagnostics),
    /// The formatted text would say something else; a defect of ours, and the file is left as it is.
    #[error("the file is left as it is, because formatting it would {0}")]
    Unsafe(&'static str),
}

/// The formatted text.
///
/// # Errors
/// When the file is not YAML that can be read, or the result could not be shown to say the same.
pub fn format(source: &Source) -> Result<String, FormatError> {
    let mut out = Diagnostics::default();
    let before = match tree::read(&source.name, &source.text, &mut out) {
        Some(node) if out.errors() == 0 => node,
        _ => return Err(FormatError::Invalid(out)),
    };
    let text = settled(&source.text)?;
    let after = tree::read(&source.name, &text, &mut Diagnostics::default());
    if !after.is_some_and(|after| after.says_the_same(&before)) {
        return Err(FormatError::Unsafe("change what it says"));
    }
    // Why: comments are not in the tree.
    if tree::comments(&source.text) != tree::comments(&text) {
        return Err(FormatError::Unsafe("lose a comment"));
    }
    Ok(text)
}

/// Formats until the text stays as it is.
fn settled(text: &str) -> Result<String, FormatError> {
    let mut text = once(text)?;
    for _ in 0..3 {
        let next = once(&text)?;
        if next == text {
            return Ok(text);
        }
        text = next;
    }
    Err(FormatError::Unsafe("never come to rest"))
}

fn once(text: &str) -> Result<String, FormatError> {
    let options = FormatOptions {
        layout: LayoutOptions { print_width: 120, indent_width: 2, ..LayoutOptions::default() },
        language: LanguageOptions { brace_spacing: false, bracket_spacing: false, ..LanguageOptions::default() },
    };
    pretty_yaml::format_text(text, &options).map_err(|_| FormatError::Unsafe("need a grammar that the formatter does not have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format(&Source::new("p.yaml", text)).expect("formattable")
    }

    #[test]
    fn the_layout_is_mended_and_comments_stay() {
        let text = "# what it is for\nplaybook:   a\nsteps:\n- id: x   # first\n  note: { text: 'hello' }\n\n\n# between\n- id:  y\n  note:\n      text: >\n        folded\n        text\n";
        insta::assert_snapshot!(formatted(text), @r#"
        # what it is for
        playbook: a
        steps:
          - id: x # first
            note: {text: "hello"}

          # between
          - id: y
            note:
              text: >
                folded
                text
        "#);
    }

    #[test]
    fn formatting_twice_is_formatting_once() {
        for text in [
            "a: 1\n",
            "a: [1,2,  3]\n# end\n",
            "a:\n  - b: {c: d,  e: \"f\"}\n    # inner\n    g: |\n      text # not a comment\n",
            "a: \"with # inside\" # and outside\n",
            "? a\n: b\n",
            "a: &x {b: c}\nd: *x\n",
            "---\na: 1\n",
        ] {
            let once = formatted(text);
            assert_eq!(formatted(&once), once, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        assert!(matches!(format(&Source::new("p.yaml", "a: [1")), Err(FormatError::Invalid(_))));
    }
}
