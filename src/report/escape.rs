//! Makes any text harmless in each form. What a text says stays; what it could do to the page, the terminal or the platform goes.

use std::fmt::Write;

/// Puts characters that show nothing, or that reorder what is shown, into words: `\u{202e}`. Line feeds and tabs stay.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        // Why not U+200C and U+200D: these two join letters of real scripts and pictures.
        let hidden = match letter {
            '\n' | '\t' | '\u{200c}' | '\u{200d}' => false,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => true,
            letter => letter.is_control(),
        };
        if hidden {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

fn one_line(text: &str) -> String {
    visible(&text.replace("\r\n", "\n")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For text on a terminal or in a pipe: one line.
#[must_use]
pub fn text(text: &str) -> String {
    one_line(text)
}

/// For HTML, as text or in an attribute that has quotes.
#[must_use]
pub fn html(text: &str) -> String {
    handlebars::html_escape(&visible(&text.replace("\r\n", "\n")))
}

/// For prose in Markdown: one line in which nothing is markup, also not what GitHub and GitLab find in finished text: mentions,
/// references and pictures by name.
#[must_use]
pub fn markdown(text: &str) -> String {
    entities(&one_line(text), true)
}

/// For a value in Markdown: code, in which those platforms look for nothing.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    format!("<code>{}</code>", entities(&one_line(text), false))
}

/// Why numeric references: they stand for the letter and never for structure, so they need no thought about what is around them.
fn entities(text: &str, prose: bool) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut letters = text.chars().peekable();
    let (mut before, mut only_digits) = (None, true);
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        let plain = match letter {
            letter if letter.is_ascii_alphanumeric() || !letter.is_ascii() || letter == ' ' => true,
            '.' => !only_digits && !matches!(before, Some('w' | 'W')),
            ')' => !only_digits,
            // Why: within a word it emphasises nothing.
            '_' => is_word(before) && is_word(next),
            // Why: before anything else it can be a link or the name of a picture.
            ':' => before.is_some() && next.is_none_or(|next| next == ' ' || next.is_ascii_digit()),
            ',' | ';' | '/' | '(' | '?' | '%' | '=' | '+' | '-' | '>' | ']' | '{' | '}' | '\'' => before.is_some(),
            _ => false,
        };
        if plain {
            out.push(letter);
        } else {
            let _ = write!(out, "&#{};", u32::from(letter));
        }
        // Why: finished text is searched for `@name`, `#1`, `!1` and the like; a space without width after the sign hides them.
        let refers = match letter {
            '@' | '#' | '!' | '~' | '$' | '&' | '%' | '^' | '*' | '[' => next.is_some_and(|next| next.is_alphanumeric() || next == '"'),
            ':' => next.is_some_and(|next| next.is_alphabetic() || matches!(next, '+' | '-')),
            _ => false,
        };
        if prose && refers {
            out.push_str("&#8203;");
        }
        only_digits &= letter.is_ascii_digit();
        before = Some(letter);
    }
    out
}

fn is_word(letter: Option<char>) -> bool {
    letter.is_some_and(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        for (said, shown) in [
            ("a | b", "a &#124; b"),
            ("`x` **b** _i_", "&#96;x&#96; &#42;&#42;&#8203;b&#42;&#42; &#95;i&#95;"),
            ("</details><b>", "&#60;/details>&#60;b>"),
            ("ask @ann of #12", "ask &#64;&#8203;ann of &#35;&#8203;12"),
            ("- [x] done\n\n# big", "&#45; &#91;&#8203;x] done &#35; big"),
            ("1. one", "1&#46; one"),
            ("/merge", "&#47;merge"),
            ("see http://x.y or www.x.y", "see http&#58;//x.y or www&#46;x.y"),
            ("&lt; \\`", "&#38;&#8203;lt; &#92;&#96;"),
            ("half :tada: 10:30", "half &#58;&#8203;tada: 10:30"),
            ("http_requests _total_", "http_requests &#95;total&#95;"),
            ("> said: \"so\"", "&#62; said: &#34;so&#34;"),
            ("grün → ◷", "grün → ◷"),
        ] {
            assert_eq!(markdown(said), shown);
        }
        assert_eq!(markdown_code("@a|`b`"), "<code>&#64;a&#124;&#96;b&#96;</code>");
        assert_eq!(html("<b>\"&\u{1b}"), "&lt;b&gt;&quot;&amp;\\u{1b}");
    }

    #[test]
    fn what_does_not_show_is_put_into_words() {
        assert_eq!(text("a\u{202e}b\r\nc\u{1b}[31m\0\td"), "a\\u{202e}b c\\u{1b}[31m\\u{0} d");
        assert_eq!(visible("👩\u{200d}🔧 می\u{200c}خواهم"), "👩\u{200d}🔧 می\u{200c}خواهم");
    }
}
